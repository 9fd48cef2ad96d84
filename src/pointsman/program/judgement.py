"""Judgements in ordinary code: ``judge``, ``choose`` and ``extract``, and the run in which they are answered.

The source that is compiled calls these functions, and so does the emitted code: a function means the same before and
after it is compiled. Within ``answering`` each (question, text) is asked once.
"""

from __future__ import annotations

import datetime
import enum
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

from pointsman.core import PointsmanError, Unverified
from pointsman.core.asking import Answerer, Question, Reply, Value

__all__ = [
    "Asking",
    "Unanswered",
    "answering",
    "asked",
    "asked_value",
    "choose",
    "current_asking",
    "extract",
    "is_stated",
    "judge",
]

_TYPES: Final[dict[Any, str]] = {int: "int", float: "float", str: "span", datetime.date: "date"}
_current: ContextVar[Asking | None] = ContextVar("asking", default=None)


class Unanswered(BaseException):
    """A question has no answer; ``error`` says why. Not an Exception: programs cannot catch it and go on."""

    def __init__(self, error: PointsmanError) -> None:
        super().__init__(error.message)
        self.error = error


@dataclass
class Asking:
    """The questions of one run, each with its reply, in the order in which they were asked."""

    answerer: Answerer
    replies: dict[tuple[Question, str], Reply] = field(default_factory=dict)

    def value(self, question: Question, text: str, ahead: Sequence[tuple[Question, str]] = ()) -> Value:
        """The answer; ``ahead`` are others that this run will need whatever it is, asked in the same batch."""
        if (question, text) not in self.replies:
            wanted = dict.fromkeys([(question, text), *ahead])
            self._ask([pair for pair in wanted if pair not in self.replies])
        return self.replies[question, text].value

    def _ask(self, pairs: list[tuple[Question, str]]) -> None:
        try:
            replies = self.answerer.answer(pairs)
        except PointsmanError as error:
            raise Unanswered(error) from error
        for (question, text), reply in zip(pairs, replies, strict=True):
            if not question.admits(reply.value):
                answered = f"{reply.rung} answered {question.wording!r} with {reply.value!r:.40}"
                raise Unanswered(Unverified(f"{answered}; expected {question.expected}", code="bad_reply"))
            self.replies[question, text] = reply


@contextmanager
def answering(answerer: Answerer) -> Iterator[Asking]:
    """Within this, ``answerer`` answers what programs ask, each question about a text once."""
    asking = Asking(answerer)
    token = _current.set(asking)
    try:
        yield asking
    finally:
        _current.reset(token)


def current_asking() -> Asking | None:
    """The questions of the run that this is part of, if somebody answers here."""
    return _current.get()


# -- what sources call -------------------------------------------------------------------------------------------------


def judge(statement: str, text: str) -> bool:
    """Whether ``statement`` holds of ``text``. Raises TypeError where the text is not a str, Unanswered."""
    return bool(asked("judge", (statement, "bool", ()), text))


def choose(what: str, options: Sequence[str], text: str) -> str:
    """Which of ``options`` is ``what`` in ``text``. Raises TypeError where the text is not a str, Unanswered."""
    return str(asked("choose", (what, "option", tuple(options)), text))


def extract(kind: Any, what: str, text: str) -> Any:
    """``what`` as ``text`` states it: an int, float, ``datetime.date``, member of an enum, or words of the text (str).

    None where the text does not state it. Raises TypeError for another kind or a text that is not a str, Unanswered.
    """
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        name = asked("extract", (what, "option", tuple(kind.__members__)), text)
        return None if name is None else kind[str(name)]
    if kind not in _TYPES:
        raise TypeError(f"extract() gives int, float, str, datetime.date or an enum, not {kind!r}")
    value = asked("extract", (what, _TYPES[kind], ()), text)
    return datetime.date.fromisoformat(str(value)) if kind is datetime.date and value is not None else value


# -- what emitted code calls -------------------------------------------------------------------------------------------


def asked(kind: str, attrs: tuple[Any, ...], text: Any, *ahead: tuple[str, tuple[Any, ...], Any]) -> Value:
    """The answer to a question about a text; ``ahead`` as in ``Asking.value``, where their texts are texts."""
    if not isinstance(text, str):
        raise TypeError(f"{kind}() asks about a text, not {type(text).__name__}")
    asking = _current.get()
    if asking is None:
        ways = "name a model (`pointsman run --model`), give the answers (`--answers`), or run it within answering()"
        raise Unanswered(Unverified(f"nobody answers {kind}({attrs[0]!r}, ...) here; {ways}", code="nobody_answers"))
    others = [(_question(other, its), on) for other, its, on in ahead if isinstance(on, str)]
    return asking.value(_question(kind, attrs), text, others)


def is_stated(attrs: tuple[Any, ...], text: Any, *ahead: tuple[str, tuple[Any, ...], Any]) -> bool:
    """Whether the text states what is to be extracted."""
    return asked("extract", attrs, text, *ahead) is not None


def asked_value(attrs: tuple[Any, ...], text: Any, *ahead: tuple[str, tuple[Any, ...], Any]) -> Value:
    """What ``is_stated`` found to be stated."""
    return asked("extract", attrs, text, *ahead)


def _question(kind: str, attrs: tuple[Any, ...]) -> Question:
    wording, type_, options = attrs
    return Question(kind, wording, type_, options)  # type: ignore[arg-type]  # verified where a table is loaded
