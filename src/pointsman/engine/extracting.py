"""Values of texts, decoded under a grammar: a number, a date, an option, words of the text, or `none` (llguidance).

All values of a batch are decoded together. Where the grammar leaves one way to go on, as within a name that the text
has once, its tokens are taken without asking the model.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from pointsman.core import Unsupported
from pointsman.core.asking import NOTHING, Question, Value
from pointsman.engine.cost import Traffic
from pointsman.engine.forms import Form, prompt_tokens
from pointsman.engine.load import LoadedModel
from pointsman.engine.session import Session
from pointsman.engine.tokenizer import JsonTokenizer

__all__ = ["Extracted", "Extractor"]

_MOST_TOKENS = 64  # of an extracted value; chosen

_GRAMMARS = {
    "int": r"/-?(0|[1-9][0-9]{0,17})/",
    "float": r"/-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,9})?/",
    "date": r"/[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])/",
}


@dataclass(frozen=True, slots=True)
class Extracted:
    """A value, how sure the model was of each of its tokens taken together, and what that cost."""

    value: Value
    confidence: float
    traffic: Traffic
    num_prompt: int
    num_written: int


@dataclass(slots=True)
class _Line:
    """A value that is being written. `unread`: tokens that the model is to read next; none where it is done."""

    question: Question
    matcher: Any
    unread: list[int]
    num_prompt: int
    traffic: Traffic = field(default_factory=Traffic)
    written: list[int] = field(default_factory=list)
    log_chance: float = 0.0


class Extractor:
    """Decodes values with one model. Not for several threads at once."""

    def __init__(self, model: LoadedModel, form: Form) -> None:
        self._model, self._form = model, form
        self._grammar_tokenizer: Any = None

    @torch.inference_mode()
    def values(self, asked: Sequence[tuple[Question, str]]) -> list[Extracted]:
        """The value of each question about its text, in order.

        Raises:
            Unsupported: `no_grammar` where the model's tokenizer is not one that llguidance reads.
            OverBudget: `context_exceeded` for a text that is too long for the model.
        """
        lines = [self._line(question, text) for question, text in asked]
        longest = max(len(line.unread) for line in lines) + _MOST_TOKENS
        session = self._model.session(len(lines), min(longest, self._model.config.context_tokens))
        while going := [index for index, line in enumerate(lines) if line.unread]:
            self._step(session, going, [lines[index] for index in going])
        return [self._extracted(line) for line in lines]

    def _line(self, question: Question, text: str) -> _Line:
        prompt = prompt_tokens(self._model, self._form.extraction(question, text))
        return _Line(question, self._matcher(question, text), prompt, len(prompt))

    def _step(self, session: Session, rows: Sequence[int], lines: Sequence[_Line]) -> None:
        """One forward for all lines that are not done, and the next token of each."""
        seen = session.extend(rows, [line.unread for line in lines])
        for line, logits, share in zip(lines, seen.logits[:, 0].float().cpu(), seen.shares, strict=True):
            line.traffic += share
            line.unread = self._next(line, logits)
            line.written += line.unread

    def _next(self, line: _Line, logits: Tensor) -> list[int]:
        """The likeliest token that may come next, and those that must follow it; none at the end of the value."""
        scores = logits.log_softmax(0) + _mask(line.matcher, len(logits))
        token = int(scores.argmax())
        line.log_chance += float(scores[token] - scores.logsumexp(0))
        if token == self._end:
            return []
        line.matcher.consume_token(token)
        forced = [] if line.matcher.is_stopped() else list(line.matcher.compute_ff_tokens())
        for following in forced:
            line.matcher.consume_token(following)
        found = [token, *forced]
        if line.matcher.is_stopped() or len(line.written) + len(found) >= _MOST_TOKENS:
            line.written += found
            return []
        return found

    @property
    def _end(self) -> int:
        return self._model.config.eos_tokens[0]

    def _extracted(self, line: _Line) -> Extracted:
        said = self._model.tokenizer.decode(token for token in line.written if token != self._end).strip()
        value = _value(line.question, said)
        return Extracted(value, math.exp(line.log_chance), line.traffic, line.num_prompt, len(line.written))

    # -- grammars ------------------------------------------------------------------------------------------------------

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
            self._grammar_tokenizer = llguidance.LLTokenizer(
                tokenizer.to_json(), n_vocab=self._model.config.vocab_size, eos_token=self._end
            )
        return self._grammar_tokenizer


def _mask(matcher: Any, num_tokens: int) -> Tensor:
    """0 for tokens that may come next, minus infinity for others."""
    bits = torch.frombuffer(bytearray(matcher.compute_bitmask()), dtype=torch.uint8)
    allowed = (bits[:, None] >> torch.arange(8, dtype=torch.uint8) & 1).flatten()[:num_tokens].bool()
    return torch.zeros(num_tokens).masked_fill(~allowed, -torch.inf)


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
