"""One text of two models on its way, and what it became."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from pointsman.core import Unsupported
from pointsman.engine import Sampling, Text, Traffic, Writing
from pointsman.engine.sampling import Sampler
from pointsman.token.lookup import Lookup
from pointsman.token.method import Method, Role
from pointsman.token.pair import Pair

Writer = Literal["lookup", "small", "large"]


@dataclass(frozen=True, slots=True)
class PairText(Text):
    """A finished text of two models. `traffic` is everything together.

    Attributes:
        method: what really ran.
        writers: who wrote each of `tokens`.
        small: what the small model took.
        large: what the large model took, every token that it read counted.
        gate: what scoring took.
        num_calls: forwards of the large model.
        rolled_back: tokens that were pending and that the large model did not let stand, where each stood: how many
            of `tokens` were before them, and their ids.
    """

    method: str = ""
    writers: tuple[Writer, ...] = ()
    small: Traffic = field(default_factory=Traffic)
    large: Traffic = field(default_factory=Traffic)
    gate: Traffic = field(default_factory=Traffic)
    num_calls: int = 0
    rolled_back: tuple[tuple[int, tuple[int, ...]], ...] = ()

    @property
    def num_large_tokens(self) -> int:
        """Of `tokens`, those that the large model wrote."""
        return self.writers.count("large")

    @property
    def num_small_tokens(self) -> int:
        """Of `tokens`, those that the small model wrote."""
        return self.writers.count("small")

    @property
    def num_lookup_tokens(self) -> int:
        """Of `tokens`, those that were looked up."""
        return self.writers.count("lookup")

    @property
    def num_rolled_back(self) -> int:
        """Tokens that were rolled back."""
        return sum(len(tokens) for _, tokens in self.rolled_back)


class PairWriting(Writing):
    """A text that is being written. `tokens` are certain; `pending` wait for the large model.

    `role` is None until it is known who writes it. The first `num_looked_up` pending tokens were looked up.

    Raises:
        Unsupported: `unsupported_parameter` for what is defined for one model only.
    """

    def __init__(
        self,
        prompt: tuple[int, ...],
        sampling: Sampling,
        pair: Pair,
        method: Method,
        on_text: Callable[[str], None] | None = None,
    ) -> None:
        for name in ("logprobs", "allowed_tokens", "choices"):
            if getattr(sampling, name) is not None:
                problem = f"{name} is not supported where two models write; ask one of them alone"
                raise Unsupported(problem, code="unsupported_parameter")
        eos_tokens = tuple(dict.fromkeys((*pair.large.config.eos_tokens, *pair.small.config.eos_tokens)))
        super().__init__(prompt, sampling, pair.large.tokenizer, eos_tokens, on_text)
        self.rules = method
        self.sampler = Sampler(sampling)
        self.generator = torch.Generator()
        if sampling.seed is None:
            self.generator.seed()
        else:
            self.generator.manual_seed(sampling.seed ^ 0x5DEECE66D)  # another stream than the sampler's
        self.pending: list[int] = []
        self.pending_logits: list[Tensor] = []
        self.pending_hidden: list[Tensor] = []
        self.pending_forgiven: list[bool] = []
        self.survival, self.safety = 1.0, 1.0
        self.num_looked_up = 0
        self.lookup: Lookup | None = None
        self.role: Role | None = None
        self.asks = False
        self.small, self.large = Traffic(), Traffic()
        self.gate_bytes, self.gate_flops = 0, 0
        self.num_calls = 0
        self._writers: list[Writer] = []
        self._rolled_back: list[tuple[int, tuple[int, ...]]] = []

    @property
    def known(self) -> list[int]:
        """Everything that stands or is pending, the prompt in front."""
        return [*self.prompt, *self.tokens, *self.pending]

    @property
    def num_known(self) -> int:
        """Length of `known`."""
        return len(self.prompt) + len(self.tokens) + len(self.pending)

    @property
    def goes_on(self) -> bool:
        """Whether the small model, or lookup, writes the next token."""
        return not self.asks and self.finish_reason is None

    def num_room(self, capacity_tokens: int) -> int:
        """Tokens that may be added to what is known, all of which fit into the context."""
        room, limit = capacity_tokens - self.num_known, self.sampling.max_tokens
        return room if limit is None else min(room, limit - len(self.tokens) - len(self.pending))

    def add(self, token: int, writer: Writer) -> None:
        """A token that stands."""
        self._writers.append(writer)
        self.take(token)

    def settle(self, num_kept: int) -> None:
        """Lets the first pending tokens stand, up to the end of the text, and forgets the rest."""
        kept, dropped, num_looked_up = self.pending[:num_kept], self.pending[num_kept:], self.num_looked_up
        self.pending, self.pending_logits, self.pending_hidden, self.pending_forgiven = [], [], [], []
        self.survival, self.safety, self.num_looked_up = 1.0, 1.0, 0
        for index, token in enumerate(kept):
            if self.finish_reason is None:
                self.add(token, "lookup" if index < num_looked_up else "small")
        if dropped:
            self._rolled_back.append((len(self.tokens), tuple(dropped)))

    def ends_with(self, token: int) -> bool:
        """Whether `token`, behind what is known, would end the text."""
        limit = self.sampling.max_tokens
        return token in self._eos_tokens or (limit is not None and len(self.tokens) + len(self.pending) + 1 >= limit)

    def result(self) -> PairText:
        """The finished text."""
        text, gate = super().result(), Traffic(weight_bytes=self.gate_bytes, flops=self.gate_flops)
        return PairText(
            text=text.text,
            tokens=text.tokens,
            prompt_tokens=text.prompt_tokens,
            finish_reason=text.finish_reason,
            logprobs=None,
            traffic=self.small + self.large + gate,
            seconds=text.seconds,
            method=self.rules.name,
            writers=tuple(self._writers),
            small=self.small,
            large=self.large,
            gate=gate,
            num_calls=self.num_calls,
            rolled_back=tuple(self._rolled_back),
        )
