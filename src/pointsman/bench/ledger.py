"""``pointsman bench ledger``: the ledger's speed and losses, and whether its estimates and alarms keep their promises.

All traffic is simulated (`simulated.py`). What was written is compared with what is read before anything is timed.
"""

from __future__ import annotations

import itertools
import logging
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pointsman.bench.report import Figure, Report, median_figure, quantile_figure
from pointsman.bench.simulated import Simulated, Traffic, record, simulate
from pointsman.core import Outcome, Unverified
from pointsman.core.risk import upper_bound
from pointsman.gateway.ledger import open_ledger, read_entries
from pointsman.query.drift import DriftLimits, DriftWatch
from pointsman.query.savings import replay
from pointsman.query.targets import Target, parse_target
from pointsman.query.watch import Watch, WatchLimits

__all__ = ["main"]

_PACE_S: Final = 0.001  # between requests while a call is timed: 1,000 requests a second
_WAYS: Final = ("inverse_propensity", "self_normalised", "doubly_robust")
_POLICIES: Final = ("reference", "arm:small", "uniform", "price:0.001")
_WRONG: Final = Traffic(audited=0.3, explored=0.4, bias=1.6, overconfidence=0.2)
_LIMITS: Final = WatchLimits(most_reference=6_000_000, lost_quality=0.05)
_EDGE_LOSS: Final = (0.99 - 0.15 / 2) - (0.95 - 0.8 / 2)
"""Of right answers, `small` against `large`, over difficulties that are spread evenly."""

_CHILD: Final = """
import sys, time
from pointsman.core import Decision
from pointsman.core.entries import Entry
from pointsman.gateway.ledger import open_ledger
ledger = open_ledger(sys.argv[1])
for number in range(10**9):
    ledger.append(Entry(str(number), time.time_ns() // 1000, "query", Decision("a", "r", "v")))
    sys.stdout.write(f"{number} {time.time()}\\n")
    sys.stdout.flush()
    time.sleep(0.001)
"""


@dataclass(frozen=True, slots=True)
class _Sizes:
    """How much of each."""

    num_written: int = 300_000
    num_read: int = 1_000_000
    num_timed: int = 20_000
    num_kills: int = 7
    num_seeds: int = 500
    num_streams: int = 500
    num_streamed: int = 1_000


_QUICK: Final = _Sizes(20_000, 20_000, 2_000, 1, 20, 20, 300)


def main(quick: bool, seed: int) -> None:
    """Measures, prints the report."""
    sizes = _QUICK if quick else _Sizes()
    logging.getLogger("pointsman.query").setLevel(logging.CRITICAL)  # alarms are counted here, thousands of them
    report = Report("ledger", seed, quick)
    with tempfile.TemporaryDirectory() as folder:
        _check(Path(folder) / "check.db", seed)
        _measure_calls(report, Path(folder) / "calls.db", sizes.num_timed)
        _measure_rows(report, Path(folder) / "rows.db", sizes)
        _measure_kills(report, Path(folder), sizes.num_kills)
    _measure_coverage(report, sizes.num_seeds)
    _measure_alarms(report, sizes)
    _measure_delays(report, sizes)
    sys.stdout.write(report.text())


def _check(path: Path, seed: int) -> None:
    """Raises Unverified `wrong_answer` where what is read is not what was written."""
    items = list(simulate(2_000, seed))
    with open_ledger(path) as ledger:
        record(ledger, items)
    if list(read_entries(path)) != [item.entry for item in items]:
        raise Unverified("what is read from the ledger is not what was written", code="wrong_answer")


