"""``emitted_over_source_time`` and ``native_over_source_time``: compiled code against the source in CPython.

A function's ratio is the geometric mean over its inputs of (seconds of a compiled call / seconds of a source call), so
that a large input counts as much as a small one; the figure is the median of the functions' ratios. Native code is
judged on the sized inputs, which have loops to run; on small ones the cost of a call bounds it, and that ratio is
printed beside. Every answer, and every change to an argument, is compared with CPython's before anything is timed.
"""

from __future__ import annotations

import copy
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from pointsman.bench.report import Report, absent, median_figure
from pointsman.bench.timing import Arguments, Case, Tick, quiet, time_case
from pointsman.bench.workloads import Example, recorded_inputs, sized_inputs
from pointsman.core import Unverified
from pointsman.program import Table
from pointsman.program.check.behaviour import observe, same, show
from pointsman.program.native import NotNative, native_function

__all__ = ["Ratio", "checked_case", "measure_emitted"]

EMITTED_AT_MOST: Final = 1.0
NATIVE_AT_MOST: Final = 0.1
_CALL_SECONDS, _DEPTH = 60.0, 3_000


@dataclass(frozen=True, slots=True)
class Ratio:
    """Of one function; ``sized`` and ``recorded`` over those inputs only, None without any.

    The native ones likewise; ``native_reason`` says why there are none.
    """

    key: str
    emitted: float
    recorded: float | None
    sized: float | None
    native_recorded: float | None = None
    native_sized: float | None = None
    native_compile_s: float | None = None
    native_reason: str = ""


def measure_emitted(report: Report, tables: Sequence[tuple[Example, Table]], tick: Tick) -> None:
    """Enters both figures and every function's ratios."""
    rounds, batch_s = (5, 0.0003) if report.quick else (9, 0.002)
    ratios = []
    with quiet():
        for number, (example, table) in enumerate(tables):
            tick(number / len(tables), example.key)
            ratios.append(_function_ratio(example, table, report.seed, rounds, batch_s))
    report.curves["emitted_over_source_time"] = [_row(r) for r in ratios]
    report.details += [*_lines(ratios)]
    report.figures["emitted_over_source_time"] = median_figure(
        [r.emitted for r in ratios], "ratio", seed=report.seed, at_most=EMITTED_AT_MOST
    )
    _report_native(report, ratios)


def _report_native(report: Report, ratios: Sequence[Ratio]) -> None:
    sized = [r.native_sized for r in ratios if r.native_sized is not None]
    small = [r.native_recorded for r in ratios if r.native_recorded is not None]
    compile_s = [r.native_compile_s for r in ratios if r.native_compile_s is not None]
    reasons = sorted({r.native_reason for r in ratios if r.native_reason}) or ["no function is numeric"]
    if not sized or not small:
        report.figures["native_over_source_time"] = absent("ratio", reasons[0], NATIVE_AT_MOST)
        return
    made = median_figure(sized, "ratio", seed=report.seed, at_most=NATIVE_AT_MOST)
    report.figures["native_over_source_time"] = made
    report.figures["native_over_source_time_small_inputs"] = median_figure(small, "ratio", seed=report.seed)
    report.figures["native_compile_s"] = median_figure(compile_s, "s", seed=report.seed)


def _function_ratio(example: Example, table: Table, seed: int, rounds: int, batch_s: float) -> Ratio:
    module = example.module()
    source = getattr(module, example.name)
    classes = {name: getattr(module, name) for name in table.program.records}
    emitted = replace(table, records=classes).function
    native = native_function(table.program, emitted)
    reason = native.reason if isinstance(native, NotNative) else ""
    compile_s = None if isinstance(native, NotNative) else native.compile()
    sides = [source, emitted] if isinstance(native, NotNative) else [source, emitted, native.entry]
    given = (recorded_inputs(example, table.program, classes), sized_inputs(example.key, seed))
    found: list[list[tuple[float, ...]]] = []
    for group in given:
        cases = [checked_case(example.key, sides, arguments) for arguments in group]
        times = [time_case(sides, case, rounds=rounds, batch_s=batch_s) for case in cases]
        found.append([tuple(side / seconds[0] for side in seconds[1:]) for seconds in times])
    recorded, sized = found
    everything = statistics.geometric_mean([r[0] for r in (*recorded, *sized)])
    emitted_means, native_means = [(_mean(recorded, side), _mean(sized, side)) for side in (0, 1)]
    return Ratio(example.key, everything, *emitted_means, *native_means, compile_s, reason)


def _mean(group: Sequence[tuple[float, ...]], side: int) -> float | None:
    values = [ratios[side] for ratios in group if len(ratios) > side]
    return statistics.geometric_mean(values) if values else None


def checked_case(key: str, sides: Sequence[Callable[..., Any]], arguments: Arguments) -> Case:
    """The arguments as a case, once every side has done the same with copies of them.

    Raises Unverified ``wrong_answer``.
    """
    behaviours = [observe(side, (copy.deepcopy(arguments), {}), _CALL_SECONDS, _DEPTH) for side in sides]
    for behaviour in behaviours[1:]:
        if not same(behaviours[0], behaviour):
            expected, got = show(behaviours[0], 200), show(behaviour, 200)
            shown = repr(arguments)[:200]
            raise Unverified(f"{key} on {shown}: CPython {expected}, compiled {got}", code="wrong_answer")
    untouched = observe(lambda *_: None, (arguments, {}), _CALL_SECONDS, _DEPTH)
    left = replace(behaviours[0], kind="returned", value=None)
    return Case(arguments, changes=not same(untouched, left))


def _row(ratio: Ratio) -> dict[str, Any]:
    names = ("emitted", "recorded", "sized", "native_recorded", "native_sized", "native_compile_s")
    values = {name: getattr(ratio, name) for name in names}
    return {"key": ratio.key, **{n: None if v is None else round(v, 4) for n, v in values.items()}}


def _lines(ratios: Sequence[Ratio]) -> list[str]:
    heads = ("emitted/source", "small", "sized", "native small", "native sized", "native compile s")
    width = max(len(r.key) for r in ratios)
    lines = [" " * width + "  " + "  ".join(heads)]
    for ratio in sorted(ratios, key=lambda r: -r.emitted):
        values = (
            ratio.emitted, ratio.recorded, ratio.sized,
            ratio.native_recorded, ratio.native_sized, ratio.native_compile_s,
        )  # fmt: skip
        cells = ["" if v is None else f"{v:.3f}" for v in values]
        shown = "  ".join(cell.rjust(len(head)) for cell, head in zip(cells, heads, strict=True))
        lines.append(f"{ratio.key.ljust(width)}  {shown}  {ratio.native_reason}".rstrip())
    return lines
