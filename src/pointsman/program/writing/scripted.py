"""A writer without a model, whose replies stand in a file: for tests, and to try the rounds without a model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pointsman.core import BadRequest
from pointsman.program.writing.prompt import Message

__all__ = ["ScriptedWriter"]


class ScriptedWriter:
    """Implements ``loop.Writer``: gives its replies in order, whatever is asked.

    Attributes:
        asked: the chats so far.
    """

    def __init__(self, replies: Sequence[str]) -> None:
        self._replies = tuple(replies)
        self.asked: list[list[Message]] = []

    @classmethod
    def read(cls, path: Path) -> ScriptedWriter:
        """From JSON lines, a string each. Raises BadRequest ``bad_script``."""
        try:
            lines = path.read_text(encoding="utf-8").split("\n")
            replies = [json.loads(line) for line in lines if line.strip()]
        except (OSError, ValueError, RecursionError) as exc:
            raise BadRequest(f"cannot read the script {str(path)!r}: {exc}", code="bad_script") from exc
        if not all(isinstance(reply, str) for reply in replies):
            raise BadRequest(f"{path}: not a script; expected a JSON string on each line", code="bad_script")
        return cls(replies)

    def write(self, messages: Sequence[Message]) -> str:
        """Raises BadRequest ``script_ended``."""
        if len(self.asked) == len(self._replies):
            problem = f"the script has {len(self._replies)} replies, and another one is asked for"
            raise BadRequest(problem, code="script_ended")
        self.asked.append(list(messages))
        return self._replies[len(self.asked) - 1]