def _measure_calls(report: Report, path: Path, num: int) -> None:
    """The caller's thread, while the writer writes."""
    items = [item.entry for item in simulate(num, report.seed)]
    appended, settled = [], []
    with open_ledger(path) as ledger:
        for entry in items:
            assert entry.billed is not None
            outcome = Outcome("", entry.billed.cost, entry.billed.correct)
            start = time.perf_counter_ns()
            ledger.append(entry)
            middle = time.perf_counter_ns()
            ledger.settle(entry.request_id, outcome)
            settled.append((time.perf_counter_ns() - middle) / 1e3)
            appended.append((middle - start) / 1e3)
            time.sleep(_PACE_S)
    report.figures["ledger_append_p50_us"] = median_figure(appended, "us")
    report.figures["ledger_append_p99_us"] = quantile_figure(appended, 0.99, "us")
    report.figures["ledger_settle_p99_us"] = quantile_figure(settled, 0.99, "us")
    report.figures["ledger_append_max_us"] = Figure(max(appended), "us", len(appended))


def _measure_rows(report: Report, path: Path, sizes: _Sizes) -> None:
    """How fast the writer stores what comes at once, and how fast a ledger is read."""
    items = [item.entry for item in itertools.islice(simulate(1_000, report.seed), 1_000)]
    with open_ledger(path) as ledger:
        start = time.perf_counter()
        for number in range(sizes.num_written):
            ledger.append(replace(items[number % 1_000], request_id=f"first-{number}"))
        ledger.flush(600.0)
        took = time.perf_counter() - start
        for number in range(max(0, sizes.num_read - sizes.num_written)):
            ledger.append(replace(items[number % 1_000], request_id=f"more-{number}"))
            if number % 50_000 == 0:
                ledger.flush(600.0)
        most = ledger.status.most_queued
    report.figures["ledger_stored_rows_per_s"] = Figure(sizes.num_written / took, "1/s", sizes.num_written)
    start = time.perf_counter()
    num_read = sum(1 for _ in read_entries(path))
    report.figures["ledger_read_s"] = Figure(time.perf_counter() - start, "s", num_read)
    size = path.stat().st_size / num_read
    report.figures["ledger_row_bytes"] = Figure(size, "bytes", num_read)
    report.details.append(f"at most {most:,} rows were queued while rows came as fast as one thread makes them")


