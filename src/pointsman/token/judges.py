"""Which pending tokens may stand, once the large model has read them.

The large model's forward computes its opinion of every pending token anyway. A judge looks at it and keeps tokens from
the front; from the first that it rejects on, everything is rolled back, and the large model writes in its place.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import ClassVar, Protocol

import torch
from torch import Tensor


class Judge(Protocol):
    """Decides over the k pending tokens of one text.

    Attributes:
        needs_small: whether `q` is looked at.
    """

    needs_small: ClassVar[bool]

    def num_kept(self, p: Tensor, tokens: Sequence[int], q: Tensor | None) -> int:
        """How many tokens from the front may stand.

        Args:
            p: (k, V) the large model's logits for the places of the tokens, float32. Log-probabilities are logits.
            tokens: k ids.
            q: (k, V) the small model's logits there, float32, or None.
        """


def _num_leading(kept: Iterable[bool]) -> int:
    """How many are true before the first that is not."""
    return sum(1 for _ in takewhile(bool, kept))


@dataclass(frozen=True, slots=True)
class Exact:
    """Strict speculative decoding: a token stands where it is the large model's own.

    Greedy text is then that of the large model, token for token. Sampled text has its distribution; see `verified`.
    """

    needs_small: ClassVar[bool] = False

    def num_kept(self, p: Tensor, tokens: Sequence[int], q: Tensor | None) -> int:
        return _num_leading(best == token for best, token in zip(p.argmax(-1).tolist(), tokens, strict=True))


@dataclass(frozen=True, slots=True)
class Bounded:
    """Speculative cascades' rule V3 (arXiv 2405.19261): p(y) at least (1 - tolerance) of the large model's best.

    With tolerance 0 only the likeliest token stands, with 1 any. Sampled text draws a token of the small model where
    the rule lets it stand, and else one of the large model: pi(v) = q(v) [v stands] + p(v) * sum of q(u) that do not.
    """

    tolerance: float
    needs_small: ClassVar[bool] = False

    def num_kept(self, p: Tensor, tokens: Sequence[int], q: Tensor | None) -> int:
        if self.tolerance >= 1:
            return len(tokens)
        most_nats = -math.log1p(-self.tolerance)
        places = zip(p, p.argmax(-1).tolist(), tokens, strict=True)  # most are the best: only others are looked up
        return _num_leading(best == token or float(row[best] - row[token]) <= most_nats for row, best, token in places)


@dataclass(frozen=True, slots=True)
class CrossEntropy:
    """BiLD's rollback (arXiv 2302.07863, as released): the earliest token with -log p(y) above a limit is looked at.

    If it is not the large model's likeliest, it goes with all behind it; otherwise everything stands.
    """

    most_nats: float = 5.0
    needs_small: ClassVar[bool] = False

    def num_kept(self, p: Tensor, tokens: Sequence[int], q: Tensor | None) -> int:
        nats = -p.log_softmax(-1)[range(len(tokens)), tokens]
        first = _num_leading((nats <= self.most_nats).tolist())
        stands = first == len(tokens) or bool(p[first].argmax() == tokens[first])
        return len(tokens) if stands else first


@dataclass(frozen=True, slots=True)
class Divergence:
    """The training-free rule of arXiv 2601.04766: strict where the large model is sure, else by KL(q || p)."""

    most_nats: float
    strict_from: float = 0.9
    needs_small: ClassVar[bool] = True

    def num_kept(self, p: Tensor, tokens: Sequence[int], q: Tensor | None) -> int:
        assert q is not None
        large, small = p.log_softmax(-1), q.log_softmax(-1)
        # A token that one of them cannot write has log-probability -inf, and 0 * -inf is no number.
        nats = torch.where(small.isneginf(), 0.0, small.exp() * (small - large)).sum(-1)
        is_same = p.argmax(-1) == torch.tensor(tokens, device=p.device)
        is_sure = large.amax(-1).exp() > self.strict_from
        return _num_leading((is_same | (~is_sure & (nats < self.most_nats))).tolist())


def verified(p: Tensor, q: Tensor, tokens: Tensor, generator: torch.Generator) -> tuple[int, int]:
    """Speculative sampling (arXiv 2302.01318): how many of k drafted tokens stand, and the token that follows.

    What results has the distribution `p` exactly, if every token was drawn from its row of `q`, and whether it was
    drawn at all was decided without looking at it.

    Args:
        p: (k + 1, V) the large model's probabilities at the places of the tokens and behind them.
        q: (k, V) the small model's.
        tokens: (k,) int64.
        generator: draws.
    """
    for index, token in enumerate(tokens.tolist()):
        chance = float(p[index, token] / q[index, token])
        if float(torch.rand((), generator=generator)) >= chance:
            rest = (p[index] - q[index]).clamp(min=0)
            return index, int(torch.multinomial(rest, 1, generator=generator))
    return len(tokens), int(torch.multinomial(p[len(tokens)], 1, generator=generator))
