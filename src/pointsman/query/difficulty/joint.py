"""Our forecaster: one estimate of difficulty for all arms, stacked from several learners, with the price of each arm.

1. Requests become points of a space (`space.py`).
2. Each learner predicts outcomes and lengths of all arms at once (`learners.py`).
3. Their predictions are taken apart into a few directions that the arms share, weighed and shrunk (`stacking.py`).
4. What they are worth on held-out rows says how far they are moved, for each arm (`recalibrating.py`).
5. Budgets of one model are ordered: more is not forecast to be worse, and where the outcomes do not show that more
   helps, it is forecast to help nobody (`budgets.py`), so that it is never bought.
6. Lengths become costs (`prices.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans

from pointsman.query.difficulty.budgets import Budgets, fit_budgets
from pointsman.query.difficulty.learners import LEARNERS, Fitted, HeldOut, Lesson, Neighbours, directions_view
from pointsman.query.difficulty.novelty import Novelty, fit_novelty
from pointsman.query.difficulty.prices import Prices, fit_prices
from pointsman.query.difficulty.recalibrating import Recalibration, fit_recalibration
from pointsman.query.difficulty.space import Points, Space, fit_space
from pointsman.query.difficulty.stacking import Stack, fit_stack
from pointsman.query.forecasting import Features, Forecasts, Sample
from pointsman.query.outcomes import Floats, Ints

__all__ = ["Joint", "JointForecaster"]

_FOLDS = 5
_MIN_TASKS = 5
_PSEUDO_TASKS = 10
_MAX_DIRECTIONS = 8
"""Arms of 44 models lie along fewer than 4; chosen."""


@dataclass(frozen=True, slots=True)
class JointForecaster:
    """What `Joint` has learned of A arms."""

    space: Space
    learners: tuple[Fitted, ...]
    neighbours: Neighbours
    novelty: Novelty
    right: Stack
    lengths: Stack
    recalibration: Recalibration
    prices: Prices
    budgets: Budgets

    def forecast(self, features: Features, prompt_tokens: Floats) -> Forecasts:
        """See `Forecaster`."""
        return self.priced(*self._coordinates(features), prompt_tokens)

    def along(self, features: Features) -> tuple[Floats, Floats]:
        """(N, J) coordinates of N requests along the shared directions: of outcomes, and of lengths."""
        return self._coordinates(features)[:2]

    def _coordinates(self, features: Features) -> tuple[Floats, Floats, Floats]:
        """Both, and (N,) how novel."""
        points, num_arms = self.space.points(features), len(self.right.mean)
        found = [learner.predict(points) for learner in self.learners]
        novelty = self.novelty.of(self.neighbours.predict_with(points.directions)[1])
        right = self.right.along([each[:, :num_arms] for each in found], novelty)
        return right, self.lengths.along([each[:, num_arms:] for each in found], novelty), novelty

    def priced(self, right: Floats, lengths: Floats, novelty: Floats, prompt_tokens: Floats) -> Forecasts:
        """From coordinates along the shared directions, (N, J) each: budgets are ordered and lengths become costs."""
        cost = self.prices.nano_usd(self.lengths.at(lengths), prompt_tokens)
        recalibrated = self.recalibration.of(self.right.at(right), novelty)
        return Forecasts(self.budgets.ordered(recalibrated), cost, novelty)


@dataclass(frozen=True, slots=True)
class Joint:
    """The method. `learners`: names of those that are stacked. The switches are for ablations.

    Attributes:
        shares_difficulty: whether arms share directions, or each is stacked on its own.
        gates_budgets: whether budgets that do not show that they help are forecast to help nobody.
    """

    name: str = "pointsman"
    learners: tuple[str, ...] = tuple(LEARNERS)
    shares_difficulty: bool = True
    gates_budgets: bool = True

    def fit(self, train: Sample, seed: int) -> JointForecaster:
        """See `Method`."""
        return self.fit_held_out(train, seed)[0]

    def fit_held_out(self, train: Sample, seed: int) -> tuple[JointForecaster, Forecasts]:
        """And the forecasts of the training rows by learners that had not seen them, for choosing settings with."""
        outcomes, num_arms = train.outcomes, len(train.outcomes.arms)
        space = fit_space(train.features, seed)
        points = space.points(train.features)
        rows, tasks = _folds(points, outcomes.tasks, seed)
        prices = fit_prices(outcomes)
        lengths = prices.targets(outcomes)
        lesson = Lesson(points, np.hstack([outcomes.right, lengths]), rows, tasks, seed)
        held = [LEARNERS[name](lesson) for name in self.learners]
        right_stack = self._stack(held, outcomes.right, slice(0, num_arms))
        length_stack = self._stack(held, lengths, slice(num_arms, None))
        known = np.zeros(len(train))
        held_right = right_stack.combine([each.by_row[:, :num_arms] for each in held], known)
        recalibration = fit_recalibration(held_right, outcomes.right, rows)
        held_lengths = length_stack.combine([each.by_row[:, num_arms:] for each in held], known)
        neighbours = _nearest(held, points, lesson.targets)
        fitted = JointForecaster(
            space=space,
            learners=tuple(each.fitted for each in held),
            neighbours=neighbours,
            novelty=fit_novelty(points, neighbours, rows, tasks),
            right=right_stack,
            lengths=length_stack,
            recalibration=recalibration,
            prices=prices.corrected(held_lengths, outcomes),
            budgets=fit_budgets(outcomes, held_right) if self.gates_budgets else Budgets(()),
        )
        right = fitted.budgets.ordered(recalibration.of(held_right, known))
        return fitted, Forecasts(right, fitted.prices.nano_usd(held_lengths, outcomes.prompt_tokens), known)

    def _stack(self, held: Sequence[HeldOut], targets: Floats, part: slice) -> Stack:
        by_row = [each.by_row[:, part] for each in held]
        by_task = [each.by_task[:, part] for each in held]
        if self.shares_difficulty:
            return fit_stack(by_row, by_task, targets, _MAX_DIRECTIONS)
        alone = [
            fit_stack([row[:, [a]] for row in by_row], [task[:, [a]] for task in by_task], targets[:, [a]], 1)
            for a in range(targets.shape[1])
        ]
        sign = np.array([stack.directions[0, 0] for stack in alone])
        known, unknown = (np.vstack([getattr(stack, name) for stack in alone]) for name in ("known", "unknown"))
        return Stack(targets.mean(0), np.diag(sign), known, unknown)


def _nearest(held: Sequence[HeldOut], points: Points, targets: Floats) -> Neighbours:
    """Who tells novelty: the learner that looks at neighbours, where it takes part."""
    for each in held:
        if isinstance(each.fitted, Neighbours) and each.fitted.view is directions_view:
            return each.fitted
    return Neighbours(directions_view, 10, points.directions.astype(np.float32), targets)


def _folds(points: Points, tasks: Sequence[str], seed: int) -> tuple[Ints, Ints]:
    """(N,) of each row, and of its task. Where a table has no tasks, clusters of its texts stand for them.

    Where all texts are the same, nothing stands for tasks: both folds are those of rows.
    """
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, _FOLDS, len(tasks))
    names, number = np.unique(tasks, return_inverse=True)
    if len(names) < _MIN_TASKS:
        count = min(_PSEUDO_TASKS, len(np.unique(points.directions.round(6), axis=0)))
        if count < 2:
            return rows, rows
        number = KMeans(count, n_init=1, random_state=seed).fit_predict(points.directions)
        names = np.arange(count)
    return rows, (rng.permutation(len(names)) % _FOLDS)[number]
