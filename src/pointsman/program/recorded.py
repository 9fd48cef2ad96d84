"""Answers that were given beforehand, by a person or in examples, by the words of the questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pointsman.core import BadRequest, Cost
from pointsman.core.asking import Question, Reply, Value

__all__ = ["RecordedAnswers"]


class RecordedAnswers:
    """Implements ``core.asking.Answerer`` for one text, or for texts that all have the same answers.

    Args:
        values: the answer to each question, by its wording.
    """

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._values = dict(values)

    def answer(self, asked: Sequence[tuple[Question, str]]) -> list[Reply]:
        """Raises BadRequest ``no_answer`` for a question that none was given to, or one of another type."""
        return [Reply(self._value(question), 1.0, "recorded", Cost.zero()) for question, _ in asked]

    def _value(self, question: Question) -> Value:
        if question.wording not in self._values:
            problem = f"no answer to {question.wording!r} is given; expected {question.expected}"
            raise BadRequest(problem, code="no_answer", param=question.wording)
        value = self._values[question.wording]
        if question.type == "float" and type(value) is int:
            value = float(value)
        if not question.admits(value):
            problem = f"the answer to {question.wording!r} is {value!r:.40}; expected {question.expected}"
            raise BadRequest(problem, code="no_answer", param=question.wording)
        return value
