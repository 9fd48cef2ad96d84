"""``pointsman bench unit``: the unit level on three models, against every published way, each fitted here.

What is fitted is kept in a folder, and a bench that was interrupted goes on with it; times of fitting are those
of when it was done. Nothing that is measured on chose or taught anything.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from pointsman.bench.books import TRAINING_S, book_texts, trained
from pointsman.bench.report import Figure, Report, absent, interval, sha256_of
from pointsman.bench.unit_curves import OURS, all_settings, measure_all, points, ratio_at
from pointsman.bench.unit_loop import measure_loop
from pointsman.embedded.pair import model_folder
from pointsman.embedded.tasks import draw_tasks
from pointsman.engine import LoadedModel, Sampling, generate, load_model
from pointsman.unit import (
    Card,
    Fit,
    Lessons,
    Measured,
    Prices,
    Router,
    Settings,
    Shape,
    Texts,
    default_shape,
    generate_drafted,
    generated,
    load_router,
    of_answers,
    routed_at,
    tariff,
)
from pointsman.unit.dial import RATES
from pointsman.unit.rivals.fitted import fit_published
from pointsman.unit.rivals.published import KINDS, Kind
from pointsman.unit.rivals.training import Recipe

__all__ = ["main"]

BUDGETS = (0.75, 0.6)
SAVED = (0.25, 0.4)
GAIN_SAVED = (0.25, 0.4, 0.7)
_TARGETS = {0.25: 1.03, 0.4: 1.10}
_WIDTH = 256
_LOSSLESS_BUDGET = 0.6


@dataclass(frozen=True, slots=True)
class Case:
    """A model with texts, and how long everything is trained for on it.

    Attributes:
        name: in the figures.
        model: float32.
        learned: what is fitted to.
        kept: what dials are found on.
        texts: what is measured on.
        lessons: of ours.
        recipe: of published routers.
    """

    name: str
    model: LoadedModel
    learned: Texts
    kept: Texts
    texts: Texts
    lessons: Lessons
    recipe: Recipe


class _Quiet:
    """A fit's progress as one line of the bench's."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell, self._stage, self._done, self._total = tell, "", 0, 0

    def begin(self, what: str, total: int) -> None:
        self._stage, self._done, self._total = what, 0, total

    def advance(self, done: int, told: str) -> None:
        self._done += done
        self._tell(f"{self._stage} {self._done} of {self._total}")


def main(quick: bool, seed: int, folder: Path, stories: Path | None, books: Sequence[Path]) -> None:
    """Fits and measures everything that can be, with progress on stderr, and prints the report.

    Args:
        quick: the embedded model only, few steps.
        seed: of texts and intervals.
        folder: where what is fitted is kept.
        stories: `stories260K.bin`, or None.
        books: text files to train a model of, or none.
    """
    report = Report("unit", seed, quick)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        bar = shown.add_task("", total=None)

        def tell(what: str) -> None:
            shown.update(bar, description=what[:70].ljust(70))

        cases = [_embedded(quick, seed)]
        if not quick and stories is not None:
            report.data["stories"] = sha256_of(stories)
            cases.append(_stories(stories, seed))
        if not quick and books:
            report.data |= {path.name: sha256_of(path) for path in books}
            cases.append(_books(books, folder / "books-model", tell))
        for case in cases:
            _measure_case(report, case, folder / case.name, quick, tell)
        for name in {"embedded", "stories", "books"} - {case.name for case in cases}:
            for saved in SAVED:
                reason = "needs --stories or --books, and is not part of --quick"
                key = f"ppl_over_dense_{saved * 100:.0f}.{name}"
                report.figures[key] = absent("ratio", reason, _TARGETS[saved])
        tell("wall clock of half a billion parameters")
        measure_loop(report, quick, seed)
        tell("texts that the model drafts for itself")
        _lossless(report, folder / "embedded", 40 if quick else 500, seed)
    sys.stdout.write(report.text())


def _embedded(quick: bool, seed: int) -> Case:
    model = load_model(str(model_folder("large")), dtype="float32")

    def texts(count: int, split: str, seed: int) -> Texts:
        tasks = draw_tasks(model, count, split, seed)  # type: ignore[arg-type]  # one of two
        return of_answers([task.prompt for task in tasks], [task.reference for task in tasks], _WIDTH)

    sizes = (1200, 80, 120) if quick else (4000, 400, 800)
    lessons = Lessons(steps=20) if quick else Lessons()
    recipe = Recipe(steps=10, forecaster_steps=10) if quick else Recipe()
    parts = (texts(sizes[0], "train", seed), texts(sizes[1], "test", seed + 1), texts(sizes[2], "test", seed + 2))
    return Case("embedded", model, *parts, lessons, recipe)


