"""Ridge and logistic regressions whose penalty is chosen on the training rows.

In closed form and by Newton's method: at some hundred inputs a fit takes milliseconds, so that choosing penalties is
affordable. Published routers that fix a penalty get a chosen one here.

Axes: N rows, D inputs, T targets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from pointsman.query.outcomes import Floats, Ints

__all__ = ["Linear", "Logistic", "fit_logistic", "fit_ridge", "held_out_ridge", "tuned_logistic"]

_RIDGE_PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
_LOGISTIC_PENALTIES = (0.3, 3.0, 30.0)
_INTERCEPT_PENALTY = 1e-3  # keeps it finite where all labels are equal
_MAX_STEPS = 25
_FOLDS = 4


@dataclass(frozen=True, slots=True)
class Linear:
    """`center` (D,), `weights` (D, T), `intercept` (T,)."""

    center: Floats
    weights: Floats
    intercept: Floats

    def predict(self, inputs: Floats) -> Floats:
        """(N, T)."""
        return np.asarray((inputs - self.center) @ self.weights + self.intercept)


@dataclass(frozen=True, slots=True)
class Logistic:
    """`weights` (D,)."""

    weights: Floats
    intercept: float

    def logits(self, inputs: Floats) -> Floats:
        """(N,)."""
        return np.asarray(inputs @ self.weights + self.intercept)


def fit_ridge(inputs: Floats, targets: Floats) -> Linear:
    """Ridge regressions; for each target the penalty whose leave-one-out error, which has a closed form, is least."""
    center, mean = inputs.mean(0), targets.mean(0)
    values, axes = np.linalg.eigh((inputs - center).T @ (inputs - center))
    values = np.maximum(values, 0.0)
    turned, rest = (inputs - center) @ axes, targets - mean  # (N, D), (N, T)
    moments, squares = turned.T @ rest, turned**2
    best = np.full(targets.shape[1], np.inf)
    weights = np.zeros((inputs.shape[1], targets.shape[1]))
    for penalty in _RIDGE_PENALTIES:
        shrunk = moments / (values + penalty)[:, None]
        leverage = 1 / len(inputs) + squares @ (1 / (values + penalty))  # (N,)
        missed = (rest - turned @ shrunk) / np.maximum(1 - leverage, 1e-6)[:, None]
        errors = (missed**2).sum(0)
        is_better = errors < best
        best[is_better] = errors[is_better]
        weights[:, is_better] = (axes @ shrunk)[:, is_better]
    return Linear(center, weights, mean)


def held_out_ridge(inputs: Floats, targets: Floats, seed: int) -> Floats:
    """(N, T) predictions of rows by slopes fitted without their fold, around the mean of all rows.

    With a mean of its own a fold would differ from others where inputs do not: rows that are right would get the
    lower scores, since they are missing from the mean, and thresholds would find that.
    """
    center, mean = inputs.mean(0), targets.mean(0)
    folds = _folds(len(inputs), seed)
    found = np.empty_like(targets)
    for fold in np.unique(folds):
        kept = folds != fold
        fitted = Linear(center, fit_ridge(inputs[kept], targets[kept]).weights, mean)
        found[~kept] = fitted.predict(inputs[~kept])
    return found


def fit_logistic(inputs: Floats, labels: Floats, penalty: float) -> Logistic:
    """`labels`: (N,) from 0 to 1; one between counts as a share of either."""
    design = np.hstack([inputs, np.ones((len(inputs), 1))])
    penalties = np.full(design.shape[1], penalty)
    penalties[-1] = _INTERCEPT_PENALTY
    weights = np.zeros(design.shape[1])
    weights[-1] = logit((labels.sum() + 0.5) / (len(labels) + 1))
    for _ in range(_MAX_STEPS):
        chances = expit(design @ weights)
        gradient = design.T @ (chances - labels) + penalties * weights
        curvature = (design * (chances * (1 - chances))[:, None]).T @ design + np.diag(penalties)
        step = np.linalg.solve(curvature, gradient)
        weights = weights - step
        if np.abs(step).max() < 1e-5:
            break
    return Logistic(weights[:-1], float(weights[-1]))


def tuned_logistic(inputs: Floats, labels: Floats, seed: int) -> Logistic:
    """With the penalty that loses least on rows held out in `_FOLDS` folds."""
    folds = _folds(len(labels), seed)
    losses = []
    for penalty in _LOGISTIC_PENALTIES:
        logits = np.zeros(len(labels))
        for fold in np.unique(folds):
            kept = folds != fold
            logits[~kept] = fit_logistic(inputs[kept], labels[kept], penalty).logits(inputs[~kept])
        losses.append(float((np.logaddexp(0, logits) - labels * logits).mean()))
    return fit_logistic(inputs, labels, _LOGISTIC_PENALTIES[int(np.argmin(losses))])


def _folds(num_rows: int, seed: int) -> Ints:
    return np.random.default_rng(seed).permutation(num_rows) % _FOLDS
