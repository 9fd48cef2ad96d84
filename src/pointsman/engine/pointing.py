"""Values that are copied from a text: one of its numbers, or the words from a first one to a last one.

What can be copied is known beforehand, so nothing is written: the model says how likely each candidate is to begin its
answer, in one forward for all questions of a batch. Only candidates that begin alike, such as 12 and 15, are told
apart by reading what they share.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from pointsman.core.asking import NOTHING, Question
from pointsman.engine.cost import Traffic
from pointsman.engine.extracting import Extracted
from pointsman.engine.forms import Form, prompt_tokens
from pointsman.engine.load import LoadedModel
from pointsman.engine.session import Session

__all__ = ["Pointer"]

_WORD = re.compile(r"[^\s,;:.!?()\[\]{}\"]+")
_FOLLOWING = 8  # characters behind a candidate that hold its next token
_ALONE = r"(?<!\d)(?<!\d\.){}(?!\d|\.\d)"  # no part of a longer number, such as of 1.2.3
_NUMBERS = {
    "int": re.compile(_ALONE.format(r"-?\d{1,18}")),
    "float": re.compile(_ALONE.format(r"-?\d{1,15}(?:\.\d+)?")),
}
"""Of as many digits as `extracting` writes."""


Place = int
"""Where a candidate stands in the text; `_NONE` for none."""

_NONE = -1


@dataclass(slots=True)
class _Choice:
    """One answer that is being chosen.

    Attributes:
        unread: tokens that the model reads next.
        ways: how each candidate that is still possible may be written.
    """

    unread: list[int]
    ways: list[tuple[Place, tuple[int, ...]]]
    num_prompt: int
    num_known: int = 0
    num_written: int = 0
    log_chance: float = 0.0
    traffic: Traffic = field(default_factory=Traffic)

    @property
    def places(self) -> set[Place]:
        """Where the answer may stand."""
        return {place for place, _ in self.ways}

    @property
    def is_open(self) -> bool:
        """Whether the model can still tell candidates apart."""
        return len({way for _, way in self.ways}) > 1 and len(self.places) > 1


class Pointer:
    """Copies values with one model. Not for several threads at once.

    Args:
        model: it.
        form: how questions are put to it; one that can ask for a last word.
    """

    def __init__(self, model: LoadedModel, form: Form) -> None:
        self._model, self._form = model, form

    @torch.inference_mode()
    def values(self, asked: Sequence[tuple[Question, str]]) -> list[Extracted | None]:
        """The value of each question about its text, in order; None where copying does not settle it.

        That is so for dates and options, and for words that a text has more than once.

        Raises:
            OverBudget: `context_exceeded` for a text that is too long for the model.
        """
        choices = [self._choices(question, text) for question, text in asked]
        flat = [choice for each in choices for choice in each]
        if flat:
            self._choose(flat)
        return [
            None if not each else _value(question, text, each)
            for (question, text), each in zip(asked, choices, strict=True)
        ]

    def _choices(self, question: Question, text: str) -> list[_Choice]:
        """What is to be chosen: a number, or a first and a last word."""
        prompt = self._form.extraction(question, text)
        if question.type in _NUMBERS:
            return [self._choice(prompt, _stated(question, text))]
        last = self._form.last_word(question, text) if question.type == "span" else None
        if last is None:
            return []
        words = [(found.start(), found[0]) for found in _WORD.finditer(text)]
        return [self._choice(prompt, words, text), self._choice(last, words)]

    def _choice(self, content: str, candidates: Sequence[tuple[Place, str]], text: str = "") -> _Choice:
        """Candidates with where they stand; with a `text`, an answer may go on there behind the candidate."""
        end = self._model.config.eos_tokens[0]
        ways = [(place, (*self._tokens(told), end)) for place, told in [*candidates, (_NONE, NOTHING)]]
        if text:
            ways += [(place, self._going_on(place, told, text)) for place, told in candidates]
        prompt = prompt_tokens(self._model, content)
        return _Choice(prompt, ways, len(prompt))

    def _tokens(self, told: str) -> list[int]:
        return self._model.tokenizer.encode_plain((self._form.answer_prefix or "") + told)

    def _going_on(self, place: Place, told: str, text: str) -> tuple[int, ...]:
        """A candidate with a token of what follows it."""
        following = self._tokens(text[place : place + len(told) + _FOLLOWING])
        return tuple(following[: len(self._tokens(told)) + 1])

    def _choose(self, choices: Sequence[_Choice]) -> None:
        longest = max(len(choice.unread) + max(len(way) for _, way in choice.ways) for choice in choices)
        session = self._model.session(len(choices), min(longest, self._model.config.context_tokens))
        while going := [index for index, choice in enumerate(choices) if choice.is_open]:
            self._step(session, going, [choices[index] for index in going])

    def _step(self, session: Session, rows: Sequence[int], choices: Sequence[_Choice]) -> None:
        seen = session.extend(rows, [choice.unread for choice in choices])
        for choice, logits, share in zip(choices, seen.logits[:, 0].float().cpu(), seen.shares, strict=True):
            choice.traffic += share
            _narrow(choice, logits)


def _narrow(choice: _Choice, logits: Tensor) -> None:
    """Keeps the candidates that go on with the likeliest of their tokens, and reads on to where they part."""
    known = choice.num_known
    choice.ways = [(place, way) for place, way in choice.ways if len(way) > known]  # one that ends begins another
    following = sorted({way[known] for _, way in choice.ways})
    chances = logits[following].softmax(0)
    best = int(chances.argmax())
    choice.log_chance += math.log(float(chances[best]))
    choice.ways = [(place, way) for place, way in choice.ways if way[known] == following[best]]
    ways, shared = [way for _, way in choice.ways], known + 1
    while choice.is_open and len({way[shared : shared + 1] for way in ways}) == 1:
        shared += 1
    choice.unread, choice.num_known = list(ways[0][known:shared]), shared
    choice.num_written += choice.is_open


def _value(question: Question, text: str, choices: Sequence[_Choice]) -> Extracted | None:
    """The value that was chosen; None where it is not settled which part of the text is meant."""
    value: str | int | float | None = None
    if all(choice.places != {_NONE} for choice in choices):
        if question.type != "span":
            told = dict(_stated(question, text))[min(choices[0].places)]
            value = int(told) if question.type == "int" else float(told)
        else:
            value = _between(text, choices[0].places, choices[1].places)
            if value is None:
                return None
    traffic = sum((choice.traffic for choice in choices), Traffic())
    chance = math.exp(sum(choice.log_chance for choice in choices))
    counts = [sum(values) for values in zip(*((one.num_prompt, one.num_written) for one in choices), strict=True)]
    return Extracted(value, chance, traffic, *counts)


def _stated(question: Question, text: str) -> list[tuple[Place, str]]:
    """The numbers of a text, and what they are with the other sign, which a text may say in words."""
    found = [(match.start(), match[0]) for match in _NUMBERS[question.type].finditer(text)]
    return found + [(len(text) + place, _negative(told)) for place, told in found]


def _between(text: str, firsts: set[Place], lasts: set[Place]) -> str | None:
    """The text from one word to another; None where there is more than one way to take it, or none."""
    if len(firsts) != 1:
        return None
    start = min(firsts)
    ends = [place for place in lasts if place >= start]
    found = _WORD.match(text, ends[0]) if len(ends) == 1 else None
    return None if found is None else text[start : found.end()]


def _negative(number: str) -> str:
    return number.removeprefix("-") if number.startswith("-") else f"-{number}"
