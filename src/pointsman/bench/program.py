"""``pointsman bench program``: emitted code, native code, selection, compile times, recompilation, the server.

    pointsman bench program --quick
    pointsman bench program --data mbpp.jsonl.gz

Every measurement is in a module of its own and checks its answers first. Compile times are measured on a corpus when
one is given; without one they are those of ``examples/``, which the compiler was written beside, and the output says
so.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from pointsman.bench.compiling import Timed, compile_cases, compile_examples, report_compile_times, sample
from pointsman.bench.editing import measure_recompilation
from pointsman.bench.emitted import measure_emitted
from pointsman.bench.report import Report, sha256_of
from pointsman.bench.selection import measure_selection
from pointsman.bench.serving import measure_serving
from pointsman.bench.timing import Tick
from pointsman.bench.workloads import Example, examples, examples_folder
from pointsman.core import InternalError
from pointsman.program import Table
from pointsman.program.check.corpus import cases

__all__ = ["main", "run"]

_SERVED: Final = "refund.py:refund"
_PARTS: Final = 6
_SAMPLE, _QUICK_SAMPLE = 150, 15


def main(quick: bool = False, seed: int = 0, data: Path | None = None) -> None:
    """Measures everything, with progress on stderr, and prints the report."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=_PARTS)

        def tick(done: float, what: str) -> None:
            progress.update(task, completed=done, description=what[:50].ljust(50))

        report = run(quick, seed, data, tick)
    sys.stdout.write(report.text())


def run(quick: bool, seed: int, data: Path | None, tick: Tick) -> Report:
    """Raises NotFound without examples, BadRequest for a corpus of another form, Unverified for a wrong answer."""
    report = Report("program", seed, quick)
    folder = examples_folder()
    report.data["inputs.json"] = sha256_of(folder / "inputs.json")
    corpus = cases(data) if data is not None else []  # a wrong file is an error before anything is measured
    found = examples(folder)
    timed = compile_examples(found, _part(tick, 0, "compile"))
    tables = _tables(found, timed)
    if data is not None:
        report.data[data.name] = sha256_of(data)
        chosen = sample(corpus, _QUICK_SAMPLE if quick else _SAMPLE, seed)
        done = compile_cases(chosen, _part(tick, 1, "compile"))
        report_compile_times(report, done, f"{len(chosen)} functions of {data.name}")
    else:
        report_compile_times(report, list(timed.values()), "the examples only; --data gives the real figure")
    served, table = next((example, table) for example, table in tables if example.key == _SERVED)
    parts: tuple[tuple[str, Callable[[Tick], None]], ...] = (
        ("time", lambda part: measure_emitted(report, tables, part)),
        ("select", lambda part: measure_selection(report, part)),
        ("recompile", lambda part: measure_recompilation(report, part)),
        ("serve", lambda part: measure_serving(report, table, served.recorded, part)),
    )
    for number, (name, measure) in enumerate(parts, _PARTS - len(parts)):
        start = time.perf_counter()
        measure(_part(tick, number, name))
        report.details.append(f"({name}: measured in {time.perf_counter() - start:.0f} s)")
    return report


def _tables(found: list[Example], timed: dict[str, Timed]) -> list[tuple[Example, Table]]:
    """Raises InternalError for an example that does not compile: all of them are within the subset."""
    tables = []
    for example in found:
        compiled = timed[example.key].compiled
        if compiled is None:
            raise InternalError(f"{example.key} does not compile: {timed[example.key].ending}")
        tables.append((example, compiled.table))
    return tables


def _part(tick: Tick, number: int, name: str) -> Tick:
    """Shares of one part as shares of the whole."""
    return lambda done, what: tick(number + done, f"{name}: {what}")
