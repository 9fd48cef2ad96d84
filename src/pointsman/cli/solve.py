"""``pointsman solve PROBLEM``."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pointsman.core import BadRequest
from pointsman.query.solver import Answer, Problem, decode_problem, solve
from pointsman.query.solver.solving import LIMIT_S
from pointsman.query.solver.text import Reading, read_problem

if TYPE_CHECKING:
    from pointsman.core.asking import Answerer

__all__ = ["solve_command"]

_LONGEST_NAME = 255
_WORDS = {
    "unique": "unique: no other solution exists",
    "several": "several: at least two solutions differ in what is asked for",
    "optimal": "optimal: no solution is better",
    "infeasible": "infeasible: there is no solution",
    "unknown": "unknown: the time limit ended before this was settled",
}
_EXTENTS = {
    "smallest": "cannot hold together, and no fewer constraints conflict",
    "irreducible": "cannot hold together; without any one of them the rest can (perhaps fewer others conflict)",
    "found": "cannot hold together (perhaps fewer do not either; the time limit ended)",
}


def _positive_seconds(value: float) -> float:
    if not (math.isfinite(value) and value > 0):
        raise typer.BadParameter(f"{value} is not a positive number of seconds")
    return value


def solve_command(
    problem: Annotated[Path | None, typer.Argument(help="A problem as JSON.")] = None,
    text: Annotated[str | None, typer.Option("--text", help="A problem in words: a file, or the text itself.")] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", help="With --text: who chooses where a sentence can be read in several ways."),
    ] = None,
    limit_s: Annotated[
        float, typer.Option("--limit-s", callback=_positive_seconds, help="Seconds for all searches together.")
    ] = LIMIT_S,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Solve a problem over finite domains, without a language model; exit 1 where no solution is known.

    pointsman solve problem.json

    pointsman solve --text puzzle.txt --json
    """
    if (problem is None) == (text is None):
        raise BadRequest("expected a file with a problem, or --text, and not both", code="conflicting_options")
    if model is not None and text is None:
        raise BadRequest("--model reads a text, and there is none; expected --text", code="conflicting_options")
    if problem is not None:
        found: Problem | None = decode_problem(problem.read_bytes())
    else:
        reading = read_problem(_text_of(text or ""), None if model is None else _answerer(model))
        found = reading.problem
        if found is None:
            _print_unread(reading, as_json=as_json)
            raise typer.Exit(2)
    assert found is not None
    answer = solve(found, limit_s)
    print(json.dumps(asdict(answer), ensure_ascii=False) if as_json else _as_text(found, answer))
    if answer.verdict in ("infeasible", "unknown"):
        raise typer.Exit(1)


def _text_of(given: str) -> str:
    """The text of a file, where this is the name of one; else itself. Raises BadRequest `not_text`."""
    if "\n" in given or len(given.encode(errors="surrogatepass")) > _LONGEST_NAME or not Path(given).is_file():
        return given
    try:
        return Path(given).read_text(encoding="utf-8")
    except UnicodeDecodeError as exc:
        raise BadRequest(f"{given} is not text (UTF-8): {exc.reason}", code="not_text") from exc


def _answerer(name: str) -> Answerer:
    from pointsman.cli.readers import reader_rungs

    return reader_rungs([name])[0]


def _print_unread(reading: Reading, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"verdict": "not_read", "reason": reading.reason, "sentence": reading.sentence}))
        return
    print(f"not read [{reading.reason}]" + (f": {reading.sentence}" if reading.sentence else ""))


def _as_text(problem: Problem, answer: Answer) -> str:
    lines = [_WORDS[answer.verdict]]
    if answer.objective is not None:
        only = {True: "; no other choice is as good", False: "; others are as good", None: ""}[answer.is_only_best]
        lines.append(
            f"objective: {answer.objective}" + (only if answer.verdict == "optimal" else " (perhaps not the best)")
        )
    for name in problem.asked():
        if answer.solution is not None:
            other = f", or {_shown(answer.other[name])}" if answer.other and name in answer.differing else ""
            lines.append(f"  {name}: {_shown(answer.solution[name])}{other}")
    lines += [f"  {quoted.name}" + (f": {quoted.text}" if quoted.text else "") for quoted in answer.conflict]
    if answer.extent is not None:
        lines.append(f"these {_EXTENTS[answer.extent]}" if len(answer.conflict) > 1 else "this cannot hold")
    lines.append(f"{answer.cost.seconds * 1e3:.1f} ms")
    return "\n".join(lines)


def _shown(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
