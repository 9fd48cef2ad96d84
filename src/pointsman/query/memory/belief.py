"""A logistic regression that learns from one observation at a time and knows how unsure it is.

Each weight has a mean and a precision of its own (a diagonal Gaussian). An observation moves them by one step of the
extended Kalman filter: precision += x^2 p (1 - p), mean -= x (p - y) / precision. The upper end of its band,
sigmoid(mean + z x standard deviation), is high for features that were never seen: what is unknown is not safe.

The band is an approximation (diagonal, one step). No bound rests on it; `certificate.py` has the bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

__all__ = ["Belief"]


class Belief:
    """Weights by feature.

    Args:
        prior: mean and precision of a feature's weight before anything was seen.
        width: z, how many standard deviations up the band ends.
    """

    def __init__(self, prior: Callable[[int], tuple[float, float]], width: float) -> None:
        self._prior, self._width = prior, width
        self._weights: dict[int, tuple[float, float]] = {}  # mean, precision
        self._changed: set[int] = set()

    def upper(self, features: Mapping[int, float]) -> float:
        """The upper end of the band for the chance that this is wrong."""
        mean = spread = 0.0
        for index, value in features.items():
            weight, precision = self._weights.get(index) or self._prior(index)
            mean += weight * value
            spread += value * value / precision
        return _sigmoid(mean + self._width * math.sqrt(spread))

    def learn(self, features: Mapping[int, float], is_wrong: bool) -> None:
        """Takes one observation."""
        weights = {index: self._weights.get(index) or self._prior(index) for index in features}
        chance = _sigmoid(sum(weights[index][0] * value for index, value in features.items()))
        for index, value in features.items():
            mean, precision = weights[index]
            precision += value * value * max(chance * (1 - chance), 1e-4)
            self._weights[index] = mean - value * (chance - is_wrong) / precision, precision
        self._changed.update(features)

    def forget(self, features: Iterable[int]) -> None:
        """Back to the prior."""
        for index in features:
            self._weights.pop(index, None)
            self._changed.discard(index)

    def changes(self) -> list[tuple[int, float, float]]:
        """Feature, mean and precision of what changed since the last call."""
        found = [(index, *self._weights[index]) for index in sorted(self._changed)]
        self._changed.clear()
        return found

    def restore(self, weights: Iterable[tuple[int, float, float]]) -> None:
        """Takes what `changes` gave."""
        self._weights.update({index: (mean, precision) for index, mean, precision in weights})


def _sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit)) if logit > -700 else 0.0
