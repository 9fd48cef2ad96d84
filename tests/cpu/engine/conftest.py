"""What several tests of the engine need."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from pointsman.engine.model import Decoder


def plain_attend(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention of whole sequences by its definition; (B, T, H, E) as `Attend` says."""
    group = q.shape[2] // k.shape[2]
    k, v = k.repeat_interleave(group, 2), v.repeat_interleave(group, 2)
    scores = torch.einsum("bthe,bshe->bhts", q.float(), k.float()) / q.shape[-1] ** 0.5
    later = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
    weights = scores.masked_fill(later, float("-inf")).softmax(-1)
    return torch.einsum("bhts,bshe->bthe", weights, v.float()).to(q.dtype)


@pytest.fixture(scope="session")
def full_logits() -> Callable[[Decoder, Tensor], Tensor]:
    """Logits (B, T, V) of whole sequences (B, T), with no cache."""

    @torch.no_grad()
    def forward(decoder: Decoder, tokens: Tensor) -> Tensor:
        positions = torch.arange(tokens.shape[1]).expand_as(tokens)
        return decoder.logits(decoder(tokens, positions, plain_attend))

    return forward
