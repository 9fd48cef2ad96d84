"""Never worse: where routing was shown to cost more or lose more than allowed, everything goes to the reference arm.

Settled requests are fed to `query.watch`, which compares audits, and to `query.drift`, which compares bills and answers
with forecasts; the novelty of what the certificate decides on, before it is answered, to `query.shift`, which compares
it with the calibration rows. What says `off` is kept until the process is started anew: that is a person's decision,
and there is no way to take it over HTTP.

Of drift, bills above their forecast turn routing off; bills below it are logged only. How often an arm is right is not
compared with its forecast: audits tell whether answers agree, and not whether they are right (`auditing.py`).
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from pointsman.core import BadRequest
from pointsman.core.entries import Entry
from pointsman.query.drift import Drift, DriftLimits, DriftWatch
from pointsman.query.shift import TOLERANCE, Shift, ShiftLimits, ShiftWatch
from pointsman.query.watch import Off, Watch, WatchLimits

if TYPE_CHECKING:  # numpy is loaded where there is a policy only
    from pointsman.query.policy import Policy

__all__ = ["Guard", "guard_of"]

_LOST_WITHOUT_CERTIFICATE: Final = 0.01
_LONG_PROMPT, _TIMES_FORECAST = 4_000.0, 10.0
"""The reference arm is taken to bill at most so many times what it is forecast to bill for so long a prompt, where the
configuration does not say. Chosen: a bill above is cut to that, which makes the guard quicker, and counted."""

_LOG = logging.getLogger("pointsman.gateway")


@dataclass(frozen=True, slots=True)
class _State:
    reason: str
    numbers: Off | Drift | Shift


class Guard:
    """Watches one policy.

    Args:
        limits: of the comparison with the reference arm.
        drift: of that with forecasts.
        shift: of that with calibration rows; None where there is no certificate.
    """

    def __init__(self, limits: WatchLimits, drift: DriftLimits, shift: ShiftLimits | None = None) -> None:
        self._watch, self._drift = Watch(limits), DriftWatch(drift)
        self._shift = None if shift is None else ShiftWatch(shift)
        self._off: _State | None = None
        self.num_observed = 0

    @property
    def is_off(self) -> bool:
        """Whether everything goes to the reference arm."""
        return self._off is not None

    def admit(self, novelty: float, time_us: int) -> None:
        """Takes a request that the certificate decides on into account, before it is answered."""
        shift = None if self._shift is None else self._shift.observe(novelty, time_us)
        if shift is not None and self._off is None:
            self._off = _State("shift", shift)
            _LOG.error(
                "automatic routing is off: requests are unlike those of the certificate, mean novelty %.3g (allowed "
                "%.3g) over %d requests; calibrate with requests like these",
                *(shift.mean, shift.allowed, shift.num_requests),
            )

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
            "shift": None if self._shift is None else asdict(self._shift.limits),
            "turn_on": "restart the server; there is no way to turn routing on over HTTP",
        }


def guard_of(policy: Policy, most_reference: float | None = None, shift_tolerance: float = TOLERANCE) -> Guard:
    """The guard of a policy, by what its certificate promises.

    Raises:
        BadRequest: `invalid_config` where `most_reference` is needed and nothing can be forecast.
    """
    certificate = policy.certificate
    lost = _LOST_WITHOUT_CERTIFICATE if certificate is None else certificate.promise.slack
    most = _most_reference(policy) if most_reference is None else most_reference
    shift = None if certificate is None else ShiftLimits(certificate.usual_novelty, shift_tolerance)
    return Guard(WatchLimits(most, lost, kind=policy.kind), DriftLimits(kind=policy.kind), shift)


def _most_reference(policy: Policy) -> float:
    import numpy as np

    from pointsman.query.embedding import extra_of

    extra = extra_of(policy.embedder, ["?"])
    tokens = np.full(len(policy.arms), _LONG_PROMPT)
    forecasts = policy.server.forecast("?", tokens, None if extra is None else extra[0])
    cost = float(forecasts.nano_usd[0, policy.arms.index(policy.reference)])
    if not 0 < cost < float("inf"):
        problem = f"the reference arm is forecast to bill {cost!r}; set policy.most_reference"
        raise BadRequest(problem, code="invalid_config")
    return _TIMES_FORECAST * cost
