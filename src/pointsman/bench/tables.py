"""Routing tables of any size as source text, and the slow obvious way to look a row up.

One key: rising limits of an int, each with a row. Two keys: a zone (str) with rising weights (int) in each zone. Rows
are written as users write them, ``if x < c: return v`` one below the other: the source itself is the linear search.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from pointsman.bench.timing import Arguments

__all__ = ["ENTRY", "RoutingTable", "one_key", "two_keys"]

ENTRY = "route"

_SPACING = 10
"""Average distance of limits; answers differ from row to row, so that no two rows merge."""


@dataclass(frozen=True, slots=True)
class RoutingTable:
    """``rows``: (zone or None, limit, answer): the first row whose zone is equal and whose limit is above applies."""

    source: str
    rows: tuple[tuple[str | None, int, int], ...]
    default: int
    zones: tuple[str, ...] = ()

    def look_up(self, arguments: Arguments) -> int:
        """The answer, by trying the rows in order."""
        *zone, key = arguments
        for where, limit, answer in self.rows:
            if (where is None or where == zone[0]) and key < limit:
                return answer
        return self.default

    def inputs(self, count: int, seed: int) -> list[Arguments]:
        """Random arguments, spread over the rows and a little beyond both ends."""
        rng = random.Random(f"{seed}:inputs")  # noqa: S311  reproducible data, no secrets
        top = max(limit for _, limit, _ in self.rows) + _SPACING
        if not self.zones:
            return [(rng.randrange(-_SPACING, top),) for _ in range(count)]
        return [(rng.choice(self.zones), rng.randrange(-_SPACING, top)) for _ in range(count)]

    def edges(self, count: int, seed: int) -> list[Arguments]:
        """Arguments on both sides of random rows' limits."""
        rng = random.Random(f"{seed}:edges")  # noqa: S311  reproducible data, no secrets
        chosen = rng.sample(self.rows, min(count, len(self.rows)))
        found: list[Arguments] = []
        for zone, limit, _ in chosen:
            found += [(key,) if zone is None else (zone, key) for key in (limit - 1, limit)]
        return found


def one_key(num_rows: int, seed: int) -> RoutingTable:
    """``if x < c: return v`` for each row but the last, which is the rest."""
    rng = random.Random(f"{seed}:one:{num_rows}")  # noqa: S311  reproducible data, no secrets
    limits = sorted(rng.sample(range(1, num_rows * _SPACING), num_rows - 1))
    rows = tuple((None, limit, number) for number, limit in enumerate(limits))
    lines = [f"def {ENTRY}(x: int) -> int:"]
    lines += [f"    if x < {limit}:\n        return {answer}" for _, limit, answer in rows]
    default = num_rows - 1
    return RoutingTable("\n".join([*lines, f"    return {default}"]) + "\n", rows, default)


def two_keys(num_rows: int, seed: int) -> RoutingTable:
    """As many rows in each of about sqrt(num_rows) zones, and one row for the rest."""
    rng = random.Random(f"{seed}:two:{num_rows}")  # noqa: S311  reproducible data, no secrets
    num_zones = max(2, round(num_rows**0.5))
    zones = tuple(f"zone-{number:03d}" for number in range(num_zones))
    per_zone = [(num_rows - 1) // num_zones + (i < (num_rows - 1) % num_zones) for i in range(num_zones)]
    pairs = [
        (zone, limit)
        for zone, count in zip(zones, per_zone, strict=True)
        for limit in sorted(rng.sample(range(1, max(count, 1) * _SPACING), count))
    ]
    rows = tuple((zone, limit, number) for number, (zone, limit) in enumerate(pairs))
    lines = [f"def {ENTRY}(zone: str, weight: int) -> int:"]
    lines += [f"    if zone == {z!r} and weight < {limit}:\n        return {answer}" for z, limit, answer in rows]
    default = len(rows)
    return RoutingTable("\n".join([*lines, f"    return {default}"]) + "\n", rows, default, (*zones, "elsewhere"))
