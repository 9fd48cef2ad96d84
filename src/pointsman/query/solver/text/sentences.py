"""Sentences, lists and numbers of a text, and what all readers share: candidates, and a text that stays unread."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias

__all__ = [
    "DOUBTFUL",
    "NEGATION",
    "Candidate",
    "Candidates",
    "Json",
    "SentenceReader",
    "Unread",
    "UnreadReason",
    "is_doubtful",
]

Json: TypeAlias = Mapping[str, object]

UnreadReason = Literal[
    "no_such_problem", "no_question", "question_not_read", "sentence_not_read", "not_sure", "incomplete", "invalid"
]
"""Why a text is not read. `incomplete`: something is not stated. `invalid`: `checking.py` refuses what it states."""

NEGATION: Final = re.compile(r"\b(?:not|never|no|cannot|nobody|none|neither|nor|without|\w+n't)\b")
DOUBTFUL: Final = re.compile(
    r"\b(?:unless|except|either|or|if|when|whenever|only|but|although|maybe|perhaps|probably|possibly|might|may|could|"
    r"would|both|neither|nor|least|most|more|less|fewer|than|exactly|some|any|every|all|each|same|other|instead|"
    r"yesterday|used|formerly|once|apart|away|two|three|four)\b"
)
"""Words that change what a sentence says in ways that no candidate has; such a sentence is never guessed at."""

_END = re.compile(r"(?<=[.?!])\s+|\n+")
_PARTS = re.compile(r",\s*(?:and|or)\s+|,\s*|\s+(?:and|or)\s+")
_WORDS: Final = "zero one two three four five six seven eight nine ten".split()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A reading of a sentence: in words for a model, and as a rule for whoever made it."""

    told: str
    rule: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Candidates:
    """The readings of a sentence; by a pattern that fits all of it, or only by what it mentions."""

    found: tuple[Candidate, ...] = ()
    is_by_pattern: bool = False


@dataclass(slots=True, eq=False)
class Unread(Exception):
    """A text cannot be read, for a stable reason, because of a sentence where it is one."""

    reason: UnreadReason
    sentence: str | None = None


class SentenceReader(Protocol):
    """Reads the sentences of one text in their order."""

    def candidates(self, sentence: str) -> Candidates:
        """The readings of a sentence. Changes nothing."""
        ...

    def take(self, candidate: Candidate, sentence: str) -> None:
        """Takes a reading."""
        ...

    def ask(self, question: str) -> None:
        """Takes the question. Raises Unread."""
        ...

    def problem(self) -> Json:
        """The problem as JSON, when all is read. Raises Unread `incomplete`."""
        ...


def split(text: str) -> list[str]:
    """Sentences with their end marks."""
    return [part for piece in _END.split(text) if (part := " ".join(piece.split()))]


def bare(sentence: str) -> str:
    """Without its end mark, in lower case."""
    return sentence.rstrip(".?! ").casefold()


def items(text: str) -> list[str]:
    """The members of `the a, b and the c`."""
    return [part.removeprefix("the ").removeprefix("The ") for part in _PARTS.split(text.strip())]


def number(word: str) -> int | None:
    """Of `three` or `3`."""
    if word.isdecimal() and len(word) <= 9:
        return int(word)
    return _WORDS.index(word) if word in _WORDS else None


def is_doubtful(told: str) -> bool:
    """Whether a sentence in lower case holds what no candidate says: a doubtful word, or two negations."""
    return DOUBTFUL.search(told) is not None or len(NEGATION.findall(told)) > 1


def numbered(rules: Sequence[tuple[Json, str]]) -> list[Json]:
    """Constraints with a name each and the sentence that says them."""
    return [{**one, "name": f"sentence {place}", "text": text} for place, (one, text) in enumerate(rules, 1)]
