"""What stacked forecasts turned out to be worth: a curve for each arm from what was forecast to how often it was right.

Curves are those of beta calibration (Kull, Silva Filho and Flach, 2017), sigmoid(a log p - b log(1 - p) + c), drawn to
one that all arms share and this to none at all, so that few rows change little. A forecast moves a share of the way to
its curve, and no further for a request that is unknown: with tasks held out, curves make forecasts worse.

The share is the one with which held-out differences between arms are forecast best, since choices are made of those; 0
where curves make them worse. Curves and share are found on rows that the learners had not seen, each on others.

Axes: N requests, A arms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from pointsman.query.outcomes import Floats, Ints

__all__ = ["Recalibration", "fit_recalibration", "unchanged"]

_PULL = 5.0
"""Of a square, against the log loss summed over rows. Chosen on three halves of four tables; 20 brings half as much."""

_SURE = 0.02  # a forecast nearer to 0 or 1 than this counts as this one; chosen, 0.01 differs little
_MAX_STEPS = 25
_SAME = np.array([1.0, 1.0, 0.0])  # the curve that changes nothing


@dataclass(frozen=True, slots=True)
class Recalibration:
    """`curves` (A, 3): a, b and c, the first two not negative; `shares` (A,) from 0 to 1, of the way to the curve."""

    curves: Floats
    shares: Floats

    def of(self, right: Floats, novelty: Floats) -> Floats:
        """(N, A) of (N, A) forecasts and (N,) novelty."""
        if not self.shares.any():
            return right
        moved = _on_curves(self.curves, right) - right
        return np.asarray(right + (1 - novelty[:, None]) * self.shares * moved)

    def undone(self, right: Floats) -> Floats:
        """(N, A) forecasts of known requests as they were before, to `_STEP`. They rise together, so there is one."""
        if not self.shares.any():
            return right
        low, high = min(float(right.min()), 0.0) - 1, max(float(right.max()), 1.0) + 1
        before = np.arange(low, high, _STEP)
        after = self.of(np.repeat(before[:, None], right.shape[1], axis=1), np.zeros(len(before)))
        return np.stack(
            [np.interp(found, curve, before) for found, curve in zip(right.T, after.T, strict=True)], axis=1
        )


_STEP = 1e-3  # and straight lines between


def unchanged(num_arms: int) -> Recalibration:
    """That leaves forecasts as they are."""
    return Recalibration(np.tile(_SAME, (num_arms, 1)), np.zeros(num_arms))


def fit_recalibration(forecast: Floats, right: Floats, folds: Ints) -> Recalibration:
    """From (N, A) held-out forecasts and what came of them. `folds`: (N,) within which curves are not judged."""
    moved = np.zeros_like(forecast)
    for fold in np.unique(folds):
        inside = folds == fold
        if not inside.all():
            curves = _fit_curves(forecast[~inside], right[~inside])
            moved[inside] = _on_curves(curves, forecast[inside]) - forecast[inside]
    along, missed = _differences(moved), _differences(right - forecast)
    power = float((along * along).sum())
    share = min(max(float((along * missed).sum()) / power, 0.0), 1.0) if power > 0 else 0.0
    return Recalibration(_fit_curves(forecast, right), np.full(right.shape[1], share))


def _fit_curves(forecast: Floats, right: Floats) -> Floats:
    """(A, 3)."""
    shared = _fit_curve(forecast.ravel(), right.ravel(), _SAME)
    return np.array([_fit_curve(*arm, shared) for arm in zip(forecast.T, right.T, strict=True)])


def _fit_curve(forecast: Floats, right: Floats, wanted: Floats) -> Floats:
    """(3,) by Newton's method from (N,) forecasts. `wanted`: the curve that it is drawn to."""
    design, curve = _design(forecast), wanted
    for _ in range(_MAX_STEPS):
        chance = expit(design @ curve)
        gradient = design.T @ (chance - right) + _PULL * (curve - wanted)
        curvature = (design * (chance * (1 - chance))[:, None]).T @ design + _PULL * np.eye(3)
        step = np.linalg.solve(curvature, gradient)
        curve = curve - step
        if np.abs(step).max() < 1e-6:
            break
    return np.maximum(curve, [0.0, 0.0, -np.inf])


def _on_curves(curves: Floats, right: Floats) -> Floats:
    """(N, A). Without `_design`, which takes longer than the rest for one request."""
    sure = np.minimum(np.maximum(right, _SURE), 1 - _SURE)
    a, b, c = curves.T
    return np.asarray(expit(a * np.log(sure) - b * np.log1p(-sure) + c))


def _design(right: Floats) -> Floats:
    """(N, 3) of forecasts (N,)."""
    sure = np.clip(right, _SURE, 1 - _SURE)
    return np.stack([np.log(sure), -np.log1p(-sure), np.ones_like(sure)], axis=1)


def _differences(found: Floats) -> Floats:
    """(N, A) less each request's mean."""
    return np.asarray(found - found.mean(1, keepdims=True))
