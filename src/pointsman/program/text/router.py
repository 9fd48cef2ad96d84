"""Programs that answer requests in free words by themselves, where they cover one surely enough."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from pointsman.core import BadRequest, Cost
from pointsman.core.asking import Answerer
from pointsman.program.judgement import answering
from pointsman.program.ladder import Rung
from pointsman.program.runtime import Answer, Table
from pointsman.program.text.filling import fill
from pointsman.program.text.routes import Routes, match

__all__ = ["AsksBack", "Routed", "Router", "answer_text"]


@dataclass(frozen=True, slots=True)
class Routed:
    """A program's answer to a request; None where the request is to be inferred. `cost`: of finding out, too."""

    program: str | None
    answer: Answer | None
    cost: Cost


@dataclass(frozen=True, slots=True)
class AsksBack:
    """What a user is asked for, where a request leaves something open. The shape of an ``Answer``."""

    json_text: str
    cost: Cost
    kind: Literal["question"] = "question"
    states_visited: int = 0


class Router:
    """Answers what programs cover.

    Args:
        tables: programs, by name.
        routes: when a request goes to one.
        reader: who reads requests; the one that the routes were certified with.
        answerer_of: who answers the questions of a program.

    Raises:
        BadRequest: `other_reader` for another one, `other_programs` where routes lead to a program that is not there.
    """

    def __init__(
        self, tables: Mapping[str, Table], routes: Routes, reader: Rung, answerer_of: Callable[[Table], Answerer]
    ) -> None:
        if reader.name != routes.reader:
            problem = (
                f"the routes were certified with {routes.reader}; expected it as the first reader, not {reader.name}"
            )
            raise BadRequest(problem, code="other_reader")
        absent = [str(name) for name in routes.head.values if name is not None and name not in tables]
        if absent:
            raise BadRequest(f"the routes lead to {absent[0]!r}, which is not there", code="other_programs")
        self._tables = {name: tables[name] for name in routes.head.values if isinstance(name, str)}
        self._routes, self._reader = routes, reader
        self._answerers = {name: answerer_of(table) for name, table in self._tables.items() if table.asks}

    def answer(self, request: str) -> Routed:
        """Runs the program that covers a request. What it does not come to a value for is inferred too.

        Raises:
            PointsmanError: what readers raise.
        """
        found = match(self._tables, self._routes.head, self._reader, request)
        if found.program is None or found.filled is None or found.score < self._routes.threshold:
            return Routed(None, None, found.cost)
        table = self._tables[found.program]
        try:
            answer = _answered(table, found.filled.inputs, self._answerers.get(found.program, self._reader))
        except BadRequest as error:
            if error.code != "bad_inputs":  # what was read is not what the program takes
                raise
            return Routed(None, None, found.cost)
        cost = found.cost + answer.cost
        is_value = answer.kind == "value" and answer.json_text != "null"
        return Routed(found.program, answer, cost) if is_value else Routed(None, None, cost)


def answer_text(
    table: Table, request: str, given: Mapping[str, object], reader: Answerer, answerer: Answerer
) -> Answer | AsksBack:
    """Runs one program on a request, or says what is missing.

    Raises:
        BadRequest: `bad_inputs` for what was given.
        PointsmanError: what readers raise.
    """
    filled = fill(table, request, reader, given)
    if filled.missing:
        return AsksBack(filled.question, filled.cost)
    answer = _answered(table, filled.inputs, answerer)
    return replace(answer, cost=answer.cost + filled.cost)


def _answered(table: Table, inputs: dict[str, object], answerer: Answerer) -> Answer:
    with answering(answerer) as asking:
        answer = table.answer(inputs)
    return replace(answer, cost=sum((reply.cost for reply in asking.replies.values()), Cost.zero()))
