"""What a pair learns from and is measured on: prompts whose answers can be checked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pointsman.core import BadRequest, Unsupported
from pointsman.engine.tokenizer import TextTokenizer

DELIMITER = "=>"
"""Stands between worked steps and the answer, unless a caller names another."""


@dataclass(frozen=True, slots=True)
class Task:
    """A prompt with a check.

    Attributes:
        prompt: its ids.
        reference: ids of a text that answers it rightly, end token included, or empty where none is known.
        is_right: whether a written text answers it.
    """

    prompt: tuple[int, ...]
    reference: tuple[int, ...]
    is_right: Callable[[str], bool]


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    """A line of a file of tasks."""

    prompt: str
    answer: str
    reference: str | None = None


def read_tasks(path: Path, tokenizer: TextTokenizer, eos_token: int, delimiter: str = DELIMITER) -> list[Task]:
    """The tasks of a JSON Lines file: objects with `prompt`, `answer` and perhaps `reference`, a right text in full.

    A prompt is rendered as a chat of one message where the tokenizer has a template. An output is right where what
    follows its last delimiter, or all of it without one, is the answer.

    Raises:
        BadRequest: `invalid_tasks`, with the line, for what is no task, such as one without an answer to check.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as exc:
        raise BadRequest(f"cannot read {path}: {exc.strerror}", code="invalid_tasks") from exc
    tasks = []
    for number, line in enumerate(lines, 1):
        try:
            found = msgspec.json.decode(line, type=_Line)
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            problem = f"{path}, line {number}: {exc}; expected prompt, answer and perhaps reference, all strings"
            raise BadRequest(problem, code="invalid_tasks") from exc
        if not found.answer.strip():
            problem = f"{path}, line {number}: the answer is empty, so nothing can be checked"
            raise BadRequest(problem, code="invalid_tasks")
        reference = () if found.reference is None else (*tokenizer.encode_plain(found.reference), eos_token)
        tasks.append(Task(tuple(_prompt(tokenizer, found.prompt)), reference, _check(found.answer, delimiter)))
    if not tasks:
        raise BadRequest(f"{path} holds no tasks; expected a JSON object a line", code="invalid_tasks")
    return tasks


def _check(answer: str, delimiter: str) -> Callable[[str], bool]:
    return lambda output: output.rpartition(delimiter)[2].strip() == answer.strip()


def _prompt(tokenizer: TextTokenizer, text: str) -> Sequence[int]:
    try:
        chat = tokenizer.render_chat([{"role": "user", "content": text}], add_generation_prompt=True)
    except Unsupported as error:
        if error.code != "no_chat_template":
            raise
        return tokenizer.encode(text, special=True)
    return tokenizer.encode(chat, special=False)
