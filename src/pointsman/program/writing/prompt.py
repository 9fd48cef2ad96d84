"""What a model is told: the task with its rules, and after a round what was wrong with its draft."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from pointsman.program.writing.accepted import IMPORTABLE
from pointsman.program.writing.agreement import Verdict
from pointsman.program.writing.examples import Example

__all__ = ["MOST_SHOWN", "Message", "counterexample", "disagreement", "message", "task_prompt", "unusable"]

Message: TypeAlias = dict[str, str]
"""``role`` and ``content``, as chat templates and chat completions take them."""

MOST_SHOWN: Final = 20
"""Examples in the prompt; all are checked. Chosen."""

_MOST_COUNTEREXAMPLES: Final = 5  # that a model is told at once; chosen

_RULES: Final = f"""Rules:
- Answer with one ```python block and nothing else: no tests, no calls, no doctests.
- {{entry}}; helpers stand before it.
- The inputs of an example are its arguments: an object by name, an array by position.
- Annotate every parameter with a type that fits all inputs, such as int, str, bool, float, list[int],
  dict[str, int], tuple[int, ...], str | None.
- The result is compared as JSON, exactly: tuples are arrays, sets sorted arrays, keys texts; 2 is 2.0, true is no 1.
- Where an exception is expected, raise one of that class.
- Pure Python 3.11: no printing, files, network, clock or randomness; no with, global or async; no classes but frozen
  dataclasses, NamedTuple and Enum, without methods; no decorators but functools.cache and lru_cache on functions.
- Import only from: {", ".join(sorted(IMPORTABLE))}."""


def message(role: str, content: str) -> Message:
    return {"role": role, "content": content}


def task_prompt(description: str, examples: Sequence[Example], function: str | None) -> str:
    """What shall be written, at most ``MOST_SHOWN`` of the examples, and the rules."""
    shown = examples[:MOST_SHOWN]
    count = "all" if len(shown) == len(examples) else f"the first {len(shown)} of {len(examples)}, and all are checked"
    entry = "The last function is the one that is called" if function is None else f"Call the function {function}"
    lines = [f"inputs {example.call} -> {example.expected}" for example in shown]
    parts = ["Write a Python function.", description, "\n".join([f"Examples ({count}):", *lines])]
    return "\n\n".join([*parts, _RULES.format(entry=entry)])


def counterexample(verdict: Verdict) -> str:
    return f"inputs {verdict.example.call}: expected {verdict.example.expected}, got {verdict.got}"


def disagreement(verdicts: Sequence[Verdict]) -> str:
    """Asks for another draft, after one that compiled. ``verdicts``: of all examples, some of which do not agree."""
    failing = [verdict for verdict in verdicts if not verdict.agrees]
    told = [counterexample(verdict) for verdict in failing[:_MOST_COUNTEREXAMPLES]]
    count = f"{len(verdicts) - len(failing)} of {len(verdicts)} examples agree. These do not, first of {len(failing)}:"
    return "\n".join([count, *told, "", "Write the whole function again, corrected."])


def unusable(problem: str) -> str:
    """Asks for another draft, after one that has no table."""
    return f"This cannot be used:\n{problem}\n\nWrite the whole function again, so that it can."
