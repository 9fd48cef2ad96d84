"""Never worse: compares routing with the reference arm on audited requests, and switches it off where it does harm.

Two hypotheses are watched after every audit: that routing costs no more than the reference arm on average, and that it
loses no more right answers than the certificate allows. Evidence against one of them (`core.evidence`) that would have
a chance of 1 - confidence at most, were both true, ever to be found turns automatic routing off, with the numbers, the
time and a log line. It stays off until a person turns it on again. What audits themselves cost is not counted.

Covered: audits drawn by chance, looked at after every one, for any number of requests; dependence on the past. Not
covered: a reference bill above `most_reference`, which is cut to that and counted (`num_cut`): the test is then too
quick rather than too slow.

False alarms and delays, on simulated traffic: `docs/query.md`.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from pointsman.core import BadRequest
from pointsman.core.entries import Entry, cost_of
from pointsman.core.evidence import Evidence

_LOG = logging.getLogger("pointsman.query")


@dataclass(frozen=True, slots=True)
class WatchLimits:
    """What is promised.

    Attributes:
        most_reference: the most that the reference arm bills for a request, of this kind, in the ledger's unit.
        lost_quality: share of requests that the reference answers rightly and routing does not, less the opposite,
            that the certificate allows.
        confidence: that routing is not turned off while both hypotheses hold.
        kind: of the cost.
    """

    most_reference: float
    lost_quality: float = 0.01
    confidence: float = 0.95
    kind: str = "nano_usd"

    def __post_init__(self) -> None:
        is_valid = self.most_reference > 0 and 0 <= self.lost_quality < 1 and 0 < self.confidence < 1
        if not is_valid:
            expected = "most_reference above 0, lost_quality from 0 to below 1, confidence between 0 and 1"
            raise BadRequest(f"{self} cannot be watched; expected {expected}", code="invalid_watch")


@dataclass(frozen=True, slots=True)
class Off:
    """Why automatic routing is off.

    Attributes:
        reason: `costs_more` or `quality_below`.
        time_us: of the request that decided it, microseconds in UTC.
        num_audits: that were compared.
        mean: what routing cost more per audited request, in the ledger's unit, or the share of answers it lost.
        allowed: of that mean.
        evidence: how many times likelier the audits are by the best bets than the hypothesis allows.
    """

    reason: str
    time_us: int
    num_audits: int
    mean: float
    allowed: float
    evidence: float


class Watch:
    """The comparison. `observe` every settled entry; `off` says whether routing may go on."""

    def __init__(self, limits: WatchLimits) -> None:
        self.limits = limits
        self.off: Off | None = None
        self.num_cut = 0
        self._start()

    def observe(self, entry: Entry) -> Off | None:
        """Takes a settled request into account, where it was audited; gives the present state. Does no I/O but logging.

        Raises:
            BadRequest: `unknown_cost`.
        """
        referred, billed = entry.referred, entry.billed
        if self.off is None and referred is not None and billed is not None:
            costs = (cost_of(one, self.limits.kind) for one in (billed.total, referred.cost))
            self._compare_costs(entry, *costs)
            if billed.correct is not None and referred.correct is not None:
                self._compare_quality(entry, float(referred.correct) - float(billed.correct))
        return self.off

    def turn_on(self) -> None:
        """A person's decision to route again; what was seen before counts no more."""
        self.off = None
        self._start()
        _LOG.warning("automatic routing is on again")

    def to_json(self) -> dict[str, Any]:
        """All of it but the limits."""
        off = None if self.off is None else {name: getattr(self.off, name) for name in Off.__slots__}
        return {
            "version": 1,
            "off": off,
            "num_cut": self.num_cut,
            "costs": [self._cost_sum, self._costs.to_json()],
            "quality": [self._quality_sum, self._quality.to_json()],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], limits: WatchLimits) -> Self:
        """Goes on from what `to_json` gave.

        Raises:
            BadRequest: `invalid_watch` where it is not that; `invalid_evidence` likewise.
        """
        found = cls(limits)
        try:
            if data["version"] != 1:
                raise BadRequest(f"a saved watch has version {data['version']!r}; expected 1", code="invalid_watch")
            found.off = None if data["off"] is None else Off(**data["off"])
            found.num_cut = int(data["num_cut"])
            (cost_sum, costs), (quality_sum, quality) = data["costs"], data["quality"]
            found._cost_sum, found._quality_sum = float(cost_sum), float(quality_sum)
        except (KeyError, TypeError, ValueError) as exc:
            raise BadRequest(f"this is no saved watch: {exc!r}", code="invalid_watch") from exc
        found._costs, found._quality = Evidence.from_json(costs), Evidence.from_json(quality)
        return found

    def _start(self) -> None:
        self._costs, self._quality = Evidence(-1.0), Evidence(-1.0 - self.limits.lost_quality)
        self._cost_sum = self._quality_sum = 0.0

    def _compare_costs(self, entry: Entry, billed: float, referred: float) -> None:
        """In shares of the greatest bill of the reference, so that the least difference is -1."""
        difference = billed - referred
        least = -self.limits.most_reference
        self.num_cut += difference < least
        self._cost_sum += difference
        self._costs.add(max(difference, least) / self.limits.most_reference)
        self._judge("costs_more", entry, self._costs, self._cost_sum, 0.0)

    def _compare_quality(self, entry: Entry, lost: float) -> None:
        self._quality_sum += lost
        self._quality.add(lost - self.limits.lost_quality)
        self._judge("quality_below", entry, self._quality, self._quality_sum, self.limits.lost_quality)

    def _judge(self, reason: str, entry: Entry, evidence: Evidence, total: float, allowed: float) -> None:
        """Each of the two hypotheses gets half of the error."""
        if self.off is not None or evidence.value < 2 / (1 - self.limits.confidence):
            return
        num_audits = evidence.num_values
        self.off = Off(reason, entry.time_us, num_audits, total / num_audits, allowed, evidence.value)
        _LOG.error(
            "automatic routing is off: %s at %s, by %g (allowed %g) over %d audits, evidence %.3g",
            *(reason, entry.request_id, self.off.mean, allowed, num_audits, evidence.value),
        )
