"""``pointsman bench token``: what two models save, against every published way to mix them.

    pointsman bench token --quick

The embedded pair on held-out problems. Settings are chosen on other problems than those that are reported; ratios are
of totals over the same problems, with intervals over problems.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from pointsman.bench.report import Figure, Report, interval, mean_figure, median_figure, sha256_of
from pointsman.bench.token import describe, watched
from pointsman.bench.token_curves import (
    LARGE,
    OURS,
    Curves,
    Tick,
    cheapest,
    dominated_share,
    measure_all,
    points,
    settings_of,
)
from pointsman.bench.token_loop import measure_loop
from pointsman.embedded.pair import model_folder, router_folder
from pointsman.embedded.tasks import draw_tasks
from pointsman.engine import Sampling, generate, load_model
from pointsman.token import Pair, Task, generate_pair, load_gates
from pointsman.token.calibration import certified_dials
from pointsman.token.evaluation import MOST_TOKENS, Measured, measure, measure_alone
from pointsman.token.lineup import Dials, Gates, derived, grid, make, path

__all__ = ["main"]

_NAMES: Final = (
    *("citer", "citer-s", "citer-1", "co-llm", "r2r", "bild", "cascade", "confidence", "speculative", "specdec++"),
    "query",
    *(OURS, "pointsman by confidence", "pointsman without judge"),
)
_DOMINATED: Final = {"citer": 0.95, "r2r": 0.95, "bild": 0.95, "cascade": 0.95, "query": None}
"""Rivals, and how many of their points are to be dominated."""
_GAINS: Final = {  # what is added, over what
    "citer_over_citer_s": ("citer", "citer-s"),
    "second_iteration": ("citer", "citer-1"),
    "trained_stop": (OURS, "pointsman by confidence"),
    "judge": (OURS, "pointsman without judge"),
}
_LOOKUPS: Final = (0.9, 0.75, 0.6, 0.45, 0.3, 0.15)
"""Chances from which what was looked up is taken."""

_CERTIFIED: Final = (4000, 1)
"""Number and seed of the tasks on which the shipped dials were certified: the defaults of `fit token`."""

_EVERY_TOGETHER: Final = 3
"""Every so-manieth setting is evaluated with 16 texts at a time as well."""

_POINT: Final = 0.01
"""A point of accuracy."""

_SHARES: Final = tuple(step / 20 for step in range(2, 20))
"""Bytes, as shares of the large model alone, over which curves are averaged for a gain."""


def main(quick: bool = False, seed: int = 0) -> None:
    """Measures everything, with progress on stderr, and prints the report."""
    report = Report("token", seed, quick)
    pair = Pair(*(load_model(str(model_folder(size)), dtype="float32") for size in ("small", "large")))
    loaded = load_gates(router_folder(), pair)
    gates: Gates = {name: gate for name, (gate, _) in loaded.items()}
    figures = loaded[OURS][1].figures
    for name in sorted(gates):
        report.data[f"router/{name}"] = sha256_of(router_folder() / name / "gate.safetensors")
    num_tasks, num_chosen = (80, 80) if quick else (1000, 320)
    others = draw_tasks(pair.large, num_chosen, "test", seed + 2)
    tasks = _unseen(pair, num_tasks, seed, others)
    settings = _settings(gates, figures, quick)
    together = {name: found[::_EVERY_TOGETHER] for name, found in settings.items()}
    with watched(_num_answers(num_tasks, num_chosen, settings, together)) as tick:
        _lossless(report, pair, gates, tasks, tick)
        curves = measure_all(pair, gates, settings, tasks, 1, tick)
        report.curves = points(curves, seed)
        _dominated(report, curves)
        _gains(report, curves, seed)
        _lookup(report, pair, gates, path(*derived(figures))[1:], tasks, others, curves, tick)
        sixteen = points(measure_all(pair, gates, together, tasks, 16, tick), seed)
        report.curves |= {f"{name}, 16 at a time": found for name, found in sixteen.items()}
        _parity(report, pair, gates, certified_dials(loaded[OURS][1]), tasks, others, tick)
    measure_loop(report, quick, seed)
    report.details += describe(curves, num_tasks, 1)
    sys.stdout.write(report.text())


_Settings = Mapping[str, Sequence[Dials]]


def _settings(gates: Gates, figures: Mapping[str, float], quick: bool) -> _Settings:
    """Every so-manieth setting of each method; of ours all in a full run, since rivals' points lie between them."""
    rivals = settings_of(_NAMES, gates, figures, 4 if quick else 2)
    return {**rivals, **settings_of([OURS], gates, figures, 3 if quick else 1)}


def _num_answers(num_tasks: int, num_chosen: int, settings: _Settings, together: _Settings) -> int:
    """How many texts are written, for the bar; about right."""
    curves = 4 + sum(map(len, (*settings.values(), *together.values())))
    return num_tasks * (curves + 22 + len(_LOOKUPS)) + num_chosen * (26 + len(_LOOKUPS))


