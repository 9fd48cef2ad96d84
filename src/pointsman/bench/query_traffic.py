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
from pointsman.gateway.auto.guarding import guard_of
from pointsman.gateway.routing_config import RoutingConfig
from pointsman.query.certifying import choose, losses_of
from pointsman.query.forecasting import Forecasts
from pointsman.query.outcomes import Ints, Outcomes
from pointsman.query.policy import Policy

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
    traffic = _Traffic(policy, test, forecasts, rng.random(test.right.shape) < test.right)
    guard, reference = guard_of(policy), policy.arms.index(policy.reference)
    planned, most_novel = _planned(policy, forecasts, reference)
    taken, paid, off_after = np.full(len(test), reference), 0.0, None
    for number, row in enumerate(order):
        if policy.certificate is not None and forecasts.novelty[row] <= most_novel and not guard.is_off:
            guard.admit(float(forecasts.novelty[row]), number)
        if guard.is_off:
            off_after = number
            paid += float(test.nano_usd[order[number:], reference].sum())
            break
        taken[row] = planned[row]
        arms = {int(planned[row]), reference} if is_audited[row] else {int(planned[row])}
        paid += float(test.nano_usd[row, list(arms)].sum())
        guard.observe(traffic.entry(number, row, planned[row], reference, is_audited=bool(is_audited[row])))
    losses = losses_of(test, reference, taken)
    saving, noise = 1 - paid / float(test.nano_usd[:, reference].sum()), float(losses.std() / np.sqrt(len(test)))
    return Played(saving, float(losses.mean()), noise, off_after, guard.told()["reason"])


def _planned(policy: Policy, forecasts: Forecasts, reference: int) -> tuple[Ints, float]:
    """(N,) arms while routing is on, and the novelty up to which the certificate decides."""
    certificate = policy.certificate
    if certificate is None:
        return choose(forecasts, reference, None), 0.0
    return choose(forecasts, reference, certificate.setting, certificate.most_novel), certificate.most_novel


@dataclass(frozen=True, slots=True)
class _Traffic:
    """`right`: (N, A) bool, of one answer each: where a table has the share of several samples, one is drawn."""

    policy: Policy
    test: Outcomes
    forecasts: Forecasts
    right: NDArray[np.bool_]

    def entry(self, number: int, row: int, arm: int, reference: int, *, is_audited: bool) -> Entry:
        """As a server's guard gets it; whether answers are right is known of audited ones."""
        policy, name = self.policy, self.policy.arms[arm]
        forecast = Forecast(
            name, float(np.clip(self.forecasts.right[row, arm], 0, 1)), _cost(self.forecasts.nano_usd[row, arm])
        )
        decision = Decision(name, "certified", policy.version, forecasts=(forecast,), is_audited=is_audited)
        billed = self._settled(row, arm, is_judged=is_audited)
        audit = self._settled(row, reference, is_judged=True) if is_audited and arm != reference else None
        return Entry(str(number), number, "query", decision, policy.reference, billed=billed, audit=audit)

    def _settled(self, row: int, arm: int, *, is_judged: bool) -> Settled:
        correct = bool(self.right[row, arm]) if is_judged else None
        return Settled(self.policy.arms[arm], _cost(self.test.nano_usd[row, arm]), correct)


def _cost(nano_usd: float) -> Cost:
    return Cost(0, 0, round(float(nano_usd)), 0, 0.0)
