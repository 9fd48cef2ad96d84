"""What every rival does with rows and forecasts.

Axes: N requests, A arms.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pointsman.query.forecasting import Forecasts, Sample
from pointsman.query.outcomes import Floats

__all__ = ["by_id", "forecasts_of", "widened"]

_DEARER = 1.01  # any factor above 1: an arm that is never chosen costs more than every other


def by_id(train: Sample) -> Sample:
    """The rows sorted by their ids, so that what is learned does not depend on the order of a table."""
    return train.rows(np.argsort(np.array(train.outcomes.ids)))


def forecasts_of(right: Floats, nano_usd: Floats) -> Forecasts:
    """Forecasts of a method that does not tell novelty. `nano_usd`: (N, A), or (A,) where all requests cost the same.

    Where all do, an arm keeps its place in the order of costs, as in methods that sweep a threshold.
    """
    cost = np.array(np.broadcast_to(nano_usd, right.shape), dtype=np.float64)
    return Forecasts(np.asarray(right, dtype=np.float64), cost, np.zeros(len(right)))


def widened(forecasts: Forecasts, arms: Sequence[int], num_arms: int) -> Forecasts:
    """Forecasts of some arms -> of all, where no price makes one of the others the best choice.

    Every other arm is forecast to be right less often and to cost more than each of `arms`.
    """
    right = np.repeat(forecasts.right.min(1, keepdims=True) - 1, num_arms, axis=1)
    cost = np.repeat(forecasts.nano_usd.max(1, keepdims=True) * _DEARER, num_arms, axis=1)
    right[:, list(arms)] = forecasts.right
    cost[:, list(arms)] = forecasts.nano_usd
    return Forecasts(right, cost, forecasts.novelty)