def _unseen(pair: Pair, count: int, seed: int, others: Sequence[Task]) -> list[Task]:
    """Tasks of which no prompt certified the shipped dials or chose a setting: a few short questions come up again."""
    seen = {task.prompt for task in (*draw_tasks(pair.large, _CERTIFIED[0], "test", _CERTIFIED[1]), *others)}
    drawn = draw_tasks(pair.large, 2 * count, "test", seed)
    return list({task.prompt: task for task in drawn if task.prompt not in seen}.values())[:count]


def _lossless(report: Report, pair: Pair, gates: Gates, tasks: Sequence[Task], tick: Tick) -> None:
    """Strict texts beside those of the large model alone."""
    strict = make(OURS, gates, grid(OURS)[0])
    prompts, sampling, differing = [task.prompt for task in tasks], Sampling(max_tokens=MOST_TOKENS), 0
    for start in range(0, len(prompts), 16):
        part = prompts[start : start + 16]
        alone = generate(pair.large, part, sampling, num_rows=16)
        together = generate_pair(pair, strict, part, sampling, num_rows=16)
        for one, other in zip(alone, together, strict=True):
            longest = max(len(one.tokens), len(other.tokens))
            same = sum(a == b for a, b in zip(one.tokens, other.tokens, strict=False))
            differing += longest - same
        tick("lossless", 2 * len(part))
    report.figures["lossless_differing_tokens"] = Figure(differing, "tokens", len(prompts), at_most=0)


def _dominated(report: Report, curves: Curves) -> None:
    ours = [*curves[OURS], *curves["small"]]  # leaving all texts to the small model is a setting of ours too
    for name, target in _DOMINATED.items():
        share = dominated_share(curves[name], ours)
        report.figures[f"dominated.{name}"] = Figure(share, "share", len(curves[name]), at_least=target)


def _gains(report: Report, curves: Curves, seed: int) -> None:
    """What an addition is worth: accuracy at equal bytes, on the average over bytes."""
    for label, (with_it, without) in _GAINS.items():
        report.figures[f"gain.{label}"] = _gain(curves[with_it], curves[without], curves[LARGE][0], seed)


def _gain(more: Sequence[Measured], less: Sequence[Measured], large: Measured, seed: int) -> Figure:
    everyone = range(len(large.right))

    def gain(chosen: Sequence[float]) -> float:
        indices = [int(index) for index in chosen]
        return _mean_accuracy(more, large, indices) - _mean_accuracy(less, large, indices)

    low, high = interval(everyone, gain, seed, resamples=200)  # each takes a tenth of a second
    return Figure(gain(everyone), "accuracy", len(everyone), low, high)


