"""Counts the solutions of a logic grid, up to a limit: a search in plain Python that knows nothing of any solver.

Each value of each category has a house; the houses of one category all differ. A clue is a set of values and a test of
their houses. Domains are bit masks: bit h is set where house h is possible. A clue prunes once few combinations are
left; all of them are tried. 6 x 6 with thirty clues takes a few milliseconds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

_MOST_TRIED = 220
"""Combinations of houses of one clue that are tried to prune by it; chosen: three free values of six houses."""


@dataclass(frozen=True, slots=True)
class Test:
    """What a clue demands: `holds` takes the houses of `values`, from 0."""

    values: tuple[int, ...]
    holds: Callable[..., bool]


def count_solutions(size: int, tests: Sequence[Test], limit: int = 2) -> int:
    """How many ways there are, `limit` at most. Value `v` belongs to category `v // size`."""
    return _count(size, tests, [(1 << size) - 1] * (size * size), limit)


def _count(size: int, tests: Sequence[Test], domains: list[int], limit: int) -> int:
    if not _prune(size, tests, domains):
        return 0
    open_values = [value for value, domain in enumerate(domains) if domain & (domain - 1)]
    if not open_values:
        return 1
    value = min(open_values, key=lambda v: domains[v].bit_count())
    found = 0
    for house in range(size):
        if domains[value] >> house & 1 and found < limit:
            inner = domains.copy()
            inner[value] = 1 << house
            found += _count(size, tests, inner, limit - found)
    return found


def _prune(size: int, tests: Sequence[Test], domains: list[int]) -> bool:
    """Narrows the domains until nothing changes. False where one is empty."""
    before: list[int] = []
    while before != domains:
        before = domains.copy()
        for first in range(0, size * size, size):
            if not _prune_category(size, first, domains):
                return False
        for test in tests:
            if not _prune_test(size, test, domains):
                return False
    return True


def _prune_category(size: int, first: int, domains: list[int]) -> bool:
    """No two values of a category share a house, and every house has one."""
    values = range(first, first + size)
    for value in values:
        if domains[value].bit_count() == 1:
            for other in values:
                if other != value:
                    domains[other] &= ~domains[value]
    for house in range(size):
        able = [value for value in values if domains[value] >> house & 1]
        if not able:
            return False
        if len(able) == 1:
            domains[able[0]] = 1 << house
    return all(domains[value] for value in values)


def _prune_test(size: int, test: Test, domains: list[int]) -> bool:
    if prod(domains[value].bit_count() for value in test.values) > _MOST_TRIED:
        return True
    houses = [[house for house in range(size) if domains[value] >> house & 1] for value in test.values]
    left = [0] * len(houses)
    for chosen in product(*houses):
        if test.holds(*chosen):
            for place, house in enumerate(chosen):
                left[place] |= 1 << house
    for value, mask in zip(test.values, left, strict=True):
        domains[value] &= mask
    return all(domains[value] for value in test.values)
