"""Which looks a policy has: what could be looked at, what each look teaches, and whether looks pay.

They pay if looks that were learned and picked without a fifth of the rows, played on that fifth, add to the curve of
single arms: one curve of all fifths together, since the most accurate arm of a fifth is a matter of chance. Held-out
forecasts hold the mean of every arm over all rows, and an arm that is picked by the mean of the rows on which it is
judged looks better than it is: of 49 arms by more than looks bring. So each fifth is played by the means of the others.

Axes: N requests, A arms, L looks, D prices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from pointsman.query.forecasting import Forecasts
from pointsman.query.frontier import Curve, prices_of
from pointsman.query.outcomes import Floats, Ints, Outcomes
from pointsman.query.sequences import Look, Sequences

__all__ = ["fit_sequences", "held_out_curve", "learned_on_others"]

_MAX_LOOKS = 8
_CANDIDATE_ARMS = 12
_PRIOR_ROWS = 20.0
"""Rows that the forecast itself counts as, against what was seen. Chosen."""

_MIN_SEEN = 20
_FOLDS = 5
_PRICES = 24


def fit_sequences(forecasts: Forecasts, outcomes: Outcomes, seed: int = 0) -> Sequences:
    """From forecasts of training rows by what had not seen them. No looks where they do not pay."""
    looks = [look for look in _candidates(outcomes) if _tells(look, outcomes)]
    pays = bool(looks) and _held_out_gain(looks, forecasts, outcomes, seed) > 0
    return _picked(looks, forecasts, outcomes) if pays else _fitted([], forecasts, outcomes)


def learned_on_others(
    sequences: Sequences, forecasts: Forecasts, outcomes: Outcomes, seed: int = 0
) -> list[tuple[Ints, Sequences]]:
    """Parts of the rows that looks were learned on, each with the same looks as they are learned without it."""
    return [
        (own, _fitted(sequences.looks, forecasts.rows(others), outcomes.rows(others)))
        for own, others in _parts(len(outcomes), seed)
    ]


def held_out_curve(sequences: Sequences, forecasts: Forecasts, outcomes: Outcomes) -> Curve:
    """Of rows that looks were learned on, each played with looks that were learned on others."""
    prices = prices_of(forecasts)
    right, cost = np.empty((2, len(prices), len(outcomes)))
    for rows, learned in learned_on_others(sequences, forecasts, outcomes):
        right[:, rows], cost[:, rows] = learned.play_rows(forecasts.rows(rows), outcomes.rows(rows), prices)
    return Curve(cost.mean(1), right.mean(1))


def _held_out_gain(looks: Sequence[Look], forecasts: Forecasts, outcomes: Outcomes, seed: int) -> float:
    """What looks add to the area under the curve of single arms, see above."""
    prices = prices_of(forecasts, _PRICES)
    right, cost = np.empty((2, 2, len(prices), len(outcomes)))  # with looks, and without
    for own, others in _parts(len(outcomes), seed):
        known = _by_the_means_of(others, forecasts, outcomes)
        picked = _picked(looks, known.rows(others), outcomes.rows(others))
        for i, sequences in enumerate((picked, picked.only([]))):
            played = sequences.play_rows(known.rows(own), outcomes.rows(own), prices)
            right[i][:, own], cost[i][:, own] = played
    curves = [Curve(cost[i].mean(1), right[i].mean(1)) for i in (0, 1)]
    low, high = _range(outcomes)
    return curves[0].area(low, high) - curves[1].area(low, high)


def _parts(num_rows: int, seed: int) -> list[tuple[Ints, Ints]]:
    """Rows by chance in `_FOLDS` parts, each with all others."""
    fold = np.random.default_rng(seed).permutation(num_rows) % _FOLDS
    return [(np.flatnonzero(fold == part), np.flatnonzero(fold != part)) for part in range(min(_FOLDS, num_rows))]


def _by_the_means_of(at: Ints, forecasts: Forecasts, outcomes: Outcomes) -> Forecasts:
    """As if no row but these had told how good and how dear each arm is on average."""
    right = outcomes.right[at].mean(0) - outcomes.right.mean(0)
    cost = outcomes.nano_usd[at].mean(0) / outcomes.nano_usd.mean(0)
    return replace(forecasts, right=forecasts.right + right, nano_usd=forecasts.nano_usd * cost)


def _picked(looks: Sequence[Look], forecasts: Forecasts, outcomes: Outcomes) -> Sequences:
    """Those that add most, each alone."""
    learned = _fitted(looks, forecasts, outcomes)
    prices, (low, high) = prices_of(forecasts, _PRICES), _range(outcomes)
    alone = learned.only([]).play(forecasts, outcomes, prices).area(low, high)
    each = [learned.only([number]).play(forecasts, outcomes, prices) for number in range(len(looks))]
    worth = np.array([curve.area(low, high) - alone for curve in each])
    return learned.only([int(number) for number in np.argsort(-worth) if worth[number] > 0][:_MAX_LOOKS])


def _range(outcomes: Outcomes) -> tuple[float, float]:
    """Mean costs of the cheapest arm and of the most accurate one."""
    cost = outcomes.nano_usd.mean(0)
    return float(cost.min()), float(cost[outcomes.strongest])


def _fitted(looks: Sequence[Look], forecasts: Forecasts, outcomes: Outcomes) -> Sequences:
    return Sequences(
        tuple(looks),
        np.array([_agreeing(look, forecasts, outcomes) for look in looks]).reshape(-1, 2),
        np.array([_moved(look, forecasts, outcomes) for look in looks]).reshape(-1, 2, len(outcomes.arms), 2),
    )


def _candidates(outcomes: Outcomes) -> list[Look]:
    cost, right = outcomes.nano_usd.mean(0), outcomes.right.mean(0)
    by_cost = [int(arm) for arm in np.argsort(cost)]
    worth = sorted(by_cost, key=lambda arm: -right[arm] / np.log1p(cost[arm]))[:_CANDIDATE_ARMS]
    pool = [arm for arm in by_cost if arm in worth]
    return [*(Look((arm,)) for arm in by_cost), *(Look(pair) for pair in combinations(pool, 2))]


def _tells(look: Look, outcomes: Outcomes) -> bool:
    seen = look.seen(outcomes)
    return all(int((seen == what).sum()) >= _MIN_SEEN for what in (0, 1))


def _agreeing(look: Look, forecasts: Forecasts, outcomes: Outcomes) -> Floats:
    seen = look.seen(outcomes)
    known = seen >= 0
    return _line(forecasts.right[known][:, list(look.arms)].mean(1), seen[known].astype(np.float64), (0.5, 0.0))


def _moved(look: Look, forecasts: Forecasts, outcomes: Outcomes) -> list[list[Floats]]:
    seen = look.seen(outcomes)
    arms = range(len(outcomes.arms))
    return [
        [_line(forecasts.right[seen == what, arm], outcomes.right[seen == what, arm], (0.0, 1.0)) for arm in arms]
        for what in (0, 1)
    ]


def _line(given: Floats, wanted: Floats, prior: tuple[float, float]) -> Floats:
    """(level, slope) by least squares, drawn to a prior line that counts as `_PRIOR_ROWS` rows; that without rows."""
    start = np.array(prior)
    if not len(given):
        return start
    design = np.stack([np.ones(len(given)), given], 1)
    pull = np.diag([_PRIOR_ROWS, _PRIOR_ROWS * max(float(given.var()), 1e-3)])
    return np.asarray(start + np.linalg.solve(design.T @ design + pull, design.T @ (wanted - design @ start)))
