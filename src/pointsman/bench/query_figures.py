"""From measured splits to figures: means over splits with bootstrap intervals, and the table of everybody."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pointsman.bench.query_entrants import OURS, UNCALIBRATED, is_rival
from pointsman.bench.query_jobs import CertifiedSplit, Measured
from pointsman.bench.report import Figure, absent, mean_figure

__all__ = ["OF_TWO_ARMS", "certified_figures", "curves_of", "gain_figures", "ranking", "split_figures"]

OF_TWO_ARMS = ("apgr", "cpt50", "cpt80")
"""RouteLLM's figures: the gap recovered on average, and the shares of strong calls that recover 50 and 80 % of it."""


def split_figures(splits: Sequence[Measured], seed: int) -> dict[str, Figure]:
    """Of ours: `gap_closed`, both savings, `ece`, `ece_before` recalibration, RouteLLM's three; and both limits."""
    named = {"gap_closed": "gap", "saving_at_parity": "parity", "saving_at_minus_1": "minus_1", "ece": "ece"}
    named |= {name: name for name in OF_TWO_ARMS if name in splits[0].numbers[OURS]}
    found = {name: _mean([split.numbers[OURS][key] for split in splits], seed) for name, key in named.items()}
    found["ece_before"] = _mean([split.numbers[UNCALIBRATED]["ece"] for split in splits], seed)
    found["best_single"] = _mean([split.best_single for split in splits], seed)
    found["oracle"] = _mean([split.oracle for split in splits], seed)
    return found


def gain_figures(splits: Sequence[Measured], seed: int) -> dict[str, Figure]:
    """What each part of ours, and choosing jointly, adds in gap closed: differences within splits."""
    without = {
        "sequences": (OURS, f"{OURS} without sequences"),
        "recalibration": (f"{OURS} without sequences", UNCALIBRATED),
        "shared_difficulty": (f"{OURS} without sequences", f"{OURS} without shared difficulty"),
        "gate": (f"{OURS} without sequences", f"{OURS} without gate"),
    }
    axes = [name for name in splits[0].numbers if any(word in name for word in ("only", "then"))]
    pairs = without | {_axis(name): (f"{OURS} without sequences", name) for name in axes}
    found = {}
    for name, (more, less) in pairs.items():
        if less in splits[0].numbers:
            gains = [split.numbers[more]["gap"] - split.numbers[less]["gap"] for split in splits]
            found[f"joint_gain.{name}"] = _mean(gains, seed)
    return found


def certified_figures(splits: Sequence[CertifiedSplit], loss: float, seed: int) -> dict[str, Figure]:
    """`certified_saving`; how often the test loss was above what was promised, beyond test noise and at all; alarms."""
    played = [split.played for split in splits]
    waits = [float(each.off_after) for each in played if each.off_after is not None]
    return {
        "certified_saving": mean_figure([each.saving for each in played], "share", seed=seed),
        "violation_rate": _rate([each.loss > loss + 1.645 * each.noise for each in played]),
        "violation_rate_with_test_noise": _rate([each.loss > loss for each in played]),
        "certified_share": _rate([split.is_certified for split in splits]),
        "switched_off": _rate([each.off_after is not None for each in played]),
        "requests_until_off": mean_figure(waits, "requests", seed=seed) if waits else absent("requests", "never off"),
    }


def ranking(splits: Sequence[Measured], label: str) -> list[str]:
    """Everybody's mean gap closed, the best first; with RouteLLM's figures where there are two arms."""
    names = sorted(splits[0].numbers, key=lambda name: -_plain_mean(splits, name, "gap"))
    width = max(map(len, names))
    has_two_arms = OF_TWO_ARMS[0] in splits[0].numbers[OURS]
    head = f"{label:<{width}}  gap closed  parity  at -1 pt" + ("   APGR  CPT50  CPT80" if has_two_arms else "")
    lines = [head]
    for name in names:
        cells = [_plain_mean(splits, name, key) for key in ("gap", "parity", "minus_1")]
        line = f"{name:<{width}}  {cells[0]:10.3f}  {cells[1]:6.1%}  {cells[2]:8.1%}"
        found = [_plain_mean(splits, name, key) for key in OF_TWO_ARMS]
        lines.append(line + ("" if math.isnan(found[0]) else "".join(f"  {value:.3f}" for value in found)))
    return lines


def ahead_of(splits: Sequence[Measured]) -> tuple[float, str]:
    """By how much ours is ahead of the best rival in mean gap closed, and which it is."""
    rivals = [name for name in splits[0].numbers if is_rival(name)]
    best = max(rivals, key=lambda name: _plain_mean(splits, name, "gap"))
    return _plain_mean(splits, OURS, "gap") - _plain_mean(splits, best, "gap"), best


def curves_of(splits: Sequence[Measured]) -> list[dict[str, Any]]:
    """Everybody's numbers, and quality from the cheapest arm's cost to the most accurate one's; means over splits."""
    found = []
    for name in splits[0].numbers:
        curve = [sum(values) / len(splits) for values in zip(*(split.curves[name] for split in splits), strict=True)]
        row: dict[str, Any] = {"name": name, "right": [round(value, 5) for value in curve]}
        for key in splits[0].numbers[name]:
            value = _plain_mean(splits, name, key)
            row[{"gap": "gap_closed"}.get(key, key)] = None if math.isnan(value) else round(value, 5)
        found.append(row)
    return found


def _axis(name: str) -> str:
    found = name.removeprefix(f"{OURS}, ").replace("budget -1", "largest budget").replace("budget 0", "least budget")
    return "over_" + found.replace(", ", "_").replace(" ", "_")


def _plain_mean(splits: Sequence[Measured], name: str, key: str) -> float:
    """Of splits in which there was something to route."""
    values = [split.numbers[name][key] for split in splits if key in split.numbers.get(name, {})]
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def _mean(values: Sequence[float], seed: int) -> Figure:
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return absent("share", "there is nothing to route: the cheapest arm is also the most accurate one")
    return mean_figure(known, "share", seed=seed)


def _rate(flags: Sequence[bool]) -> Figure:
    """With the interval of Wilson, which is not empty where nothing happened."""
    n, z = len(flags), 1.96
    share = sum(flags) / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Figure(share, "share", n, max(middle - half, 0.0), min(middle + half, 1.0))
