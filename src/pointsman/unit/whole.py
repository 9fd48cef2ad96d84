"""Whole sequences through the decoder at once, without a cache: for fitting and for measuring.

Every unit is computed for every token here, and what was chosen is picked afterwards; nothing is saved. `execution.py`
is what really leaves units out.
"""

import torch
from torch import Tensor
from torch.nn import functional

from pointsman.engine import Decoder, Execute
from pointsman.engine.execution import executed


class WholeAttend:
    """Causal attention of whole sequences over themselves, in which some tokens' keys and values may stand in.

    Set before a layer's call, and used up by it: `stand_in` or `hide`.
    """

    def __init__(self) -> None:
        self._stand_in: tuple[Tensor, Tensor, Tensor] | None = None
        self._hidden: Tensor | None = None

    def stand_in(self, share: Tensor, k: Tensor, v: Tensor) -> None:
        """(B, T, 1, 1) how much of a token's own keys and values is taken, and others (B, T, K, E) for the rest."""
        self._stand_in = share, k, v

    def hide(self, is_hidden: Tensor) -> None:
        """(B, T) bool: tokens that no later one sees."""
        self._hidden = is_hidden

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """See `Attend`."""
        if self._stand_in is not None:
            share, other_k, other_v = self._stand_in
            k, v = share * k + (1 - share) * other_k, share * v + (1 - share) * other_v
        mask = None if self._hidden is None else _visible(self._hidden)
        self._stand_in = self._hidden = None
        q, k, v = (x.transpose(1, 2) for x in (q, k, v))
        is_grouped = q.shape[1] != k.shape[1]
        y = functional.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, is_causal=mask is None, enable_gqa=is_grouped
        )
        return y.transpose(1, 2)


def _visible(is_hidden: Tensor) -> Tensor:
    """(B, 1, T, T) bool: a token sees itself, and those before it that are not hidden."""
    num_tokens = is_hidden.shape[1]
    itself = torch.eye(num_tokens, dtype=torch.bool, device=is_hidden.device)
    before = torch.ones_like(itself).tril(-1)
    return ((before & ~is_hidden[:, None, :]) | itself)[:, None]


def logits_of(
    decoder: Decoder,
    tokens: Tensor,
    execute: Execute = executed,
    attend: WholeAttend | None = None,
    at: Tensor | None = None,
) -> Tensor:
    """(B, T) ids to (B, T, V) float32, or to (N, V) of the N tokens where `at` (B, T) is true."""
    positions = torch.arange(tokens.shape[1], device=tokens.device).expand(tokens.shape[0], -1)
    hidden = decoder(tokens, positions, attend or WholeAttend(), execute)
    return decoder.logits(hidden if at is None else hidden[at]).float()


def divergence(p: Tensor, q: Tensor) -> Tensor:
    """(..., V) log-probabilities to (...): Kullback-Leibler divergence of `q` from `p`, nats."""
    return (p.exp() * (p - q)).sum(-1)
