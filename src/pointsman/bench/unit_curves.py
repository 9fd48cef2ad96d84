"""Curves of the unit level: every way to leave units out over the same texts, and what is read off them."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pointsman.bench.report import quantile
from pointsman.engine import Decoder
from pointsman.unit import Measured, Prices, Router, Setting, Texts, measure, routed_at, tariff
from pointsman.unit.dial import RATES
from pointsman.unit.rivals.fitted import load_published
from pointsman.unit.rivals.static import random_setting, shortgpt_settings, static_path, static_setting, ungated
from pointsman.unit.router import Tariff

__all__ = [
    "OURS",
    "OURS_BY_MS",
    "StaticPath",
    "all_settings",
    "by_name",
    "chosen_path",
    "measure_all",
    "points",
    "ratio_at",
    "told",
    "write_csv",
]

OURS, OURS_BY_MS = "pointsman", "pointsman, by ms"
_CHANCES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
_CHOSEN_TOKENS = 3000
_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class StaticPath:
    """Static options from dear to cheap, what they cost, and the texts that they were chosen on."""

    options: list[list[int]]
    tariff: Tariff
    texts: Texts


def chosen_path(decoder: Decoder, router: Router, kept: Texts, tick: Callable[[str], None]) -> StaticPath:
    """Static options of a router's forecasters, on so few of the texts that it takes seconds or minutes."""
    counts = kept.lengths.cumsum(0)
    some = kept.chosen(slice(0, int((counts < _CHOSEN_TOKENS).sum()) + 1))
    fixed = ungated(tariff(Prices.of(decoder), router), router)
    path = static_path(decoder, router, fixed, some, lambda step: tick(f"static option {step}"))
    return StaticPath(path, fixed, some)


def all_settings(
    decoder: Decoder, router: Router, folder: Path, path: StaticPath, every: int = 1, clock: Prices | None = None
) -> list[Setting]:
    """Ours at every rate, the controls, and the published routers that were fitted into `folder`.

    With a `clock` ours is there twice, and chooses by its milliseconds the second time.
    """
    prices = tariff(Prices.of(decoder), router)
    settings = [routed_at(router, prices, rate, OURS) for rate in RATES[::every]]
    if clock is not None:
        settings += [routed_at(router, prices.priced(clock), rate, OURS_BY_MS) for rate in RATES[::every]]
    settings += [static_setting(path.tariff, router, options) for options in path.options]
    settings += shortgpt_settings(decoder, path.texts.trimmed())
    settings += [random_setting(decoder, chance) for chance in _CHANCES[::every]]
    settings += [fitted.setting(decoder) for fitted in load_published(folder, decoder)]
    return settings


def by_name(measured: Sequence[Measured]) -> dict[str, list[Measured]]:
    """Curves, each by falling share of bytes."""
    curves: dict[str, list[Measured]] = {}
    for one in sorted(measured, key=lambda one: -one.moved_share):
        curves.setdefault(one.name, []).append(one)
    return curves


def ratio_at(curve: Sequence[Measured], saved: float, seed: int = 0) -> tuple[float, float, float] | None:
    """Perplexity over the model's own at a share of bytes saved, with its 95 % interval over texts.

    Between two points its logarithm is interpolated linearly; a point within half a percent of the bytes is taken as it
    is. None where the curve does not reach so far.
    """
    whole = torch.arange(len(curve[0].dense))
    value = _log_ratio(curve, saved, whole)
    if value is None:
        return None
    generator = torch.Generator().manual_seed(seed)
    draws = [torch.randint(len(whole), (len(whole),), generator=generator) for _ in range(_RESAMPLES)]
    found = [found for rows in draws if (found := _log_ratio(curve, saved, rows, is_fixed=True)) is not None]
    return math.exp(value), math.exp(quantile(found, 0.025)), math.exp(quantile(found, 0.975))


def _log_ratio(curve: Sequence[Measured], saved: float, rows: torch.Tensor, *, is_fixed: bool = False) -> float | None:
    """`is_fixed`: shares of bytes are those over all texts, so that only the loss varies."""
    places = []
    for one in curve:
        shares = slice(None) if is_fixed else rows
        moved = float(one.moved[shares].sum() / one.dense[shares].sum())
        places.append((1 - moved, float(one.excess[rows].sum() / one.num_targets[rows].sum())))
    near = min(places, key=lambda place: abs(place[0] - saved))
    if abs(near[0] - saved) <= 0.005:
        return near[1]
    below = [place for place in places if place[0] <= saved]
    above = [place for place in places if place[0] > saved]
    if not below or not above:
        return None
    (x0, y0), (x1, y1) = max(below), min(above)
    return y0 + (y1 - y0) * (saved - x0) / (x1 - x0)


def told(case: str, name: str, curve: Sequence[Measured], shares: Sequence[float], seed: int) -> str:
    """What one way costs at some shares of bytes saved, as a line."""
    found = [(saved, ratio_at(curve, saved, seed)) for saved in shares]
    parts = [
        f"{saved:.0%} saved " + ("out of reach" if at is None else f"{at[0]:.4f} ({at[1]:.4f} to {at[2]:.4f})")
        for saved, at in found
    ]
    return f"{case}, perplexity over the model's own, {name}: {', '.join(parts)}"


def points(measured: Sequence[Measured]) -> list[dict[str, Any]]:
    """A curve as JSON."""
    return [
        {
            "dial": one.dial,
            "moved_share": one.moved_share,
            "ms_share": None if math.isnan(one.spent_share) else one.spent_share,
            "perplexity_ratio": one.perplexity_ratio,
            "divergence_nats": one.mean_divergence,
            "agreement": one.agreement,
            "right_share": one.right_share,
        }
        for one in measured
    ]


def write_csv(path: Path, curves: Mapping[str, Sequence[Measured]]) -> None:
    """Every point as a line."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["method", *points(next(iter(curves.values())))[0]])
        for name, curve in curves.items():
            for point in points(curve):
                writer.writerow([name, *point.values()])


def measure_all(
    decoder: Decoder,
    texts: Texts,
    settings: Sequence[Setting],
    tick: Callable[[int], None],
    clock: Prices | None = None,
) -> dict[str, list[Measured]]:
    """Every setting over all texts."""
    return by_name(measure(decoder, texts.by_length(), settings, on_texts=tick, prices=clock))
