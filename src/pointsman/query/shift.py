"""Shift: says when requests have become unlike those that a certificate was made from, before any answer is known.

A certificate holds for requests drawn like its calibration rows, and for no others. How novel those were on average is
bounded when it is made (`usual_novelty`); here the hypothesis is watched that requests stay so, within a tolerance, by
the same bets as all alarms (`core.evidence`). It takes no audit and no judgement, so it is there long before either
could show a loss: under a shift of tasks after 13 to 29 requests, where audits of one request in ten showed nothing
in nine of ten streams of 2,300 (docs/log.md).

The bets are those on values from -1 up, though none is below -`allowed`: larger ones would be lawful and let three
novel requests in a row decide. So it takes a dozen.

Covered: requests that the certificate decides on, looked at after every one, for any number of them. Not covered: a
shift that novelty does not see, such as harder requests of a known kind, or arms that change; and novel requests that
come in bursts, though they are rare: the mean is of a request given all before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pointsman.core import BadRequest
from pointsman.core.evidence import Evidence
from pointsman.core.risk import mean_upper_bound, shuffled

if TYPE_CHECKING:
    from pointsman.query.outcomes import Floats

__all__ = ["TOLERANCE", "Shift", "ShiftLimits", "ShiftWatch", "usual_novelty"]

TOLERANCE: Final = 0.05
"""Of the mean novelty. Chosen: 0 to 0.1 differ by six requests until the alarm."""

_CONFIDENCE: Final = 0.95


def usual_novelty(novelty: Floats, most_novel: float = 1.0, confidence: float = _CONFIDENCE) -> float:
    """What the mean novelty of requests drawn like (N,) these exceeds with half of 1 - confidence.

    Of those up to `most_novel`; others go to the reference arm and do no harm. 1.0 where there are none.
    """
    return mean_upper_bound(shuffled(novelty[novelty <= most_novel].tolist()), 1.0, (1 + confidence) / 2)


@dataclass(frozen=True, slots=True)
class ShiftLimits:
    """What still counts as the same requests.

    Attributes:
        usual: mean novelty of the requests that the certificate was made from, as `usual_novelty` bounds it.
        tolerance: by how much the mean may be above that; 1 for any.
        confidence: that there is no false alarm, ever; half of the error is spent on `usual`.
    """

    usual: float
    tolerance: float = TOLERANCE
    confidence: float = _CONFIDENCE

    def __post_init__(self) -> None:
        if not (0 <= self.usual <= 1 and 0 <= self.tolerance <= 1 and 0 < self.confidence < 1):
            expected = "a novelty and a tolerance from 0 to 1, confidence between 0 and 1"
            raise BadRequest(f"{self} cannot be watched; expected {expected}", code="invalid_shift")

    @property
    def allowed(self) -> float:
        """Of the mean."""
        return min(self.usual + self.tolerance, 1.0)


@dataclass(frozen=True, slots=True)
class Shift:
    """The alarm.

    Attributes:
        time_us: of the request that showed it, microseconds in UTC.
        num_requests: that were compared.
        mean: novelty of them.
        allowed: of that mean.
        evidence: how many times likelier the requests are by the best bets than the hypothesis allows.
    """

    time_us: int
    num_requests: int
    mean: float
    allowed: float
    evidence: float


class ShiftWatch:
    """`observe` every request that the certificate decides on, before it is answered. Does no I/O."""

    def __init__(self, limits: ShiftLimits) -> None:
        self.limits = limits
        self._evidence, self._sum = Evidence(-1.0), 0.0

    def observe(self, novelty: float, time_us: int) -> Shift | None:
        """Takes one request into account; the alarm, as long as the evidence suffices for it.

        Raises:
            BadRequest: `invalid_evidence` for a novelty that is not a number.
        """
        evidence, allowed = self._evidence, self.limits.allowed
        evidence.add(novelty - allowed)
        self._sum += novelty
        if evidence.value < 2 / (1 - self.limits.confidence):
            return None
        return Shift(time_us, evidence.num_values, self._sum / evidence.num_values, allowed, evidence.value)
