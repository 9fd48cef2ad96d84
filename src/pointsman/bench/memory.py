"""``pointsman bench memory``: answers from memory; how many, how many wrong, how fast, at what share of a budget.

All traffic is generated (`query/memory/traffic.py`), with answers computed by code, on seeds that nothing was chosen
on; policies see the same requests in the same order. Not measured: traffic of people, and models whose answers to one
question differ in wording.
"""

from __future__ import annotations

import random
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from pointsman.bench.memory_runs import BUDGET, DELTA, PRICES, RIVALS, Ran, SharePoint, run_policy, run_share
from pointsman.bench.report import Figure, Report, absent, quantile_figure
from pointsman.core import Unverified
from pointsman.core.ngrams import ngrams
from pointsman.core.risk import upper_bound
from pointsman.query.memory import Settings, ShareController
from pointsman.query.memory.certificate import Certificate
from pointsman.query.memory.nearest import DIMENSION, Rows, vector_of
from pointsman.query.memory.pooled import Pooled
from pointsman.query.memory.questions import draw_meaning
from pointsman.query.memory.semantic import Semantic
from pointsman.query.memory.traffic import Traffic, adversarial, asked, mixed

__all__ = ["main"]

_LOOSE: Final = 0.05  # the other bound that is tried without guards
_SEEDS_FROM: Final = 7_000  # those below were used while this was written


def main(quick: bool, seed: int, plot: Path | None = None) -> None:
    """Prints tables, figures, and one JSON line. Raises Unverified `wrong_answer`."""
    report = Report("memory", seed, quick)
    _check_nearest(report.seed)
    _policies(report, 8_000 if quick else 15_000)
    _share(report, 4_000 if quick else 12_000, plot)
    _speed(report, (1_000, 10_000) if quick else (1_000, 10_000, 100_000))
    report.figures = dict(sorted(report.figures.items(), key=lambda item: "." in item[0]))  # rivals behind ours
    sys.stdout.write(report.text())


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _check_nearest(seed: int) -> None:
    """The matrix against a plain double loop."""
    rng = random.Random(f"check/{seed}")  # noqa: S311
    texts = [_text(rng) for _ in range(100)]
    rows, query = Rows(), ngrams(texts[0], DIMENSION)
    for entry, text in enumerate(texts[1:], 1):
        rows.add(entry, vector_of(text))
    best = max(sum(query.get(i, 0) * w for i, w in ngrams(text, DIMENSION).items()) for text in texts[1:])
    ((_, found),) = rows.nearest(vector_of(texts[0]), 1)
    if abs(best - found) > 1e-5:
        raise Unverified(f"the nearest text has cosine {best:.6f}, the index says {found:.6f}", code="wrong_answer")


def _text(rng: random.Random) -> str:
    meaning = draw_meaning(rng)
    return meaning.worded(rng.randrange(len(meaning.family.wordings)))


def _policies(report: Report, num_requests: int) -> None:
    """Ours and rivals, with guards and without, on usual and on adversarial traffic."""
    runs: dict[str, list[Ran]] = {}
    for name, traffic in (("mixed", mixed(num_requests)), ("adversarial", adversarial(num_requests))):
        for guards in (True, False):
            for policy, ran in _runs(traffic, guards, report):
                _enter(report, f"{policy}.{name}.{'guards' if guards else 'no_guards'}", ran)
                runs.setdefault(f"{policy}.{guards}", []).append(ran)
    for key, end, bound in (
        ("ours.True", "", DELTA), ("ours.False", "_no_guards", DELTA), ("ours_loose.False", "_no_guards_loose", _LOOSE)
    ):  # fmt: skip
        hits, wrong = sum(ran.hits for ran in runs[key]), sum(ran.wrong_hits for ran in runs[key])
        report.figures[f"wrong_semantic_hit_rate{end}"] = _wrong_rate(wrong, hits, bound)
    usual = runs["ours.True"][0]
    report.figures["hit_rate_exact"] = _rate(usual.reasons["exact_hit"], usual.num_requests)
    report.figures["hit_rate_semantic"] = _rate(usual.hits, usual.num_requests)
    report.figures["hit_rate_semantic_ceiling"] = _rate(usual.possible, usual.num_requests)


def _runs(traffic: Traffic, guards: bool, report: Report) -> list[tuple[str, Ran]]:
    requests = list(asked(traffic, _SEEDS_FROM + report.seed))
    settings = Settings(has_guards=guards, delta=DELTA, seed=report.seed)
    found = [("ours", run_policy(requests, settings))]
    if not guards:  # where less is answered, a looser bound shows more of it
        found.append(("ours_loose", run_policy(requests, replace(settings, delta=_LOOSE))))
    rivals = {name: make for name, make in RIVALS.items() if not report.quick or name in ("vcache", "static_90")}
    for name, make in rivals.items():
        _say(f"policies: {name}, guards {guards}")
        found.append((name, run_policy(requests, settings, make)))
    return found


def _enter(report: Report, name: str, ran: Ran) -> None:
    report.details.append(
        f"{name}: exact {ran.reasons['exact_hit'] / ran.num_requests:.3f}, semantic {ran.hits / ran.num_requests:.4f} "
        f"(of {ran.possible / ran.num_requests:.4f} possible), wrong {ran.wrong_hits} of {ran.hits}"
    )
    if not name.startswith("ours"):
        report.figures[f"wrong_semantic_hit_rate.{name}"] = _wrong_rate(ran.wrong_hits, ran.hits)
    report.figures[f"hit_rate_semantic.{name}"] = _rate(ran.hits, ran.num_requests)