def _stories(path: Path, seed: int) -> Case:
    model = load_model(str(path), dtype="float32")
    learned, kept, texts = (
        generated(model, count, _WIDTH, seed + 10_000 * index) for index, count in enumerate((1000, 60, 200))
    )
    return Case("stories", model, learned, kept, texts, Lessons(steps=400, num_rows=16), Recipe())


def _books(paths: Sequence[Path], folder: Path, tell: Callable[[str], None]) -> Case:
    def progress(share: float, told: str) -> None:
        tell(f"training a model of books: {share:.0%}, {told}")

    model = trained(paths, folder, TRAINING_S, progress)
    learned, kept, texts = book_texts(model, paths)
    recipe = Recipe(steps=200, forecaster_steps=200, num_rows=8)
    lessons = Lessons(steps=60, num_rows=8)
    return Case("books", model, learned, kept.chosen(slice(0, 40)), texts.chosen(slice(0, 160)), lessons, recipe)


def _measure_case(report: Report, case: Case, folder: Path, quick: bool, tell: Callable[[str], None]) -> None:
    case.model.decoder.requires_grad_(False)

    def say(what: str) -> None:
        tell(f"{case.name}: {what}")

    router, card = _ours(case, folder / "ours", case.lessons, say)
    closed, closed_card = _ours(case, folder / "closed", replace(case.lessons, steps=0), say)
    seconds = {}
    for kind in KINDS:
        for budget in BUDGETS[: 1 if quick else None]:
            seconds[kind, budget] = _rival(case, kind, budget, folder, say)
    settings = all_settings(case.model.decoder, router, folder, case.kept, say, 3 if quick else 1)
    prices = tariff(Prices.of(case.model.decoder), closed)
    settings += [routed_at(closed, prices, rate, "closed forms only") for rate in RATES]
    say("measuring")
    curves = measure_all(case.model.decoder, case.texts, settings, lambda _: None)
    for name, curve in curves.items():
        report.curves[f"{case.name}/{name}"] = points(curve)
        told = ", ".join(f"{saved:.0%} saved {_told(ratio_at(curve, saved, report.seed))}" for saved in SAVED)
        report.details.append(f"{case.name}, perplexity over the model's own, {name}: {told}")
    for saved in SAVED:
        report.figures[f"ppl_over_dense_{saved * 100:.0f}.{case.name}"] = _ratio(report, curves[OURS], saved)
    if case.name == "embedded":
        limit = 60.0
        report.figures["embedded_fit_s"] = Figure(card.seconds, "s", 1, at_most=limit)
    _fit_times(report, case, curves, seconds, closed_card.seconds, card.seconds)
    _one_model(report, case, folder, curves, say)
    _gains(report, case, folder, curves, say)


def _ours(
    case: Case, folder: Path, lessons: Lessons, say: Callable[[str], None], shape: Shape | None = None
) -> tuple[Router, Card]:
    settings = Settings(f"bench, {case.name}", shape or default_shape(case.model.config), lessons)
    fit = Fit(case.model.decoder, case.learned, case.kept, settings, folder, _Quiet(lambda what: say(f"ours, {what}")))
    fit.run()
    return load_router(folder, case.model.decoder)


def _rival(case: Case, kind: Kind, budget: float, folder: Path, say: Callable[[str], None]) -> float:
    """Seconds of training, which are kept beside what was trained."""
    path = folder / "rivals" / f"{kind}-{budget:g}.seconds"
    if path.exists():
        return float(path.read_text())
    begun = time.perf_counter()
    fit_published(
        kind,
        case.model.decoder,
        case.learned,
        case.kept,
        budget,
        folder,
        case.recipe,
        lambda step: say(f"{kind} for {budget:g}, step {step}"),
    )
    seconds = time.perf_counter() - begun
    path.write_text(str(seconds))
    return seconds


def _ratio(report: Report, curve: Sequence[Measured], saved: float) -> Figure:
    found = ratio_at(curve, saved, report.seed)
    if found is None:
        return absent("ratio", "the curve does not reach so far", _TARGETS[saved])
    return Figure(found[0], "ratio", len(curve[0].dense), found[1], found[2], at_most=_TARGETS[saved])


def _told(found: tuple[float, float, float] | None) -> str:
    return "out of reach" if found is None else f"{found[0]:.4f} ({found[1]:.4f} to {found[2]:.4f})"


