"""Loops over one request, compiled by numba: through a forest, and from n-grams to text directions.

numpy takes 0.5 ms for a hundred trees, since every level of them is a call, and 0.2 ms to gather the rows of a
projection before it multiplies them; these take 0.01 and 0.04 ms. Their twins are `Trees.predict` and a product.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pointsman.query.compiling import compiled
from pointsman.query.difficulty.trees import Trees
from pointsman.query.outcomes import Floats

__all__ = ["mean_leaf", "projected"]


def mean_leaf(trees: Trees, row: Any) -> Floats:
    """(T,) of one row (D,) float32. Where numba is missing, numpy answers."""
    walk = compiled(_walk)
    if walk is None:
        return np.asarray(trees.predict(row[None, :])[0])
    arrays = trees.roots, trees.feature, trees.threshold, trees.left, trees.right, trees.values
    found: Floats = walk(*arrays, row)
    return found


def projected(weights: Any, columns: Any, projection: Any) -> Floats:
    """(K,) weights (n,) times the rows (n, K) of a projection (V, K) that `columns` (n,) name, float32."""
    gather = compiled(_gather)
    if gather is None:
        return np.asarray(weights @ projection[columns], dtype=np.float64)
    found: Floats = gather(weights, columns, projection)
    return found


def _walk(roots: Any, feature: Any, threshold: Any, left: Any, right: Any, values: Any, row: Any) -> Any:
    total = np.zeros(values.shape[1])
    for tree in range(roots.shape[0]):
        node = roots[tree]
        while feature[node] >= 0:
            node = left[node] if row[feature[node]] <= threshold[node] else right[node]
        for target in range(values.shape[1]):
            total[target] += values[node, target]
    return total / roots.shape[0]


def _gather(weights: Any, columns: Any, projection: Any) -> Any:
    total = np.zeros(projection.shape[1], dtype=np.float32)
    for i in range(columns.shape[0]):
        weight, row = weights[i], columns[i]
        for k in range(projection.shape[1]):
            total[k] += weight * projection[row, k]
    return total.astype(np.float64)
