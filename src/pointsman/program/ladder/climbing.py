"""A ladder of answerers: each question goes up until a rung is sure enough of its answer.

    ladder = Ladder([head, small, large], limits)
    with answering(ladder):
        table.run(message, order)

How sure a rung must be of an answer to each question is what ``limits`` say; the last rung's answers always stand.
Without limits only the last rung answers: what is not certified is not trusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from pointsman.core import Cost
from pointsman.core.asking import Answerer, Question, Reply
from pointsman.program.ladder.limits import Limits

__all__ = ["Ladder", "Rung"]


class Rung(Answerer, Protocol):
    """An answerer that may know some questions only; the confidence of its replies need not be calibrated."""

    @property
    def name(self) -> str:
        """Stable; limits are filed by it."""
        ...

    def knows(self, question: Question) -> bool:
        """Whether it can answer this question at all."""
        ...


class Ladder:
    """Implements ``core.asking.Answerer``.

    Args:
        rungs: the cheapest first; the last one must know all questions.
        limits: how sure the others must be.
    """

    def __init__(self, rungs: Sequence[Rung], limits: Limits) -> None:
        self._rungs, self._limits = list(rungs), limits

    def answer(self, asked: Sequence[tuple[Question, str]]) -> list[Reply]:
        """Replies in order; each has the cost of all rungs that were tried for it."""
        replies: dict[int, Reply] = {}
        spent = [Cost.zero()] * len(asked)
        open_ = list(range(len(asked)))
        for rung in self._rungs:
            is_top = rung is self._rungs[-1]
            tried = [i for i in open_ if is_top or (rung.knows(asked[i][0]) and self._limit(rung, asked[i][0]) <= 1)]
            if not tried:
                continue
            for i, reply in zip(tried, rung.answer([asked[i] for i in tried]), strict=True):
                spent[i] += reply.cost
                if is_top or reply.confidence >= self._limit(rung, asked[i][0]):
                    replies[i] = replace(reply, cost=spent[i])
            open_ = [i for i in open_ if i not in replies]
        return [replies[i] for i in range(len(asked))]

    def _limit(self, rung: Rung, question: Question) -> float:
        return self._limits.of(rung.name, question)
