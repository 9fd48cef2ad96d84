"""``pointsman evaluate unit``: one fitted router and its rivals over texts that none of them has seen."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pointsman.bench.report import Figure, Report
from pointsman.bench.unit_curves import (
    OURS,
    OURS_BY_MS,
    all_settings,
    chosen_path,
    measure_all,
    points,
    ratio_at,
    write_csv,
)
from pointsman.bench.unit_picture import draw
from pointsman.engine import LoadedModel, Session
from pointsman.unit import Measured, Prices, Router, Routing, Texts, timed_prices

__all__ = ["evaluate", "milliseconds"]

SAVED = (0.25, 0.4)
_TIMED_TOKENS, _ROUNDS = 64, 5


def evaluate(
    model: LoadedModel,
    router: Router,
    folder: Path,
    texts: Texts,
    kept: Texts,
    *,
    seed: int,
    every: int,
    plot: Path | None,
    csv: Path | None,
) -> None:
    """Measures everything, with progress on stderr, and prints the report.

    Args:
        model: whose forecasters they are, float32.
        router: of `load_router`.
        folder: where rivals may have been fitted.
        texts: what is measured on.
        kept: what controls are chosen on.
        seed: of intervals.
        every: takes every so-manieth rate; 1 for all.
        plot: where curves and heat map are drawn.
        csv: where points are written.
    """
    report = Report("evaluate-unit", seed, every > 1)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        bar = shown.add_task("controls".ljust(40), total=None)

        def tell(what: str) -> None:
            shown.update(bar, description=what.ljust(40))

        clock = timed_prices(model.decoder, router.shape)
        path = chosen_path(model.decoder, router, kept, tell)
        settings = all_settings(model.decoder, router, folder, path, every, clock)
        shown.update(bar, description="texts times settings".ljust(40), total=len(settings) * len(texts))
        curves = measure_all(model.decoder, texts, settings, lambda done: shown.advance(bar, done), clock)
    for name, curve in curves.items():
        report.curves[name] = points(curve)
        for saved in SAVED:
            _add_ratio(report, name, curve, saved)
    report.details += _rows(curves, model, router, clock, seed)
    if csv is not None:
        write_csv(csv, curves)
    if plot is not None:
        draw(plot, curves, model, router, texts)
        report.details.append(f"drawn: {plot}")
    sys.stdout.write(report.text())


def _add_ratio(report: Report, name: str, curve: Sequence[Measured], saved: float) -> None:
    found = ratio_at(curve, saved, report.seed)
    if found is not None:
        value, low, high = found
        key = f"ppl_over_dense_{saved * 100:.0f}" + ("" if name == OURS else f".{name}")
        report.figures[key] = Figure(value, "ratio", len(curve[0].dense), low, high)


def _rows(curves: dict[str, list[Measured]], model: LoadedModel, router: Router, clock: Prices, seed: int) -> list[str]:
    """Our points with milliseconds, as the clock charges them and as decoding takes them, and what methods reach."""
    dense_ms = milliseconds(model, None)
    told = [f"of the model itself, whose token takes {dense_ms:.3f} ms at batch 1:"]
    for name, prices in ((OURS, None), (OURS_BY_MS, clock)):
        told.append(f"  {name}")
        told.append("    bytes  perplexity    nats  same token  right      ms  timed")
        for one in curves[name]:
            ms = milliseconds(model, Routing(router, one.dial, prices=prices)) / dense_ms
            told.append(
                f"    {one.moved_share:5.3f}  {one.perplexity_ratio:10.4f}  {one.mean_divergence:6.4f}  "
                f"{one.agreement:10.4f}  {one.right_share:5.3f}  {one.spent_share:6.2f}  {ms:5.2f}"
            )
    for name, curve in curves.items():
        reached = [f"{saved:.0%} saved: {_told(ratio_at(curve, saved, seed))}" for saved in SAVED]
        told.append(f"{name}: perplexity with {', '.join(reached)}")
    return told


def _told(found: tuple[float, float, float] | None) -> str:
    return "out of reach" if found is None else f"{found[0]:.4f} ({found[1]:.4f} to {found[2]:.4f})"


def milliseconds(model: LoadedModel, routing: Routing | None) -> float:
    """Of one decoded token at batch 1, behind half of what is written: the best of some rounds."""
    num_tokens = min(_TIMED_TOKENS, model.config.context_tokens // 2)
    ids, best = [index % model.config.vocab_size for index in range(num_tokens)], float("inf")
    for _ in range(_ROUNDS):
        session = Session(model.decoder, 1, 2 * num_tokens, execution=routing)
        session.extend([0], [ids])
        begun = time.perf_counter()
        for token in ids:
            session.extend([0], [[token]])
        best = min(best, (time.perf_counter() - begun) / num_tokens)
    return best * 1000
