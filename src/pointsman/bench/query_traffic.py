"""Test rows as traffic of `serve`: they come one by one in a random order, and its guard may switch routing off.

What is played is what a policy's user gets: its arms, the guard that a server makes for it (`gateway.auto.guarding`),
with all of its alarms, and audits drawn by chance for the share that a server draws by default. An audited request is
billed by the reference arm too; from an alarm on that arm gets everything.

Not as in a server: it is known whether audited answers are right, which a server knows with `reference_is_right` or
where a person judges, and audits end before the next request comes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointsman.core import Cost, Decision, Forecast
from pointsman.core.entries import Entry, Settled
from pointsman.core.records import SEQUENCE
from pointsman.gateway.auto.guarding import guard_of
from pointsman.gateway.routing_config import RoutingConfig
from pointsman.query.certifying import courses_of, losses_of
from pointsman.query.forecasting import Forecasts
from pointsman.query.outcomes import Floats, Ints, Outcomes
from pointsman.query.policy import Policy
from pointsman.query.sequences import Courses, Sequences

__all__ = ["AUDIT_SHARE", "Played", "play"]

AUDIT_SHARE = RoutingConfig().audit_share


@dataclass(frozen=True, slots=True)
class Played:
    """What became of N requests.

    Attributes:
        saving: share of the reference arm's cost that was not paid, audits counted.
        loss: mean of how much more right the reference arm was.
        noise: standard error of `loss`.
        off_after: requests that were answered until routing was off; None where it was on to the last.
        reason: why it is off in the end; None where it is on.
    """

    saving: float
    loss: float
    noise: float
    off_after: int | None
    reason: str | None


def play(policy: Policy, test: Outcomes, forecasts: Forecasts, seed: int, audit_share: float = AUDIT_SHARE) -> Played:
    """N requests, in an order by seed. `forecasts`: of the policy's forecaster."""
    rng = np.random.default_rng(seed)
    order, is_audited = rng.permutation(len(test)), rng.random(len(test)) < audit_share
    traffic = _traffic(policy, test, forecasts, rng.random(test.right.shape) < test.right)
    guard, reference, certificate = guard_of(policy), traffic.reference, policy.certificate
    taken, paid, off_after = np.full(len(test), reference), 0.0, None
    for number, row in enumerate(order):
        if certificate is not None and forecasts.novelty[row] <= certificate.most_novel and not guard.is_off:
            guard.admit(float(forecasts.novelty[row]), number)
        if guard.is_off:
            off_after = number
            paid += float(test.nano_usd[order[number:], reference].sum())
            break
        taken[row] = traffic.arm[row]
        entry = traffic.entry(number, row, is_audited=bool(is_audited[row]))
        paid += traffic.nano_usd[row] + (0.0 if entry.audit is None else float(test.nano_usd[row, reference]))
        guard.observe(entry)
    losses = losses_of(test, reference, taken)
    saving, noise = 1 - paid / float(test.nano_usd[:, reference].sum()), float(losses.std() / np.sqrt(len(test)))
    return Played(saving, float(losses.mean()), noise, off_after, guard.told()["reason"])


@dataclass(frozen=True, slots=True)
class _Traffic:
    """What happens to each request while routing is on.

    Attributes:
        courses: what is decided.
        arm: (N,) that answers.
        nano_usd: (N,) of all that is called.
        right: (N, A) bool, of one answer each: where a table has the share of several samples, one is drawn.
    """

    policy: Policy
    reference: int
    test: Outcomes
    forecasts: Forecasts
    courses: Courses
    arm: Ints
    nano_usd: Floats
    right: NDArray[np.bool_]

    def entry(self, number: int, row: int, *, is_audited: bool) -> Entry:
        """As a server's guard gets it; whether answers are right is known of audited ones."""
        policy, arm = self.policy, int(self.arm[row])
        forecast = self._forecast(row)
        decision = Decision(forecast.arm, "certified", policy.version, forecasts=(forecast,), is_audited=is_audited)
        billed = self._settled(row, arm, self.nano_usd[row], is_judged=is_audited)
        audit = None
        if is_audited and arm != self.reference:
            audit = self._settled(row, self.reference, self.test.nano_usd[row, self.reference], is_judged=True)
        return Entry(str(number), number, "query", decision, policy.reference, billed=billed, audit=audit)

    def _forecast(self, row: int) -> Forecast:
        """Of the arm that answers, or of all steps under the name of the sequence."""
        policy, arm = self.policy, int(self.arm[row])
        if self.courses.look[row] < 0:
            right, cost = self.forecasts.right[row, arm], self.forecasts.nano_usd[row, arm]
            return Forecast(policy.arms[arm], float(np.clip(right, 0, 1)), _cost(cost))
        assert policy.sequences is not None
        right, cost = policy.sequences.expected(self.courses, self.forecasts, row)
        first = policy.sequences.looks[int(self.courses.look[row])].arms
        return Forecast(SEQUENCE + "+".join(policy.arms[each] for each in first), right, _cost(cost))

    def _settled(self, row: int, arm: int, nano_usd: float, *, is_judged: bool) -> Settled:
        return Settled(self.policy.arms[arm], _cost(nano_usd), bool(self.right[row, arm]) if is_judged else None)


def _traffic(policy: Policy, test: Outcomes, forecasts: Forecasts, right: NDArray[np.bool_]) -> _Traffic:
    certificate, reference = policy.certificate, policy.arms.index(policy.reference)
    if certificate is None:
        courses = Courses.alone(np.full(len(test), reference))
    else:
        courses = courses_of(forecasts, reference, certificate.setting, certificate.most_novel, policy.sequences)
    sequences = policy.sequences or Sequences.none(len(policy.arms))
    arm, is_called = sequences.called(courses, sequences.seen(test))
    paid = np.where(is_called, test.nano_usd, 0.0).sum(1)
    return _Traffic(policy, reference, test, forecasts, courses, arm, paid, right)


def _cost(nano_usd: float) -> Cost:
    return Cost(0, 0, round(float(nano_usd)), 0, 0.0)
