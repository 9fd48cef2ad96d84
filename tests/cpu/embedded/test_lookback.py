"""Heads that start by looking back do so at every position, and refuse a model that cannot."""

import pytest
import torch
from torch import Tensor

from pointsman.embedded.lookback import look_back
from pointsman.engine.config import ModelConfig
from pointsman.engine.model import Decoder


def started(config: ModelConfig) -> Decoder:
    decoder = Decoder(config)
    decoder.initialise(torch.Generator().manual_seed(0))
    look_back(decoder)
    return decoder


def test_each_head_of_the_first_layer_attends_at_its_distance() -> None:
    decoder = started(ModelConfig("Qwen2ForCausalLM", 50, 32, 64, 2, 6, 6, 16, 128, has_qkv_bias=True))
    weights: list[Tensor] = []

    def attend(_: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        scores = torch.einsum("bthe,bshe->bhts", q, k) / q.shape[-1] ** 0.5
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
        weights.append(scores.masked_fill(~mask, -torch.inf).softmax(-1))
        return torch.einsum("bhts,bshe->bthe", weights[-1], v)

    tokens = torch.randint(0, 50, (1, 100), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        decoder(tokens, torch.arange(100)[None], attend)
    for head in range(6):
        share = weights[0][0, head].diagonal(-(head + 1))
        assert share.min() > 0.6


@pytest.mark.parametrize(
    "config",
    [
        ModelConfig("Qwen3ForCausalLM", 50, 32, 64, 1, 2, 2, 16, 128, has_qk_norm=True),
        ModelConfig("Qwen2ForCausalLM", 50, 32, 64, 1, 4, 2, 16, 128, has_qkv_bias=True),
    ],
)
def test_a_model_that_cannot_is_refused(config: ModelConfig) -> None:
    with pytest.raises(ValueError, match="cannot start by looking back"):
        started(config)
