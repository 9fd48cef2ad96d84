"""What requests would have cost another way, and so what was saved: computed from the ledger, never from list prices.

    tally = Tally(parse_target("cheapest"))
    for entry in read_entries("ledger.db"):
        tally.add(entry)
    tally.replayed().cost.best          # an Estimate, or None: then `.cost.unknown` says why

Savings are what the reference arm would have billed on these requests less what was billed. They are known only as far
as audits (or chance) made the reference arm answer; with neither they are unknown. The estimates: `estimating.py`.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from pointsman.core import Forecast
from pointsman.core.entries import Entry, Settled, cost_of
from pointsman.query.estimating import Column, Measured, Weights, measured
from pointsman.query.intervals import Estimate, bounded_interval
from pointsman.query.targets import Target, parse_target

_ValueOf: TypeAlias = Callable[[Settled], float]
_ExpectedOf: TypeAlias = Callable[[Forecast], float]

_ALWAYS = 1 - 1e-12  # a propensity from here on leaves other arms no chance


@dataclass(frozen=True, slots=True)
class Replayed:
    """A policy on logged requests; costs of one kind, for each request, in the ledger's unit.

    Attributes:
        num_requests: settled ones, which are all that count.
        num_unsettled: requests without an outcome.
        num_audited: requests for which the reference arm's answer is known through an audit.
        billed: mean of what was billed, and of what was asked before and did not answer.
        audits: what audits billed on top, in total.
        billed_quality: share that was right, of answers where that is known; None where none is.
        cost: under the policy.
        quality: under the policy.
        num_named: requests that are left out of all this, since their clients named the model.
    """

    num_requests: int
    num_unsettled: int
    num_audited: int
    billed: float
    audits: float
    billed_quality: Estimate | None
    cost: Measured
    quality: Measured
    num_named: int = 0


@dataclass(frozen=True, slots=True)
class Savings:
    """What a level saved, in total over its requests, of one kind of cost.

    Attributes:
        level: None for all levels together.
        num_requests: settled ones.
        num_audited: of these.
        billed: in total, which is known; without audits.
        audits: what audits billed on top of that.
        reference: what the reference arm would have billed; None where unknown.
        saved: the difference; below zero where routing cost more.
        share: of the reference's bill that was saved; None where unknown or that bill may be nothing.
        unknown: why, where it is.
    """

    level: str | None
    num_requests: int
    num_audited: int
    billed: float
    audits: float
    reference: Estimate | None
    saved: Estimate | None
    share: Estimate | None
    unknown: str | None


@dataclass(slots=True)
class Tally:
    """Takes entries one by one, and keeps 120 bytes of each. `kind`: of the cost, one of `COST_KINDS`."""

    target: Target
    kind: str = "nano_usd"
    _num_unsettled: int = 0
    _audits: float = 0.0
    _missed: float = 0.0
    _lost: dict[str, int] = field(default_factory=dict)
    _weights: Weights = field(default_factory=Weights)
    _cost: Column = field(default_factory=lambda: Column(None))
    _quality: Column = field(default_factory=lambda: Column(1.0))

    def add(self, entry: Entry) -> None:
        """One more request. Raises BadRequest `unknown_cost`."""
        if entry.billed is None:
            self._num_unsettled += 1
            return
        self._audits += 0.0 if entry.audit is None else cost_of(entry.audit.cost, self.kind)
        self._missed += cost_of(entry.billed.missed, self.kind)
        choices = self.target(entry)
        if choices is None:
            self._lost["no_choice"] = self._lost.get("no_choice", 0) + 1
            choices = {}
        self._weigh(entry, choices)
        self._fill(self._cost, entry, choices, lambda item: cost_of(item.cost, self.kind), self._expected)
        self._fill(self._quality, entry, choices, _right, lambda item: item.right)

    def replayed(self) -> Replayed:
        """The result so far."""
        known = [value for value in self._quality.given if not math.isnan(value)]
        num = len(self._cost.given)
        return Replayed(
            *(num, self._num_unsettled, int(math.fsum(self._weights.is_audited))),
            billed=(math.fsum(self._cost.given) + self._missed) / num if num else 0.0,
            audits=self._audits,
            billed_quality=bounded_interval(known, 0.0, 1.0) if known else None,
            cost=self._measured(self._cost),
            quality=self._measured(self._quality),
        )

    def _measured(self, column: Column) -> Measured:
        num, reason = len(self._cost.given), ""
        if not num:
            reason = "no_requests: no logged request has an outcome"
        elif self._lost.get("no_choice"):
            reason = f"no_choice: for {self._lost['no_choice']} of {num} requests the ledger does not say what it takes"
        elif self._lost.get("unaudited") and not any(self._weights.is_audited):
            reason = f"no_audits: {self._lost['unaudited']} of {num} requests had no chance to show the reference arm"
        elif self._lost.get("no_support"):
            reason = f"no_support: for {self._lost['no_support']} of {num} requests its arm had no chance"
        if reason:
            return Measured(None, None, None, 0.0, reason)
        return measured(self._weights, column, needs_audits=bool(self._lost.get("unaudited")))

    def _weigh(self, entry: Entry, choices: Mapping[str, float]) -> None:
        decision, reference = entry.decision, entry.reference
        weight = choices.get(decision.arm, 0.0) / decision.propensity
        is_same = decision.arm == reference
        is_audited = entry.referred is not None
        self._weights.other.append(0.0 if is_same else weight)
        self._weights.same.append(weight if is_same else 0.0)
        self._weights.is_audited.append(float(is_audited))
        self._weights.audited.append(choices.get(reference or "", 0.0) if is_audited else 0.0)
        if decision.propensity > _ALWAYS:
            for arm in choices:
                if arm != decision.arm and choices[arm] > 0:
                    reason = "unaudited" if arm == reference else "no_support"
                    self._lost[reason] = self._lost.get(reason, 0) + 1

    def _expected(self, item: Forecast) -> float:
        return cost_of(item.cost, self.kind)

    def _fill(
        self,
        column: Column,
        entry: Entry,
        choices: Mapping[str, float],
        value_of: _ValueOf,
        expected_of: _ExpectedOf,
    ) -> None:
        expected = {item.arm: expected_of(item) for item in entry.decision.forecasts}
        column.given.append(math.nan if entry.billed is None else value_of(entry.billed))
        column.referred.append(math.nan if entry.referred is None else value_of(entry.referred))
        column.forecast.append(sum(chance * expected.get(arm, math.nan) for arm, chance in choices.items() if chance))
        column.forecast_given.append(expected.get(entry.decision.arm, math.nan))
        column.forecast_referred.append(expected.get(entry.reference or "", math.nan))


class SavingsTally:
    """Savings by level, from entries that come one by one."""

    def __init__(self, kind: str = "nano_usd") -> None:
        self._kind = kind
        self._levels: dict[str | None, Tally] = {None: Tally(parse_target("reference"), kind)}

    def add(self, entry: Entry) -> None:
        """One more request."""
        level = self._levels.get(entry.level)
        if level is None:
            level = self._levels[entry.level] = Tally(parse_target("reference"), self._kind)
        level.add(entry)
        self._levels[None].add(entry)

    def result(self) -> list[Savings]:
        """All levels together first, then each by name."""
        named = sorted(level for level in self._levels if level is not None)
        return [_savings(level, self._levels[level].replayed()) for level in (None, *named)]


def savings(entries: Iterable[Entry], kind: str = "nano_usd") -> list[Savings]:
    """What each level saved against the entries' reference arms; all levels together first."""
    tally = SavingsTally(kind)
    for entry in entries:
        tally.add(entry)
    return tally.result()


def replay(entries: Iterable[Entry], target: Target, kind: str = "nano_usd") -> Replayed:
    """A policy on logged requests; where some have a reference arm, on these: no policy chose for the others."""
    routed, named, num_named = Tally(target, kind), Tally(target, kind), 0
    for entry in entries:
        (named if entry.reference is None else routed).add(entry)
        num_named += entry.reference is None
    found = routed.replayed()
    return replace(found, num_named=num_named) if found.num_requests + found.num_unsettled else named.replayed()


def _savings(level: str | None, found: Replayed) -> Savings:
    num, billed = found.num_requests, found.billed * found.num_requests
    best = found.cost.best
    if best is None:
        return Savings(level, num, found.num_audited, billed, found.audits, None, None, None, found.cost.unknown)
    reference = best.scaled(num)
    share = None
    if reference.low > 0:
        share = Estimate(*(1 - billed / item for item in (reference.value, reference.low, reference.high)))
    return Savings(level, num, found.num_audited, billed, found.audits, reference, reference.plus(-billed), share, None)


def _right(settled: Settled) -> float:
    return math.nan if settled.correct is None else float(settled.correct)
