"""Whether a compiled table does what examples say.

The table runs within a limit of states, in a sandboxed child: fuel does not count what one operation on huge values
takes, and a model's draft may hold any. See ``check/sandbox.py`` for what that covers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pointsman.core import PointsmanError
from pointsman.program.check.sandbox import Limits, Outcome, Send, run
from pointsman.program.runtime import Table
from pointsman.program.writing.examples import Example, same_json

__all__ = ["Verdict", "verdicts"]

_SECONDS: Final = 60.0
"""For all examples together. Chosen."""

_MOST_SHOWN: Final = 300  # characters of a result; chosen
_ENDINGS: Final = {"timeout": "not done in time", "memory": "out of memory"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an example came to, as a text that is cut where it is long."""

    example: Example
    agrees: bool
    got: str


def verdicts(table: Table, examples: Sequence[Example], fuel: int) -> list[Verdict]:
    """One for each example, in order. Blocks; what has no result within the limits does not agree."""
    outcome = run(lambda send: _answer_all(table, examples, fuel, send), Limits(_SECONDS))
    answered = [Verdict(example, *line) for example, line in zip(examples, outcome.lines, strict=False)]
    missing = examples[len(answered) :]
    told = [_ending(outcome), *["not run"] * len(missing)]
    return [*answered, *(Verdict(example, False, text) for example, text in zip(missing, told, strict=False))]


def _ending(outcome: Outcome) -> str:
    return _ENDINGS.get(outcome.status, f"the run ended: {outcome.detail or outcome.status}")


def _answer_all(table: Table, examples: Sequence[Example], fuel: int, send: Send) -> None:
    for example in examples:
        agrees, got = _answered(table, example, fuel)
        send([agrees, got if len(got) <= _MOST_SHOWN else got[:_MOST_SHOWN] + "..."])


def _answered(table: Table, example: Example, fuel: int) -> tuple[bool, str]:
    try:
        answer = table.answer(example.inputs, fuel=fuel)
    except PointsmanError as error:
        return False, f"no result: {error.message}"
    if answer.kind == "value":
        return example.raises is None and _holds(answer.json_text, example.output), answer.json_text
    told = json.loads(answer.json_text)["exception"]
    agrees = answer.kind == "exception" and told["type"] == example.raises
    return agrees, f"raises {told['type']}: {told['message']}"


def _holds(json_text: str, output: Any) -> bool:
    try:
        return same_json(json.loads(json_text), output)
    except (ValueError, RecursionError):  # an integer longer than JSON readers take; deeper than any example
        return False
