"""The numbers of the report, from two passes over a ledger: one for its arms and times, one for all that is counted.

Requests whose client named the model have no reference arm to be compared with. Where others have one, costs, quality
and savings are those of the others alone; the named ones are counted apart.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pointsman.core.entries import Entry, cost_of
from pointsman.query.report.standing import Audited, Standing
from pointsman.query.savings import Replayed, Savings, SavingsTally, Tally
from pointsman.query.targets import parse_target

NUM_BINS = 10
_MAX_ARMS, _NUM_TIMES = 12, 24  # chosen: what a picture can show

Rows = Sequence[Sequence[float]]


@dataclass(slots=True)
class Bin:
    """Sums of pairs: what was forecast and what came."""

    count: int = 0
    forecast: float = 0.0
    came: float = 0.0

    def add(self, forecast: float, came: float) -> None:
        """One more."""
        self.count += 1
        self.forecast += forecast
        self.came += came


@dataclass(slots=True)
class Expected:
    """Sums of what was forecast of an arm."""

    count: int = 0
    cost: float = 0.0
    right: float = 0.0

    def add(self, cost: float, right: float) -> None:
        """One more."""
        self.count += 1
        self.cost += cost
        self.right += right


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Shares from 0 to 1 of one answer.

    Attributes:
        request_id: whose.
        arm: that answered; None where the ledger does not have the request.
        rows: as `gateway.ledger.Grid` has them.
    """

    request_id: str
    arm: str | None
    rows: Rows


@dataclass(frozen=True, slots=True)
class Collected:
    """What the page shows; costs in the ledger's unit.

    Attributes:
        kind: of the cost.
        first_us: time of the first request, microseconds in UTC, and `last_us` of the last; None without requests.
        last_us: see there.
        arms: each arm as if it had answered all, by name, the most used first.
        chosen: what was billed; its `cost` is that of the reference arm.
        forecasts: what was forecast of each arm, for requests that were forecast.
        expected: likewise of the arms that were chosen.
        named: count and bill (as `came`) of requests that are left out of the above, since they have no reference arm.
        savings: by level, all levels together first.
        audited: how answers compare with the reference arm's.
        standing: of routing.
        calibration: `NUM_BINS` bins of forecast chances to be right, from 0 to 1.
        costs: forecast and billed by arm.
        times: decisions in equal spans from first to last, by arm.
        token_maps: heat maps of texts.
        unit_maps: likewise of a model's units.
    """

    kind: str
    first_us: int | None
    last_us: int | None
    arms: dict[str, Replayed]
    chosen: Replayed
    forecasts: dict[str, Expected]
    expected: Expected
    named: Bin
    savings: list[Savings]
    audited: Audited
    standing: Standing
    calibration: list[Bin]
    costs: dict[str, Bin]
    times: list[Counter[str]]
    token_maps: Sequence[HeatMap] = ()
    unit_maps: Sequence[HeatMap] = ()

    @property
    def num_requests(self) -> int:
        """All of them, settled or not."""
        return self.chosen.num_requests + self.chosen.num_unsettled + self.named.count

    @property
    def calibration_error(self) -> float | None:
        """Expected calibration error: mean distance of forecast and share right, by answers; None without answers."""
        count = sum(item.count for item in self.calibration)
        return sum(abs(item.forecast - item.came) for item in self.calibration) / count if count else None


@dataclass(slots=True)
class _Seen:
    """The first pass."""

    arms: Counter[str] = field(default_factory=Counter)
    first_us: int | None = None
    last_us: int | None = None
    has_reference: bool = False
    forecast_arms: set[str] = field(default_factory=set)

    def add(self, entry: Entry) -> None:
        self.arms[entry.decision.arm] += 1
        self.arms.update(dict.fromkeys((item.arm for item in entry.decision.forecasts), 0))
        self.forecast_arms.update(item.arm for item in entry.decision.forecasts)
        self.has_reference |= entry.reference is not None
        self.first_us = entry.time_us if self.first_us is None else min(self.first_us, entry.time_us)
        self.last_us = entry.time_us if self.last_us is None else max(self.last_us, entry.time_us)

    @property
    def shown_arms(self) -> list[str]:
        """Those first that can be compared on any request, also where none was decided for them."""
        by_use = [arm for arm, _ in self.arms.most_common()]
        return sorted(by_use, key=lambda arm: arm not in self.forecast_arms)[:_MAX_ARMS]


