"""``pointsman bench solver``: generated problems, solved from JSON and from their text, and the large model beside it.

    pointsman bench solver --quick

200 logic grids of 3 to 6 houses, and 200 assignments, knapsacks and schedules; three in five are plain, one in five has
several answers (knapsacks and schedules: perhaps several as good), one in five none. A verdict is right where it is the
generator's, with the generator's values and best value. Texts have the generator's wordings, for which the grammar was
written: this measures that reading loses nothing, not how many of other people's texts can be read.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from pointsman.bench.report import Figure, Report, median_figure, quantile
from pointsman.core.risk import upper_bound
from pointsman.embedded.pair import model_folder
from pointsman.embedded.puzzles import PLANNING, Puzzle, Variant, draw_grid, draw_plan
from pointsman.engine import Sampling, generate, load_model
from pointsman.query.solver import Answer, convert_problem, solve
from pointsman.query.solver.text import read_problem, recognise

__all__ = ["is_right", "main", "run"]

_EACH, _QUICK_EACH = 200, 20
_SIZES: Final = (3, 4, 5, 6)
_VARIANTS: Final[tuple[Variant, ...]] = ("plain", "plain", "plain", "several", "infeasible")
_LIMIT_S: Final = 10.0
_MAX_TOKENS: Final = 48  # of the model's answer; its worked steps are shorter
_NEITHER: Final = "Please write a short story about a machine that sorts boxes in a shop. What happens in it?"

Tick = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class _Tried:
    """One problem, from JSON and from text; the text's answer None where it was not read."""

    puzzle: Puzzle
    answer: Answer
    from_text: Answer | None
    ms: float
    text_ms: float


