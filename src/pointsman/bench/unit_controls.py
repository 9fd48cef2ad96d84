"""Beside a case's curves: a router for each budget, forecasts on or off, keys and values, static units taught."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from pointsman.bench.report import Figure, Report, absent, interval
from pointsman.bench.unit_cases import Case
from pointsman.bench.unit_curves import OURS, StaticPath, measure_all, points, ratio_at, told
from pointsman.bench.unit_fits import Say, ours
from pointsman.unit import Measured, Prices, Router, Shape, default_shape, measure, routed_at, tariff
from pointsman.unit.dial import RATES
from pointsman.unit.rivals.static import static_setting, taught_static
from pointsman.unit.router import KvPolicy

__all__ = ["SAVED", "forecast_gains", "keys_and_values", "one_model", "taught_static_units"]

SAVED = (0.25, 0.4)
_GAIN_SAVED = (0.25, 0.4, 0.7)

Curves = dict[str, list[Measured]]


def one_model(report: Report, case: Case, folder: Path, curves: Curves, say: Say) -> None:
    """How much worse one router is, at its worst budget, than one of the same lessons at that budget's rates alone."""
    worst: Figure | None = None
    for saved in SAVED:
        near = min(curves[OURS], key=lambda one: abs(1 - one.moved_share - saved))
        rates = (near.dial / 1.5, near.dial * 1.5)
        router, _ = ours(case, folder / f"only-{saved:g}", say, begun_from=folder / "ours", rates=rates)
        prices = tariff(Prices.of(case.model.decoder), router)
        settings = [routed_at(router, prices, near.dial * factor, "only") for factor in (0.5, 0.7, 1.0, 1.4, 2.0)]
        only = measure_all(case.model.decoder, case.texts, settings, lambda _: None)["only"]
        found = _excess(curves[OURS], only, saved, report.seed)
        if found is not None and (worst is None or (found.value or 0) > (worst.value or 0)):
            worst = found
    report.figures[case.key("one_model_worst_excess")] = worst or absent("share", "no curve reaches a budget", 0.0)


def _excess(one: Sequence[Measured], other: Sequence[Measured], saved: float, seed: int) -> Figure | None:
    """Perplexity of `one` over `other`'s, less 1, with the interval of the difference over texts."""
    mine, theirs = ratio_at(one, saved, seed), ratio_at(other, saved, seed)
    if mine is None or theirs is None:
        return None
    nearest = [min(curve, key=lambda point: abs(1 - point.moved_share - saved)) for curve in (one, other)]
    gaps = ((nearest[0].excess - nearest[1].excess) / nearest[0].num_targets).tolist()
    low, high = interval(gaps, lambda values: sum(values) / len(values), seed)
    middle, value = sum(gaps) / len(gaps), math.log(mine[0] / theirs[0])
    if low is None or high is None:
        return Figure(math.expm1(value), "share", len(gaps), at_most=0.0)
    ends = math.expm1(value + low - middle), math.expm1(value + high - middle)
    return Figure(math.expm1(value), "share", len(gaps), *ends, at_most=0.0)


def forecast_gains(report: Report, case: Case, folder: Path, curves: Curves, say: Say, every: int = 1) -> None:
    """Perplexity without forecasts over ours, at equal bytes: the same lessons, but units are left out.

    `every`: so many rates are one step of the curve.
    """
    shape = Shape(default_shape(case.model.config).rank, (0,))
    router, _ = ours(case, folder / "blind", say, shape=shape, forecasts=False)
    prices = tariff(Prices.of(case.model.decoder), router, forecasts=False)
    settings = [routed_at(router, prices, rate, "blind", forecasts=False) for rate in RATES[::every]]
    blind = measure_all(case.model.decoder, case.texts, settings, lambda _: None)["blind"]
    report.curves[f"{case.name}/no forecasts"] = points(blind)
    for saved in _GAIN_SAVED:
        key = case.key(f"informed_gain_{saved * 100:.0f}")
        mine, theirs = ratio_at(curves[OURS], saved, report.seed), ratio_at(blind, saved, report.seed)
        if mine is None or theirs is None:
            report.figures[key] = absent("ratio", f"{'ours' if mine is None else 'without'} does not reach so far")
        else:
            ends = theirs[1] / mine[2], theirs[2] / mine[1]
            report.figures[key] = Figure(theirs[0] / mine[0], "ratio", len(case.texts), *ends)


def keys_and_values(report: Report, case: Case, folder: Path, say: Say) -> None:
    """Ours with keys and values of tokens whose attention is not executed forecast, or evicted, all else alike."""
    others: tuple[KvPolicy, ...] = ("forecast", "evicted")
    for policy in others:
        default = default_shape(case.model.config)
        router, _ = ours(case, folder / f"keys-{policy}", say, shape=Shape(default.rank, default.widths, policy))
        _add_curve(report, case, router, f"keys and values {policy}")


def taught_static_units(report: Report, case: Case, router: Router, path: StaticPath, say: Say) -> None:
    """Static options around each share of bytes, with forecasters that had our lessons for these options alone."""
    decoder = case.model.decoder
    chosen = measure(decoder, path.texts, [static_setting(path.tariff, router, options) for options in path.options])
    shares = [1 - one.moved_share for one in chosen]
    settings = []
    for index in sorted({index for saved in SAVED for index in _around(shares, saved)}):
        say(f"teaching static option {index + 1} of {len(shares)}")
        settings.append(taught_static(decoder, router, path.tariff, path.options[index], case.learned, case.lessons))
    curve = measure_all(decoder, case.texts, settings, lambda _: None)["static, taught"]
    report.curves[f"{case.name}/static, taught"] = points(curve)
    report.details.append(told(case.name, "static, taught", curve, SAVED, report.seed))


def _around(shares: Sequence[float], saved: float) -> set[int]:
    """The last of rising shares that is not above, and the first that is."""
    above = next((index for index, share in enumerate(shares) if share > saved), len(shares) - 1)
    return {max(above - 1, 0), above}


def _add_curve(report: Report, case: Case, router: Router, name: str) -> None:
    prices = tariff(Prices.of(case.model.decoder), router)
    settings = [routed_at(router, prices, rate, name) for rate in RATES]
    curve = measure_all(case.model.decoder, case.texts, settings, lambda _: None)[name]
    report.curves[f"{case.name}/{name}"] = points(curve)
    report.details.append(told(case.name, name, curve, SAVED, report.seed))
