"""From logits to a token: what a request's parameters mean, and the distribution that a token is drawn from.

The order is: allowed tokens, temperature, top-k, top-p, min-p; each works on what the one before left, renormalised.
Temperature 0 is the most likely allowed token, the lowest id where several are equal.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pointsman.core import BadRequest

MAX_LOGPROBS = 20
"""Alternatives that a request may ask for, as in OpenAI's API."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a text is drawn.

    Attributes:
        max_tokens: most tokens to write, or None for all that fit into the context.
        temperature: 0 is greedy.
        top_k: draw from so many most likely tokens, or None.
        top_p: draw from the fewest most likely tokens that have this much probability together.
        min_p: leave out tokens less likely than this share of the likeliest.
        seed: makes the draw repeatable, or None for a fresh one.
        stop: strings that end the text; they are not part of it.
        logprobs: how many alternatives to report for every token, or None for no report.
        allowed_tokens: the only ids that may be drawn, or None for all.
        choices: the only texts that may be written, one of them in full, or None for any.
    """

    max_tokens: int | None = None
    temperature: float = 0.0
    top_k: int | None = None
    top_p: float = 1.0
    min_p: float = 0.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    logprobs: int | None = None
    allowed_tokens: tuple[int, ...] | None = None
    choices: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Raises `BadRequest` (`invalid_parameter`) naming the first parameter that is out of range."""
        _require(self.max_tokens is None or self.max_tokens >= 1, "max_tokens", self.max_tokens, "1 or more")
        _require(0 <= self.temperature <= 100, "temperature", self.temperature, "0 to 100")
        _require(self.top_k is None or self.top_k >= 1, "top_k", self.top_k, "1 or more")
        _require(0 < self.top_p <= 1, "top_p", self.top_p, "above 0 and at most 1")
        _require(0 <= self.min_p <= 1, "min_p", self.min_p, "0 to 1")
        _require(self.seed is None or -(2**63) <= self.seed < 2**63, "seed", self.seed, "a number of 64 bits")
        _require(all(self.stop), "stop", self.stop, "strings that are not empty")
        is_countable = self.logprobs is None or 0 <= self.logprobs <= MAX_LOGPROBS
        _require(is_countable, "logprobs", self.logprobs, f"0 to {MAX_LOGPROBS}")
        _require(self.allowed_tokens is None or bool(self.allowed_tokens), "allowed_tokens", (), "one id or more")
        _require(self.choices is None or (bool(self.choices) and all(self.choices)), "choices", self.choices, "texts")


def _require(is_fine: bool, name: str, value: object, expected: str) -> None:
    if not is_fine:
        raise BadRequest(f"{name} is {value!r}; expected {expected}", code="invalid_parameter", param=name)


def distribution(logits: Tensor, sampling: Sampling, allowed: Sequence[int] | None = None) -> Tensor:
    """(V,) float32 logits to (V,) probabilities of the next token; `allowed` narrows them to some ids.

    At temperature 0 all probability is on one token.
    """
    logits = restrict(logits, allowed)
    if sampling.temperature == 0:
        return torch.nn.functional.one_hot(logits.argmax(-1), logits.shape[-1]).float()
    probabilities = (logits / sampling.temperature).softmax(-1)
    if sampling.top_k is not None and sampling.top_k < probabilities.shape[-1]:
        best = probabilities.topk(sampling.top_k).indices
        probabilities = _keep(probabilities, torch.zeros_like(probabilities).index_fill_(0, best, 1.0))
    if sampling.top_p < 1:
        ordered, order = probabilities.sort(descending=True, stable=True)
        is_needed = ordered.cumsum(-1) - ordered < sampling.top_p
        probabilities = _keep(probabilities, torch.zeros_like(is_needed).scatter(0, order, is_needed))
    if sampling.min_p > 0:
        probabilities = _keep(probabilities, probabilities >= sampling.min_p * probabilities.max())
    return probabilities


def restrict(logits: Tensor, allowed: Sequence[int] | None) -> Tensor:
    """`logits` with minus infinity on every id that is not in `allowed`."""
    if allowed is None:
        return logits
    is_allowed = torch.zeros(logits.shape[-1], dtype=torch.bool, device=logits.device)
    is_allowed[torch.tensor(list(allowed), device=logits.device)] = True
    return logits.masked_fill(~is_allowed, -torch.inf)


def _keep(probabilities: Tensor, kept: Tensor) -> Tensor:
    probabilities = probabilities * kept
    return probabilities / probabilities.sum()


class Sampler:
    """Draws the tokens of one text; its generator belongs to it alone, so neighbours in a batch change nothing."""

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling
        self._generator = torch.Generator()
        if sampling.seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(sampling.seed)

    def draw(self, logits: Tensor, allowed: Sequence[int] | None = None) -> int:
        """A token from (V,) logits."""
        wide = logits.float()
        if self._sampling.temperature == 0:
            return int(restrict(wide, allowed).argmax())
        probabilities = distribution(wide, self._sampling, allowed).cpu()
        return int(torch.multinomial(probabilities, 1, generator=self._generator))
