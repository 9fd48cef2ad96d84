"""Policies that are published or usual, to compare with: a static threshold, and each entry by itself.

`Static` is the usual semantic cache. `PerEntry` is in the manner of vCache (arXiv 2502.03771, section 4): per entry a
logistic curve P(same | similarity) by maximum likelihood, a threshold t with a confidence band from its Fisher
information, and a coin that explores with chance tau = min over eps of 1 - delta / (1 - (1 - eps) P(s, t(eps))). Its
bound is on the share of wrong answers among all lookups, explored ones included; ours is among the answers from memory.

Left out: vCache's embedding model. All policies see the same similarity, so that what is compared is how they decide.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from statistics import NormalDist
from typing import Final

from pointsman.query.memory.policies import Choice, Near

__all__ = ["PerEntry", "Static"]

_LEAST_OBSERVATIONS: Final = 6  # of vCache's code, before it fits an entry
_MOST_OBSERVATIONS: Final = 64  # the latest; chosen
_QUANTILES: Final = tuple((eps / 100, NormalDist().inv_cdf(1 - eps / 100)) for eps in (1, 2, 5, 10, 20, 30, 40, 49))
_FIRST_ERROR: Final = 0.19  # where one cut separates all, and the likelihood has no maximum; chosen,
_SHRINKING: Final = 1.6  # so that it shrinks faster than by the square root; both in vCache's favour
_SLOPES: Final = (5.0, 10.0, 20.0, 40.0, 80.0)  # gamma, tried on a grid
_THRESHOLDS: Final = tuple(t / 50 for t in range(20, 56))


class Static:
    """Answers from the nearest text where it is at least this similar."""

    num_candidates, adds_known = 1, True

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold

    def choose(self, asked: str, found: Sequence[Near]) -> Choice:
        near = found[0]
        return Choice(near, 1 - near.similarity, near.similarity >= self._threshold)

    def learn(self, asked: str, choice: Choice, wrong: Sequence[tuple[Near, bool]]) -> None:
        """Learns nothing."""

    def forget(self, entry: int) -> None:
        """Knows nothing of entries."""


class PerEntry:
    """vCache's policy. As there, a text whose candidate was right is not kept to compare with: the entry learns."""

    num_candidates, adds_known = 1, False

    def __init__(self, delta: float, seed: int = 0) -> None:
        self._delta, self._rng = delta, random.Random(seed)  # noqa: S311  exploration, no secrets
        self._seen: dict[int, list[tuple[float, bool]]] = {}
        self._fits: dict[int, tuple[float, float, float]] = {}  # slope, threshold, its standard error

    def choose(self, asked: str, found: Sequence[Near]) -> Choice:
        near = found[0]
        explore = self._explore(near)
        return Choice(near, explore, self._rng.random() >= explore)

    def learn(self, asked: str, choice: Choice, wrong: Sequence[tuple[Near, bool]]) -> None:
        near, is_wrong = wrong[0]
        self._seen.setdefault(near.entry, []).append((near.similarity, not is_wrong))
        del self._seen[near.entry][:-_MOST_OBSERVATIONS]
        self._fits.pop(near.entry, None)

    def forget(self, entry: int) -> None:
        self._seen.pop(entry, None)
        self._fits.pop(entry, None)

    def _explore(self, near: Near) -> float:
        """Tau: the chance with which this lookup has to be asked."""
        seen = self._seen.get(near.entry, ())
        if len(seen) < _LEAST_OBSERVATIONS:
            return 1.0
        if near.entry not in self._fits:
            self._fits[near.entry] = _fit(seen)
        slope, threshold, error = self._fits[near.entry]
        taus = []
        for eps, quantile in _QUANTILES:
            right = (1 - eps) * _curve(near.similarity, slope, threshold + quantile * error)
            taus.append(max(0.0, 1 - self._delta / (1 - right)))
        return min(taus)


def _fit(seen: Sequence[tuple[float, bool]]) -> tuple[float, float, float]:
    """The likeliest (slope, threshold) of a grid, and the threshold's standard error by the Fisher information."""

    def loss(slope: float, threshold: float) -> float:
        chances = [(_curve(similarity, slope, threshold), same) for similarity, same in seen]
        return -sum(math.log(max(chance if same else 1 - chance, 1e-9)) for chance, same in chances)

    slope, threshold = min(((s, t) for s in _SLOPES for t in _THRESHOLDS), key=lambda pair: loss(*pair))
    right = [similarity for similarity, same in seen if same]
    wrong = [similarity for similarity, same in seen if not same]
    if not right or not wrong or min(right) > max(wrong):
        return slope, threshold, _FIRST_ERROR * (_LEAST_OBSERVATIONS / len(seen)) ** _SHRINKING
    spread = [_curve(similarity, slope, threshold) for similarity, _ in seen]
    information = slope * slope * sum(chance * (1 - chance) for chance in spread)
    return slope, threshold, 1 / math.sqrt(max(information, 1e-6))


def _curve(similarity: float, slope: float, threshold: float) -> float:
    return 1 / (1 + math.exp(min(-slope * (similarity - threshold), 700.0)))
