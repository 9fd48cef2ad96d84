"""The numbers of the report, from two passes over a ledger: one for its arms and times, one for all that is counted."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from pointsman.core.entries import Entry, cost_of
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


@dataclass(frozen=True, slots=True)
class Collected:
    """What the page shows; costs in the ledger's unit.

    Attributes:
        kind: of the cost.
        first_us: time of the first request, microseconds in UTC, and `last_us` of the last; None without requests.
        last_us: see there.
        arms: each arm as if it had answered all, by name, the most used first.
        chosen: what was billed; its `cost` is that of the reference arm.
        savings: by level, all levels together first.
        calibration: `NUM_BINS` bins of forecast chances to be right, from 0 to 1.
        costs: forecast and billed by arm.
        times: decisions in equal spans from first to last, by arm.
        token_grids: shares from 0 to 1 for heat maps of texts (a row a line, a column a place); None: no section.
        unit_grids: likewise of a model's units (a row a unit, a column a place).
    """

    kind: str
    first_us: int | None
    last_us: int | None
    arms: dict[str, Replayed]
    chosen: Replayed
    savings: list[Savings]
    calibration: list[Bin]
    costs: dict[str, Bin]
    times: list[Counter[str]]
    token_grids: Sequence[Rows] | None = None
    unit_grids: Sequence[Rows] | None = None

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

    def add(self, entry: Entry) -> None:
        self.arms[entry.decision.arm] += 1
        self.arms.update(dict.fromkeys((item.arm for item in entry.decision.forecasts), 0))
        self.first_us = entry.time_us if self.first_us is None else min(self.first_us, entry.time_us)
        self.last_us = entry.time_us if self.last_us is None else max(self.last_us, entry.time_us)


def collect(
    read: Callable[[], Iterable[Entry]],
    kind: str = "nano_usd",
    token_grids: Sequence[Rows] | None = None,
    unit_grids: Sequence[Rows] | None = None,
) -> Collected:
    """Everything. `read` gives the entries, and is called twice; grids are shown as they are, where there are any.

    Raises:
        BadRequest: `unknown_cost`.
    """
    seen = _Seen()
    for entry in read():
        seen.add(entry)
    tallies = {arm: Tally(parse_target(f"arm:{arm}"), kind) for arm, _ in seen.arms.most_common(_MAX_ARMS)}
    chosen, saved = Tally(parse_target("reference"), kind), SavingsTally(kind)
    calibration, costs = [Bin() for _ in range(NUM_BINS)], dict[str, Bin]()
    times: list[Counter[str]] = [Counter() for _ in range(_NUM_TIMES)]
    for entry in read():
        for tally in (*tallies.values(), chosen):
            tally.add(entry)
        saved.add(entry)
        _count_forecast(entry, kind, calibration, costs)
        times[_place(entry.time_us, seen)][entry.decision.arm] += 1
    arms = {arm: tally.replayed() for arm, tally in tallies.items()}
    return Collected(
        *(kind, seen.first_us, seen.last_us, arms, chosen.replayed(), saved.result(), calibration, costs, times),
        *(token_grids or None, unit_grids or None),
    )


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
