"""A model selects the rows of ten compiled programs, at sizes up to a hundred: how often is it right, and how fast?

None of the programs was trained on: the reader learned to select from random tables. Each run is made with every
selection checked, which tells the right ones on the right path; where one was wrong, the run is made again without a
check, for what the model alone comes to.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pointsman.bench.report import Report, mean_figure, median_figure
from pointsman.core import OverBudget, PointsmanError
from pointsman.core.selecting import Row, Selection, Selector
from pointsman.program import Table, compile_table
from pointsman.program.select import SelectDriver
from pointsman.program.stepping import Place, exact_exit
from pointsman.program.table.machine import Node, Take
from pointsman.program.trace import run_traced

__all__ = ["PROGRAMS", "SIZES", "add_selections", "compile_programs"]

SIZES: Final = (2, 5, 10, 20, 50, 100)
_WRONG_FUEL: Final = 20_000  # states of an unchecked run: one that goes astray may not end
_MOST_BITS: Final = 100_000  # of an integer in an unchecked run; right ones have some hundreds

Inputs = Callable[[random.Random, int], list[Any]]
Tick = Callable[[str, int], None]


def _list(rng: random.Random, size: int) -> list[int]:
    return [rng.randrange(1000) for _ in range(size)]


def _searched(rng: random.Random, size: int) -> list[Any]:
    items = sorted(rng.sample(range(10 * size), size))
    return [items, rng.choice(items) if rng.random() < 0.7 else rng.randrange(10 * size)]


def _counted(rng: random.Random, size: int) -> list[Any]:
    items = [rng.randrange(5) for _ in range(size)]
    return [items, rng.randrange(5)]


def _halves(rng: random.Random, size: int) -> list[Any]:
    return [sorted(_list(rng, size // 2)), sorted(_list(rng, size - size // 2))]


def _mirrored(rng: random.Random, size: int) -> list[Any]:
    half = "".join(rng.choice("abcde ,A") for _ in range(size // 2))
    text = half + half[::-1]
    return [text if rng.random() < 0.7 else text + rng.choice("xyz")]


PROGRAMS: Final[Mapping[str, tuple[str, Inputs]]] = {
    "factorial": ("factorial", lambda rng, size: [size + rng.randint(0, size // 5)]),
    "fibonacci": ("fibonacci", lambda rng, size: [size + rng.randint(0, size // 5)]),
    "power": ("power", lambda rng, size: [rng.randint(2, 9), size + rng.randint(0, size)]),
    "gcd": ("gcd", lambda rng, size: [rng.randrange(1, 10**size), rng.randrange(1, 10**size)]),
    "merge_sorted": ("merge_sorted", _halves),
    "binary_search": ("binary_search", _searched),
    "bubble_sort": ("bubble_sort", lambda rng, size: [_list(rng, size)]),
    "total": ("total", lambda rng, size: [_list(rng, size)]),
    "count": ("count", _counted),
    "is_palindrome": ("palindrome", _mirrored),
}
"""By the function's name, its file in `examples/` and inputs of a size: a number, digits, items or characters."""


def compile_programs(examples: Path, names: Mapping[str, str]) -> dict[str, Table]:
    """Compiled functions by name; `names` gives the file of each."""
    return {
        name: compile_table((examples / f"{file}.py").read_text(), f"{file}.py", name).table
        for name, file in names.items()
    }


@dataclass(frozen=True, slots=True)
class _Run:
    """One run: its selections, how many were wrong, and whether it came to the right result alone and checked."""

    program: str
    size: int
    num_selections: int
    num_wrong: int
    is_right: bool
    is_right_checked: bool


