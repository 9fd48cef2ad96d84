"""One text on its way: draws its tokens, turns them into text, and knows when it ends."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from pointsman.engine.choices import ChoiceTree
from pointsman.engine.cost import Traffic
from pointsman.engine.sampling import Sampler, Sampling
from pointsman.engine.stopping import StopMatcher
from pointsman.engine.tokenizer import TextTokenizer

FinishReason = Literal["stop", "length", "cancelled"]


@dataclass(frozen=True, slots=True)
class TokenReport:
    """One token that was written.

    Attributes:
        token: its id.
        logprob: natural logarithm of its probability, before temperature and truncation.
        alternatives: the most likely ids with theirs, likeliest first.
    """

    token: int
    logprob: float
    alternatives: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Text:
    """A finished text.

    Attributes:
        text: what was written, without the stop string or the end token.
        tokens: the ids drawn, the end token included.
        prompt_tokens: tokens of the prompt.
        finish_reason: `stop` (end token, stop string or complete choice), `length`, or `cancelled`.
        logprobs: a report for each token where the request asked for it.
        traffic: tokens computed and bytes moved for it; its share of forwards that served several texts.
        seconds: from joining a batch to the end.
    """

    text: str
    tokens: tuple[int, ...]
    prompt_tokens: int
    finish_reason: FinishReason
    logprobs: tuple[TokenReport, ...] | None
    traffic: Traffic
    seconds: float


class Writing:
    """A text that is being written.

    Args:
        prompt: ids to continue, one or more.
        sampling: how.
        tokenizer: turns ids into text.
        eos_tokens: ids that end the text.
        on_text: gets each piece of text as soon as it is certain.
    """

    def __init__(
        self,
        prompt: tuple[int, ...],
        sampling: Sampling,
        tokenizer: TextTokenizer,
        eos_tokens: tuple[int, ...],
        on_text: Callable[[str], None] | None = None,
    ) -> None:
        self.prompt, self.sampling = prompt, sampling
        self.tokens: list[int] = []
        self.traffic = Traffic()
        self.finish_reason: FinishReason | None = None
        self._started = time.perf_counter()
        self._seconds = 0.0
        self._on_text = on_text
        self._eos_tokens = frozenset(eos_tokens)
        self._sampler = Sampler(sampling)
        self._stream = tokenizer.stream(after=prompt[-1])
        self._stop = StopMatcher(sampling.stop)
        self._pieces: list[str] = []
        self._reports: list[TokenReport] = []
        self._choices: ChoiceTree | None = None
        if sampling.choices is not None:
            # Behind a special token a space at the beginning is dropped, and models differ in whether they write it.
            begins_anew = not tokenizer.token_bytes(prompt[-1])
            spaced = tuple(f" {choice}" for choice in sampling.choices) if begins_anew else ()
            self._choices = ChoiceTree((*sampling.choices, *spaced), tokenizer.encode_plain, eos_tokens)

    @property
    def is_plain(self) -> bool:
        """Whether the next token is the most likely one and nothing else is asked about it."""
        sampling = self.sampling
        is_free = sampling.allowed_tokens is None and sampling.choices is None
        return sampling.temperature == 0 and is_free and sampling.logprobs is None

    def draw(self, logits: Tensor) -> None:
        """Draws the next token from (V,) logits and takes it."""
        allowed = self._allowed()
        token = self._sampler.draw(logits, allowed)
        if self.sampling.logprobs is not None:
            self._reports.append(_report(logits, token, self.sampling.logprobs))
        self.take(token)

    def take(self, token: int) -> None:
        """Adds a token, and ends the text where it is due."""
        self.tokens.append(token)
        if token in self._eos_tokens:
            self.finish("stop")
            return
        self._emit(self._stop.push(self._stream.push(token)))
        if self._stop.has_stopped or self._is_complete_choice():
            self.finish("stop")
        elif self.sampling.max_tokens is not None and len(self.tokens) >= self.sampling.max_tokens:
            self.finish("length")

    def finish(self, reason: FinishReason) -> None:
        """Ends the text."""
        if not self._stop.has_stopped:
            self._emit(self._stop.push(self._stream.close()))
            self._emit(self._stop.close())
        self.finish_reason = reason
        self._seconds = time.perf_counter() - self._started

    def cancel(self) -> None:
        """Ends the text where it has not ended; it leaves its batch with the next step."""
        if self.finish_reason is None:
            self.finish("cancelled")

    def result(self) -> Text:
        """The finished text."""
        assert self.finish_reason is not None, "the text is not finished"
        return Text(
            text="".join(self._pieces),
            tokens=tuple(self.tokens),
            prompt_tokens=len(self.prompt),
            finish_reason=self.finish_reason,
            logprobs=None if self.sampling.logprobs is None else tuple(self._reports),
            traffic=self.traffic,
            seconds=self._seconds,
        )

    def _emit(self, piece: str) -> None:
        if piece:
            self._pieces.append(piece)
            if self._on_text is not None:
                self._on_text(piece)

    def _allowed(self) -> tuple[int, ...] | None:
        return self.sampling.allowed_tokens if self._choices is None else self._choices.allowed(self.tokens)

    def _is_complete_choice(self) -> bool:
        return self._choices is not None and not self._choices.allowed(self.tokens)


def _report(logits: Tensor, token: int, num_alternatives: int) -> TokenReport:
    logprobs = logits.float().log_softmax(-1)
    best = logprobs.topk(min(num_alternatives, logprobs.shape[-1]))
    alternatives = tuple(zip(best.indices.tolist(), best.values.tolist(), strict=True))
    return TokenReport(token, float(logprobs[token]), alternatives)
