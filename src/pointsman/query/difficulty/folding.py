"""A fitted forecaster made short for single requests: what is linear behind the learners is multiplied into them.

The stack looks at what learners predict of 2 A targets along C directions only, so leaves and neighbours' targets are
kept as C coordinates instead; and ridge regressions, whose weights in the stack do not depend on the request, become
one matrix:

    sum over e of w[e] * ((view_e(place) @ weights_e + intercept_e - mean) @ directions)  ->  place @ matrix + offset

Twice each, with the weights for known and for unknown requests. For 20 arms and 3,000 rows a request then reads 3 MB.

Axes: A arms, T = 2 A targets, C coordinates (of outcomes, then of lengths), D size of a place (`walking.py`), M rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointsman.query.difficulty.joint import JointForecaster
from pointsman.query.difficulty.learners import Neighbours, Ridge, View, even_view, mixed_view, text_view, tree_view
from pointsman.query.difficulty.space import Points
from pointsman.query.difficulty.trees import Trees
from pointsman.query.difficulty.walking import Layout
from pointsman.query.outcomes import Floats

__all__ = ["LINEAR_VIEWS", "Fold", "Forest", "Near", "Rows", "Shares", "folded_ridges"]

LINEAR_VIEWS: tuple[View, ...] = (text_view, even_view, mixed_view)
"""Linear in the parts of a place; see `_matrix_of`."""

Shares = Floats
"""(2, C): how much a learner counts for each coordinate, of known and of unknown requests."""


@dataclass(frozen=True, slots=True)
class Fold:
    """From targets to coordinates. `mean`: (T,), `directions`: (T, C)."""

    mean: Floats
    directions: Floats

    @classmethod
    def of(cls, fitted: JointForecaster) -> Fold:
        """Outcomes and lengths have directions of their own."""
        right, lengths = fitted.right.directions, fitted.lengths.directions
        directions = np.zeros((len(right) + len(lengths), right.shape[1] + lengths.shape[1]))
        directions[: len(right), : right.shape[1]] = right
        directions[len(right) :, right.shape[1] :] = lengths
        return cls(np.concatenate([fitted.right.mean, fitted.lengths.mean]), directions)

    def along(self, targets: Floats) -> Floats:
        """(M, T) -> (M, C)."""
        return np.asarray((targets - self.mean) @ self.directions)


@dataclass(frozen=True, slots=True)
class Forest:
    """`Trees` over places.

    Attributes:
        roots: (B,).
        nodes: (N, 3) where in a place a node asks, -1 at a leaf; its children on the left and on the right.
        thresholds: (N,) rounded down: of singles the same ones are below.
        leaves: (N, C).
    """

    roots: NDArray[np.int32]
    nodes: NDArray[np.int32]
    thresholds: NDArray[np.float32]
    leaves: NDArray[np.float32]

    @classmethod
    def of(cls, trees: Trees, fold: Fold, layout: Layout) -> Forest:
        """Which features stand where, `tree_view` tells when it is shown numbered places."""
        asked = tree_view(layout.points(np.arange(layout.num_linear, dtype=np.float64)))[0].astype(np.int32)
        feature = np.where(trees.feature < 0, -1, asked[np.maximum(trees.feature, 0)])
        near = trees.threshold.astype(np.float32)
        return cls(
            trees.roots,
            np.ascontiguousarray(np.stack([feature, trees.left, trees.right], axis=1), dtype=np.int32),
            np.where(near > trees.threshold, np.nextafter(near, np.float32(-np.inf)), near),
            fold.along(trees.values.astype(np.float64)).astype(np.float32),
        )


@dataclass(frozen=True, slots=True)
class Near:
    """A learner that looks at the nearest rows: `targets` (M, C); by their `texts` alone, or by all directions."""

    by_texts: bool
    num_nearest: int
    targets: Floats
    shares: Shares


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows to be like, lying on their side: a product then reads them once from end to end.

    From memory 3,000 rows take 0.13 ms so, and 0.27 where each row holds both parts; from the cache 0.03 and 0.05.

    Attributes:
        texts: (K + X, M) their part of the directions.
        surface: (S, M) likewise.
        inverse: (M,) 1 over the length of the texts' part.
    """

    texts: NDArray[np.float32]
    surface: NDArray[np.float32]
    inverse: NDArray[np.float32]

    @classmethod
    def of(cls, directions: NDArray[np.float32], num_text: int) -> Rows:
        """Of (M, K + X + S)."""
        turned = np.ascontiguousarray(directions.T)
        texts = turned[:num_text]
        return cls(texts, turned[num_text:], 1 / np.maximum(np.linalg.norm(texts, axis=0), np.float32(1e-9)))

    def are_of(self, learner: Neighbours) -> bool:
        """Whether the directions of a learner's texts are these rows'."""
        mine, theirs = self.texts * self.inverse, learner.directions.T
        return mine.shape == theirs.shape and bool(np.allclose(mine, theirs, atol=1e-5))

    def similar(self, asked: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(M,) to the directions `asked` (K + X + S,), and (M,) of the texts alone."""
        text, surface = asked[: len(self.texts)], asked[len(self.texts) :]
        along = text @ self.texts
        inverse = np.float32(1 / max(math.sqrt(text @ text), 1e-9))
        return along + surface @ self.surface, along * self.inverse * inverse


def folded_ridges(ridges: list[tuple[Ridge, Shares]], fold: Fold, layout: Layout) -> tuple[Floats, Floats]:
    """(D', 2 C) and (2 C,): from the linear parts of a place to what all say, as of known and of unknown requests."""
    num_coordinates = fold.directions.shape[1]
    matrix, offset = np.zeros((layout.num_linear, 2 * num_coordinates)), np.zeros(2 * num_coordinates)
    for ridge, shares in ridges:
        weights = ridge.weights @ fold.directions
        start = fold.along((ridge.intercept - ridge.center @ ridge.weights)[None, :])[0]
        matrix += np.hstack([_matrix_of(ridge.view, layout) @ weights * share for share in shares])
        offset += np.hstack([start * share for share in shares])
    return matrix, offset


def _matrix_of(view: View, layout: Layout) -> Floats:
    """(D', V) by which a view multiplies the linear parts of a place, seen from what it makes of single ones.

    A view takes texts as a * text + b * unit(text): a text of length 1 gives a + b, one of length 2 gives 2 a + b.
    """
    sizes = layout.num_text, layout.num_surface, layout.num_waves

    def shown(part: int, value: float) -> Floats:
        parts = [np.zeros((sizes[part], size)) for size in sizes]
        np.fill_diagonal(parts[part], value)
        return view(Points(*parts))

    one, two = shown(0, 1.0), shown(0, 2.0)
    return np.vstack([two - one, 2 * one - two, shown(1, 1.0), shown(2, 1.0)])
