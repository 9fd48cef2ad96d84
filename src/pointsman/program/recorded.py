"""Answers that were given beforehand, by a person or in examples, by the words of the questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pointsman.core import BadRequest, Cost
from pointsman.core.asking import Question, Reply, Value

__all__ = ["RecordedAnswers"]


class _NoneGiven:
    """What stands where no answer is; None is one."""


_NONE_GIVEN = _NoneGiven()


class RecordedAnswers:
    """Implements ``core.asking.Answerer``.

    Args:
        values: the answer to each question, by its wording; the same for every text, or a mapping by the text.
    """

    def __init__(self, values: Mapping[str, Value | Mapping[str, Value]]) -> None:
        self._values = dict(values)

    def answer(self, asked: Sequence[tuple[Question, str]]) -> list[Reply]:
        """Raises BadRequest ``no_answer`` for a question that none was given to, or one of another type."""
        return [Reply(self._value(question, text), 1.0, "recorded", Cost.zero()) for question, text in asked]

    def _value(self, question: Question, text: str) -> Value:
        given = self._values.get(question.wording, {})
        value = given.get(text, _NONE_GIVEN) if isinstance(given, Mapping) else given
        if isinstance(value, _NoneGiven):
            problem = f"no answer to {question.wording!r} is given; expected {question.expected}"
            raise BadRequest(problem, code="no_answer", param=question.wording)
        if question.type == "float" and type(value) is int:
            value = float(value)
        if not question.admits(value):
            problem = f"the answer to {question.wording!r} is {value!r:.40}; expected {question.expected}"
            raise BadRequest(problem, code="no_answer", param=question.wording)
        return value