def main(quick: bool = False, seed: int = 0) -> None:
    """Measures with progress on stderr and prints the report."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    num_each = _QUICK_EACH if quick else _EACH
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("".ljust(20), total=6 * num_each)

        def tick(what: str, done: int) -> None:
            progress.update(task, advance=done, description=what.ljust(20))

        report = run(quick, seed, num_each, tick)
    sys.stdout.write(report.text())


def run(quick: bool, seed: int, num_each: int, tick: Tick) -> Report:
    """The report on so many grids and as many others."""
    report = Report("solver", seed, quick)
    puzzles = _drawn(seed, num_each, tick)
    solve(convert_problem(puzzles[0].problem))  # loads the library
    tried = []
    for puzzle in puzzles:
        tried.append(_try(puzzle))
        tick("solving", 1)
    _add_solver(report, tried, seed)
    right, num_too_long = _ask_large(puzzles, tick)
    report.figures["large_right_share"] = _share(right)
    report.details.append(
        f"embedded/large, worked steps, {_MAX_TOKENS} tokens: {sum(right):.0f} of {len(right)} right; "
        f"{num_too_long} texts are longer than its context and count as wrong"
    )
    return report


def _drawn(seed: int, num_each: int, tick: Tick) -> list[Puzzle]:
    """Grids, then the others; every size and variant in turn."""
    found = []
    for index in range(num_each):
        variant = _VARIANTS[index % len(_VARIANTS)]
        found.append(draw_grid(f"bench/{seed}/{index}", _SIZES[index % len(_SIZES)], variant))
        tick("drawing grids", 1)
    families = list(PLANNING)
    for index in range(num_each):
        turn, place = divmod(index, len(families))
        variant, size = _VARIANTS[turn % len(_VARIANTS)], _SIZES[turn % len(_SIZES)]
        found.append(draw_plan(families[place], f"bench/{seed}/{index}", size, variant))
        tick("drawing the others", 1)
    return found


def _try(puzzle: Puzzle) -> _Tried:
    start = time.perf_counter()
    answer = solve(convert_problem(puzzle.problem), _LIMIT_S)
    middle = time.perf_counter()
    reading = read_problem(puzzle.text)
    from_text = None if reading.problem is None else solve(reading.problem, _LIMIT_S)
    end = time.perf_counter()
    return _Tried(puzzle, answer, from_text, (middle - start) * 1e3, (end - middle) * 1e3)


def is_right(puzzle: Puzzle, answer: Answer | None) -> bool:
    """Whether verdict, best value and what is asked for are those of the generator."""
    if answer is None or (answer.verdict, answer.objective) != (puzzle.verdict, puzzle.objective):
        return False
    if puzzle.is_only_best is not None and answer.is_only_best != puzzle.is_only_best:
        return False
    solution = answer.solution or {}
    return all(solution.get(name) == value for name, value in puzzle.answers.items())


def _add_solver(report: Report, tried: Sequence[_Tried], seed: int) -> None:
    num_unread = sum(one.from_text is None for one in tried)
    shares = {
        "solver_right_share": [float(is_right(one.puzzle, one.answer)) for one in tried],
        "solver_text_right_share": [float(is_right(one.puzzle, one.from_text)) for one in tried],
    }
    for name, values in shares.items():
        report.figures[name] = _share(values)
    report.figures["solver_ms"] = median_figure([one.ms for one in tried], "ms", seed=seed)
    report.figures["solver_p99_ms"] = Figure(quantile([one.ms for one in tried], 0.99), "ms", len(tried))
    report.figures["solver_text_ms"] = median_figure([one.text_ms for one in tried], "ms", seed=seed)
    report.figures["texts_not_read"] = Figure(num_unread, "texts", len(tried))
    report.figures["recognise_us"] = median_figure(_recognising([one.puzzle.text for one in tried]), "us", seed=seed)
    for family in ("grid", *PLANNING):
        for size in _SIZES:
            chosen = [one for one in tried if (one.puzzle.family, one.puzzle.size) == (family, size)]
            _add_line(report, family, size, chosen)
    extents = [one.answer.extent for one in tried if one.answer.verdict == "infeasible"]
    conflicts = [len(one.answer.conflict) for one in tried if one.answer.verdict == "infeasible"]
    report.details.append(
        f"of {len(extents)} conflicts {extents.count('smallest')} are proved smallest; they hold {min(conflicts)} to "
        f"{max(conflicts)} constraints, {statistics.median(conflicts):g} in the median"
    )


def _add_line(report: Report, family: str, size: int, tried: Sequence[_Tried]) -> None:
    if not tried:
        return
    settled = [one.ms for one in tried if one.puzzle.verdict != "infeasible"]
    conflicts = [one.ms for one in tried if one.puzzle.verdict == "infeasible"]
    point = {
        "size": size,
        "n": len(tried),
        "right": round(statistics.fmean(is_right(one.puzzle, one.answer) for one in tried), 4),
        "text_right": round(statistics.fmean(is_right(one.puzzle, one.from_text) for one in tried), 4),
        "median_ms": round(statistics.median(settled), 2) if settled else None,
        "conflict_median_ms": round(statistics.median(conflicts), 2) if conflicts else None,
        "most_ms": round(max(one.ms for one in tried), 2),
    }
    report.curves.setdefault(family, []).append(point)
    report.details.append(
        f"{family:11} size {size}: {point['n']} problems, right {point['right']:.3f}, "
        f"from text {point['text_right']:.3f}; median {point['median_ms']} ms, "
        f"with a conflict {point['conflict_median_ms']} ms, most {point['most_ms']} ms"
    )


def _share(right: Sequence[float]) -> Figure:
    """With the exact interval (Clopper and Pearson): a bootstrap of nothing but right answers would have no width."""
    num_right, num = int(sum(right)), len(right)
    low, high = 1 - upper_bound(num - num_right, num, 0.975), upper_bound(num_right, num, 0.975)
    return Figure(num_right / num, "share", num, low, high)


def _recognising(texts: Sequence[str]) -> list[float]:
    """Microseconds to recognise each text, and one that is no problem."""
    found = []
    for text in (*texts, _NEITHER):
        start = time.perf_counter()
        recognise(text)
        found.append((time.perf_counter() - start) * 1e6)
    return found


def _ask_large(puzzles: Sequence[Puzzle], tick: Tick) -> tuple[list[float], int]:
    """Whether the large model writes the answer, and how many texts do not fit into its context."""
    model = load_model(str(model_folder("large")))
    right = [0.0] * len(puzzles)
    prompts: dict[int, list[int]] = {}
    for index, puzzle in enumerate(puzzles):
        messages = [{"role": "user", "content": puzzle.text}]
        rendered = model.tokenizer.render_chat(messages, add_generation_prompt=True, mode="steps")
        tokens = model.tokenizer.encode(rendered, special=False)
        if len(tokens) + _MAX_TOKENS <= model.config.context_tokens:
            prompts[index] = tokens
    tick("asking the model", len(puzzles) - len(prompts))
    ordered = sorted(prompts, key=lambda index: len(prompts[index]))
    for start in range(0, len(ordered), 16):
        chunk = ordered[start : start + 16]
        texts = generate(model, [prompts[i] for i in chunk], Sampling(max_tokens=_MAX_TOKENS), num_rows=16)
        for index, text in zip(chunk, texts, strict=True):
            right[index] = float(text.text.rpartition("=>")[2].strip() == _expected(puzzles[index]))
        tick("asking the model", len(chunk))
    return right, len(puzzles) - len(prompts)


def _expected(puzzle: Puzzle) -> str:
    """The value that is asked for; of what has no such value the verdict's word."""
    return puzzle.short_answer or puzzle.verdict
