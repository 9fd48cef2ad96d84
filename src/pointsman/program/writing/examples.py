"""What a function shall do, by examples: JSON lines of inputs with an output, or with the exception that they raise.

{"inputs": {"year": 2024}, "output": true}
{"inputs": [1900], "output": false}
{"inputs": [-1], "raises": "ValueError"}
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pointsman.core import BadRequest
from pointsman.program.convert import read_inputs

__all__ = ["Example", "read_examples", "same_json"]


@dataclass(frozen=True, slots=True)
class Example:
    """One call and what it shall come to.

    Attributes:
        line: of the file, from 1.
        inputs: an object of parameters, or an array of positional ones.
        output: the result as JSON has it; without meaning where ``raises`` is given.
        raises: the name of the exception's class, or None for a result.
    """

    line: int
    inputs: dict[str, Any] | list[Any]
    output: Any = None
    raises: str | None = None

    @property
    def call(self) -> str:
        return json.dumps(self.inputs, ensure_ascii=False)

    @property
    def expected(self) -> str:
        return json.dumps(self.output, ensure_ascii=False) if self.raises is None else f"raises {self.raises}"

    def contradicts(self, other: Example) -> bool:
        """Whether two examples of the same inputs cannot both hold."""
        return self.raises != other.raises or not same_json(self.output, other.output)


def same_json(left: Any, right: Any) -> bool:
    """Numbers are equal by value, so that 2 is 2.0; true is no number."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same_json(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same_json, left, right))
    return bool(left == right)


def read_examples(path: Path) -> tuple[Example, ...]:
    """The examples of a file; empty lines are left out.

    Raises:
        BadRequest: `no_examples` for a file that cannot be read or holds none, `bad_example` for a line that is none,
            `contradicting_examples` where two lines expect different things of the same inputs.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise BadRequest(f"cannot read the examples {str(path)!r}: {exc}", code="no_examples") from exc
    # not splitlines: JSON strings may hold other line separators as they are
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise BadRequest(f"{path} holds no example; expected at least one line", code="no_examples")
    seen: dict[str, Example] = {}
    return tuple(_example(line, number, f"{path}, line {number}", seen) for number, line in lines)


def _example(text: str, number: int, where: str, seen: dict[str, Example]) -> Example:
    try:
        data = read_inputs(text)
        json.dumps(data, allow_nan=False)
        example = _checked(data, number)
        first = seen.setdefault(json.dumps(example.inputs, sort_keys=True), example)
        is_contradiction = first.contradicts(example)
    except BadRequest as error:
        problem = error.message.replace("inputs are", "it is").replace("inputs h", "it h")
        raise BadRequest(f"{where}: {problem}", code="bad_example") from error
    except ValueError as exc:
        raise BadRequest(f"{where}: NaN and infinities are no JSON", code="bad_example") from exc
    except RecursionError as exc:
        raise BadRequest(f"{where}: nested too deeply", code="bad_example") from exc
    if is_contradiction:
        problem = (
            f"{where}: expected {example.expected} of the inputs of line {first.line}, which expects {first.expected}"
        )
        raise BadRequest(problem, code="contradicting_examples")
    return example


def _checked(data: Any, number: int) -> Example:
    if not isinstance(data, dict) or not isinstance(data.get("inputs"), dict | list):
        raise BadRequest('expected an object with "inputs", which are an object or an array')
    unknown = data.keys() - {"inputs", "output", "raises"}
    if unknown:
        raise BadRequest(f'unknown key {min(unknown)!r}; expected "inputs" and "output" or "raises"')
    if ("output" in data) == ("raises" in data):
        raise BadRequest('expected either "output" or "raises"')
    raises = data.get("raises")
    if "raises" in data and not (isinstance(raises, str) and raises.isidentifier()):
        raise BadRequest('"raises" must be the name of an exception, such as "ValueError"')
    return Example(number, data["inputs"], data.get("output"), raises)
