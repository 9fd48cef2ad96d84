"""Makes a counterexample smaller: greedy, by simpler values in place of each part, while it still fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from pointsman.program.check.behaviour import Row

__all__ = ["shrink", "simpler"]


def shrink(row: Row, fails: Callable[[Row], bool], seconds: float) -> Row:
    """The smallest failing row found in this time. Every step makes the row's text shorter, or earlier in order."""
    deadline = time.monotonic() + seconds
    best, best_key = row, _key(row)
    progress = True
    while progress and time.monotonic() < deadline:
        progress = False
        for candidate in _rows(best):
            if time.monotonic() > deadline:
                break
            key = _key(candidate)
            if key < best_key and fails(candidate):
                best, best_key, progress = candidate, key, True
                break
    return best


def _key(row: Row) -> tuple[int, str]:
    text = repr(row)
    return len(text), text


def _rows(row: Row) -> Iterator[Row]:
    args, kwargs = row
    for position, value in enumerate(args):
        for smaller in simpler(value):
            yield (*args[:position], smaller, *args[position + 1 :]), kwargs
    for name, value in kwargs.items():
        yield args, {key: item for key, item in kwargs.items() if key != name}
        for smaller in simpler(value):
            yield args, {**kwargs, name: smaller}


def simpler(value: Any) -> Iterator[Any]:
    """Values to try instead, boldest first; none for types that are not plain data."""
    match value:
        case bool():
            return
        case int():
            yield from (0, value // 2, int(value / 10) if abs(value) < 2**53 else value // 10**9, value - 1, -value)
        case float():
            yield from (0.0, 1.0, value / 2)
        case str():
            yield ""
            yield from (value[: len(value) // 2], value[len(value) // 2 :])
            yield from (value[:i] + value[i + 1 :] for i in range(len(value)))
            yield from (value[:i] + "a" + value[i + 1 :] for i in range(len(value)))
        case list() | tuple() if type(value) in {list, tuple}:
            yield from _simpler_sequence(value)
        case dict() if type(value) is dict:
            for name, item in value.items():
                yield {key: other for key, other in value.items() if key != name}
                yield from ({**value, name: smaller} for smaller in simpler(item))
        case set() | frozenset():
            yield from (value - {item} for item in value)


def _simpler_sequence(value: Any) -> Iterator[Any]:
    kind, half = type(value), len(value) // 2
    yield kind()
    if half:
        yield from (value[:half], value[half:])
    for position in range(len(value)):
        yield value[:position] + value[position + 1 :]
    for position, item in enumerate(value):
        for smaller in simpler(item):
            yield value[:position] + kind([smaller]) + value[position + 1 :]
