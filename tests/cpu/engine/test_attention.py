"""Attention of whole prompts in chunks is attention, and is taken where it pays."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from pointsman.engine import attention
from pointsman.engine.model import Decoder
from pointsman.engine.session import NaiveSession, Session, causal_attend

MakeDecoder = Callable[..., Decoder]


def heads(num_tokens: int, num_heads: int, seed: int) -> Tensor:
    """(B, T, H, E) of two rows."""
    return torch.randn(2, num_tokens, num_heads, 16, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("num_tokens", [1, 5, 8, 9, 30])
@pytest.mark.parametrize("num_kv_heads", [1, 2, 4])
def test_chunks_are_the_plain_definition(num_tokens: int, num_kv_heads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "CHUNK_TOKENS", 8)
    q, k, v = heads(num_tokens, 4, 0), heads(num_tokens, num_kv_heads, 1), heads(num_tokens, num_kv_heads, 2)
    chunked = attention.causal_in_chunks(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(chunked, causal_attend(0, q, k, v), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("has_bf16", [False, True])
def test_long_prompts_in_bf16_are_read_in_chunks(
    make_decoder: MakeDecoder, has_bf16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []
    in_chunks = attention.causal_in_chunks

    def counted(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        taken.append(q.shape[2])
        return in_chunks(q, k, v)

    monkeypatch.setattr(attention, "causal_in_chunks", counted)
    monkeypatch.setattr(attention, "cpu_has_bf16", lambda: has_bf16)
    decoder = make_decoder(1, torch.bfloat16, head_dim=64, context_tokens=256)
    for num_tokens in (130, 127):
        prompt = [token % 60 for token in range(num_tokens)]
        ours = Session(decoder, 1, 256).extend([0], [prompt]).logits
        torch.testing.assert_close(
            ours, NaiveSession(decoder, 1, 256).extend([0], [prompt]).logits, atol=0.15, rtol=0.1
        )
    assert taken == [130] * decoder.config.num_layers * has_bf16
