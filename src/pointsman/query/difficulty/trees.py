"""A forest as arrays: read by numpy, stored without pickle. Twin of scikit-learn's `predict`, tested for equality."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pointsman.query.outcomes import Floats

if TYPE_CHECKING:
    from sklearn.ensemble import ExtraTreesRegressor

__all__ = ["Trees", "flattened"]


@dataclass(frozen=True, slots=True)
class Trees:
    """B trees whose nodes stand one behind the other.

    Attributes:
        roots: (B,) index of each tree's first node.
        feature: (M,) that a node asks for; -1 at a leaf.
        threshold: (M,) at most this goes left.
        left: (M,) the node on the left; the right one is `right`.
        values: (M, T) float32, means of targets at each node.
    """

    roots: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: Floats
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    values: NDArray[np.float32]

    def predict(self, found: Floats) -> Floats:
        """(N, D) -> (N, T)."""
        compared = found.astype(np.float32)  # as scikit-learn compares
        at = np.tile(self.roots, (len(found), 1))  # (N, B)
        rows = np.arange(len(found))[:, None]
        while True:
            feature = self.feature[at]
            is_leaf = feature < 0
            if is_leaf.all():
                break
            goes_left = compared[rows, np.maximum(feature, 0)] <= self.threshold[at]
            at = np.where(is_leaf, at, np.where(goes_left, self.left[at], self.right[at]))
        total = np.zeros((len(found), self.values.shape[1]))
        for tree in range(len(self.roots)):  # not one gather of (N, B, T), which may be gigabytes
            total += self.values[at[:, tree]]
        return total / len(self.roots)


def flattened(forest: ExtraTreesRegressor, scale: Floats) -> Trees:
    """The arrays of a fitted forest; `scale`: (T,) multiplies what it predicts."""
    trees = [estimator.tree_ for estimator in forest.estimators_]
    starts = np.cumsum([0, *(tree.node_count for tree in trees)])

    def children(name: str) -> NDArray[np.int32]:
        moved = [np.where(found < 0, 0, found + start) for found, start in _with(trees, starts, name)]
        return np.concatenate(moved).astype(np.int32)

    is_leaf = np.concatenate([tree.children_left < 0 for tree in trees])
    feature = np.concatenate([tree.feature for tree in trees])
    return Trees(
        roots=starts[:-1].astype(np.int32),
        feature=np.where(is_leaf, -1, feature).astype(np.int32),
        threshold=np.concatenate([tree.threshold for tree in trees]),
        left=children("children_left"),
        right=children("children_right"),
        values=(np.concatenate([tree.value[:, :, 0] for tree in trees]) * scale).astype(np.float32),
    )


def _with(trees: list, starts: NDArray[np.int64], name: str) -> list[tuple[NDArray[np.int64], int]]:  # type: ignore[type-arg]  # scikit-learn's Tree has no annotations
    return [(getattr(tree, name), int(start)) for tree, start in zip(trees, starts[:-1], strict=True)]