def add_selections(
    report: Report, tables: Mapping[str, Table], selector: Selector, num_each: int, sizes: Sequence[int], tick: Tick
) -> None:
    """Adds what the model selects right, by itself and checked, and what a selection takes beside the guards."""
    runs = []
    for name, (_, make) in PROGRAMS.items():
        for size in sizes:
            for index in range(num_each):
                rng = random.Random(f"{report.seed}/{name}/{size}/{index}")  # noqa: S311
                runs.append(_measured(tables[name], make(rng, size), selector, size))
                tick(f"selecting: {name}", 1)
    seed = report.seed
    shares = [1 - run.num_wrong / run.num_selections for run in runs]
    report.figures["select_accuracy"] = mean_figure(shares, "share", seed=seed, at_least=0.99)
    report.figures["select_run_accuracy"] = mean_figure([float(run.is_right) for run in runs], "share", at_least=0.95)
    report.figures["verified_run_accuracy"] = mean_figure(
        [float(run.is_right_checked) for run in runs], "share", at_least=1.0
    )
    total, wrong = sum(run.num_selections for run in runs), sum(run.num_wrong for run in runs)
    report.details.append(f"selecting: {total:,} selections of {len(runs):,} runs, {wrong} wrong")
    report.curves["select_by_size"] = [_at_size(runs, size) for size in sizes]
    report.details += [
        f"  size {point['size']:>3}: {point['accuracy']:.5f} of selections, {point['runs']:.3f} of runs"
        for point in report.curves["select_by_size"]
    ]
    _add_times(report, tables, selector, num_each)


def _at_size(runs: Sequence[_Run], size: int) -> dict[str, Any]:
    found = [run for run in runs if run.size == size]
    total = sum(run.num_selections for run in found)
    right = total - sum(run.num_wrong for run in found)
    return {"size": size, "accuracy": right / total, "runs": sum(run.is_right for run in found) / len(found)}


def _measured(table: Table, inputs: list[Any], selector: Selector, size: int) -> _Run:
    exact = table.answer(inputs).json_text
    checked = SelectDriver(selector)
    answer, _ = run_traced(table, inputs, driver=checked)
    is_right = not checked.num_wrong or _alone(table, inputs, selector) == exact
    counts = checked.num_selections, checked.num_wrong
    return _Run(table.name, size, *counts, is_right, answer.json_text == exact)


def _alone(table: Table, inputs: list[Any], selector: Selector) -> str:
    try:
        driver = _Bounded(SelectDriver(selector, verifies=False))
        answer, _ = run_traced(table, inputs, driver=driver, fuel=_WRONG_FUEL)
    except PointsmanError as error:  # it went on where nothing was left
        return error.code
    return answer.json_text


@dataclass(frozen=True, slots=True)
class _Bounded:
    """A driver whose run ends where integers outgrow all that is measured: one that went astray may square for ever."""

    driver: SelectDriver

    @property
    def decided(self) -> tuple[str, float]:
        return self.driver.decided

    def choose(self, place: Place, exact: Node) -> Node:
        if any(type(value) is int and value.bit_length() > _MOST_BITS for value in place.values.values()):
            raise OverBudget(f"an integer of more than {_MOST_BITS:,} bits", code="integer_too_long")
        return self.driver.choose(place, exact)


# -- times -------------------------------------------------------------------------------------------------------------


class _Timed:
    """A selector whose answers are timed."""

    def __init__(self, selector: Selector) -> None:
        self.name, self._selector = selector.name, selector
        self.times_s: list[float] = []

    def select(self, rows: Sequence[Row], state: str) -> Selection:
        begun = time.perf_counter()
        found = self._selector.select(rows, state)
        self.times_s.append(time.perf_counter() - begun)
        return found


class _Guards:
    """A driver that times the guards and takes their exit."""

    decided = ("guards", 1.0)

    def __init__(self) -> None:
        self.times_s: list[float] = []

    def choose(self, place: Place, exact: Node) -> Node:
        if not isinstance(place.node, Take):
            begun = time.perf_counter()
            exact_exit(place.node, place.evaluate)
            self.times_s.append(time.perf_counter() - begun)
        return exact


def _add_times(report: Report, tables: Mapping[str, Table], selector: Selector, num_each: int) -> None:
    """Of selections with the rows read before, and of the guards that they stand for, in the same places."""
    timed, guards = _Timed(selector), _Guards()
    for name, (_, make) in PROGRAMS.items():
        for index in range(num_each):
            inputs = make(random.Random(f"{report.seed}/{name}/times/{index}"), 10)  # noqa: S311
            for driver in (SelectDriver(timed), guards):
                run_traced(tables[name], inputs, driver=driver)
    times_ms = [1e3 * seconds for seconds in timed.times_s]
    figure = median_figure(times_ms[:20_000], "ms", seed=report.seed, at_most=1.0)
    report.figures["select_p50_ms"] = figure
    exact_us = sorted(guards.times_s)[len(guards.times_s) // 2] * 1e6
    report.details.append(
        f"one selection takes {figure.value or 0:.3f} ms at the median, the guard {exact_us:.1f} us (interpreted)"
    )
