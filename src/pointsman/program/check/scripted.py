"""A stand-in for who answers questions: fixed by the question and the text, and of no sense.

The differential test asks it, so that both sides get the same answers and all ways are taken sometimes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from pointsman.core import Cost
from pointsman.core.asking import Question, Reply, Value

__all__ = ["ScriptedAnswers"]

_MISSING_ONE_IN = 4
_LARGEST = 10**15  # beyond which floats are no ints
_SMALL_INTS = range(-2, 12)


class ScriptedAnswers:
    """Implements ``core.asking.Answerer``.

    Args:
        numbers: constants of the program, which values are drawn around, so that thresholds are met.
    """

    def __init__(self, numbers: Sequence[int | float] = ()) -> None:
        numbers = [number for number in numbers if abs(number) < _LARGEST]
        near = [number + step for number in numbers for step in (-1, 0, 1)]
        self._ints: list[int] = sorted({*_SMALL_INTS, *(int(number) for number in near)})
        self._floats: list[float] = sorted(
            {*map(float, _SMALL_INTS), *map(float, near), *(float(n) + 0.5 for n in numbers)}
        )

    def answer(self, asked: Sequence[tuple[Question, str]]) -> list[Reply]:
        return [Reply(self._value(question, text), 1.0, "scripted", Cost.zero()) for question, text in asked]

    def _value(self, question: Question, text: str) -> Value:
        told = f"{question.kind}\0{question.wording}\0{question.type}\0{text}"
        drawn: int = int.from_bytes(hashlib.blake2b(told.encode(errors="surrogatepass"), digest_size=8).digest())
        if question.kind == "extract" and drawn % _MISSING_ONE_IN == 0:
            return None
        drawn //= _MISSING_ONE_IN
        match question.type:
            case "bool":
                return drawn % 2 == 0
            case "option":
                return question.options[drawn % len(question.options)]
            case "int":
                return self._ints[drawn % len(self._ints)]
            case "float":
                return self._floats[drawn % len(self._floats)]
            case "date":
                return f"20{drawn % 30:02d}-{drawn % 12 + 1:02d}-{drawn % 28 + 1:02d}"
        words: list[str] = text.split() or [text]
        return words[drawn % len(words)]