def _measure_kills(report: Report, folder: Path, num_kills: int) -> None:
    """Kills a process that adds a row every millisecond; how old the oldest is that it had added and is not there."""
    ages, counts = [], []
    for number in range(num_kills):
        path = folder / f"killed-{number}.db"
        command = [sys.executable, "-c", _CHILD, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:  # noqa: S603  this interpreter
            assert child.stdout is not None
            lines = [child.stdout.readline() for _ in range(600 + 40 * number)]
            child.kill()
            lines += child.stdout.read().splitlines()
        told = [line.split() for line in lines if len(line.split()) == 2]
        kept = {entry.request_id for entry in read_entries(path)}
        lost = [float(when) for name, when in told if name not in kept]
        counts.append(float(len(lost)))
        ages.append(1e3 * (float(told[-1][1]) - min(lost)) if lost else 0.0)
    report.figures["ledger_killed_lost_ms"] = Figure(max(ages), "ms", num_kills, at_most=200)
    report.figures["ledger_killed_lost_rows"] = Figure(max(counts), "rows", num_kills, at_most=500)


def _measure_coverage(report: Report, num_seeds: int) -> None:
    """How often 95 % intervals hold the truth, with forecasts that are wrong; of those that are given."""
    covered: Counter[str] = Counter()
    given: Counter[str] = Counter()
    for seed, policy in itertools.product(range(num_seeds), _POLICIES):
        items, target = list(simulate(400, seed, _WRONG)), parse_target(policy)
        found = replay((item.entry for item in items), target)
        truths = _truth(items, target)
        for name, measured, right in zip(("cost", "right"), (found.cost, found.quality), truths, strict=True):
            for way in _WAYS:
                estimate = getattr(measured, way)
                if estimate is not None:
                    given[f"{name}, {policy}, {way}"] += 1
                    covered[f"{name}, {policy}, {way}"] += estimate.low <= right <= estimate.high
    for name, num in sorted(given.items()):
        report.details.append(f"covered: {name}: {covered[name] / num:.3f} of {num} (unknown: {num_seeds - num})")
    worst = min(given, key=lambda name: covered[name] / given[name])
    report.details.append(f"the lowest: {worst}")
    share, num = covered[worst] / given[worst], given[worst]
    report.figures["ledger_coverage_lowest"] = Figure(share, "", num, *_range(share, num), at_least=0.93)


def _truth(items: Sequence[Simulated], target: Target) -> tuple[float, float]:
    """Mean cost and quality of a policy, from answers that no log has."""
    cost = right = 0.0
    for item in items:
        for arm, chance in (target(item.entry) or {}).items():
            cost += chance * item.answers[arm].cost.nano_usd
            right += chance * bool(item.answers[arm].correct)
    return cost / len(items), right / len(items)


def _measure_alarms(report: Report, sizes: _Sizes) -> None:
    """Streams at the very edge of what is allowed, looked at after every request.

    Watch: the small arm, which bills what the reference does on average and loses just as many answers as it may.
    Drift: true forecasts, and no tolerance.
    """
    edge = Traffic(audited=1.0, explored=0.0, worth_nano_usd=0.0, cost_factor=25.0)
    mixed = Traffic(explored=0.3, worth_nano_usd=2_000_000.0)
    off = drifts = 0
    for seed in range(sizes.num_streams):
        watch, drift = Watch(WatchLimits(20_000_000, _EDGE_LOSS)), DriftWatch(DriftLimits(0.0, 0.0))
        off += any(watch.observe(item.entry) for item in simulate(sizes.num_streamed, seed, edge))
        drifts += any(drift.observe(item.entry) for item in simulate(sizes.num_streamed, seed, mixed))
    for name, count in (("watch_false_alarms", off), ("drift_false_warnings", drifts)):
        share = count / sizes.num_streams
        bounds = _range(share, sizes.num_streams)
        report.figures[name] = Figure(share, "", sizes.num_streams, *bounds, at_most=0.05)


def _measure_delays(report: Report, sizes: _Sizes) -> None:
    """How long what is wrong goes on: from the first request on, and behind 2,000 in which all was well."""
    dear = Traffic(audited=1.0, worth_nano_usd=0.0, explored=0.0, cost_factor=60.0)
    cheap = Traffic(audited=1.0, worth_nano_usd=0.0, explored=0.0)
    for name, traffic in (("dearer", dear), ("worse", cheap)):
        delays = [_audits_until_off(traffic, seed) for seed in range(min(50, sizes.num_streams))]
        report.figures[f"watch_{name}_audits"] = median_figure([float(delay) for delay in delays], "audits")
    changes = {"cost": {"cost_factor": 1.3}, "right": {"right_loss": 0.15}}
    for (name, change), quiet in itertools.product(changes.items(), (0, 2_000)):
        found = [_answers_until_warning(change, quiet, seed) for seed in range(min(50, sizes.num_streams))]
        report.figures[f"drift_{name}_after_{quiet}_answers"] = median_figure(
            [float(item) for item in found], "answers"
        )
    report.details.append("watch: dearer by 2.4 times; worse by 30 points of quality where 5 are allowed")
    report.details.append("drift: bills 30 % higher; 15 points less often right than forecast")


def _audits_until_off(traffic: Traffic, seed: int) -> int:
    watch = Watch(_LIMITS)
    for number, item in enumerate(simulate(20_000, seed, traffic), 1):
        if watch.observe(item.entry):
            return number
    return 20_000


def _answers_until_warning(change: dict[str, float], num_quiet: int, seed: int) -> int:
    """Of the small arm."""
    small, drift = Traffic(explored=0.0, worth_nano_usd=0.0), DriftWatch()
    for item in simulate(num_quiet, seed, small):
        drift.observe(item.entry)
    for number, item in enumerate(simulate(20_000, seed + 10_000, replace(small, **change)), 1):
        if drift.observe(item.entry):
            return number
    return 20_000


def _range(share: float, num: int) -> tuple[float, float]:
    """The exact interval of a share (Clopper and Pearson), 95 %."""
    count = round(share * num)
    return 1 - upper_bound(num - count, num, 0.975), upper_bound(count, num, 0.975)