def _fit_times(
    report: Report,
    case: Case,
    curves: dict[str, list[Measured]],
    seconds: dict[tuple[Kind, float], float],
    closed_s: float,
    whole_s: float,
) -> None:
    """Ours over each rival: until ours has the perplexity that the rival has at its end, at a quarter of the bytes."""
    kinds: tuple[Kind, Kind] = ("skipgpt", "informed")
    for kind in kinds:
        theirs = ratio_at(curves[kind], 0.25, report.seed)
        closed, whole = (ratio_at(curves[name], 0.25, report.seed) for name in ("closed forms only", OURS))
        key = f"fit_seconds_over_{kind}" + ("" if case.name == "embedded" else f".{case.name}")
        if theirs is None or closed is None or whole is None:
            report.figures[key] = absent("ratio", "one of the curves does not reach so far", 0.1)
        elif closed[0] <= theirs[0]:
            report.figures[key] = Figure(closed_s / seconds[kind, 0.75], "ratio", 1, at_most=0.1)
        elif whole[0] <= theirs[0]:
            report.figures[key] = Figure(whole_s / seconds[kind, 0.75], "ratio", 1, at_most=0.1)
        else:
            report.figures[key] = absent("ratio", f"ours does not have {kind}'s perplexity", 0.1)


def _one_model(
    report: Report, case: Case, folder: Path, curves: dict[str, list[Measured]], say: Callable[[str], None]
) -> None:
    """How much worse one router is, at its worst budget, than one of the same lessons at that budget's rates alone."""
    worst: Figure | None = None
    for saved in SAVED:
        near = min(curves[OURS], key=lambda one: abs(1 - one.moved_share - saved))
        lessons = replace(case.lessons, rates=(near.dial / 1.5, near.dial * 1.5))
        router, _ = _ours(case, folder / f"only-{saved:g}", lessons, say)
        prices = tariff(Prices.of(case.model.decoder), router)
        rates = [near.dial * factor for factor in (0.5, 0.7, 1.0, 1.4, 2.0)]
        only = measure_all(
            case.model.decoder, case.texts, [routed_at(router, prices, rate, "only") for rate in rates], lambda _: None
        )["only"]
        found = _excess(curves[OURS], only, saved, report.seed)
        if found is not None and (worst is None or (found.value or 0) > (worst.value or 0)):
            worst = found
    key = "one_model_worst_excess" + ("" if case.name == "embedded" else f".{case.name}")
    report.figures[key] = worst or absent("share", "no curve reaches a budget", 0.0)


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


def _gains(
    report: Report, case: Case, folder: Path, curves: dict[str, list[Measured]], say: Callable[[str], None]
) -> None:
    """Perplexity without forecasts over ours, at equal bytes: the same lessons, but units are left out."""
    lessons = replace(case.lessons, forecasts=False)
    shape = Shape(default_shape(case.model.config).rank, (0,))
    router, _ = _ours(case, folder / "blind", lessons, say, shape)
    prices = tariff(Prices.of(case.model.decoder), router, forecasts=False)
    settings = [routed_at(router, prices, rate, "blind", forecasts=False) for rate in RATES]
    blind = measure_all(case.model.decoder, case.texts, settings, lambda _: None)["blind"]
    report.curves[f"{case.name}/no forecasts"] = points(blind)
    for saved in GAIN_SAVED:
        key = f"informed_gain_{saved * 100:.0f}" + ("" if case.name == "embedded" else f".{case.name}")
        mine, theirs = ratio_at(curves[OURS], saved, report.seed), ratio_at(blind, saved, report.seed)
        if mine is None or theirs is None:
            report.figures[key] = absent("ratio", f"{'ours' if mine is None else 'without'} does not reach so far")
        else:
            ends = theirs[1] / mine[2], theirs[2] / mine[1]
            report.figures[key] = Figure(theirs[0] / mine[0], "ratio", len(case.texts), *ends)


def _lossless(report: Report, folder: Path, count: int, seed: int) -> None:
    """Texts that the model drafts for itself against its own, on problems that nothing else saw."""
    model = load_model(str(model_folder("large")))
    router, card = load_router(folder / "ours", model.decoder)
    rate = card.curve.rate_for_budget(_LOSSLESS_BUDGET)
    prompts = [task.prompt for task in draw_tasks(model, count, "test", seed + 3)]
    generate(model, prompts[:2])
    generate_drafted(model, router, rate, prompts[:2])
    times, differing = [], 0
    for prompt in prompts:
        begun = time.perf_counter()
        (plain,) = generate(model, [prompt], Sampling())
        middle = time.perf_counter()
        (drafted,) = generate_drafted(model, router, rate, [prompt])
        times.append((time.perf_counter() - middle) / (middle - begun))
        longest = max(len(plain.tokens), len(drafted.tokens))
        same = sum(a == b for a, b in zip(plain.tokens, drafted.tokens, strict=False))
        differing += longest - same
    report.figures["lossless_differing_tokens"] = Figure(differing, "tokens", len(prompts), at_most=0)
    low, high = interval(times, seed=seed)
    ordered = sorted(times)
    report.figures["lossless_seconds_over_dense"] = Figure(ordered[len(ordered) // 2], "ratio", len(times), low, high)
