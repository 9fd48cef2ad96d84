"""How sure the small model's next token is: numbers from 0 to 1 that say how likely it may stand.

A scorer sees what the small model computed anyway. The trained ones are in `gate.py`.
"""

import math
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from pointsman.engine import Traffic


class Scorer(Protocol):
    """Scores the proposals of B rows."""

    @property
    def traffic(self) -> Traffic:
        """What one forward over the scorer's own weights costs."""

    def __call__(self, hidden: Tensor, logits: Tensor, proposals: Tensor, lengths: Tensor | None = None, /) -> Tensor:
        """(B, 1) or (B, 2) float32 from the small model's (B, D) last hidden states, (B, V) logits and (B,) ids.

        `lengths` (B,) are the tokens before each proposal, which only gates of whole texts look at.
        The first column says how likely each proposal stands; the second, where there is one, how likely the answer
        comes out right all the same where it would not.
        """


class Opinion(NamedTuple):
    """What a scorer says of one token.

    Attributes:
        stands: chance that the large model lets it stand.
        harmless: chance that the answer is right all the same where it would not; 0 where the scorer does not know.
    """

    stands: float
    harmless: float = 0.0

    @property
    def safety(self) -> float:
        """Chance that the token does not lose the answer."""
        return 1 - (1 - self.stands) * (1 - self.harmless)


SURE = Opinion(1.0)


class _Free:
    """A scorer without weights."""

    traffic = Traffic()


class MaxProbability(_Free):
    """The probability of the likeliest token."""

    def __call__(self, hidden: Tensor, logits: Tensor, proposals: Tensor, lengths: Tensor | None = None) -> Tensor:
        return logits.float().softmax(-1).amax(-1, keepdim=True)


class Margin(_Free):
    """The probability of the likeliest token less that of the second."""

    def __call__(self, hidden: Tensor, logits: Tensor, proposals: Tensor, lengths: Tensor | None = None) -> Tensor:
        best = logits.float().softmax(-1).topk(2, -1).values
        return best[:, :1] - best[:, 1:]


class Entropy(_Free):
    """One less the entropy as a share of the largest possible (R-Stitch, arXiv 2507.17307)."""

    def __call__(self, hidden: Tensor, logits: Tensor, proposals: Tensor, lengths: Tensor | None = None) -> Tensor:
        logs = logits.float().log_softmax(-1)
        return 1 + (logs.exp() * logs).sum(-1, keepdim=True) / math.log(logits.shape[-1])


class Uniform(_Free):
    """A random number: with a threshold t, the share t of tokens is given to the large model."""

    def __init__(self, seed: int = 0) -> None:
        self._generator = torch.Generator().manual_seed(seed)

    def __call__(self, hidden: Tensor, logits: Tensor, proposals: Tensor, lengths: Tensor | None = None) -> Tensor:
        return torch.rand(logits.shape[0], 1, generator=self._generator)


class Scripted(_Free):
    """Scores that were written down before, in turn: 0 asks, 1 does not. For measurements that need given rates."""

    def __init__(self, scores: list[float]) -> None:
        self._scores, self._next = scores, 0

    def __call__(self, hidden: Tensor, logits: Tensor, proposals: Tensor, lengths: Tensor | None = None) -> Tensor:
        count = logits.shape[0]
        taken = [self._scores[(self._next + index) % len(self._scores)] for index in range(count)]
        self._next = (self._next + count) % len(self._scores)
        return torch.tensor(taken)[:, None]
