"""``pointsman bench all-levels``: one decision over programs, memory, solver, models, budgets and dials of two levels.

    pointsman bench all-levels --quick
    pointsman bench all-levels --keep tables --plot levels.svg

Three tables of mixed traffic (`embedded/traffic.py`) are collected or reused: arms are learned on one, certified on
the next, and measured on the last, against the embedded large model with worked steps on every request. Cost is bytes.
Configurations: everything on, each level alone on, each level alone off. A figure counts whoever answered.

The large model cannot do what programs and the solver are for, and moves many bytes over it; so the same ratio stands
beside: `trained_for` is about the families that it was trained for alone, and details tell every kind of request.

Not counted as bytes: the forecaster of the arms, which reads some of its own weights for each request, and the linear
head before the programs. `credited_quality` is what was certified, on the test requests: right answers over the large
model's without those that programs, solver, memory or parts win beyond it. `kept_of_large` counts no other win either.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pointsman.bench.arms import REFERENCE, Question, collect, embedded_arms, progress, questions_of
from pointsman.bench.certified_levels import MOST_NOVEL, Certified, Known, arms_of, certified
from pointsman.bench.levels import LEVELS, TRACKS, Part, Replayed, replay, walk
from pointsman.bench.report import Figure, Report, absent, sha256_of
from pointsman.bench.tracks import Said, prepare_router, said_of
from pointsman.core import BadRequest
from pointsman.embedded.families import FAMILIES
from pointsman.embedded.traffic import PARTS, Asked, draw_traffic
from pointsman.embedded.traffic import Part as PartName
from pointsman.program.text.router import Router
from pointsman.query.difficulty.joint import Joint
from pointsman.query.features import features_of
from pointsman.query.forecasting import Forecasts, Sample
from pointsman.query.outcomes import Floats, Ints
from pointsman.query.promise import Promise
from pointsman.query.reading import read_outcomes

__all__ = ["Configuration", "Effort", "Measured", "configurations", "main", "measure", "run"]

QUALITY, CONFIDENCE = 0.99, 0.95
TARGET = 0.15
_QUICK_REQUESTS, _QUICK_QUALITY = 60, 0.9
_QUICK_ARMS = (
    "embedded/small?mode=direct",
    "embedded/large?mode=direct",
    REFERENCE,
    "embedded/pair?risk=0.005",
    "embedded/large?budget=0.6",
)
_RESAMPLES = 1_000
_MOST_ALL = frozenset(LEVELS)


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured, and with which promise: requests of the parts `test`, `fit` and `calibration`.

    A certificate of 0.99 at 95 % takes more requests than learning does: of 1,600 different ones at most four may be
    lost, so that where chance has drawn seven, nothing that saves much passes.
    """

    num_requests: int = 2_000
    num_learning: int = 2_000
    num_calibration: int = 4_000
    quality: float = QUALITY
    arms: tuple[str, ...] | None = None

    @classmethod
    def quick(cls) -> Effort:
        """So few requests that 0.9 is all that can be promised."""
        return cls(_QUICK_REQUESTS, _QUICK_REQUESTS, _QUICK_REQUESTS, _QUICK_QUALITY, _QUICK_ARMS)


@dataclass(frozen=True, slots=True)
class Configuration:
    """Levels that are on. `name`: `all`, `only.LEVEL` or `without.LEVEL`."""

    name: str
    levels: frozenset[str]


@dataclass(frozen=True, slots=True)
class Measured:
    """A configuration on the test requests."""

    configuration: Configuration
    certified: Certified
    found: Replayed
    arms: Ints
    num_outside: int


def configurations() -> list[Configuration]:
    """All levels, each alone, each left out."""
    alone = [Configuration(f"only.{level}", frozenset({level})) for level in LEVELS]
    without = [Configuration(f"without.{level}", _MOST_ALL - {level}) for level in LEVELS]
    return [Configuration("all", _MOST_ALL), *alone, *without]


def main(effort: Effort, *, quick: bool, seed: int, keep: Path | None, examples: Path, plot: Path | None) -> None:
    """Measures with progress on stderr and prints the report."""
    with tempfile.TemporaryDirectory() as folder:
        report = run(effort, seed, keep or Path(folder), examples, plot, quick=quick)
    sys.stdout.write(report.text())


def run(effort: Effort, seed: int, folder: Path, examples: Path, plot: Path | None, *, quick: bool) -> Report:
    """The report, from tables in `folder`, which are collected where they lack something."""
    folder.mkdir(parents=True, exist_ok=True)
    report = Report("all-levels", seed, quick)
    promise = Promise.of_quality(effort.quality, CONFIDENCE)
    parts = _parts(effort, seed, folder, examples)
    report.data = {f"{name}.jsonl": sha256_of(folder / f"{name}.jsonl") for name in PARTS}
    fit, calibration, test = _forecast(parts, seed)
    measured = [measure(one, fit, calibration, test, promise) for one in configurations()]
    _add(report, measured, test, promise, seed)
    if plot is not None:
        from pointsman.bench.levels_picture import draw

        draw(_points(measured, test), plot)
    return report


