"""How routing stands, and how good its answers are beside the reference arm's, from entries that come one by one."""

from dataclasses import dataclass, field

from pointsman.core.entries import Entry
from pointsman.query.intervals import Estimate, bounded_interval

OFF = "routing_off"
"""The reason of the server's decisions once routing was shown to do harm; see `gateway/auto/guarding.py`."""


@dataclass(slots=True)
class Standing:
    """Of the policy's own decisions, the latest last.

    Attributes:
        num_routed: requests for which arms were forecast.
        num_certified: of these, those decided under a certificate.
        num_off: requests that went to the reference arm because routing was off.
        certificate: in force after the last decision; None where there is none.
        off_since_us: since when routing is off, microseconds in UTC; None while it is on.
    """

    num_routed: int = 0
    num_certified: int = 0
    num_off: int = 0
    certificate: str | None = None
    off_since_us: int | None = None
    _policy: str | None = None

    def add(self, entry: Entry) -> None:
        """One more, in the order in which they were written."""
        decision = entry.decision
        if decision.reason == OFF:
            self.num_off += 1
            self.off_since_us = entry.time_us if self.off_since_us is None else self.off_since_us
            self.certificate = None
        elif decision.forecasts:
            self.num_routed += 1
            self.num_certified += decision.certificate is not None
            if self.off_since_us is not None and entry.time_us < self.off_since_us:
                return  # decided before it was switched off, and written after
            self.off_since_us = None
            if decision.policy_version != self._policy:
                self._policy, self.certificate = decision.policy_version, None
            self.certificate = decision.certificate or self.certificate


@dataclass(slots=True)
class Audited:
    """Answers of other arms beside the reference arm's to the same requests, by chance.

    Agreement is what the server's audits say. A ledger without that may know which answers were right: then an answer
    is as good where it was right, or the reference arm's was wrong too.
    """

    _agree: list[float] = field(default_factory=list)
    _as_good: list[float] = field(default_factory=list)

    def add(self, entry: Entry) -> None:
        """One more request."""
        billed, audit = entry.billed, entry.audit
        if billed is None or audit is None:
            return
        if audit.agrees is not None:
            self._agree.append(float(audit.agrees))
        if billed.correct is not None and audit.correct is not None:
            self._as_good.append(float(billed.correct or not audit.correct))

    @property
    def is_agreement(self) -> bool:
        """Whether answers were compared with each other, and not each with what is right."""
        return bool(self._agree)

    @property
    def count(self) -> int:
        """Audits that tell something."""
        return len(self._agree or self._as_good)

    @property
    def share(self) -> Estimate | None:
        """Of answers that agree or are as good, with its 95 % interval; None without audits."""
        values = self._agree or self._as_good
        return bounded_interval(values, 0.0, 1.0) if values else None
