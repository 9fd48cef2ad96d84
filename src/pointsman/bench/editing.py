"""``recompile_share``: what compiling a file again costs after an edit of one line, against from nothing.

Every function of a generated file is compiled into an empty cache folder, the differential tests included. Then one
line of one function changes and everything is compiled again with that cache; the share is the ratio of the two times.
An edit always changes what the function does, so nothing is saved by luck. Afterwards the edited function's new table
is compared with the edited source in CPython.
"""

from __future__ import annotations

import random
import shutil
import tempfile
import time
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from pointsman.bench.codebase import Edit, edited, generate, names_of
from pointsman.bench.emitted import checked_case
from pointsman.bench.report import Report, median_figure
from pointsman.bench.timing import Arguments, Tick
from pointsman.program import Compiled, CompileOptions, compile_table
from pointsman.program.cache import compiler_version
from pointsman.program.frontend import Module

__all__ = ["compile_file", "measure_recompilation"]

AT_MOST: Final = 0.10
NUM_FUNCTIONS: Final = 30
_FILE = "rules.py"


def measure_recompilation(report: Report, tick: Tick) -> None:
    """Enters the median share over several edits, and the times behind it."""
    num_edits, num_fulls = (3, 1) if report.quick else (12, 3)
    source = generate(NUM_FUNCTIONS, report.seed)
    edits = _edits(source, num_edits, report.seed)
    compiler_version()  # hashes the compiler's own files once a process
    full_s: list[float] = []
    shares: list[float] = []
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="pointsman-bench-") as folder:
        for number, edit in enumerate(edits):
            tick(number / len(edits), f"edit {edit.function}")
            if number % (num_edits // num_fulls) == 0:
                full_s.append(_full(source, Path(folder) / "full"))
            row = _one_edit(edit, Path(folder))
            shares.append(row["seconds"] / full_s[-1])
            rows.append({**row, "full_seconds": round(full_s[-1], 4), "share": round(shares[-1], 4)})
    report.curves["recompile"] = rows
    report.figures["recompile_share"] = median_figure(shares, "ratio", seed=report.seed, at_most=AT_MOST)
    report.figures["compile_30_functions_s"] = median_figure(full_s, "s", seed=report.seed)
    report.details += [
        f"recompile: edit in {r['function']}: {r['seconds']:.3f} of {r['full_seconds']:.2f} s, {r['rebuilt']} new"
        for r in rows
    ]


def _edits(source: str, count: int, seed: int) -> list[Edit]:
    """Edits of different functions, chosen by the seed."""
    rng = random.Random(f"{seed}:edits")  # noqa: S311  reproducible data, no secrets
    return [edited(source, name, rng) for name in rng.sample(names_of(source), count)]


def compile_file(source: str, folder: Path) -> tuple[float, dict[str, Compiled]]:
    """Compiles every function with a cache in ``folder``; the seconds of all, parsing included."""
    options = CompileOptions(cache_folder=folder)
    start = time.perf_counter()
    module = Module.parse(source, _FILE)
    done = {name: compile_table(source, _FILE, name, options, module=module) for name in module.functions}
    return time.perf_counter() - start, done


def _full(source: str, folder: Path) -> float:
    shutil.rmtree(folder, ignore_errors=True)
    return compile_file(source, folder)[0]


def _one_edit(edit: Edit, folder: Path) -> dict[str, Any]:
    """Compiles the edited file with a copy of the full cache, and checks the edited function's table."""
    cache = folder / "edited"
    shutil.rmtree(cache, ignore_errors=True)
    shutil.copytree(folder / "full", cache)
    seconds, done = compile_file(edit.source, cache)
    module = types.ModuleType("pointsman_bench_rules")
    exec(compile(edit.source, _FILE, "exec", dont_inherit=True), vars(module))  # noqa: S102  our own generated text
    original: Callable[..., Any] = vars(module)[edit.function]
    emitted = done[edit.function].table.function
    for arguments in _some_inputs(original):
        checked_case(edit.function, [original, emitted], arguments)
    rebuilt = sum(compiled.reused != ("table",) for compiled in done.values())
    return {"function": edit.function, "seconds": round(seconds, 4), "rebuilt": rebuilt}


def _some_inputs(function: Callable[..., Any], count: int = 50) -> Sequence[Arguments]:
    """Random arguments by the annotations."""
    rng = random.Random(function.__name__)  # noqa: S311  reproducible data, no secrets
    make: dict[Any, Callable[[], Any]] = {
        int: lambda: rng.randrange(-50, 12_000),
        bool: lambda: rng.random() < 0.5,
        str: lambda: rng.choice(["DE", "FR", "NL", "EU1234", "US", "X" * 12, "", "ABCDEFG"]),
        list[int]: lambda: [rng.randrange(-50, 500) for _ in range(rng.randrange(6))],
    }
    kinds = [kind for name, kind in function.__annotations__.items() if name != "return"]
    return [tuple(make[kind]() for kind in kinds) for _ in range(count)]
