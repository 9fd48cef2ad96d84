"""From a budget to a rate: the dial of one fitted router.

A budget is the share of the model's own bytes, or milliseconds, that a decoded token may take on average, forecasters,
gates, keys and values counted. What a rate saves depends on the texts, so it is measured on texts that nothing was
fitted to, and read off by interpolation. A promised divergence (`rate_for_divergence`) is certified on the same texts
by `core.risk`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pointsman.core import BadRequest
from pointsman.core.risk import mean_upper_bound
from pointsman.unit.prices import Currency, Prices

RATES = tuple(0.02 * 1.6**step for step in range(17))
"""Nats for a whole token, at which curves are measured: from where nearly all is executed to where nearly
nothing is."""

CAP = 2.0
"""Nats at which a text's mean divergence is cut off where a bound is certified, which needs an end. Chosen: a text with
so much is ruined, however much more it is."""


@dataclass(frozen=True, slots=True)
class Point:
    """What one rate did.

    Attributes:
        rate: nats for a whole token.
        share: what was spent over what the model itself would have, over all routed tokens.
        divergence: mean over routed tokens, nats.
        bound: of the mean of texts' divergences, each cut off at `CAP`: exceeded with no more than 5 %.
    """

    rate: float
    share: float
    divergence: float
    bound: float


@dataclass(frozen=True, slots=True)
class Curve:
    """Points by rising rate, on `num_texts` texts of `data`, whose shares and choices are of one currency."""

    points: tuple[Point, ...]
    num_texts: int
    data: str
    currency: Currency = "bytes"

    def rate_for_budget(self, budget: float) -> float:
        """The lowest rate that kept to the budget, interpolated in its logarithm; 0, which executes all, for 1.

        Raises:
            BadRequest: `invalid_budget` for what is no share, or less than the forecasters can reach.
        """
        if not 0 < budget <= 1:
            problem = (
                f"the budget is {budget:g}; expected a share of the model's {self.currency}, above 0 and at most 1"
            )
            raise BadRequest(problem, code="invalid_budget", param="budget")
        if budget == 1:
            return 0.0
        least = min(point.share for point in self.points)
        if budget < least:
            problem = f"the budget is {budget:g}, and {least:.3f} of the {self.currency} are still needed"
            expected = "expected no less than with every unit forecast"
            raise BadRequest(f"{problem}; {expected}", code="invalid_budget", param="budget")
        return _rate_at(self.points, budget)

    def rate_for_divergence(self, limit: float) -> float:
        """The highest rate that is certified to keep the mean divergence within `limit` nats; 0 where none is.

        The points are tested in a fixed sequence from the lowest rate on, so one confidence holds for all of them.
        """
        found = 0.0
        for point in self.points:
            if point.bound > limit:
                break
            found = point.rate
        return found


@dataclass(frozen=True, slots=True)
class Timed:
    """Of one machine.

    Attributes:
        machine: its processor, or its device.
        prices: by part, in milliseconds.
        curve: what rates cost and save where choices are made by these.
    """

    machine: str
    prices: Prices
    curve: Curve


@dataclass(frozen=True, slots=True)
class Dial:
    """How a budget becomes choices: a curve to read the rate off, and prices to choose by, None for bytes."""

    curve: Curve
    prices: Prices | None


def _rate_at(points: Sequence[Point], budget: float) -> float:
    before = points[0]
    if before.share <= budget:
        return before.rate
    for after in points[1:]:
        if after.share <= budget:
            share = (before.share - budget) / (before.share - after.share)
            return math.exp(math.log(before.rate) * (1 - share) + math.log(after.rate) * share)
        before = after
    return points[-1].rate


def bound_of(divergences: Sequence[float], confidence: float = 0.95) -> float:
    """Upper bound of the mean divergence of texts like these, each cut off at `CAP`."""
    cut = [min(max(value, 0.0), CAP) for value in divergences]  # rounding makes a zero negative
    return mean_upper_bound(cut, CAP, confidence)
