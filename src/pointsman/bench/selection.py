"""``select_1000_rows_us`` and ``select_100000_over_10_rows``: how long it takes to find a table's row.

Tables are compiled in one sandboxed child, smallest first, each within a limit, so that a size the compiler cannot do
is reported and not waited for. All tables that could be made are then timed in turn in that same child.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from pointsman.bench.report import Figure, Report, absent, median_figure
from pointsman.bench.tables import ENTRY, RoutingTable, one_key, two_keys
from pointsman.bench.timing import Arguments, Tick, batch_seconds, loop_seconds, quiet
from pointsman.core import Unverified
from pointsman.program.check.sandbox import Limits, Send, TimeUp, run, time_limit
from pointsman.program.compiler import compile_source
from pointsman.program.link import link

__all__ = ["Selection", "check_selection", "measure_selection", "select_within"]

ONE_KEY_ROWS: Final = (10, 100, 1_000, 10_000, 100_000)
TWO_KEY_ROWS: Final = (10, 100, 1_000)
_FLAT_AT_MOST: Final = 5.0  # log2(100,000) / log2(10): what a binary search alone would cost
_INPUTS, _EDGES = 2_000, 100
_SLOW_CHECK_ROWS = 4_000_000  # rows that the linear reference may try in a check, altogether


@dataclass
class Selection:
    """By number of rows: ``compile_s``, ``select_us`` (one value a round), and ``failed``: why a size has none.

    ``floor_us``: a Python function that looks nothing up, called alike: no table in Python can be faster.
    """

    compile_s: dict[int, float] = field(default_factory=dict)
    select_us: dict[int, list[float]] = field(default_factory=dict)
    floor_us: dict[int, list[float]] = field(default_factory=dict)
    failed: dict[int, str] = field(default_factory=dict)


def measure_selection(report: Report, tick: Tick) -> None:
    """Enters the figures, the curves and the compile seconds of the tables."""
    limit_s, rounds = (4.0, 7) if report.quick else (120.0, 21)
    tick(0.0, "tables of one key")
    one = select_within(one_key, ONE_KEY_ROWS, report.seed, rounds, limit_s)
    tick(0.7, "tables of two keys")
    two = select_within(two_keys, TWO_KEY_ROWS, report.seed, rounds, limit_s)
    for name, found in (("one_key", one), ("two_keys", two)):
        report.curves[f"select_{name}"] = _curve(found)
        report.details += _lines(name, found)
    report.figures["select_1000_rows_us"] = _at(one, 1_000, report.seed)
    report.figures["select_1000_rows_two_keys_us"] = _at(two, 1_000, report.seed)
    report.figures["select_100000_over_10_rows"] = _growth(one, 100_000, 10, report.seed)
    report.figures["compile_1000_rows_s"] = _compile_figure(one, 1_000)
    report.figures["compile_100000_rows_s"] = _compile_figure(one, 100_000)


def _at(found: Selection, num_rows: int, seed: int) -> Figure:
    if num_rows not in found.select_us:
        return absent("us", found.failed.get(num_rows, "not measured"))
    return median_figure(found.select_us[num_rows], "us", seed=seed)


def _growth(found: Selection, many: int, few: int, seed: int) -> Figure:
    missing = [n for n in (many, few) if n not in found.select_us]
    if missing:
        return absent("ratio", found.failed.get(missing[0], "not measured"), _FLAT_AT_MOST)
    pairs = zip(found.select_us[many], found.select_us[few], strict=True)
    return median_figure([a / b for a, b in pairs], "ratio", seed=seed, at_most=_FLAT_AT_MOST)


def _compile_figure(found: Selection, num_rows: int) -> Figure:
    if num_rows not in found.compile_s:
        return absent("s", found.failed.get(num_rows, "not measured"))
    return Figure(found.compile_s[num_rows], "s", 1)


def _curve(found: Selection) -> list[dict[str, Any]]:
    sizes = sorted({*found.compile_s, *found.failed})
    return [
        {
            "rows": n,
            "select_us": round(statistics.median(found.select_us[n]), 5) if n in found.select_us else None,
            "floor_us": round(statistics.median(found.floor_us[n]), 5) if n in found.floor_us else None,
            "compile_s": round(found.compile_s[n], 3) if n in found.compile_s else None,
            **({"failed": found.failed[n]} if n in found.failed else {}),
        }
        for n in sizes
    ]


def _lines(name: str, found: Selection) -> list[str]:
    lines = []
    for row in _curve(found):
        if row["select_us"] is None:
            lines.append(f"select {name}: {row['rows']:,} rows: {row.get('failed', 'not measured')}")
            continue
        share = row["floor_us"] / row["select_us"]
        lines.append(
            f"select {name}: {row['rows']:,} rows: {row['select_us']:.3f} us; floor, an empty Python call: "
            f"{row['floor_us']:.3f} us ({share:.0%}); compiled in {row['compile_s']:.2f} s"
        )
    return lines


def select_within(
    make: Callable[[int, int], RoutingTable], sizes: Sequence[int], seed: int, rounds: int, limit_s: float
) -> Selection:
    """Compiles, checks and times tables of these sizes, smallest first; larger ones are left out once one failed.

    Raises Unverified ``wrong_answer``.
    """
    work = partial(_in_child, make, tuple(sizes), seed, rounds, limit_s)
    outcome = run(work, Limits(limit_s * len(sizes) + 60.0, memory_bytes=8 << 30))
    found = Selection()
    for kind, *rest in outcome.lines:
        if kind == "wrong":
            raise Unverified(rest[0], code="wrong_answer")
        _take(found, kind, rest)
    missing = [n for n in sizes if n not in found.compile_s and n not in found.failed]
    if outcome.status != "ok" and missing:
        found.failed[missing[0]] = f"the compiler's process ended: {outcome.status} {outcome.detail}".strip()
        if found.compile_s:
            smaller = select_within(make, [n for n in sizes if n < missing[0]], seed, rounds, limit_s)
            found.select_us, found.floor_us = smaller.select_us, smaller.floor_us
    elif outcome.status != "ok" and not found.select_us:
        found.failed.update(
            dict.fromkeys(sizes, f"the timing process ended: {outcome.status} {outcome.detail}".strip())
        )
    smallest = min(found.failed, default=None)
    for n in sizes:
        if smallest is not None and n > smallest and n not in found.failed:
            found.failed[n] = f"not tried: {smallest:,} rows failed ({found.failed[smallest]})"
    return found


def _take(found: Selection, kind: str, rest: list[Any]) -> None:
    target: dict[str, dict[int, Any]] = {
        "compiled": found.compile_s,
        "failed": found.failed,
        "select_us": found.select_us,
        "floor_us": found.floor_us,
    }
    target[kind][rest[0]] = rest[1]


def _in_child(
    make: Callable[[int, int], RoutingTable], sizes: Sequence[int], seed: int, rounds: int, limit_s: float, send: Send
) -> None:
    ready: dict[int, tuple[Callable[..., Any], RoutingTable]] = {}
    for n in sizes:
        table = make(n, seed)
        start = time.perf_counter()
        try:
            with time_limit(limit_s):
                function = link(compile_source(table.source, ENTRY)).entry
        except (TimeUp, MemoryError, RecursionError) as exc:
            took = time.perf_counter() - start
            send(["failed", n, f"the compiler gives up on {n:,} rows: {type(exc).__name__} after {took:.1f} s"])
            break
        send(["compiled", n, time.perf_counter() - start])
        wrong = check_selection(function, table, seed)
        if wrong:
            send(["wrong", f"a table of {n:,} rows: {wrong}"])
            return
        ready[n] = (function, table)
    _time_all(ready, seed, rounds, send)


def check_selection(function: Callable[..., Any], table: RoutingTable, seed: int) -> str:
    """What the function gets wrong, against the linear search; empty when nothing."""
    count = max(20, min(_INPUTS, _SLOW_CHECK_ROWS // len(table.rows)))
    for arguments in [*table.inputs(count, seed), *table.edges(min(_EDGES, count), seed)]:
        expected, got = table.look_up(arguments), function(*arguments)
        if (type(got), got) != (int, expected):
            return f"{arguments!r} gives {got!r}, the rows say {expected!r}"
    return ""


def _time_all(ready: dict[int, tuple[Callable[..., Any], RoutingTable]], seed: int, rounds: int, send: Send) -> None:
    inputs = {n: table.inputs(_INPUTS, seed) for n, (_, table) in ready.items()}
    floors = {n: _empty_call(table) for n, (_, table) in ready.items()}
    select: dict[int, list[float]] = {n: [] for n in ready}
    floor: dict[int, list[float]] = {n: [] for n in ready}
    with quiet():
        for _ in range(rounds):
            for n, (function, _) in ready.items():
                select[n].append(_one_us(function, inputs[n]))
                floor[n].append(_one_us(floors[n], inputs[n]))
    for n in ready:
        send(["select_us", n, select[n]])
        send(["floor_us", n, floor[n]])


def _one_us(function: Callable[..., Any], inputs: Sequence[Arguments]) -> float:
    """Microseconds of one call, the loop subtracted; the least of three batches, for short disturbances."""
    seconds = min(batch_seconds(function, inputs) for _ in range(3)) - loop_seconds(inputs)
    return max(seconds, 1e-9) / len(inputs) * 1e6


def _empty_call(table: RoutingTable) -> Callable[..., Any]:
    if table.zones:
        return lambda zone, key: 0  # noqa: ARG005
    return lambda key: 0  # noqa: ARG005
