"""``pointsman evaluate token``: accuracy against seconds, bytes and operations, for every way to mix two models.

    pointsman evaluate token --plot token.png --csv token.csv

All methods run in one engine under one count of costs, over the same held-out tasks.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pointsman.bench.report import Report, mean_figure
from pointsman.bench.token_curves import (
    LARGE,
    OURS,
    RIVALS,
    SMALL,
    Curves,
    Tick,
    measure_all,
    points,
    settings_of,
    write_csv,
)
from pointsman.core import BadRequest
from pointsman.token import GateCard, Pair, Task, load_gates
from pointsman.token.calibration import certified_dials
from pointsman.token.label_errors import label_errors
from pointsman.token.lineup import Gates, make, require_gate

__all__ = ["describe", "evaluate", "main", "watched"]


def main(
    pair: Pair,
    router: Path,
    tasks: Sequence[Task],
    names: Sequence[str] = (),
    *,
    num_rows: int = 1,
    every: int = 1,
    seed: int = 0,
    plot: Path | None = None,
    csv: Path | None = None,
    num_labelled: int = 0,
) -> None:
    """Evaluates with progress on stderr, prints the report, and writes the files that are asked for.

    `names`: methods, or none for all whose gates are there. `num_labelled`: tasks along whose references the label
    rules are compared with exact labels. Raises BadRequest ``gate_missing`` for a named method without its gate.
    """
    loaded = load_gates(router, pair)
    gates: Gates = {name: gate for name, (gate, _) in loaded.items()}
    cards = {name: card for name, (_, card) in loaded.items()}
    for name in names:
        require_gate(name, gates)
    report = Report("token", seed, quick=every > 1)
    curves = evaluate(pair, gates, cards, tasks, names or (*RIVALS, OURS), num_rows, every)
    report.curves = points(curves, seed)
    for name in (LARGE, SMALL):
        right = [float(answer) for answer in curves[name][0].right]
        report.figures[f"{name}_accuracy"] = mean_figure(right, "share", seed=seed)
    report.details += describe(curves, len(tasks), num_rows)
    report.details += [_promised(card) for name, card in cards.items() if name == OURS]
    if num_labelled:
        report.details += labelled(pair, gates, cards, tasks[:num_labelled])
    if csv is not None:
        write_csv(curves, csv, seed)
    if plot is not None:
        from pointsman.bench.plotting import draw_costs

        draw_costs(report.curves, plot)
    sys.stdout.write(report.text())


def evaluate(
    pair: Pair,
    gates: Gates,
    cards: dict[str, GateCard],
    tasks: Sequence[Task],
    names: Sequence[str] = (*RIVALS, OURS),
    num_rows: int = 1,
    every: int = 1,
) -> Curves:
    """All curves, with progress on stderr."""
    figures = cards[OURS].figures if OURS in cards else {}
    settings = settings_of(names, gates, figures, every)
    total = len(tasks) * (2 + sum(map(len, settings.values())))
    with watched(total) as tick:
        return measure_all(pair, gates, settings, tasks, num_rows, tick)


def labelled(pair: Pair, gates: Gates, cards: dict[str, GateCard], tasks: Sequence[Task]) -> list[str]:
    """How wrong the rules are by which gates are taught, for people.

    Raises BadRequest ``no_references`` where no task has a reference, ``gate_missing`` where ours is not there.
    """
    if OURS not in cards:
        raise BadRequest("label errors need the gate pointsman, under which texts are finished", code="gate_missing")
    guided = [task for task in tasks if task.reference]
    if not guided:
        raise BadRequest("label errors need tasks with references; none of these has one", code="no_references")
    card = cards[OURS]
    method = make(OURS, gates, certified_dials(card))
    with watched(4 * sum(len(task.reference) for task in guided)) as tick:  # at most: the models mostly agree
        found = label_errors(pair, guided, method, card.figures["taught_tolerance"], lambda done: tick("labels", done))
    lines = [
        f"labels: the models differ at {found.num_differing:,} of {found.num_states:,} tokens of {len(guided)} right "
        f"texts; at {found.critical:.1%} of those the small model's token loses the answer"
    ]
    for rule in found.rules:
        told = f"{rule.wrong:.1%} wrong, {rule.false_alarms:.1%} false alarms, {rule.misses:.1%} misses"
        lines.append(f"  {rule.rule:<8} {told}")
    return lines


class watched:  # noqa: N801  used like a function
    """A bar over so many answers, with the method that runs and the time left."""

    def __init__(self, total: int) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._shown = Progress(*columns, console=Console(stderr=True), transient=True)
        self._bar = self._shown.add_task("".ljust(26), total=total)

    def __enter__(self) -> Tick:
        self._shown.start()
        return lambda what, done: self._shown.update(self._bar, advance=done, description=what.ljust(26))

    def __exit__(self, *_: object) -> None:
        self._shown.stop()


def describe(curves: Curves, num_tasks: int, num_rows: int) -> list[str]:
    """The curves as a table for people."""
    lines = [f"{num_tasks} tasks, {num_rows} at a time; costs are shares of the large model alone"]
    lines.append(
        f"{'method':<26}{'dials':<58}{'right':>7}{'bytes':>8}{'flops':>8}{'seconds':>9}{'large':>8}{'back':>7}"
    )
    for name, found in points(curves, 0).items():
        for point, measured in zip(found, curves[name], strict=True):
            dials = ", ".join(f"{dial} {value:g}" for dial, value in measured.dials.items())
            costs = f"{point['bytes_share']:>8.3f}{point['flops_share']:>8.3f}{point['seconds_share']:>9.3f}"
            shares = f"{point['large_share']:>8.3f}{point['rolled_back_per_token']:>7.3f}"
            lines.append(f"{name:<26}{dials:<58}{point['accuracy']:>7.3f}{costs}{shares}")
    return lines


def _promised(card: GateCard) -> str:
    if not card.figures.get("certified"):
        return "no dials are certified: texts are checked to their ends"
    told = ", ".join(f"{name} {value:g}" for name, value in certified_dials(card).items())
    return (
        f"certified: at most {card.figures['certified_losses']:.1%} of the answers lost with confidence "
        f"{card.figures['certified_confidence']:.0%}, from {card.figures['calibration_tasks']:,.0f} tasks: {told}"
    )
