"""A program's inputs from a request in free words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pointsman.core import Cost
from pointsman.core.asking import Answerer
from pointsman.program.runtime import Table
from pointsman.program.text.parameters import Wanted, is_request, wanted_of

__all__ = ["Filled", "fill"]


@dataclass(frozen=True, slots=True)
class Filled:
    """What was read from a request.

    Attributes:
        inputs: by name.
        missing: what is needed and the request does not state, in words.
        confidence: the least of all answers.
        cost: of reading.
    """

    inputs: dict[str, Any]
    missing: tuple[str, ...]
    confidence: float
    cost: Cost

    @property
    def question(self) -> str:
        """What the user is asked for."""
        listed = " and ".join(filter(None, (", ".join(self.missing[:-1]), *self.missing[-1:])))
        return f"Please tell me {listed}."


def fill(table: Table, request: str, answerer: Answerer, given: Mapping[str, Any] | None = None) -> Filled:
    """Reads what a program takes from a request, all in one batch. What is given is not read.

    Raises:
        Unverified: `no_table` for an opaque call.
        PointsmanError: what the answerer raises.
    """
    readable, others = wanted_of(table)
    inputs = dict(given or {})
    for param in table.machine.params:
        if is_request(param):
            inputs.setdefault(param.name, request)
    wanted = [one for name, one in readable.items() if name not in inputs]
    replies = answerer.answer([(one.question, request) for one in wanted]) if wanted else []
    missing = _read(inputs, wanted, [reply.value for reply in replies], request)
    defaults = {param.name for param in table.machine.params if param.default is not None}
    missing += [words for name, words in others.items() if name not in inputs and name not in defaults]
    confidence = min((reply.confidence for reply in replies), default=1.0)
    return Filled(inputs, tuple(missing), confidence, sum((reply.cost for reply in replies), Cost.zero()))


def _read(inputs: dict[str, Any], wanted: list[Wanted], values: list[Any], request: str) -> list[str]:
    """Adds what was stated; gives what was not and is needed."""
    missing = []
    for one, value in zip(wanted, values, strict=True):
        read = None if value is None else one.read(value, request)
        if read is not None:
            inputs[one.name] = read
        elif one.is_needed:
            missing.append(one.words)
    return missing
