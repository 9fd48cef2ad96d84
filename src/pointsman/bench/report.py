"""How a figure is reported: a value with its 95 % interval, on a described machine, as a table and as one JSON line.

Covered: intervals by the percentile bootstrap (2,000 resamples; 20 ms for 150 values), data files by their sha256, the
commit where the package runs from its own working copy. Not covered: systematic error. A bootstrap knows only the
spread among the rounds that it is given, not what all of them share.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import random
import statistics
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import pointsman

__all__ = [
    "Figure",
    "Report",
    "absent",
    "commit",
    "interval",
    "machine",
    "mean_figure",
    "median_figure",
    "quantile",
    "quantile_figure",
    "sha256_of",
    "versions",
]

_RESAMPLES: Final = 2_000  # chosen: the ends of an interval then move by about 1 % of its width from seed to seed
_COVERAGE: Final = 0.95
_DISTRIBUTIONS: Final = (
    *("hypothesis", "httptools", "llvmlite", "numba", "ortools", "starlette", "tokenizers", "torch", "transformers"),
    *("uvicorn", "uvloop", "z3-solver"),
)


@dataclass(frozen=True, slots=True)
class Figure:
    """One number. ``low`` and ``high`` are its 95 % interval, None where none applies; ``n``: values it is made from.

    ``value`` None means that it could not be measured, and ``reason`` says why. ``at_most`` and ``at_least`` are the
    target, if any.
    """

    value: float | None
    unit: str
    n: int
    low: float | None = None
    high: float | None = None
    at_most: float | None = None
    at_least: float | None = None
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """The record as it is published; the reason only where there is one."""
        found = {"value": _rounded(self.value), "low": _rounded(self.low), "high": _rounded(self.high)}
        return {**found, "unit": self.unit, "n": self.n, **({"reason": self.reason} if self.reason else {})}

    def verdict(self) -> str:
        """Whether the target is met; nothing where there is no target or no value."""
        if self.value is None or not self.target():
            return ""
        is_met = (self.at_most is None or self.value <= self.at_most) and (
            self.at_least is None or self.value >= self.at_least
        )
        return "met" if is_met else "MISSED"

    def target(self) -> str:
        """The target as text; nothing where there is none."""
        low = "" if self.at_least is None else f">= {_short(self.at_least)}"
        high = "" if self.at_most is None else f"<= {_short(self.at_most)}"
        return ", ".join(bound for bound in (low, high) if bound)


def absent(unit: str, reason: str, at_most: float | None = None) -> Figure:
    """A figure that could not be measured."""
    return Figure(None, unit, 0, at_most=at_most, reason=reason)


def quantile(values: Sequence[float], share: float) -> float:
    """Linear interpolation between the two nearest ranks. At least one value."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def interval(
    values: Sequence[float],
    statistic: Callable[[Sequence[float]], float] = statistics.median,
    seed: int = 0,
    resamples: int = _RESAMPLES,
) -> tuple[float, float] | tuple[None, None]:
    """The 95 % bootstrap interval of a statistic; (None, None) for fewer than two values."""
    if len(values) < 2:
        return None, None
    rng = random.Random(seed)  # noqa: S311  reproducible resamples, no secrets
    found = [statistic(rng.choices(values, k=len(values))) for _ in range(resamples)]
    tail = (1 - _COVERAGE) / 2
    return quantile(found, tail), quantile(found, 1 - tail)


def median_figure(values: Sequence[float], unit: str, *, seed: int = 0, **target: float | None) -> Figure:
    """The median of the values with its interval. At least one value; ``target``: ``at_most``, ``at_least``."""
    return _figure(statistics.median, values, unit, seed, **target)


def mean_figure(values: Sequence[float], unit: str, *, seed: int = 0, **target: float | None) -> Figure:
    """The mean of the values with its interval. At least one value; ``target``: ``at_most``, ``at_least``."""
    return _figure(statistics.fmean, values, unit, seed, **target)


