"""What programs and the solver say to each text, kept beside the table of the arms: both always say the same.

Programs are the real router over compiled examples, with `embedded/reader`, whose bytes count for texts too that it
does not answer. Its routes are certified on texts of the part `fit`. Not counted: the few kilobytes of the linear head
that looks first, and what patterns and the solver take of a processor.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pointsman.bench.arms import DTYPE, Question
from pointsman.core import NotFound
from pointsman.embedded.pair import model_folder
from pointsman.embedded.reading.coverage import covered, uncovered
from pointsman.embedded.reading.form import ReaderForm
from pointsman.embedded.reading.programs import PROGRAMS
from pointsman.embedded.traffic import puzzle_answer
from pointsman.engine import load_model
from pointsman.engine.reading import Reader
from pointsman.program import Table, compile_table
from pointsman.program.ladder import Promise
from pointsman.program.text.calibrating_routes import Covered, calibrate_routes
from pointsman.program.text.router import Router
from pointsman.program.text.routes import load_routes, save_routes
from pointsman.query.parts import may_ask_several
from pointsman.query.resuming import lines_done
from pointsman.query.solver import solve
from pointsman.query.solver.text import read_problem, recognise

__all__ = ["PROGRAM_OF", "Found", "Said", "prepare_router", "said_of", "solved"]

PROGRAM_OF: Final[Mapping[str, str]] = {
    "arithmetic": "how_many",
    "tracking": "where",
    **{name: name for name in PROGRAMS},
}
"""By what a text is about, the program that covers it."""

_FILES: Final = {"how_many": "word_problem", "where": "whereabouts", "is_palindrome": "palindrome"}
_MOST_TEXTS, _NUM_NEAR_MISSES, _NUM_OF_EACH = 300, 150, 16
"""Texts of the traffic that certify the routes; besides, texts that no program covers, many of them near misses, and
texts for each program. Chosen: reading one takes the reader up to half a second where little else is free."""
_LIMIT_S: Final = 5.0

Tick = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Found:
    """An answer, None where there is none, and the bytes that finding out moved."""

    answer: str | None
    moved_bytes: int


@dataclass(frozen=True, slots=True)
class Said:
    """What both say to a text."""

    program: Found
    solver: Found


def prepare_router(folder: Path, examples: Path, fit: Sequence[Question], on_match: Tick = lambda _: None) -> Router:
    """Compiles the programs, and certifies when a text goes to one; the certificate is kept in `folder`.

    Raises:
        NotFound: `no_examples` where the programs are not there.
    """
    tables = {name: _compiled(examples, name) for name in (*PROGRAMS, "how_many", "where")}
    model = load_model(str(model_folder("reader")), dtype=DTYPE)
    reader = Reader(model, "embedded/reader", form=ReaderForm())
    routes = load_routes(folder)
    if routes is None:
        alone = [one for one in fit if one.task != "question" and not may_ask_several(one.text)]
        known = alone[:_MOST_TEXTS]  # a program is never asked several questions at once
        asked = [Covered(one.text, PROGRAM_OF.get(one.task)) for one in known]
        rng = random.Random("all levels/near misses")  # noqa: S311
        asked += [Covered(uncovered(rng, "test"), None) for _ in range(_NUM_NEAR_MISSES)]
        asked += _drawn(rng, list(tables))
        routes = calibrate_routes(tables, asked, reader, Promise(), on_match=on_match)
        save_routes(routes, folder)
    return Router(tables, routes, reader, lambda _: reader)


def _drawn(rng: random.Random, names: Sequence[str]) -> list[Covered]:
    """So many texts for each program."""
    found: dict[str, list[Covered]] = {name: [] for name in names}
    while any(len(its) < _NUM_OF_EACH for its in found.values()):
        text, name = covered(rng, "test")
        if name in found and len(found[name]) < _NUM_OF_EACH:
            found[name].append(Covered(text, name))
    return [one for its in found.values() for one in its]


def _compiled(examples: Path, name: str) -> Table:
    path = examples / f"{_FILES.get(name, name)}.py"
    if not path.is_file():
        raise NotFound(f"there is no {path}; run this from a checkout, or say --examples", code="no_examples")
    return compile_table(path.read_text(), str(path), name).table


def said_of(
    path: Path, texts: Sequence[str], router: Callable[[], Router], on_done: Tick = lambda _: None
) -> dict[str, Said]:
    """What is said to each text. Rows that `path` lacks are found and appended; the router is made only for these."""
    known = _known(path)
    missing = [text for text in texts if text not in known]
    on_done(len(texts) - len(missing))
    if missing:
        answering = router()
        with path.open("a", encoding="utf-8") as file:
            for text in missing:
                known[text] = Said(_programmed(answering, text), solved(text))
                both = [[one.answer, one.moved_bytes] for one in (known[text].program, known[text].solver)]
                file.write(json.dumps([text, *both], ensure_ascii=False) + "\n")
                file.flush()
                on_done(1)
    return known


def _known(path: Path) -> dict[str, Said]:
    return {text: Said(Found(*program), Found(*solver)) for text, program, solver in lines_done(path)}


def _programmed(router: Router, text: str) -> Found:
    found = router.answer(text)
    if found.answer is None:
        return Found(None, found.cost.moved_bytes)
    value = found.answer.json_text
    return Found(json.loads(value) if value.startswith('"') else value, found.cost.moved_bytes)


def solved(text: str) -> Found:
    """What the solver says to a text, as `puzzle_answer` writes it. Reading by patterns and solving move no weights."""
    if recognise(text) is None:
        return Found(None, 0)
    reading = read_problem(text)
    if reading.problem is None:
        return Found(None, reading.cost.moved_bytes)
    answer = solve(reading.problem, _LIMIT_S)
    if answer.verdict == "unknown":
        return Found(None, reading.cost.moved_bytes)
    asks = reading.problem.asks if answer.verdict == "unique" else ()
    values = {name: (answer.solution or {})[name] for name in asks}
    return Found(puzzle_answer(answer.verdict, values, answer.objective), reading.cost.moved_bytes)
