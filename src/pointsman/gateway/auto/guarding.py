"""Never worse: where routing was shown to cost more or lose more than allowed, everything goes to the reference arm.

Settled requests are fed to `query.watch`, which compares audits, and to `query.drift`, which compares bills and answers
with forecasts. What says `off` is kept until the process is started anew: that is a person's decision, and there is no
way to take it over HTTP.

Of drift, bills above their forecast turn routing off; bills below it are logged only. How often an arm is right is not
compared with its forecast: audits tell whether answers agree, and not whether they are right (`auditing.py`).
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, replace
from typing import Any

from pointsman.core.entries import Entry
from pointsman.query.drift import Drift, DriftLimits, DriftWatch
from pointsman.query.watch import Off, Watch, WatchLimits

__all__ = ["Guard"]

_LOG = logging.getLogger("pointsman.gateway")


@dataclass(frozen=True, slots=True)
class _State:
    reason: str
    numbers: Off | Drift


class Guard:
    """Watches one policy.

    Args:
        limits: of the comparison with the reference arm.
        drift: of that with forecasts.
    """

    def __init__(self, limits: WatchLimits, drift: DriftLimits) -> None:
        self._watch, self._drift = Watch(limits), DriftWatch(drift)
        self._off: _State | None = None
        self.num_observed = 0

    @property
    def is_off(self) -> bool:
        """Whether everything goes to the reference arm."""
        return self._off is not None

    def observe(self, entry: Entry) -> None:
        """Takes a settled request into account; call it once a request, after its audit where it has one."""
        self.num_observed += 1
        off = self._watch.observe(entry)  # logs by itself
        if off is not None and self._off is None:
            self._off = _State(off.reason, off)
        billed = None if entry.billed is None else replace(entry.billed, correct=None)
        for drift in self._drift.observe(replace(entry, billed=billed)):
            if drift.kind == "cost_up" and self._off is None:
                self._off = _State("drift_cost_up", drift)
                _LOG.error(
                    "automatic routing is off: bills of the arm %s are %+.3g of their forecast above it, seen after %d "
                    "answers; the certificate is dropped",
                    *(drift.arm, drift.size, drift.num_answers),
                )

    def told(self) -> dict[str, Any]:
        """State, reason and numbers, as JSON."""
        return {
            "state": "on" if self._off is None else "off",
            "reason": None if self._off is None else self._off.reason,
            "numbers": None if self._off is None else asdict(self._off.numbers),
            "num_observed": self.num_observed,
            "num_cut": self._watch.num_cut,
            "limits": asdict(self._watch.limits),
            "turn_on": "restart the server; there is no way to turn routing on over HTTP",
        }
