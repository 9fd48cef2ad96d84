"""Reads a text as a problem: sentence by sentence, by patterns, and where these leave a choice, by a model.

Covered: a text of which a pattern fits every sentence is read without a model. Where a pattern has several readings, or
none fits and the sentence only names things without a word of doubt, an `Answerer` chooses among candidates and nothing
of these. It has to be sure. Not covered: that a model's choice is right; its confidence is all that is known of it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from pointsman.core import BadRequest, Cost, PointsmanError
from pointsman.core.asking import LETTERS, Answerer, Question
from pointsman.query.solver.checking import convert_problem
from pointsman.query.solver.problem import Problem
from pointsman.query.solver.text.grid import GridReader
from pointsman.query.solver.text.plans import AssignmentReader, KnapsackReader, ScheduleReader
from pointsman.query.solver.text.recognising import TextKind, recognise
from pointsman.query.solver.text.sentences import Candidate, SentenceReader, Unread, UnreadReason, split

__all__ = ["SURE", "Reading", "read_problem"]

SURE: Final = 0.9
"""How sure a model has to be of a choice; chosen, not calibrated."""

_NOTHING: Final = "nothing of these"
_WORDING: Final = "what the sentence says"


@dataclass(frozen=True, slots=True)
class Reading:
    """What became of a text.

    Attributes:
        kind: of problem, as `recognise` finds; None where it is none.
        problem: what was read; None where not all of it was.
        reason: why not; None where all was read.
        sentence: the one that stands in the way, where it is one.
        num_chosen: sentences whose reading a model chose.
        cost: of the model and of reading.
    """

    kind: TextKind | None
    problem: Problem | None
    reason: UnreadReason | None
    sentence: str | None
    num_chosen: int
    cost: Cost


def read_problem(text: str, answerer: Answerer | None = None, *, sure: float = SURE) -> Reading:
    """The problem that a text states, or why it is not read. Blocks while a model chooses.

    Raises:
        PointsmanError: what the answerer raises where it cannot be asked at all.
    """
    return _TextReading(answerer, sure).read(text)


class _TextReading:
    def __init__(self, answerer: Answerer | None, sure: float) -> None:
        self._answerer, self._sure = answerer, sure
        self._begun = time.perf_counter()
        self._spent, self._num_chosen = Cost.zero(), 0

    def read(self, text: str) -> Reading:
        kind = recognise(text)
        if kind is None:
            return self._unread(None, Unread("no_such_problem"))
        try:
            problem = convert_problem(self._problem(kind, split(text)))
        except Unread as why:
            return self._unread(kind, why)
        except PointsmanError as exc:
            if not isinstance(exc, BadRequest):
                raise
            return self._unread(kind, Unread("invalid"))
        return Reading(kind, problem, None, None, self._num_chosen, self._cost())

    def _unread(self, kind: TextKind | None, why: Unread) -> Reading:
        return Reading(kind, None, why.reason, why.sentence, self._num_chosen, self._cost())

    def _cost(self) -> Cost:
        spent = self._spent
        seconds = time.perf_counter() - self._begun
        return Cost(spent.prompt_tokens, spent.completion_tokens, spent.nano_usd, spent.moved_bytes, seconds)

    def _problem(self, kind: TextKind, sentences: list[str]) -> object:
        questions = [sentence for sentence in sentences if sentence.endswith("?")]
        if len(questions) != 1:
            raise Unread("no_question", questions[1] if questions else None)
        reader = _reader_of(kind)
        for sentence in sentences:
            if sentence is not questions[0]:
                reader.take(self._read(reader, sentence), sentence)
        reader.ask(questions[0])
        return reader.problem()

    def _read(self, reader: SentenceReader, sentence: str) -> Candidate:
        candidates = reader.candidates(sentence)
        found = candidates.found
        if candidates.is_by_pattern and len(found) == 1:
            return found[0]
        if not found or self._answerer is None or len(found) >= len(LETTERS):
            raise Unread("sentence_not_read", sentence)
        options = (*(one.told for one in found), _NOTHING)
        reply = self._answerer.answer([(Question("choose", _WORDING, "option", options), sentence)])[0]
        self._spent += reply.cost
        if reply.value == _NOTHING:
            raise Unread("sentence_not_read", sentence)
        if not reply.confidence >= self._sure:
            raise Unread("not_sure", sentence)
        self._num_chosen += 1
        return found[options.index(str(reply.value))]


def _reader_of(kind: TextKind) -> SentenceReader:
    match kind:
        case "grid":
            return GridReader()
        case "assignment":
            return AssignmentReader()
        case "knapsack":
            return KnapsackReader()
    return ScheduleReader()
