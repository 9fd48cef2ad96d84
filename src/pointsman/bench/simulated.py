"""Simulated traffic, for tests and benches of the ledger: nothing here was measured on real requests.

Three arms, `small`, `middle` and `large` (the reference), answer requests of a difficulty from 0 to 1. What every arm
would have given is drawn beforehand, so that estimates can be compared with the truth. Prices are chosen.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from pointsman.core import Cost, Decision, Forecast, Outcome
from pointsman.core.entries import Entry, Settled
from pointsman.gateway.ledger import Ledger

__all__ = ["ARMS", "REFERENCE", "Simulated", "Traffic", "record", "simulate"]

REFERENCE: Final = "large"
ARMS: Final[Mapping[str, tuple[int, float, float]]] = {
    "small": (40_000, 0.95, 0.8),
    "middle": (150_000, 0.97, 0.4),
    REFERENCE: (1_000_000, 0.99, 0.15),
}
"""Mean nano-dollars, the chance to be right on the easiest request, and what the hardest one takes off that. Chosen."""

_SPREAD: Final = 0.6  # sigma of the logarithm of a cost


@dataclass(frozen=True, slots=True)
class Traffic:
    """How requests come.

    Attributes:
        explored: share of requests whose arm is drawn at random.
        audited: share that the reference answers too.
        bias: factor of forecasts of cost.
        overconfidence: added to forecasts of being right, as far as they stay below 1.
        cost_factor: of what the small arm bills.
        right_loss: taken off every arm's chance to be right.
        worth_nano_usd: of a right answer to the policy, which takes the most of that less the forecast cost.
    """

    explored: float = 0.1
    audited: float = 0.1
    bias: float = 1.0
    overconfidence: float = 0.0
    cost_factor: float = 1.0
    right_loss: float = 0.0
    worth_nano_usd: float = 3_000_000.0


@dataclass(frozen=True, slots=True)
class Simulated:
    """A logged request and what no log has: what every arm would have given."""

    entry: Entry
    answers: Mapping[str, Settled]


def simulate(num_requests: int, seed: int, traffic: Traffic | None = None, first: int = 0) -> Iterator[Simulated]:
    """So many requests, the same for the same seed; the first is named after `first`."""
    traffic = traffic or Traffic()
    rng = random.Random(seed)  # noqa: S311  reproducible requests, no secrets
    for number in range(first, first + num_requests):
        difficulty = rng.random()
        answers = {arm: _answer(arm, difficulty, traffic, rng) for arm in ARMS}
        decision = _decided(difficulty, traffic, rng)
        entry = Entry(
            *(f"sim-{number}", 1_764_000_000_000_000 + 1_000_000 * number, "query", decision, REFERENCE),
            features=(difficulty,),
            billed=answers[decision.arm],
        )
        shadow = answers[REFERENCE] if decision.is_audited and decision.arm != REFERENCE else None
        yield Simulated(replace(entry, audit=shadow), answers)


def record(ledger: Ledger, items: Iterable[Simulated]) -> None:
    """Adds simulated requests, each with its outcome and, where there is one, its audit."""
    for item in items:
        entry = item.entry
        ledger.append(entry)
        for settled, is_audit in ((entry.billed, False), (entry.audit, True)):
            if settled is not None:
                ledger.settle(
                    entry.request_id, Outcome("", settled.cost, settled.correct, arm=settled.arm, is_audit=is_audit)
                )


def _chance(arm: str, difficulty: float) -> float:
    _, easiest, harder = ARMS[arm]
    return easiest - harder * difficulty


def _mean_cost(arm: str, difficulty: float) -> float:
    return ARMS[arm][0] * (0.5 + difficulty)


def _answer(arm: str, difficulty: float, traffic: Traffic, rng: random.Random) -> Settled:
    factor = traffic.cost_factor if arm == "small" else 1.0
    nano_usd = round(factor * _mean_cost(arm, difficulty) * rng.lognormvariate(-(_SPREAD**2) / 2, _SPREAD))
    is_right = rng.random() < max(0.0, _chance(arm, difficulty) - traffic.right_loss)
    return Settled(arm, Cost(200, nano_usd // 2_000, nano_usd, 0, nano_usd * 1e-6), is_right)


def _decided(difficulty: float, traffic: Traffic, rng: random.Random) -> Decision:
    forecasts = tuple(_forecast(arm, difficulty, traffic) for arm in ARMS)
    best = max(forecasts, key=lambda item: item.right * traffic.worth_nano_usd - item.cost.nano_usd).arm
    is_explored = rng.random() < traffic.explored
    arm = rng.choice(list(ARMS)) if is_explored else best
    propensity = traffic.explored / len(ARMS) + (1 - traffic.explored if arm == best else 0.0)
    return Decision(
        *(arm, "explored" if is_explored else "best_worth", "simulated/1"),
        forecasts=forecasts,
        propensity=propensity,
        certificate="simulated/1",
        is_audited=rng.random() < traffic.audited,
    )


def _forecast(arm: str, difficulty: float, traffic: Traffic) -> Forecast:
    nano_usd = round(traffic.bias * _mean_cost(arm, difficulty))
    right = min(1.0, _chance(arm, difficulty) + traffic.overconfidence)
    return Forecast(arm, right, Cost(200, nano_usd // 2_000, nano_usd, 0, nano_usd * 1e-6))
