"""Curves of the token level: every method at every setting over the same tasks, and what is read off them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pointsman.bench.report import interval
from pointsman.token.evaluation import Measured, measure, measure_alone
from pointsman.token.lineup import ROUTED, Dials, Gates, derived, grid, is_usable, make
from pointsman.token.pair import Pair
from pointsman.token.tasks import Task

__all__ = [
    "RIVALS",
    "Curves",
    "cheapest",
    "dominated_share",
    "measure_all",
    "points",
    "settings_of",
    "write_csv",
]

LARGE, SMALL, OURS = "large", "small", "pointsman"
RIVALS = (
    "random",
    "confidence",
    "margin",
    "entropy",
    *ROUTED,
    "query",
    "bild",
    "speculative",
    "specdec++",
    "cascade",
    "kl",
)

Curves = dict[str, list[Measured]]
"""By method, in the order of its settings; `large` and `small` have one point each."""

Tick = Callable[[str, int], None]
"""Told what is measured, and how many answers are new."""


def settings_of(
    names: Iterable[str], gates: Gates, figures: Mapping[str, float], every: int = 1
) -> Mapping[str, list[Any]]:
    """The settings of each method whose gate is there, or every so-manieth of them."""
    return {name: grid(name, *derived(figures))[::every] for name in names if is_usable(name, gates)}


def measure_all(
    pair: Pair, gates: Gates, settings: Mapping[str, Sequence[Dials]], tasks: Sequence[Task], num_rows: int, tick: Tick
) -> Curves:
    """Both models alone, then every method at every setting."""

    def ticker(what: str) -> Callable[[int], None]:
        return lambda done: tick(what, done)

    curves: Curves = {
        LARGE: [measure_alone(pair.large, tasks, num_rows, ticker(LARGE))],
        SMALL: [measure_alone(pair.small, tasks, num_rows, ticker(SMALL))],
    }
    for name, chosen in settings.items():
        curves[name] = [
            measure(pair, make(name, gates, dials), dials, tasks, num_rows, ticker(name)) for dials in chosen
        ]
    return curves


def cheapest(curve: Sequence[Measured], least_accuracy: float, cost: Callable[[Measured], float]) -> int | None:
    """The index of the cheapest point that is at least so accurate, or None."""
    able = [index for index, point in enumerate(curve) if point.accuracy >= least_accuracy]
    return min(able, key=lambda index: cost(curve[index]), default=None)


def dominated_share(rival: Sequence[Measured], ours: Sequence[Measured]) -> float:
    """Share of a rival's points that some point of ours is as good as or better than, both in accuracy and in bytes."""
    return sum(
        any(our.accuracy >= point.accuracy and our.total_bytes <= point.total_bytes for our in ours) for point in rival
    ) / len(rival)


def points(curves: Curves, seed: int) -> dict[str, list[dict[str, Any]]]:
    """What is published of each curve; every cost is relative to the large model alone."""
    large = curves[LARGE][0]
    return {name: [_point(measured, large, seed) for measured in curve] for name, curve in curves.items()}


def _point(measured: Measured, large: Measured, seed: int) -> dict[str, Any]:
    low, high = interval([float(right) for right in measured.right], lambda values: sum(values) / len(values), seed)
    shares = {
        "bytes_share": measured.total_bytes / large.total_bytes,
        "flops_share": measured.total_flops / large.total_flops,
        "seconds_share": measured.seconds / large.seconds,
        "large_share": measured.large_share,
        "lookup_share": measured.lookup_share,
        "calls_per_token": measured.calls,
        "rolled_back_per_token": measured.rolled_back,
    }
    rounded = {name: round(value, 4) for name, value in shares.items()}
    return {**measured.dials, "accuracy": round(measured.accuracy, 4), "low": low, "high": high, **rounded}


def write_csv(curves: Curves, path: Path, seed: int) -> None:
    """A row a point, for whoever draws their own picture."""
    rows = [{"method": name, **point} for name, found in points(curves, seed).items() for point in found]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
