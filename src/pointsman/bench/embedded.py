"""``pointsman evaluate embedded``: what both models get right of held-out problems, by family, difficulty and mode.

    pointsman evaluate embedded --plot accuracy.png

Every problem has a wording, a name or a number that training never shows. Answers are checked exactly.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pointsman.bench.report import Figure, Report, mean_figure, sha256_of
from pointsman.embedded.evaluation import Graded, draw_problems, grade
from pointsman.embedded.families import FAMILIES
from pointsman.embedded.pair import SIZES, model_folder
from pointsman.embedded.problems import DIFFICULTIES, MODES
from pointsman.engine import LoadedModel, load_model

__all__ = ["main", "run"]

_EACH, _QUICK_EACH = 40, 5
_TARGETS: Final[Mapping[str, tuple[float | None, float | None]]] = {  # at least, at most
    "large_steps_accuracy": (0.92, None),
    "small_steps_accuracy": (0.35, 0.70),
}
_MAX_RATIO, _MAX_SHIPPED_BYTES = 1 / 20, 20_000_000
_DEEP: Final = 3  # from so many steps on, `direct` should be clearly below `steps` for the large model

Answers = dict[tuple[str, str], list[Graded]]
"""By size and mode."""


def main(
    quick: bool = False, seed: int = 0, plot: Path | None = None, folders: Mapping[str, Path] | None = None
) -> None:
    """Evaluates, with progress on stderr, prints the report, and draws the plot where a path is given."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        num_each = _QUICK_EACH if quick else _EACH
        total = num_each * len(FAMILIES) * len(DIFFICULTIES) * len(MODES) * len(SIZES)
        task = progress.add_task("".ljust(20), total=total)

        def tick(what: str, graded: int) -> None:
            progress.update(task, advance=graded, description=what.ljust(20))

        report, answers = run(quick, seed, folders or {size: model_folder(size) for size in SIZES}, tick)
    if plot is not None:
        draw_plot(answers, plot)
        report.details.append(f"plot: {plot}")
    sys.stdout.write(report.text())


def run(
    quick: bool, seed: int, folders: Mapping[str, Path], tick: Callable[[str, int], None]
) -> tuple[Report, Answers]:
    """The report and every answer. ``folders``: where each size is; raises what ``load_model`` raises."""
    report = Report("embedded", seed, quick)
    models = {size: load_model(str(folder)) for size, folder in folders.items()}
    problems = draw_problems(_QUICK_EACH if quick else _EACH, "test", seed)
    answers: Answers = {}
    for size, model in models.items():
        for mode in MODES:
            ticker = _ticker(tick, f"{size}, {mode}")
            answers[size, mode] = list(grade(model, problems, mode, on_graded=ticker))
    for (size, how), graded in answers.items():
        name = f"{size}_{how}_accuracy"
        low, high = _TARGETS.get(name, (None, None))
        report.figures[name] = mean_figure(_right(graded), "share", seed=seed, at_least=low, at_most=high)
    _compare(report, models, folders)
    _describe(report, answers, seed)
    return report, answers


def _ticker(tick: Callable[[str, int], None], what: str) -> Callable[[int], None]:
    return lambda graded: tick(what, graded)


def _right(graded: Sequence[Graded]) -> list[float]:
    return [float(each.is_right) for each in graded]


def _compare(report: Report, models: Mapping[str, LoadedModel], folders: Mapping[str, Path]) -> None:
    """Sizes of the two, in parameters and in bytes on disk."""
    ratio = models["small"].config.num_parameters / models["large"].config.num_parameters
    report.figures["small_over_large_params"] = Figure(ratio, "ratio", 1, at_most=_MAX_RATIO)
    files = [path for folder in folders.values() for path in sorted(folder.iterdir()) if path.is_file()]
    shipped = sum(path.stat().st_size for path in files)
    report.figures["shipped_bytes"] = Figure(shipped, "bytes", len(files), at_most=_MAX_SHIPPED_BYTES)
    for size, folder in folders.items():
        weights = folder / "model.safetensors"
        report.data[f"{size}/{weights.name}"] = sha256_of(weights)
        report.details.append(f"{size}: {models[size].config.num_parameters:,} parameters")


def _describe(report: Report, answers: Answers, seed: int) -> None:
    """The table by family and the curves by difficulty; the gap, and what worked steps are worth on deep problems."""
    report.details.append(f"{'':12}{'':8}" + "".join(f"{size + ', ' + mode:>22}" for size, mode in answers))
    for family in FAMILIES:
        cells = []
        for graded in answers.values():
            figure = mean_figure(_right([each for each in graded if each.problem.family == family]), "share", seed=seed)
            cells.append(f"{figure.value:.3f} ({figure.low:.3f}-{figure.high:.3f})")
        report.details.append(f"{family:12}{'all':8}" + "".join(f"{cell:>22}" for cell in cells))
        report.curves[family] = [_point(answers, family, difficulty) for difficulty in DIFFICULTIES]
        for point in report.curves[family]:
            shares = "".join(f"{point[f'{size}_{mode}']:>22.2f}" for size, mode in answers)
            report.details.append(f"{'':12}{point['difficulty']:<8}{shares}")
    steps = {size: statistics.fmean(_right(answers[size, "steps"])) for size in SIZES}
    deep = {
        mode: statistics.fmean(_right([each for each in answers["large", mode] if each.problem.difficulty >= _DEEP]))
        for mode in MODES
    }
    report.details.append(f"gap between the models with steps: {100 * (steps['large'] - steps['small']):.1f} points")
    report.details.append(f"large, difficulty {_DEEP} and up: direct {deep['direct']:.3f}, steps {deep['steps']:.3f}")


def _point(answers: Answers, family: str, difficulty: int) -> dict[str, float]:
    point: dict[str, float] = {"difficulty": difficulty}
    for (size, mode), graded in answers.items():
        chosen = [e for e in graded if (e.problem.family, e.problem.difficulty) == (family, difficulty)]
        point[f"{size}_{mode}"] = round(statistics.fmean(_right(chosen)), 4)
        point[f"{size}_{mode}_tokens"] = round(statistics.fmean(len(each.text.tokens) for each in chosen), 1)
    return point


def draw_plot(answers: Answers, path: Path) -> None:
    """Accuracy over difficulty, a panel a family and one for all. Raises BadRequest for a name it cannot draw to."""
    from pointsman.bench.plotting import draw_panels

    panels: dict[str, dict[str, list[float]]] = {}
    for family in ("all families", *FAMILIES):
        lines: dict[str, list[float]] = {}
        for (size, mode), graded in answers.items():
            chosen = [each for each in graded if family in ("all families", each.problem.family)]
            lines[f"{size}, {mode}"] = [
                statistics.fmean(_right([each for each in chosen if each.problem.difficulty == difficulty]))
                for difficulty in DIFFICULTIES
            ]
        panels[family] = lines
    draw_panels(panels, list(DIFFICULTIES), "difficulty", "share right, held-out problems", path)
