"""A new model joins with tens of outcomes: where its curve lies over the difficulty that the other arms share.

The shared coordinates of a request are known from its text. What is learned of the new arm is a line over them: its
mean and how it moves along each direction, by ridge regression drawn to the average arm's line, as strongly as the
arms are alike. Its lengths are learned in the same way, its prices from its bills.

Nothing else changes: learners predict the new arm's mean for every request, so that the coordinates stay what they
were and the stack adds the rest. A fit of all arms anew needs hundreds of rows, and knows what is unlike others in it.

Rows on which the others were fitted may be among the new arm's. Held-out coordinates in place of the fitted ones were
tried there: with 40 rows of a synthetic table they were better for one arm and worse for two (squared error of the
chance 0.008 to 0.027 against 0.008 to 0.025), with all 400 better by a fifth. They are not used.

Axes: n rows of the new arm, A arms before, J directions.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import logit

from pointsman.core import BadRequest
from pointsman.query.difficulty.joint import JointForecaster
from pointsman.query.difficulty.learners import CurveView, Fitted, Neighbours, Ridge, TreeView
from pointsman.query.difficulty.prices import Prices, fit_prices
from pointsman.query.difficulty.recalibrating import Recalibration, unchanged
from pointsman.query.difficulty.stacking import Stack
from pointsman.query.forecasting import Sample
from pointsman.query.outcomes import Floats, Outcomes

__all__ = ["FEWEST_ROWS", "coordinates_of", "with_arm"]

FEWEST_ROWS = 10
"""Of a new arm. Chosen; with fewer its mean alone is off by 0.15 and more."""

_TINY = 1e-9  # a chance of 0 or 1 has no logit

_FLOOR = 0.1
"""Variance of an arm's line that is expected at least, as a share of 1 / A, since few arms understate it. Chosen."""


def with_arm(fitted: JointForecaster, sample: Sample) -> JointForecaster:
    """The forecaster with one more arm, behind the others.

    Args:
        fitted: of A arms; it is not changed.
        sample: rows that the new arm answered; its outcomes are of this arm alone.

    Raises:
        BadRequest: `too_few_rows`; `bills_not_by_token` where the others are priced by token and its bills are not.
    """
    outcomes = sample.outcomes
    if len(outcomes) < FEWEST_ROWS or len(outcomes.arms) != 1:
        problem = f"{len(outcomes)} rows of {len(outcomes.arms)} arms; expected one arm and {FEWEST_ROWS} rows or more"
        raise BadRequest(problem, code="too_few_rows", param="outcomes")
    along, along_lengths = fitted.along(sample.features)
    share = (outcomes.right.sum() + 1) / (len(outcomes) + 2)
    right = _with_line(fitted.right, along, outcomes.right[:, 0], float(share * (1 - share)))
    prices = _joined(fitted.prices, fit_prices(outcomes), outcomes)
    wanted = prices.targets(outcomes)[:, 0]
    lengths = _with_line(fitted.lengths, along_lengths, wanted, max(float(wanted.var()), 1e-3))
    predicted = lengths.mean[-1] + along_lengths @ lengths.directions[-1]
    prices = _corrected(prices, predicted, outcomes)
    means = float(right.mean[-1]), float(lengths.mean[-1])
    neighbours = _widened(fitted.neighbours, means)
    assert isinstance(neighbours, Neighbours)
    return replace(
        fitted,
        learners=tuple(neighbours if one is fitted.neighbours else _widened(one, means) for one in fitted.learners),
        neighbours=neighbours,
        right=right,
        lengths=lengths,
        recalibration=_with_unchanged(fitted.recalibration),
        prices=prices,
    )


def coordinates_of(fitted: JointForecaster, forecast: Floats) -> Floats:
    """(n, J) of (n, A) forecasts of known requests, by least squares; exact but where budgets were ordered."""
    stacked = fitted.recalibration.undone(forecast)
    return np.asarray((stacked - fitted.right.mean) @ np.linalg.pinv(fitted.right.directions.T))


