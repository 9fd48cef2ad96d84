"""A model that answers questions about texts: what `core.asking` asks for.

Choosing is one prefill. Options are lettered, letters are single tokens, and the answer is a softmax over these tokens
alone. A model prefers some letters whatever they stand for, so what it says of no text at all is divided out
(contextual calibration, Zhao et al. 2021); where the best two are close, the options are asked for again in every
cyclic order and averaged, since the order matters too.

Extracting is decoding under a grammar: a number, a date, an option or words of the text, or `none` (llguidance).
"""

import json
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from pointsman.core import Cost, Unsupported
from pointsman.core.asking import (
    LETTERS,
    NOTHING,
    Question,
    Reply,
    Value,
    options_of,
)
from pointsman.engine.cost import Traffic
from pointsman.engine.forms import Form, LetteredForm, answer_tokens, prompt_tokens
from pointsman.engine.load import LoadedModel
from pointsman.engine.tokenizer import JsonTokenizer

__all__ = ["Reader"]

_MOST_TOKENS = 64  # of an extracted value; chosen
_NO_TEXT = "N/A"

_GRAMMARS = {
    "int": r"/-?(0|[1-9][0-9]{0,17})/",
    "float": r"/-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,9})?/",
    "date": r"/[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])/",
}


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
        self._grammar_tokenizer: Any = None
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
        for index, (question, text) in enumerate(asked):
            if question.kind == "extract":
                replies[index] = self._extract(question, text)
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
        return Reply(value, float(chances[best]), self.name, self._cost(traffic, 0, seconds))

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

    def _cost(self, traffic: Traffic, num_written: int, seconds: float) -> Cost:
        return Cost(traffic.new_tokens - num_written, num_written, 0, traffic.moved_bytes, seconds)

    # -- extracting ----------------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def _extract(self, question: Question, text: str) -> Reply:
        begun = time.perf_counter()
        matcher, end = self._matcher(question, text), self._model.config.eos_tokens[0]
        prompt = prompt_tokens(self._model, self._form.extraction(question, text))
        session = self._model.session(1, min(len(prompt) + _MOST_TOKENS, self._model.config.context_tokens))
        seen = session.extend([0], [prompt])
        written: list[int] = []
        chance, traffic = 0.0, seen.traffic
        while len(written) < _MOST_TOKENS:
            scores = seen.logits[0, 0].float().log_softmax(0)
            scores = scores + self._mask(matcher, len(scores), scores.device)
            token = int(scores.argmax())
            chance += float(scores[token] - scores.logsumexp(0))
            if token == end:
                break
            matcher.consume_token(token)
            written.append(token)
            if matcher.is_stopped():
                break
            seen = session.extend([0], [[token]])
            traffic += seen.traffic
        said = self._model.tokenizer.decode(written).strip()
        cost = self._cost(traffic, max(len(written) - 1, 0), time.perf_counter() - begun)
        return Reply(_value(question, said), math.exp(chance), self.name, cost)

    def _matcher(self, question: Question, text: str) -> Any:
        import llguidance

        grammar = llguidance.LLMatcher.grammar_from_lark(_grammar(question, text))
        matcher = llguidance.LLMatcher(self._tokenizer(), grammar)
        if matcher.is_error():
            problem = f"{question.wording!r} has no grammar: {matcher.get_error()}"
            raise Unsupported(problem[:300], code="no_grammar")
        return matcher

    def _tokenizer(self) -> Any:
        import llguidance

        if self._grammar_tokenizer is None:
            tokenizer = self._model.tokenizer
            if not isinstance(tokenizer, JsonTokenizer) or not self._model.config.eos_tokens:
                problem = f"{self._model.name}: values are decoded with a tokenizer.json that has an end of text only"
                raise Unsupported(problem, code="no_grammar")
            end = self._model.config.eos_tokens[0]
            self._grammar_tokenizer = llguidance.LLTokenizer(
                tokenizer.to_json(), n_vocab=self._model.config.vocab_size, eos_token=end
            )
        return self._grammar_tokenizer

    def _mask(self, matcher: Any, num_tokens: int, device: torch.device) -> Tensor:
        """0 for tokens that may come next, minus infinity for others."""
        bits = torch.frombuffer(bytearray(matcher.compute_bitmask()), dtype=torch.uint8)
        allowed = (bits[:, None] >> torch.arange(8, dtype=torch.uint8) & 1).flatten()[:num_tokens].bool()
        return torch.zeros(num_tokens).masked_fill(~allowed, -torch.inf).to(device)


def _grammar(question: Question, text: str) -> str:
    """A Lark grammar of what may be answered, with a space before it or none."""
    if question.type == "span":
        value = "%regex " + json.dumps({"substring_words": text})
    elif question.type == "option":
        value = " | ".join(json.dumps(option, ensure_ascii=False) for option in question.options)
    else:
        value = _GRAMMARS[question.type]
    return f'start: " "? (VALUE | "{NOTHING}")\nVALUE: {value}\n'


def _value(question: Question, said: str) -> Value:
    """What was said as a value of the question's type; nothing where it is none, such as 31 February."""
    if said in {"", NOTHING}:
        return None
    value: Value = {"int": int, "float": float}.get(question.type, str)(said)
    return value if question.admits(value) else None
