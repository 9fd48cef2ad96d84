"""A model that answers questions about texts: what `core.asking` asks for.

Choosing is one prefill. Options are lettered, letters are single tokens, and the answer is a softmax over these tokens
alone. A model prefers some letters whatever they stand for, so what it says of no text at all is divided out
(contextual calibration, Zhao et al. 2021); where the best two are close, the options are asked for again in every
cyclic order and averaged, since the order matters too.

Extracting is decoding under a grammar (`extracting.py`), or copying by a model that was taught to (`pointing.py`).
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pointsman.core import Cost, Unsupported
from pointsman.core.asking import (
    LETTERS,
    Question,
    Reply,
    Value,
    options_of,
)
from pointsman.engine.cost import Traffic
from pointsman.engine.extracting import Extracted, Extractor
from pointsman.engine.forms import Form, LetteredForm, answer_tokens, prompt_tokens
from pointsman.engine.load import LoadedModel
from pointsman.engine.pointing import Pointer

__all__ = ["Reader"]

_NO_TEXT = "N/A"


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question with its options in the order in which they are shown; `shift` of a cyclic order."""

    question: Question
    text: str
    shift: int = 0

    @property
    def options(self) -> tuple[str, ...]:
        options = options_of(self.question)
        return options[self.shift :] + options[: self.shift]


class Reader:
    """Implements `core.asking.Answerer` with a model of the engine.

    Args:
        model: it.
        name: by which its replies and certificates are filed.
        form: how questions are put to it.
        close: options are asked for in every order where the best two are closer than this; 0: never.

    Threads may share one; they take turns.
    """

    def __init__(self, model: LoadedModel, name: str, *, form: Form | None = None, close: float = 0.2) -> None:
        self.name = name
        self._model, self._form, self._close = model, form or LetteredForm(), close
        self._priors: dict[_Asked, Tensor] = {}
        self._extractor = Extractor(model, self._form)
        self._pointer = None if self._form.is_lettered else Pointer(model, self._form)
        self._turn = threading.Lock()

    def knows(self, question: Question) -> bool:
        """Whether it can tell the question's options apart."""
        try:
            self._tokens_of(options_of(question))
        except Unsupported:
            return False
        return True

    def answer(self, asked: Sequence[tuple[Question, str]]) -> list[Reply]:
        """Replies in order; all choices are read in one batch. What a letter is worth without a text is read once.

        Raises:
            Unsupported: `too_many_options`; `no_letters` where letters are no single tokens of the model;
                `no_grammar` where its tokenizer is not one that values can be decoded under a grammar for.
            OverBudget: `context_exceeded` for a text that is too long for the model.
        """
        with self._turn:
            return self._answer(asked)

    def _answer(self, asked: Sequence[tuple[Question, str]]) -> list[Reply]:
        replies: dict[int, Reply] = {}
        choices = [index for index, (question, _) in enumerate(asked) if question.kind != "extract"]
        if choices:
            found = self._choose([_Asked(*asked[index]) for index in choices])
            replies |= dict(zip(choices, found, strict=True))
        values = [index for index in range(len(asked)) if index not in replies]
        if values:
            replies |= dict(zip(values, self._extract([asked[index] for index in values]), strict=True))
        return [replies[index] for index in range(len(asked))]

    # -- choosing ------------------------------------------------------------------------------------------------------

    def _choose(self, asked: list[_Asked]) -> list[Reply]:
        begun = time.perf_counter()
        chances, traffic = self._chances(asked)
        for index, one in enumerate(asked):
            best = chances[index].topk(min(2, len(one.options))).values
            is_close = len(best) == 2 and float(best[0] - best[1]) < self._close
            if is_close and self._form.is_lettered:
                more, spent = self._chances([replace(one, shift=s) for s in range(1, len(one.options))])
                in_order = [chances[index], *(chance.roll(s) for s, chance in enumerate(more, 1))]
                chances[index], traffic[index] = torch.stack(in_order).mean(0), sum(spent, traffic[index])
        seconds = (time.perf_counter() - begun) / len(asked)
        return [self._chosen(*found, seconds) for found in zip(asked, chances, traffic, strict=True)]

    def _chosen(self, asked: _Asked, chances: Tensor, traffic: Traffic, seconds: float) -> Reply:
        best = int(chances.argmax())
        value: Value = best == 0 if asked.question.type == "bool" else asked.options[best]
        return Reply(
            value, float(chances[best]), self.name, Cost(traffic.new_tokens, 0, 0, traffic.moved_bytes, seconds)
        )

    def _chances(self, asked: list[_Asked]) -> tuple[list[Tensor], list[Traffic]]:
        """The chance of each option in the order in which it is shown, without the letters' own."""
        if not self._form.is_lettered:
            found, traffic = self._scores_of(asked)
            return [logits.softmax(0) for logits in found], traffic
        for one in asked:
            prior = replace(one, text=_NO_TEXT)
            if prior not in self._priors:
                self._priors[prior] = self._scores_of([prior])[0][0]
        found, traffic = self._scores_of(asked)
        priors = [self._priors[replace(one, text=_NO_TEXT)] for one in asked]
        return [(logits - prior).softmax(0) for logits, prior in zip(found, priors, strict=True)], traffic

    @torch.inference_mode()
    def _scores_of(self, asked: list[_Asked]) -> tuple[list[Tensor], list[Traffic]]:
        """Log-probabilities of what stands for the options, among themselves."""
        answers = [self._tokens_of(one.options) for one in asked]
        contents = [self._form.choice(one.question, one.options, one.text) for one in asked]
        prompts = [prompt_tokens(self._model, content) for content in contents]
        session = self._model.session(len(prompts), max(map(len, prompts)))
        seen = session.extend(list(range(len(prompts))), prompts)
        logits = seen.logits[:, 0].float()
        return [row[tokens].log_softmax(0).cpu() for row, tokens in zip(logits, answers, strict=True)], list(
            seen.shares
        )

    def _tokens_of(self, options: Sequence[str]) -> list[int]:
        if len(options) > len(LETTERS):
            problem = f"{len(options)} options, from {options[0]!r} on; expected {len(LETTERS)} at most"
            raise Unsupported(problem, code="too_many_options")
        return answer_tokens(self._model, self._form, self._form.words(options))

    # -- extracting ----------------------------------------------------------------------------------------------------

    def _extract(self, asked: list[tuple[Question, str]]) -> list[Reply]:
        begun = time.perf_counter()
        found = self._extracted(asked)
        seconds = (time.perf_counter() - begun) / len(asked)
        return [
            Reply(
                one.value,
                one.confidence,
                self.name,
                Cost(one.num_prompt, one.num_written, 0, one.traffic.moved_bytes, seconds),
            )
            for one in found
        ]

    def _extracted(self, asked: list[tuple[Question, str]]) -> list[Extracted]:
        """Copied where the form can ask so and that settles it, else written."""
        copied = self._pointer.values(asked) if self._pointer is not None else [None] * len(asked)
        rest = [pair for pair, one in zip(asked, copied, strict=True) if one is None]
        written = iter(self._extractor.values(rest) if rest else ())
        return [one or next(written) for one in copied]
