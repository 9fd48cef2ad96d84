"""``pointsman bench unit``: the unit level on three models, against every published way, each fitted here.

What is fitted is kept in a folder, and so is what one commit measured of each model: a bench that was interrupted goes
on with it. Times of fitting are those of when it was done. Nothing that is measured on chose or taught anything.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from pointsman.bench.report import Figure, Report, absent, interval, sha256_of
from pointsman.bench.unit_cases import Case, books_case, embedded_case, stories_case
from pointsman.bench.unit_controls import SAVED, forecast_gains, keys_and_values, one_model, taught_static_units
from pointsman.bench.unit_curves import OURS, all_settings, chosen_path, measure_all, points, ratio_at, told
from pointsman.bench.unit_fits import ours, rival
from pointsman.bench.unit_loop import measure_loop
from pointsman.embedded.pair import model_folder
from pointsman.embedded.tasks import draw_tasks
from pointsman.engine import Sampling, generate, load_model
from pointsman.unit import Curve, Measured, Prices, generate_drafted, load_router, routed_at, tariff
from pointsman.unit.dial import RATES
from pointsman.unit.rivals.published import KINDS, Kind

__all__ = ["main"]

CLOSED, BEHIND = "closed forms only", "pointsman, a token behind"
BUDGETS = (0.75, 0.6)
_TARGETS = {0.25: 1.03, 0.4: 1.10}
_LOSSLESS_BUDGET = 0.6


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

        cases = [embedded_case(quick, seed)]
        if not quick and stories is not None:
            report.data["stories"] = sha256_of(stories)
            cases.append(stories_case(stories, seed))
        if not quick and books:
            report.data |= {path.name: sha256_of(path) for path in books}
            cases.append(books_case(books, folder / "books-model", tell))
        for case in cases:
            _add_case(report, case, folder / case.name, quick, tell)
        for name in {"embedded", "stories", "books"} - {case.name for case in cases}:
            for saved in SAVED:
                reason = "needs --stories or --books, and is not part of --quick"
                key = f"ppl_over_dense_{saved * 100:.0f}.{name}"
                report.figures[key] = absent("ratio", reason, _TARGETS[saved])
        tell("wall clock of half a billion parameters")
        measure_loop(report, quick, seed)
        tell("texts that the model drafts for itself")
        _lossless(report, folder / "embedded", 10 if quick else 500, seed)
    sys.stdout.write(report.text())


@dataclass(frozen=True, slots=True)
class _Kept:
    """What was found of one model, and what it depends on."""

    told: str
    figures: dict[str, Figure]
    curves: dict[str, list[dict[str, Any]]]
    details: list[str]


def _add_case(report: Report, case: Case, folder: Path, quick: bool, tell: Callable[[str], None]) -> None:
    """Adds what this commit has found before of the same texts, or measures it now; a dirty copy measures anew."""
    told = f"{report.commit} {quick} {report.seed} {case.learned.fingerprint} {case.texts.fingerprint}"
    path, is_clean = folder / "measured.json", report.commit is not None and not report.commit.endswith("-dirty")
    kept = _read(path)
    if is_clean and kept is not None and kept.told == told:
        _add(report, kept)
        return
    own = replace(report, figures={}, curves={}, details=[])
    _measure_case(own, case, folder, quick, tell)
    kept = _Kept(told, own.figures, own.curves, own.details)
    path.write_bytes(msgspec.json.encode(kept))
    _add(report, kept)


def _read(path: Path) -> _Kept | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Kept)
    except (FileNotFoundError, msgspec.DecodeError):  # absent, or cut off
        return None


def _add(report: Report, kept: _Kept) -> None:
    report.figures |= kept.figures
    report.curves |= kept.curves
    report.details += kept.details


def _measure_case(report: Report, case: Case, folder: Path, quick: bool, tell: Callable[[str], None]) -> None:
    decoder, every = case.model.decoder.requires_grad_(False), 4 if quick else 1

    def say(what: str) -> None:
        tell(f"{case.name}: {what}")

    router, card = ours(case, folder / "ours", say)
    closed, closed_card = ours(case, folder / "closed", say, begun_from=folder / "ours", steps=0)
    seconds = {}
    for kind in KINDS:
        for budget in BUDGETS[: 1 if quick else None]:
            seconds[kind, budget] = rival(case, kind, budget, folder, say)
            if kind == "skipgpt" and case.name == "embedded":
                rival(case, kind, budget, folder, say, lora=True)
    path = chosen_path(decoder, router, case.kept, say)
    settings = all_settings(decoder, router, folder, path, every)
    prices = tariff(Prices.of(decoder), closed)
    settings += [routed_at(closed, prices, rate, CLOSED) for rate in RATES[::every]]
    prices = tariff(Prices.of(decoder), router)
    settings += [routed_at(router, prices, rate, OURS) for rate in _rates_for(card.curve)]
    settings += [routed_at(router, prices, rate, BEHIND, ahead=True) for rate in RATES[::every]]
    say("measuring")
    curves = measure_all(decoder, case.texts, settings, lambda _: None)
    for name, curve in curves.items():
        report.curves[f"{case.name}/{name}"] = points(curve)
        report.details.append(told(case.name, name, curve, SAVED, report.seed))
    for saved in SAVED:
        report.figures[f"ppl_over_dense_{saved * 100:.0f}.{case.name}"] = _ratio(report, curves[OURS], saved)
    if case.name == "embedded":
        report.figures["embedded_fit_s"] = Figure(card.seconds, "s", 1, at_most=60.0)
    _fit_times(report, case, curves, seconds, closed_card.seconds, card.seconds)
    one_model(report, case, folder, curves, say)
    forecast_gains(report, case, folder, curves, say, every)
    if not quick and case.name != "books":
        taught_static_units(report, case, router, path, say)
    if not quick and case.name == "embedded":
        keys_and_values(report, case, folder, say)


def _rates_for(curve: Curve) -> list[float]:
    """Those that a router's own curve gives for the budgets and a little around them; what it cannot reach is left out.

    Between two rates of a curve may lie a sixth of the bytes, over which a straight line is too pessimistic.
    """
    least = min(point.share for point in curve.points)
    budgets = [1 - saved + around for saved in SAVED for around in (-0.01, 0.0, 0.01)]
    return [curve.rate_for_budget(budget) for budget in budgets if budget >= least]


def _ratio(report: Report, curve: Sequence[Measured], saved: float) -> Figure:
    found = ratio_at(curve, saved, report.seed)
    if found is None:
        return absent("ratio", "the curve does not reach so far", _TARGETS[saved])
    return Figure(found[0], "ratio", len(curve[0].dense), found[1], found[2], at_most=_TARGETS[saved])


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
        closed, whole = (ratio_at(curves[name], 0.25, report.seed) for name in (CLOSED, OURS))
        key = case.key(f"fit_seconds_over_{kind}")
        if theirs is None or closed is None or whole is None:
            report.figures[key] = absent("ratio", "one of the curves does not reach so far", 0.1)
        elif closed[0] <= theirs[0]:
            report.figures[key] = Figure(closed_s / seconds[kind, 0.75], "ratio", 1, at_most=0.1)
        elif whole[0] <= theirs[0]:
            report.figures[key] = Figure(whole_s / seconds[kind, 0.75], "ratio", 1, at_most=0.1)
        else:
            report.figures[key] = absent("ratio", f"ours does not have {kind}'s perplexity", 0.1)


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