def _with_line(stack: Stack, along: Floats, wanted: Floats, noise: float) -> Stack:
    """With one more arm: the line that explains `wanted` (n,), drawn to the average arm's."""
    lines = np.hstack([stack.mean[:, None], stack.directions])  # (A, 1 + J)
    start = lines.mean(0)
    variance = lines.var(0) + _FLOOR / len(lines)
    design = np.hstack([np.ones((len(along), 1)), along])
    pull = np.diag(noise / variance)
    line = start + np.linalg.solve(design.T @ design + pull, design.T @ (wanted - design @ start))
    mean = float(np.float32(line[0]))  # the forest keeps singles, and its part along the directions has to be none
    return replace(stack, mean=np.append(stack.mean, mean), directions=np.vstack([stack.directions, line[1:]]))


def _with_unchanged(recalibration: Recalibration) -> Recalibration:
    own = unchanged(1)
    return Recalibration(
        np.vstack([recalibration.curves, own.curves]), np.concatenate([recalibration.shares, own.shares])
    )


def _joined(prices: Prices, own: Prices, outcomes: Outcomes) -> Prices:
    if prices.is_by_token and not own.is_by_token:
        problem = f"the bills of {outcomes.names[0]!r} are not tokens times prices, and the others are priced by token"
        raise BadRequest(f"{problem}; fit all arms anew", code="bills_not_by_token", param="outcomes")
    keeps = 1.0 if prices.is_by_token else 0.0
    return Prices(
        np.append(prices.per_prompt_token, keeps * own.per_prompt_token),
        np.append(prices.per_completion_token, keeps * own.per_completion_token),
        np.append(prices.per_request, keeps * own.per_request),
        prices.is_by_token,
        np.append(prices.correction, 1.0),
    )


def _corrected(prices: Prices, predicted: Floats, outcomes: Outcomes) -> Prices:
    """With the new arm's correction, from the rows that its line was fitted to."""
    own = replace(prices, correction=np.ones(1)).corrected(predicted[:, None], outcomes)
    return replace(prices, correction=np.append(prices.correction[:-1], own.correction))


def _widened(learner: Fitted, means: tuple[float, float]) -> Fitted:
    """Predicting both means for the new arm's targets, whatever the request."""
    if isinstance(learner, Ridge):
        nothing = np.zeros((len(learner.weights), 1))
        weights = _between(learner.weights, nothing, nothing)
        intercept = _between(learner.intercept[None, :], *(np.array([[mean]]) for mean in means))[0]
        return replace(learner, weights=weights, intercept=intercept)
    if isinstance(learner, TreeView):
        values = learner.trees.values
        wide = _between(values.astype(np.float64), *(np.full((len(values), 1), mean) for mean in means))
        return TreeView(replace(learner.trees, values=wide.astype(np.float32)))
    if isinstance(learner, Neighbours):
        columns = (np.full((len(learner.targets), 1), mean) for mean in means)
        return replace(learner, targets=_between(learner.targets, *columns))
    if isinstance(learner, CurveView):
        right, length = means
        flat = np.zeros((1, learner.length_slopes.shape[1]))
        offset = float(logit(min(max(right, _TINY), 1 - _TINY)))
        slopes, offsets = np.vstack([learner.curves.slopes, flat]), np.append(learner.curves.offsets, offset)
        return CurveView(
            curves=replace(learner.curves, slopes=slopes, offsets=offsets),
            length_slopes=np.vstack([learner.length_slopes, flat]),
            length_means=np.append(learner.length_means, length),
        )
    raise BadRequest(f"a {type(learner).__name__} cannot take another arm", code="not_storable")


def _between(matrix: Floats, right: Floats, length: Floats) -> Floats:
    """(D, 2 A) -> (D, 2 A + 2): outcomes of all arms first, then lengths."""
    num_arms = matrix.shape[1] // 2
    return np.hstack([matrix[:, :num_arms], right, matrix[:, num_arms:], length])
