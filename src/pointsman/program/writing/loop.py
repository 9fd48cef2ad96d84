"""The rounds in which a model drafts a program: it is kept only where it compiles and agrees with all examples.

What is run on the examples is the compiled table. The draft's source is executed for comparison only, in the sandboxed
child of ``compile``, after the front end has read it (``accepted.py``). Agreement with the examples says nothing about
other inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from pointsman.core import PointsmanError
from pointsman.program.pipeline import Compiled, CompileOptions, compile_table
from pointsman.program.writing.accepted import accepted_source
from pointsman.program.writing.agreement import verdicts
from pointsman.program.writing.draft import FILENAME, BadDraft, Draft, read_draft
from pointsman.program.writing.examples import Example
from pointsman.program.writing.prompt import Message, counterexample, disagreement, message, task_prompt, unusable

__all__ = ["DEFAULT_FUEL", "DEFAULT_ROUNDS", "Round", "Task", "Writer", "write_program"]

DEFAULT_ROUNDS: Final = 3
DEFAULT_FUEL: Final = 1_000_000
"""States that a draft may visit on one example. Chosen: a fraction of a second, since a draft may loop on each."""

_COMPARED: Final = 50  # inputs of examples that the differential test takes, too; chosen
_NOTHING: Final = "(no function)"  # chat templates want what they call an answer to hold something


class Writer(Protocol):
    """A model that writes."""

    def write(self, messages: Sequence[Message]) -> str:
        """The reply to a chat, in which user and assistant take turns. Blocks.

        Raises:
            PointsmanError: it cannot be asked, which ends the rounds.
        """
        ...


@dataclass(frozen=True, slots=True)
class Task:
    """What shall be written.

    Attributes:
        description: for the model.
        examples: what it must agree with; at least one.
        function: the name that it shall have, or None for the model's choice.
    """

    description: str
    examples: tuple[Example, ...]
    function: str | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """One draft and what became of it.

    Attributes:
        number: from 1.
        source: what of the draft was compiled; what was read of it where nothing was; "" where there was no function.
        compiled: its table, or None.
        num_agreeing: examples with which the table agrees.
        code: why it is not kept: an error's code, or `disagrees`. None where it is.
        problem: the same for people; "" where it is kept.
        feedback: the same for the model.
    """

    number: int
    source: str
    compiled: Compiled | None = None
    num_agreeing: int = 0
    code: str | None = None
    problem: str = ""
    feedback: str = ""

    @property
    def is_kept(self) -> bool:
        return self.code is None


def write_program(
    writer: Writer,
    task: Task,
    *,
    max_rounds: int = DEFAULT_ROUNDS,
    fuel: int = DEFAULT_FUEL,
    on_round: Callable[[Round], None] | None = None,
) -> list[Round]:
    """Asks until a draft agrees with all examples; the last round is then kept. Writes no file.

    Raises:
        PointsmanError: the writer cannot be asked.
    """
    chat = [message("user", task_prompt(task.description, task.examples, task.function))]
    rounds: list[Round] = []
    while len(rounds) < max_rounds and not (rounds and rounds[-1].is_kept):
        found = _round(len(rounds) + 1, writer.write(chat), task, fuel)
        rounds.append(found)
        if on_round is not None:
            on_round(found)
        block = f"```python\n{found.source}```" if found.source else _NOTHING
        chat += [message("assistant", block), message("user", found.feedback)]
    return rounds


def _round(number: int, reply: str, task: Task, fuel: int) -> Round:
    source = ""
    try:
        draft = read_draft(reply, task.function)
        source = draft.module.source
        source = accepted_source(draft)
        compiled = _compiled(source, draft, task)
    except PointsmanError as error:
        return Round(number, source, None, 0, error.code, error.message, unusable(error.message))
    found = verdicts(compiled.table, task.examples, fuel)
    num_agreeing = sum(verdict.agrees for verdict in found)
    if num_agreeing == len(found):
        return Round(number, source, compiled, num_agreeing)
    first = next(verdict for verdict in found if not verdict.agrees)
    problem = f"line {first.example.line}: {counterexample(first)}"
    return Round(number, source, compiled, num_agreeing, "disagrees", problem, disagreement(found))


def _compiled(source: str, draft: Draft, task: Task) -> Compiled:
    """Without the cache: drafts are many and few are compiled again."""
    inputs = [example.inputs for example in task.examples[:_COMPARED]]
    compiled = compile_table(source, FILENAME, draft.entry, CompileOptions(doctests=False), extra_inputs=inputs)
    if compiled.table.asks:
        raise BadDraft("it asks a question about a text, which nobody answers here; decide without judge and the like")
    return compiled
