"""Replies that are kept, so that a model is not asked twice, in this process or, by a file, in the next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from pointsman.core import BadRequest
from pointsman.core.asking import Question, Reply
from pointsman.program.ladder.climbing import Rung

__all__ = ["Remembered"]


class _Line(msgspec.Struct, frozen=True, array_like=True):
    """One reply of one rung."""

    rung: str
    question: Question
    text: str
    reply: Reply


class Remembered:
    """A rung whose replies are kept, and appended to a file as they come: an interrupted job goes on with them.

    Args:
        rung: who answers what is not known yet.
        path: of the file, which several rungs may share; None for this process only.

    Raises:
        BadRequest: `bad_replies` for a file that holds something else; a last line that was cut off is left out.
    """

    def __init__(self, rung: Rung, path: Path | None = None) -> None:
        self.name, self._rung, self._path = rung.name, rung, path
        lines = [] if path is None else _read(path)
        self._replies = {(one.question, one.text): one.reply for one in lines if one.rung == rung.name}

    def knows(self, question: Question) -> bool:
        return self._rung.knows(question)

    def answer(self, asked: Sequence[tuple[Question, str]]) -> list[Reply]:
        """Raises what the rung raises, and BadRequest `cannot_write`."""
        missing = [pair for pair in dict.fromkeys(asked) if pair not in self._replies]
        if missing:
            found = dict(zip(missing, self._rung.answer(missing), strict=True))
            self._append([_Line(self.name, question, text, reply) for (question, text), reply in found.items()])
            self._replies |= found
        return [self._replies[pair] for pair in asked]

    def _append(self, lines: Sequence[_Line]) -> None:
        if self._path is None:
            return
        try:
            with self._path.open("ab") as file:
                file.write(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
        except OSError as exc:
            raise BadRequest(f"cannot write {str(self._path)!r}: {exc.strerror}", code="cannot_write") from exc


def _read(path: Path) -> list[_Line]:
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as exc:
        raise BadRequest(f"cannot read {str(path)!r}: {exc.strerror}", code="bad_replies") from exc
    if lines and lines[-1]:  # cut off when it was written; what is appended begins a line of its own
        with path.open("ab") as file:
            file.write(b"\n")
    decoder, found = msgspec.json.Decoder(_Line), []
    for number, line in enumerate(lines[:-1], 1):
        try:
            found += [decoder.decode(line)] if line else []
        except msgspec.DecodeError as exc:
            if number < len(lines) - 1 and not _was_cut_off(line):
                raise BadRequest(f"{path} line {number} is no reply: {exc}", code="bad_replies") from exc
    return found


def _was_cut_off(line: bytes) -> bool:
    """Whether a line begins as one of ours and has no end."""
    return line.startswith(b'["') and not line.endswith(b"]")
