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
_NUMBERS = {"int": re.compile(r"-?\d+(?![\d.]*\.\d)"), "float": re.compile(r"-?\d+(?:\.\d+)?")}


@dataclass(slots=True)
class _Choice:
    """One answer that is being chosen. `ways`: the tokens of each candidate that is still possible, with an end."""

    unread: list[int]
    ways: dict[str, tuple[int, ...]]
    num_prompt: int
    num_known: int = 0
    num_written: int = 0
    log_chance: float = 0.0
    traffic: Traffic = field(default_factory=Traffic)

    @property
    def answer(self) -> str:
        return next(iter(self.ways))


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
            stated = _NUMBERS[question.type].findall(text)
            return [self._choice(prompt, [*stated, *(_negative(number) for number in stated)])]
        last = self._form.last_word(question, text) if question.type == "span" else None
        words = _WORD.findall(text)
        return [] if last is None else [self._choice(prompt, words), self._choice(last, words)]

    def _choice(self, content: str, candidates: Sequence[str]) -> _Choice:
        tokenizer, end = self._model.tokenizer, self._model.config.eos_tokens[0]
        prompt = prompt_tokens(self._model, content)
        prefix = self._form.answer_prefix or ""
        told = dict.fromkeys([*candidates, NOTHING])
        ways = {one: (*tokenizer.encode_plain(prefix + one), end) for one in told}
        return _Choice(prompt, ways, len(prompt))

    def _choose(self, choices: Sequence[_Choice]) -> None:
        longest = max(len(choice.unread) + max(map(len, choice.ways.values())) for choice in choices)
        session = self._model.session(len(choices), min(longest, self._model.config.context_tokens))
        while going := [index for index, choice in enumerate(choices) if len(choice.ways) > 1]:
            self._step(session, going, [choices[index] for index in going])

    def _step(self, session: Session, rows: Sequence[int], choices: Sequence[_Choice]) -> None:
        seen = session.extend(rows, [choice.unread for choice in choices])
        for choice, logits, share in zip(choices, seen.logits[:, 0].float().cpu(), seen.shares, strict=True):
            choice.traffic += share
            _narrow(choice, logits)


def _narrow(choice: _Choice, logits: Tensor) -> None:
    """Keeps the candidates that go on with the likeliest of their tokens, and reads on to where they part."""
    following = sorted({way[choice.num_known] for way in choice.ways.values()})
    chances = logits[following].softmax(0)
    best = int(chances.argmax())
    choice.log_chance += math.log(float(chances[best]))
    known = choice.num_known
    choice.ways = {one: way for one, way in choice.ways.items() if way[known] == following[best]}
    ways = list(choice.ways.values())
    shared = known + 1
    while len(ways) > 1 and len({way[shared] for way in ways}) == 1:
        shared += 1
    choice.unread, choice.num_known = list(ways[0][known:shared]), shared
    choice.num_written += len(ways) > 1


def _value(question: Question, text: str, choices: Sequence[_Choice]) -> Extracted | None:
    """The value that was chosen; None where the words do not say which part of the text is meant."""
    said = [choice.answer for choice in choices]
    value: str | int | float | None = None
    if NOTHING not in said:
        if question.type != "span":
            value = int(said[0]) if question.type == "int" else float(said[0])
        else:
            value = _between(text, *said)
            if value is None:
                return None
    traffic = sum((choice.traffic for choice in choices), Traffic())
    chance = math.exp(sum(choice.log_chance for choice in choices))
    counts = [sum(values) for values in zip(*((one.num_prompt, one.num_written) for one in choices), strict=True)]
    return Extracted(value, chance, traffic, *counts)


def _between(text: str, first: str, last: str) -> str | None:
    """The text from one word to another; None where one of them is there twice, or they stand the other way round."""
    words = [(found[0], found.start(), found.end()) for found in _WORD.finditer(text)]
    starts = [start for word, start, _ in words if word == first]
    ends = [end for word, _, end in words if word == last]
    if len(starts) != 1 or len(ends) != 1 or ends[0] <= starts[0]:
        return None
    return text[starts[0] : ends[0]]


def _negative(number: str) -> str:
    return number.removeprefix("-") if number.startswith("-") else f"-{number}"