def _wrong_rate(wrong: int, hits: int, at_most: float | None = None) -> Figure:
    if not hits:
        return absent("share", "nothing was answered from semantic memory", at_most)
    low = 1 - upper_bound(hits - wrong, hits, 0.975)
    return Figure(wrong / hits, "share", hits, low, upper_bound(wrong, hits, 0.975), at_most)


def _rate(count: int, total: int) -> Figure:
    return Figure(
        count / total, "share", total, 1 - upper_bound(total - count, total, 0.975), upper_bound(count, total, 0.975)
    )


def _share(report: Report, num_requests: int, plot: Path | None) -> None:
    """The controller watches the first half at the full share; every share is run, and counted on the second half."""
    requests = list(asked(mixed(num_requests), _SEEDS_FROM + 1 + report.seed))
    controller = ShareController(BUDGET, PRICES)
    full = run_share(requests, 1.0, controller)
    grid = [step / 10 for step in range(10)] if not report.quick else [0.0, 0.2, 0.4, 0.6, 0.8]
    points = [*(run_share(requests, share) for share in grid), full]
    chosen = controller.best()
    _say(f"share: {chosen}")
    found = next((point for point in points if point.share == chosen), None) or run_share(requests, chosen)
    least = min(points, key=lambda point: point.nano_usd)
    report.figures["memory_share"] = Figure(chosen, "share", num_requests // 2)
    report.figures["memory_share_regret"] = Figure(
        max(found.nano_usd / least.nano_usd - 1, 0.0), "share", num_requests - num_requests // 2, at_most=0.05
    )
    report.figures["memory_cost_over_none"] = Figure(found.nano_usd / points[0].nano_usd, "ratio", num_requests // 2)
    predicted = dict(controller.curve())
    report.curves["cost_over_share"] = [_point(point, predicted.get(point.share)) for point in points]
    report.details += [f"share {one.share:.1f}: {one.nano_usd:,.0f} nano-dollars a request" for one in points]
    if plot is not None:
        _draw(points, list(predicted.items()), found, plot)


def _point(point: SharePoint, predicted: float | None) -> dict[str, float | None]:
    return {
        "share": point.share,
        "nano_usd": round(point.nano_usd),
        "predicted_nano_usd": None if predicted is None else round(predicted),
        "hit_rate": round(point.hit_rate, 4),
    }


def _draw(points: list[SharePoint], predicted: list[tuple[float, float]], chosen: SharePoint, path: Path) -> None:
    from pointsman.bench.plotting import canvas, save

    figure = canvas(5.0, 3.4)
    axis = figure.subplots()
    axis.plot([p.share for p in points], [p.nano_usd / 1_000 for p in points], marker="o", label="measured")
    axis.plot([x for x, _ in predicted], [y / 1_000 for _, y in predicted], "--", label="replayed from the first half")
    axis.plot([chosen.share], [chosen.nano_usd / 1_000], "*", markersize=14, label="chosen")
    axis.set_xlabel("share of the budget given to memory")
    axis.set_ylabel("micro-dollars a request, memory included")
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    save(figure, path)


def _speed(report: Report, sizes: tuple[int, ...]) -> None:
    """Milliseconds of a semantic lookup that finds something, with guards and without."""
    rng = random.Random(f"speed/{report.seed}")  # noqa: S311
    indexes = {guards: Semantic(Pooled(Certificate(DELTA)), guards) for guards in (True, False)}
    floor_gb_per_s = _read_gb_per_s()
    for size in sizes:
        _say(f"lookups: {size:,} entries")
        for guards, index in indexes.items():
            while len(index) < size:
                index.add(len(index), b"", _text(rng))
            times = _lookup_ms(index, rng, 200)
            end = "" if guards else "_no_guards"
            report.figures[f"lookup_p50_ms_{size}{end}"] = quantile_figure(times, 0.5, "ms", seed=report.seed)
            report.figures[f"lookup_p99_ms_{size}{end}"] = quantile_figure(times, 0.99, "ms", seed=report.seed)
        read = size * DIMENSION * 4
        report.details.append(
            f"lookup without guards reads {read / 1e6:.0f} MB of {size:,} entries: "
            f"{read / floor_gb_per_s / 1e6:.2f} ms at {floor_gb_per_s:.1f} GB/s of one dot product, which is the floor"
        )


def _read_gb_per_s() -> float:
    """How fast numpy reads float32: the best of five dot products over 100 MB."""
    values, seconds = np.ones(25_000_000, np.float32), []
    for _ in range(5):
        start = time.perf_counter()
        np.dot(values, values)
        seconds.append(time.perf_counter() - start)
    return values.nbytes / min(seconds) / 1e9


def _lookup_ms(index: Semantic, rng: random.Random, rounds: int) -> list[float]:
    times: list[float] = []
    while len(times) < rounds:
        text, start = _text(rng), time.perf_counter()
        if index.look(b"", text) is not None:
            times.append((time.perf_counter() - start) * 1e3)
    return times