def _lookup(
    report: Report,
    pair: Pair,
    gates: Gates,
    settings: Sequence[Dials],
    tasks: Sequence[Task],
    others: Sequence[Task],
    curves: Curves,
    tick: Tick,
) -> None:
    """What looking up adds along our path where it is cheapest on other tasks, and its costs against its share."""

    def found(dials: Dials, lookup: float, asked: Sequence[Task]) -> Measured:
        its = {**dials, "lookup": lookup}
        return measure(pair, make(OURS, gates, its), its, asked, 1, lambda done: tick("lookup", done))

    best = min(_LOOKUPS, key=lambda lookup: found(settings[0], lookup, others).total_bytes)
    spread = settings[:: max(1, len(settings) // 4)]
    more, less = ([found(dials, lookup, tasks) for dials in spread] for lookup in (best, 1.0))
    report.figures["gain.lookup"] = _gain(more, less, curves[LARGE][0], report.seed)
    taken = [found(settings[0], lookup, tasks) for lookup in _LOOKUPS]
    report.curves |= points({LARGE: curves[LARGE], "lookup": taken}, report.seed)
    report.details.append(f"looked up from a chance on, best on other tasks from {best:g}; over looking up nothing:")
    for lookup, one in zip(_LOOKUPS, taken, strict=True):
        report.details.append(
            f"  from {lookup:<5g} {one.lookup_share:.3f} looked up, bytes {one.total_bytes / less[0].total_bytes:.3f}, "
            f"seconds {one.seconds / less[0].seconds:.3f}, calls a token {one.calls:.3f}"
        )


def _mean_accuracy(curve: Sequence[Measured], large: Measured, chosen: Sequence[int]) -> float:
    """The best accuracy within each number of bytes, averaged over them; 0 within fewer than the curve has."""
    whole = sum(large.moved_bytes[index] for index in chosen)
    found = [
        (sum(point.moved_bytes[index] for index in chosen) / whole, statistics.fmean(point.right[i] for i in chosen))
        for point in curve
    ]
    return statistics.fmean(
        max((accuracy for share, accuracy in found if share <= limit), default=0.0) for limit in _SHARES
    )


def _parity(
    report: Report,
    pair: Pair,
    gates: Gates,
    dials: Dials,
    tasks: Sequence[Task],
    others: Sequence[Task],
    tick: Tick,
) -> None:
    """Ours at its certified dials, beside rivals at settings that were chosen on other tasks."""
    chosen = {
        "co-llm": _chosen(pair, gates, "co-llm", others, lambda point: point.total_bytes, tick),
        "speculative": _chosen(pair, gates, "speculative", others, lambda point: point.seconds, tick),
    }
    quickest = _quickest(pair, gates, dials, others, tick)
    for num_rows in (1, 16):
        large = measure_alone(pair.large, tasks, num_rows, lambda done: tick(LARGE, done))
        ours = measure(pair, make(OURS, gates, dials), dials, tasks, num_rows, lambda done: tick(OURS, done))
        found = {
            name: measure(pair, make(name, gates, its), its, tasks, num_rows, lambda done: tick(name, done))  # noqa: B023
            for name, its in chosen.items()
        }
        _tell(report, num_rows, large, ours, found)
        if num_rows == 1:
            seed = report.seed
            lost = [float(theirs - mine) for theirs, mine in zip(large.right, ours.right, strict=True)]
            report.figures["accuracy_lost_at_parity"] = mean_figure(lost, "accuracy", seed=seed, at_most=_POINT)
            report.figures["bytes_over_large_at_parity"] = _ratio(ours.moved_bytes, large.moved_bytes, seed, 0.5)
            report.figures["bytes_over_co_llm_at_parity"] = _ratio(
                ours.moved_bytes, found["co-llm"].moved_bytes, seed, 0.68
            )
            _seconds(report, pair, gates, quickest, chosen["speculative"], tasks)


def _seconds(report: Report, pair: Pair, gates: Gates, ours: Dials, theirs: Dials, tasks: Sequence[Task]) -> None:
    """Ours beside speculative decoding, both in turn, since the machine's speed changes."""
    ratios = []
    for _ in range(2 if report.quick else 5):
        mine = measure(pair, make(OURS, gates, ours), ours, tasks, 1).seconds
        ratios.append(mine / measure(pair, make("speculative", gates, theirs), theirs, tasks, 1).seconds)
    report.figures["seconds_over_speculative_at_parity"] = median_figure(
        ratios, "ratio", seed=report.seed, at_most=0.75
    )


def _quickest(pair: Pair, gates: Gates, dials: Dials, tasks: Sequence[Task], tick: Tick) -> Dials:
    """The certified dials with the survival at which these tasks take the fewest seconds, as rivals' lengths are.

    The certified survival is the cheapest in bytes. A higher one checks more often, so it loses no more.
    """
    tried = [{**dials, "least_survival": max(least, dials["least_survival"])} for least in (0.0, 0.4, 0.6, 0.8)]
    return min(
        tried,
        key=lambda its: measure(pair, make(OURS, gates, its), its, tasks, 1, lambda done: tick(OURS, done)).seconds,
    )


def _chosen(
    pair: Pair, gates: Gates, name: str, tasks: Sequence[Task], cost: Callable[[Measured], float], tick: Tick
) -> Dials:
    """The cheapest setting within a point of the large model on these tasks; the most accurate one where none is."""
    large = measure_alone(pair.large, tasks, 1, lambda done: tick(LARGE, done))
    curve = [
        measure(pair, make(name, gates, dials), dials, tasks, 1, lambda done: tick(name, done)) for dials in grid(name)
    ]
    index = cheapest(curve, large.accuracy - _POINT, cost)
    best = max(range(len(curve)), key=lambda at: curve[at].accuracy) if index is None else index
    return curve[best].dials


def _ratio(ours: Sequence[int], theirs: Sequence[int], seed: int, at_most: float) -> Figure:
    """Of totals over the same tasks, with an interval over tasks."""

    def of(chosen: Sequence[float]) -> float:
        return sum(ours[int(index)] for index in chosen) / sum(theirs[int(index)] for index in chosen)

    everyone = range(len(ours))
    low, high = interval(everyone, of, seed)
    return Figure(of(everyone), "ratio", len(ours), low, high, at_most=at_most)


def _tell(report: Report, num_rows: int, large: Measured, ours: Measured, found: Mapping[str, Measured]) -> None:
    report.details.append(f"at parity, {num_rows} at a time, shares of the large model alone:")
    for name, one in {LARGE: large, OURS: ours, **found}.items():
        dials = ", ".join(f"{dial} {value:g}" for dial, value in one.dials.items())
        report.details.append(
            f"  {name:<12} right {one.accuracy:.3f}, bytes {one.total_bytes / large.total_bytes:.3f}, "
            f"operations {one.total_flops / large.total_flops:.3f}, seconds {one.seconds / large.seconds:.3f}, "
            f"by the large model {one.large_share:.3f} of the tokens; {dials}"
        )