def collect(
    read: Callable[[], Iterable[Entry]],
    kind: str = "nano_usd",
    token_grids: Mapping[str, Rows] | None = None,
    unit_grids: Mapping[str, Rows] | None = None,
) -> Collected:
    """Everything. `read` gives the entries, and is called twice; grids are those of requests, by their names.

    Raises:
        BadRequest: `unknown_cost`.
    """
    seen = _Seen()
    for entry in read():
        seen.add(entry)
    counts = _Counts(seen, kind)
    arms = dict.fromkeys((*(token_grids or {}), *(unit_grids or {})))
    for entry in read():
        counts.add(entry)
        if entry.request_id in arms:
            arms[entry.request_id] = entry.decision.arm
    token_maps, unit_maps = (
        [HeatMap(name, arms[name], rows) for name, rows in (grids or {}).items()] for grids in (token_grids, unit_grids)
    )
    return Collected(
        kind=kind,
        first_us=seen.first_us,
        last_us=seen.last_us,
        arms={arm: tally.replayed() for arm, tally in counts.tallies.items()},
        chosen=counts.chosen.replayed(),
        forecasts=counts.forecasts,
        expected=counts.expected,
        named=counts.named,
        savings=counts.saved.result(),
        audited=counts.audited,
        standing=counts.standing,
        calibration=counts.calibration,
        costs=counts.costs,
        times=counts.times,
        token_maps=token_maps,
        unit_maps=unit_maps,
    )


class _Counts:
    """The second pass."""

    def __init__(self, seen: _Seen, kind: str) -> None:
        self._seen, self._kind = seen, kind
        self.tallies = {arm: Tally(parse_target(f"arm:{arm}"), kind) for arm in seen.shown_arms}
        self.chosen, self.saved = Tally(parse_target("reference"), kind), SavingsTally(kind)
        self.forecasts: dict[str, Expected] = {}
        self.expected = Expected()
        self.named = Bin()
        self.audited, self.standing = Audited(), Standing()
        self.calibration, self.costs = [Bin() for _ in range(NUM_BINS)], dict[str, Bin]()
        self.times: list[Counter[str]] = [Counter() for _ in range(_NUM_TIMES)]

    def add(self, entry: Entry) -> None:
        """One more request."""
        if entry.reference is None and self._seen.has_reference:
            self.named.add(0.0, 0.0 if entry.billed is None else cost_of(entry.billed.cost, self._kind))
        else:
            for tally in (*self.tallies.values(), self.chosen):
                tally.add(entry)
            self.saved.add(entry)
        for item in entry.decision.forecasts:
            sums = [self.forecasts.setdefault(item.arm, Expected())]
            for expected in (*sums, self.expected) if item.arm == entry.decision.arm else sums:
                expected.add(cost_of(item.cost, self._kind), item.right)
        self.audited.add(entry)
        self.standing.add(entry)
        _count_forecast(entry, self._kind, self.calibration, self.costs)
        self.times[_place(entry.time_us, self._seen)][entry.decision.arm] += 1


def _place(time_us: int, seen: _Seen) -> int:
    """Which span a time is in; one that came between the passes is in the last."""
    first, last = seen.first_us or 0, seen.last_us or 0
    return min(max(0, (time_us - first) * _NUM_TIMES // max(1, last - first)), _NUM_TIMES - 1)


def _count_forecast(entry: Entry, kind: str, calibration: list[Bin], costs: dict[str, Bin]) -> None:
    billed, forecast = entry.billed, entry.decision.forecast_of(entry.decision.arm)
    if billed is None or forecast is None or billed.arm != forecast.arm:
        return
    if billed.correct is not None:
        calibration[min(math.floor(forecast.right * NUM_BINS), NUM_BINS - 1)].add(forecast.right, billed.correct)
    costs.setdefault(forecast.arm, Bin()).add(cost_of(forecast.cost, kind), cost_of(billed.cost, kind))
