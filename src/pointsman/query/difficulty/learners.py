"""Learners: from points to targets, each with what it predicts for rows that it did not learn from.

Targets are columns of one matrix, outcomes and lengths alike, so that a learner is fitted once for all arms. Two ways
of holding out tell two things: by rows, what is known of requests like these; by tasks, what carries over to others.

Axes: N requests, T targets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesRegressor

from pointsman.query.difficulty.curves import Curves, fit_curves
from pointsman.query.difficulty.space import Points, unit
from pointsman.query.difficulty.trees import Trees, flattened
from pointsman.query.outcomes import Floats, Ints

__all__ = [
    "LEARNERS",
    "CurveView",
    "Fitted",
    "HeldOut",
    "Learner",
    "Lesson",
    "Neighbours",
    "Ridge",
    "TreeView",
    "tree_view",
]


class Fitted(Protocol):
    """A learner that has learned."""

    def predict(self, points: Points) -> Floats:
        """(N, T)."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What a learner gives: `fitted` on all rows, and (N, T) predictions of rows held out by row and by task."""

    fitted: Fitted
    by_row: Floats
    by_task: Floats


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is learned from: `points` and `targets` (N, T); `rows`, `tasks`: (N,) fold of each row, and of its task."""

    points: Points
    targets: Floats
    rows: Ints
    tasks: Ints
    seed: int


Learner = Callable[[Lesson], HeldOut]

View = Callable[[Points], Floats]


@dataclass(frozen=True, slots=True)
class Ridge:
    """A linear learner on one view. `weights`: (D, T), `center`: (D,), `intercept`: (T,)."""

    view: View
    center: Floats
    weights: Floats
    intercept: Floats

    def predict(self, points: Points) -> Floats:
        """(N, T)."""
        return np.asarray((self.view(points) - self.center) @ self.weights + self.intercept)


def ridge(view: View, penalty: float) -> Learner:
    """A ridge regression; held-out rows cost one solve a fold, from Gram matrices less the fold's."""

    def learn(lesson: Lesson) -> HeldOut:
        found, targets = view(lesson.points), lesson.targets
        center = found.mean(0)
        design = np.hstack([found - center, np.ones((len(found), 1))])
        gram, moments = design.T @ design, design.T @ targets
        penalties = np.full(len(gram), penalty)
        penalties[-1] = 1e-9

        def held_out(folds: Ints) -> Floats:
            predicted = np.empty_like(targets)
            for fold in np.unique(folds):
                part = design[folds == fold]
                rest = gram - part.T @ part + np.diag(penalties)
                weights = np.linalg.solve(rest, moments - part.T @ targets[folds == fold])
                predicted[folds == fold] = part @ weights
            return predicted

        weights = np.linalg.solve(gram + np.diag(penalties), moments)
        return HeldOut(Ridge(view, center, weights[:-1], weights[-1]), held_out(lesson.rows), held_out(lesson.tasks))

    return learn


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The mean of the nearest rows, nearer ones counting more; of equals the first ones count.

    `directions`: (M, D), `targets`: (M, T). Equals are rows whose texts repeat; partitioning takes any of those.
    """

    view: View
    num_nearest: int
    directions: NDArray[np.float32]
    targets: Floats

    def predict(self, points: Points) -> Floats:
        """(N, T)."""
        return self.predict_with(self.view(points))[0]

    def predict_with(self, directions: Floats, excluded: NDArray[np.bool_] | None = None) -> tuple[Floats, Floats]:
        """(N, T), and (N, 2): the similarity of the nearest row and of the tenth. `excluded`: (N, M) never counts."""
        similar = directions.astype(np.float32) @ self.directions.T
        if excluded is not None:
            similar[excluded] = -2.0
        count = min(self.num_nearest, similar.shape[1])
        near = np.argpartition(-similar, count - 1, axis=1)[:, :count]
        least = np.take_along_axis(similar, near, axis=1).min(1, keepdims=True)
        is_tied = (similar >= least).sum(1) > count
        near[is_tied] = np.argsort(-similar[is_tied], axis=1, kind="stable")[:, :count]
        values = np.take_along_axis(similar, near, axis=1)
        weights = np.exp((values - values.max(1, keepdims=True)) / WARMTH)
        weights /= weights.sum(1, keepdims=True)
        ordered = -np.sort(-values, axis=1)
        ranks = ordered[:, [0, min(9, count - 1)]].astype(np.float64)
        return np.einsum("nk,nkt->nt", weights, self.targets[near]), ranks


WARMTH = 0.1  # chosen; 0.05 to 0.2, and 15 to 60 neighbours, differ by less than 0.005 in gap closed


def neighbours(view: View, num_nearest: int) -> Learner:
    """Nearest neighbours in one view, of rows of length 1."""

    def learn(lesson: Lesson) -> HeldOut:
        directions = view(lesson.points)
        fitted = Neighbours(view, num_nearest, directions.astype(np.float32), lesson.targets)
        folds = lesson.rows, lesson.tasks
        held = [fitted.predict_with(directions, each[:, None] == each)[0] for each in folds]
        return HeldOut(fitted, *held)

    return learn


@dataclass(frozen=True, slots=True)
class TreeView:
    """Randomised trees over the first text directions and the surface."""

    trees: Trees

    def predict(self, points: Points) -> Floats:
        """(N, T)."""
        return self.trees.predict(tree_view(points))


def trees(lesson: Lesson) -> HeldOut:
    """Extremely randomised trees (Geurts et al. 2006) for all targets at once; held-out rows by out-of-bag trees."""
    found, targets, tasks = tree_view(lesson.points), lesson.targets, lesson.tasks
    spread = targets.std(0)
    scale = np.where(
        spread > 1e-9, spread, 1.0
    )  # so that no target dominates the splits; one that never varies neither

    def grown(part: NDArray[np.bool_] | slice, num_trees: int) -> ExtraTreesRegressor:
        forest = ExtraTreesRegressor(
            num_trees, min_samples_leaf=3, max_features=0.3, bootstrap=True, oob_score=True, random_state=lesson.seed
        )
        return forest.fit(found[part], (targets / scale)[part])

    whole = grown(slice(None), _NUM_TREES)
    by_task = np.empty_like(targets)
    for fold in np.unique(tasks):
        forest = grown(tasks != fold, _NUM_TREES // 2)
        by_task[tasks == fold] = forest.predict(found[tasks == fold]).reshape(-1, targets.shape[1]) * scale
    by_row = whole.oob_prediction_.reshape(targets.shape) * scale
    return HeldOut(TreeView(flattened(whole, scale)), by_row, by_task)


_NUM_TREES = 100
_TREE_TEXT_DIMS = 40


@dataclass(frozen=True, slots=True)
class CurveView:
    """Item response curves of outcomes, and lengths that are linear in the same easiness.

    Inputs are those of the trees: curves over all text directions and waves take four times as long and are no better.

    Attributes:
        curves: of A arms.
        length_slopes: (A, K); length_means: (A,).
    """

    curves: Curves
    length_slopes: Floats
    length_means: Floats

    def predict(self, points: Points) -> Floats:
        """(N, T)."""
        return self.predict_of(tree_view(points))

    def predict_of(self, inputs: Floats) -> Floats:
        """(N, T) of (N, D)."""
        easiness = self.curves.easiness(inputs)
        return np.hstack([self.curves.chances(easiness), easiness @ self.length_slopes.T + self.length_means])


def curves(lesson: Lesson) -> HeldOut:
    """One difficulty for all arms, see `curves.py`; a fit for every fold."""
    inputs, targets = tree_view(lesson.points), lesson.targets
    right, lengths = np.hsplit(targets, 2)

    def fitted(part: NDArray[np.bool_] | slice) -> CurveView:
        found = fit_curves(inputs[part], right[part])
        easiness, mean = found.easiness(inputs[part]), lengths[part].mean(0)
        gram = easiness.T @ easiness + np.eye(easiness.shape[1])
        return CurveView(found, np.linalg.solve(gram, easiness.T @ (lengths[part] - mean)).T, mean)

    def held_out(folds: Ints) -> Floats:
        predicted = np.empty_like(targets)
        for fold in np.unique(folds):
            predicted[folds == fold] = fitted(folds != fold).predict_of(inputs[folds == fold])
        return predicted

    return HeldOut(fitted(slice(None)), held_out(lesson.rows), held_out(lesson.tasks))


def tree_view(points: Points) -> Floats:
    """(N, D) what trees and curves ask for."""
    return np.hstack([points.text[:, :_TREE_TEXT_DIMS], points.surface])


def text_view(points: Points) -> Floats:
    """The text directions."""
    return points.text


def mixed_view(points: Points) -> Floats:
    """Everything."""
    return points.mixed


def even_view(points: Points) -> Floats:
    """Everything, texts cut to one length: a request counts by its kind and not by how much of it is known."""
    return np.hstack([unit(points.text), points.surface, 0.7 * points.waves])


def directions_view(points: Points) -> Floats:
    """Texts and surface, for similarities."""
    return points.directions


def text_directions_view(points: Points) -> Floats:
    """Texts alone, for similarities."""
    return unit(points.text)


LEARNERS: dict[str, Learner] = {
    "text": ridge(text_view, 10.0),
    "even": ridge(even_view, 10.0),
    "mixed": ridge(mixed_view, 10.0),
    "smooth": ridge(mixed_view, 100.0),
    "trees": trees,
    "neighbours": neighbours(directions_view, 30),
    "text neighbours": neighbours(text_directions_view, 60),
    "curves": curves,
}
"""Those that are stacked. Penalties were chosen on halves of four tables; the stack weighs what they give."""
