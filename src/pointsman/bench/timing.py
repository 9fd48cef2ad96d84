"""Timing calls of Python functions against each other.

A batch is many calls with arguments made beforehand; what the loop itself takes is measured and subtracted. Two sides
run in turn, so that a slow moment of the machine meets both, and garbage collection is off.
"""

from __future__ import annotations

import contextlib
import copy
import gc
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

__all__ = ["Arguments", "Case", "Tick", "batch_seconds", "loop_seconds", "quiet", "time_case"]

Arguments: TypeAlias = tuple[Any, ...]
Tick: TypeAlias = Callable[[float, str], None]
"""Told what share of a measurement is done, and what is measured next."""

_MAX_CALLS = 20_000


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No garbage collection within; one before, unless it is off already (a collection takes some 60 ms here)."""
    was_on = gc.isenabled()
    if was_on:
        gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def batch_seconds(function: Callable[..., Any], rows: Sequence[Arguments]) -> float:
    """Calls the function on every row of positional arguments; exceptions end a call like a result does.

    One, two and three arguments are passed as source would, without unpacking a tuple into the call.
    """
    start = time.perf_counter()
    match len(rows[0]):
        case 1:
            for (a,) in rows:
                try:  # noqa: SIM105  a context manager would be timed too
                    function(a)
                except Exception:  # noqa: BLE001, S110  part of the function's behaviour
                    pass
        case 2:
            for a, b in rows:
                try:  # noqa: SIM105  a context manager would be timed too
                    function(a, b)
                except Exception:  # noqa: BLE001, S110
                    pass
        case 3:
            for a, b, c in rows:
                try:  # noqa: SIM105  a context manager would be timed too
                    function(a, b, c)
                except Exception:  # noqa: BLE001, S110
                    pass
        case _:
            for row in rows:
                try:  # noqa: SIM105  a context manager would be timed too
                    function(*row)
                except Exception:  # noqa: BLE001, S110
                    pass
    return time.perf_counter() - start


def loop_seconds(rows: Sequence[Arguments]) -> float:
    """What the loop of ``batch_seconds`` takes by itself; the least of three."""
    return min(_empty_loop(rows) for _ in range(3))


def _empty_loop(rows: Sequence[Arguments]) -> float:
    start = time.perf_counter()
    match len(rows[0]):
        case 1:
            for (_a,) in rows:
                pass
        case 2:
            for _a, _b in rows:
                pass
        case 3:
            for _a, _b, _c in rows:
                pass
        case _:
            for _row in rows:
                pass
    return time.perf_counter() - start


@dataclass(frozen=True, slots=True)
class Case:
    """Arguments of one call. ``changes``: the function changes them, so each call needs a copy of its own."""

    arguments: Arguments
    changes: bool

    def rows(self, count: int) -> list[Arguments]:
        """Arguments for so many calls; the same objects wherever that makes no difference."""
        if not self.changes:
            return [self.arguments] * count
        return [copy.deepcopy(self.arguments) for _ in range(count)]


def time_case(sides: Sequence[Callable[..., Any]], case: Case, *, rounds: int, batch_s: float) -> tuple[float, ...]:
    """Seconds of one call for each side: the least over the rounds, in which the sides take turns.

    The least, since whatever else the machine does can only add. ``batch_s``: how long the first side's batches last.
    """
    count = _calls(sides[0], case, batch_s)
    best = [math.inf] * len(sides)
    with quiet():
        overhead = loop_seconds(case.rows(count))
        for number in range(rounds):
            order = range(len(sides)) if number % 2 == 0 else range(len(sides) - 1, -1, -1)
            for side in order:
                rows = case.rows(count)
                best[side] = min(best[side], batch_seconds(sides[side], rows))
    return tuple(max(seconds - overhead, 1e-9) / count for seconds in best)


def _calls(function: Callable[..., Any], case: Case, batch_s: float) -> int:
    once = min(batch_seconds(function, case.rows(1)) for _ in range(3))
    return max(1, min(_MAX_CALLS, math.ceil(batch_s / max(once, 1e-7))))