def _figure(
    statistic: Callable[[Sequence[float]], float],
    values: Sequence[float],
    unit: str,
    seed: int,
    at_most: float | None = None,
    at_least: float | None = None,
) -> Figure:
    low, high = interval(values, statistic, seed)
    return Figure(statistic(values), unit, len(values), low, high, at_most, at_least)


def quantile_figure(
    values: Sequence[float], share: float, unit: str, *, seed: int = 0, at_most: float | None = None
) -> Figure:
    """A quantile of the values with its interval. At least one value."""
    low, high = interval(values, partial(quantile, share=share), seed)
    return Figure(quantile(values, share), unit, len(values), low, high, at_most)


@dataclass
class Report:
    """What one bench found. ``details``: lines for people only, such as ceilings and where the time goes.

    The commit is the one at the start: files that change during a long run are not what runs.
    """

    bench: str
    seed: int
    quick: bool
    commit: str | None = field(default_factory=lambda: commit())
    data: dict[str, str] = field(default_factory=dict)
    figures: dict[str, Figure] = field(default_factory=dict)
    curves: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    details: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The published record."""
        return {
            "bench": self.bench,
            "commit": self.commit,
            "machine": machine(),
            "versions": versions(),
            "seed": self.seed,
            "data": self.data,
            "figures": {name: figure.to_json() for name, figure in self.figures.items()},
            "curves": self.curves,
            "quick": self.quick,
        }

    def text(self) -> str:
        """Details, the table of figures, and the JSON as the last line."""
        kind = " (quick: less data, for a first look only)" if self.quick else ""
        rows = [("figure", "value", "95 % interval", "unit", "n", "target", ""), *map(_row, self.figures.items())]
        widths = [max(len(row[i]) for row in rows) for i in range(7)]
        shown = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        reasons = [f"{name}: {f.reason}" for name, f in self.figures.items() if f.reason]
        line = json.dumps(self.to_json(), ensure_ascii=False, allow_nan=False)
        return "\n".join([*self.details, "", f"{self.bench}{kind}, on {machine()}", *shown, *reasons, line]) + "\n"


def _row(item: tuple[str, Figure]) -> tuple[str, ...]:
    name, figure = item
    span = "" if figure.low is None or figure.high is None else f"{_short(figure.low)} to {_short(figure.high)}"
    return name, _short(figure.value), span, figure.unit, str(figure.n), figure.target(), figure.verdict()


def _short(value: float | None) -> str:
    if value is None:
        return "none"
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"


def _rounded(value: float | None) -> float | None:
    """Five digits: more than any interval here supports."""
    return None if value is None else float(f"{value:.5g}")


def machine() -> str:
    """The processor, the cores that this process may use, memory and system."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = f"{platform.system()} {platform.machine()}"
    return f"{_processor()}, {cores} core{'s' if cores > 1 else ''}, {memory_gib:.0f} GiB, {system}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Python, this package, and those of its dependencies that figures depend on, as far as they are installed."""
    found = {"python": platform.python_version(), "pointsman": pointsman.__version__}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """The commit that runs, with ``-dirty`` where tracked files differ from it. None outside its own working copy."""
    here = Path(pointsman.__file__)
    try:
        _git(here.parent, "ls-files", "--error-unmatch", here.name)  # a copy inside another repository is not that
        found = _git(here.parent, "rev-parse", "HEAD")
        changed = _git(here.parent, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{found}-dirty" if changed else found


def _git(folder: Path, *args: str) -> str:
    done = subprocess.run(  # noqa: S603  fixed words
        ["git", "-C", str(folder), *args],  # noqa: S607  whichever git the user has
        capture_output=True,
        check=True,
        text=True,
        timeout=20,
    )
    return done.stdout.strip()


def sha256_of(path: Path) -> str:
    """Of a data file's bytes. Raises OSError."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