# -- tables ------------------------------------------------------------------------------------------------------------


def _parts(effort: Effort, seed: int, folder: Path, examples: Path) -> dict[PartName, Part]:
    """Every table, collected where it is not there."""
    made: list[Router] = []
    counts = {"test": effort.num_requests, "fit": effort.num_learning, "calibration": effort.num_calibration}
    traffic = {name: draw_traffic(counts[name], name, seed) for name in PARTS}
    questions = {name: questions_of(traffic[name]) for name in PARTS}
    arms = embedded_arms(effort.arms)
    for name in PARTS:
        with progress(f"{name}: arms", len(questions[name])) as tick:
            collect(folder / f"{name}.jsonl", questions[name], arms, f"{name}-{seed}", tick)

    def router() -> Router:
        if not made:
            with progress("certifying routes", 1) as tick:
                made.append(prepare_router(folder, examples, questions["fit"], lambda _: tick(0)))
        return made[0]

    return {name: _part(folder, name, traffic[name], questions[name], router) for name in PARTS}


def _part(
    folder: Path, name: str, traffic: Sequence[Asked], questions: Sequence[Question], router: Callable[[], Router]
) -> Part:
    with progress(f"{name}: programs", len(questions)) as tick:
        said: dict[str, Said] = said_of(folder / f"said-{name}.jsonl", [one.text for one in questions], router, tick)
    path = folder / f"{name}.jsonl"
    outcomes = read_outcomes([path], kind="moved_bytes").outcomes
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    if [line["id"] for line in lines] != list(outcomes.ids):
        raise BadRequest(f"{path} has rows that an arm has not answered; remove it", code="bad_outcomes")
    finals = [[line["outcomes"][arm]["ans"] for arm in outcomes.names] for line in lines]
    rows = {text: number for number, text in enumerate(outcomes.texts)}
    return Part(traffic, {one.text: one for one in questions}, outcomes, finals, rows, said)


def _forecast(parts: dict[PartName, Part], seed: int) -> tuple[Known, Known, Known]:
    """Forecasts of each table, made by what has not seen its outcomes."""
    fit, calibration, test = (parts[name] for name in PARTS)
    fitted, held_out = Joint().fit_held_out(Sample(fit.outcomes, features_of(fit.outcomes.texts)), seed)

    def forecast(part: Part) -> Forecasts:
        return fitted.forecast(features_of(part.outcomes.texts), part.outcomes.prompt_tokens)

    return Known(fit, held_out), Known(calibration, forecast(calibration)), Known(test, forecast(test))


# -- measuring ---------------------------------------------------------------------------------------------------------


def measure(one: Configuration, fit: Known, calibration: Known, test: Known, promise: Promise) -> Measured:
    """Certifies a configuration, and runs it on the test requests. Without a certificate the reference arm answers."""
    found = certified(fit, calibration, one.levels, promise)
    levels = one.levels if found.candidate is not None else frozenset[str]()
    reference = test.part.outcomes.names.index(REFERENCE)
    arms = np.full(len(test.part.outcomes), reference, dtype=np.int64)
    if found.candidate is not None:
        arms = arms_of(test, levels, found.candidate)
    replayed = replay(walk(test.part, levels, arms), test.part, arms, reference)
    novel = test.forecasts.novelty > MOST_NOVEL
    num_outside = int((novel & (arms != reference)).sum()) if found.candidate and found.candidate.setting else 0
    return Measured(one, found, replayed, arms, num_outside)


def _reference(part: Part) -> tuple[Floats, Floats]:
    """(N,) right, and bytes, of the reference arm on everything."""
    rows = [part.rows[asked.text] for asked in part.traffic]
    reference = part.outcomes.names.index(REFERENCE)
    return part.outcomes.right[rows, reference], part.outcomes.nano_usd[rows, reference]


def _ratio(
    ours: Floats, theirs: Floats, seed: int, at_most: float | None = None, at_least: float | None = None
) -> Figure:
    """Of the sums, with the bootstrap interval over requests."""
    rng, count = np.random.default_rng(seed), len(ours)
    drawn = rng.integers(0, count, (_RESAMPLES, count))
    ratios = ours[drawn].sum(1) / np.maximum(theirs[drawn].sum(1), 1e-9)
    low, high = (float(value) for value in np.quantile(ratios, (0.025, 0.975)))
    value = float(ours.sum() / max(float(theirs.sum()), 1e-9))
    return Figure(value, "ratio", count, low, high, at_most, at_least)


