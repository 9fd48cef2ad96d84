"""Questions that only a reader can answer, and who answers them. Programs ask; models, heads and people implement.

judge("the customer says the item arrived damaged", message)    ->  True or False
choose("what the customer wants", ("refund", "repair"), message)  ->  one of the two
extract(int, "days since delivery", message)                     ->  an int that the text states, or None
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, Protocol, TypeAlias, get_args

from pointsman.core.records import Cost

QuestionKind: TypeAlias = Literal["judge", "choose", "extract"]
ValueType: TypeAlias = Literal["bool", "int", "float", "date", "option", "span"]
Value: TypeAlias = bool | int | float | str | None

_IN_WORDS = {"bool": "true or false", "int": "an integer", "float": "a number", "date": "a date as YYYY-MM-DD",
             "span": "words of the text"}  # fmt: skip
VALUE_TYPES: tuple[ValueType, ...] = get_args(ValueType)


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to be told from a text.

    Attributes:
        kind: what the program called.
        wording: the statement to be judged, what is to be chosen, or the name of the value.
        type: of the answer. `bool` for judge, `option` for choose; of extract also `int`, `float`, `date` (as
            YYYY-MM-DD) and `span` (words of the text, copied).
        options: of `option`; none elsewhere.
    """

    kind: QuestionKind
    wording: str
    type: ValueType
    options: tuple[str, ...] = ()

    @property
    def expected(self) -> str:
        """What an answer is, in words."""
        told = " or ".join(map(repr, self.options)) if self.options else _IN_WORDS[self.type]
        return f"{told}, or null" if self.kind == "extract" else told

    def admits(self, value: Value) -> bool:
        """Whether this can be an answer: of the type, one of the options, None for extract only."""
        if value is None:
            return self.kind == "extract"
        if self.type == "option":
            return value in self.options
        if self.type == "date":
            return isinstance(value, str) and _is_date(value)
        return type(value) is {"bool": bool, "int": int, "float": float}.get(self.type, str)


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to one question about one text.

    Attributes:
        value: the answer; None where the text does not state what is to be extracted.
        confidence: chance that it is right, as far as who answered can tell; 0 to 1.
        rung: who answered, such as `head` or `embedded/small`.
        cost: what that took.
    """

    value: Value
    confidence: float
    rung: str
    cost: Cost


class Answerer(Protocol):
    """Who answers questions about texts."""

    def answer(self, asked: Sequence[tuple[Question, str]]) -> list[Reply]:
        """A reply to each (question, text), in order. What arrives together may be answered in one batch.

        Raises:
            PointsmanError: a question cannot be answered at all, such as by an endpoint that is down.
        """
        ...


# -- as text ----------------------------------------------------------------------------------------------------------

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""Names of options, each a single token of most vocabularies."""

NOTHING = "none"
"""How a model says that a text does not state a value."""


def options_of(question: Question) -> tuple[str, ...]:
    """What may be chosen; of a judgement yes, then no."""
    return ("yes", "no") if question.type == "bool" else question.options


def choice_prompt(question: Question, options: Sequence[str], text: str) -> str:
    """Asks for the letter of an option, of as many as there are letters."""
    asked = f'Is this so: "{question.wording}"?' if question.kind == "judge" else f"Which is {question.wording}?"
    lines = [f"{letter}: {option}" for letter, option in zip(LETTERS, options, strict=False)]
    return "\n".join([text, "", asked, *lines, "Answer with the letter only."])


def extraction_prompt(question: Question, text: str) -> str:
    """Asks for a value, or for none."""
    return f"{text}\n\nWhat is {question.wording}? Answer with the value only, or with {NOTHING}."


def asks_for(summary: str) -> str:
    """The statement that a request is for what a program does."""
    return f"this asks for {summary}"
