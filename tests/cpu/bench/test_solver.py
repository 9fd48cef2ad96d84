"""`bench solver` on few problems: every figure is there, and only what is right counts."""

from dataclasses import replace

from pointsman.bench.solver import is_right, run
from pointsman.embedded.puzzles import draw_grid
from pointsman.query.solver import convert_problem, solve


def test_the_figures() -> None:
    done: list[int] = []
    report = run(True, 0, 6, lambda _what, count: done.append(count))
    assert sum(done) == 6 * 6
    assert report.figures["solver_right_share"].value == report.figures["solver_text_right_share"].value == 1
    assert (report.figures["solver_right_share"].low or 0) < 1
    assert {"solver_ms", "solver_p99_ms", "texts_not_read", "large_right_share"} <= set(report.figures)


def test_what_is_right() -> None:
    puzzle = draw_grid(0, 3)
    answer = solve(convert_problem(puzzle.problem))
    assert is_right(puzzle, answer)
    assert not is_right(puzzle, None)
    assert not is_right(puzzle, replace(answer, verdict="several"))
    assert not is_right(puzzle, replace(answer, solution={}))