def _add(report: Report, measured: Sequence[Measured], test: Known, promise: Promise, seed: int) -> None:
    right, moved = _reference(test.part)
    whole = measured[0]
    at_most = TARGET if promise.kept == QUALITY else None
    report.figures["cost_over_large"] = _ratio(whole.found.total, moved, seed, at_most)
    report.figures["quality_over_large"] = _ratio(whole.found.right, right, seed, at_least=promise.kept)
    is_certified = whole.certified.candidate is not None
    reason = f"nothing passed on {len(right)} requests"
    report.figures["certified_quality"] = (
        Figure(promise.kept, "share", len(right), at_least=promise.kept) if is_certified else absent("share", reason)
    )
    report.figures["credited_quality"] = _ratio(whole.found.credit, right, seed, at_least=promise.kept)
    trained = np.array([asked.task in FAMILIES for asked in test.part.traffic])
    report.figures["cost_over_large.trained_for"] = _ratio(whole.found.total[trained], moved[trained], seed)
    report.figures["quality_over_large.trained_for"] = _ratio(whole.found.right[trained], right[trained], seed)
    report.figures["kept_of_large"] = _ratio(whole.found.right * right, right, seed)
    wrong, num = whole.found.wrong_semantic
    report.figures["wrong_semantic_hit_rate"] = (
        Figure(wrong / num, "share", num) if num else absent("share", "no answer came from semantic memory")
    )
    report.figures["outside_certificate"] = Figure(whole.num_outside, "requests", len(right), at_most=0)
    for one in measured[1:]:
        report.figures[f"cost_over_large.{one.configuration.name}"] = _ratio(one.found.total, moved, seed)
        report.figures[f"quality_over_large.{one.configuration.name}"] = _ratio(one.found.right, right, seed)
    report.curves["configurations"] = _points(measured, test)
    _tell(report, measured, test)


def _points(measured: Sequence[Measured], test: Known) -> list[dict[str, object]]:
    right, moved = _reference(test.part)
    points: list[dict[str, object]] = [{"name": "large", "cost": 1.0, "quality": 1.0, "certified": True}]
    for one in measured:
        cost = round(float(one.found.total.sum() / moved.sum()), 4)
        quality = round(float(one.found.right.sum() / max(right.sum(), 1)), 4)
        is_certified = one.certified.candidate is not None
        points.append({"name": one.configuration.name, "cost": cost, "quality": quality, "certified": is_certified})
    return points


def _tell(report: Report, measured: Sequence[Measured], test: Known) -> None:
    """Lines for people: where bytes go, what becomes of each kind of request, which arms answer."""
    right, moved = _reference(test.part)
    told, total = report.details.append, moved.sum()
    told(f"{len(right):,} requests; large with steps: right {right.mean():.3f}, {moved.mean() / 1e6:.1f} MB each")
    told(f"{'configuration':18} {'cost':>6} {'right':>6} {'kept':>6} passed  bytes by track, share of large's")
    for one in measured:
        found = one.found
        shares = found.moved.sum(0) / total
        by_track = ", ".join(f"{name} {share:.4f}" for name, share in zip(TRACKS, shares, strict=True) if share)
        kept = (found.right * right).sum() / max(right.sum(), 1)
        told(
            f"{one.configuration.name:18} {found.total.sum() / total:6.3f} {found.right.mean():6.3f} {kept:6.3f} "
            f"{one.certified.num_passed}/{one.certified.num_tested:<5} {by_track}"
        )
    whole = measured[0]
    kinds = [(asked.kind, asked.task) for asked in test.part.traffic]
    groups = sorted({("kind", kind) for kind, _ in kinds} | {("task", task) for _, task in kinds})
    for name, group in groups:
        inside = np.array([group == (kind if name == "kind" else task) for kind, task in kinds])
        cost = whole.found.total[inside].sum() / moved[inside].sum()
        share, ours = moved[inside].sum() / total, whole.found.right[inside].mean()
        told(
            f"{name} {group:14} n {inside.sum():5}: cost {cost:.3f} of large's, which is {share:.3f} of all; "
            f"right {ours:.3f}, large {right[inside].mean():.3f}"
        )
    answered = sorted(zip(whole.found.by_arm, test.part.outcomes.names, strict=True), reverse=True)
    told("model arms: " + ", ".join(f"{name} {count}" for count, name in answered if count))
    answers = {kind: whole.found.kinds.count(kind) for kind in sorted(set(whole.found.kinds))}
    told("requests by what answered: " + ", ".join(f"{kind} {count}" for kind, count in answers.items()))
