"""Tiny models, made on the spot."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from pointsman.engine.config import ModelConfig
from pointsman.engine.model import Decoder

TINY = ModelConfig(
    architecture="Qwen3ForCausalLM",
    vocab_size=60,
    hidden_size=32,
    intermediate_size=48,
    num_layers=2,
    num_heads=4,
    num_kv_heads=2,
    head_dim=8,
    context_tokens=64,
    has_qk_norm=True,
    eos_tokens=(1,),
)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Tests run beside each other; threads of tiny products only get in each other's way."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def make_decoder() -> Callable[..., Decoder]:
    """Makes a random model: `make_decoder(seed=1, num_kv_heads=4)`."""

    def make(seed: int = 0, dtype: torch.dtype = torch.float32, **changes: object) -> Decoder:
        decoder = Decoder(replace(TINY, **changes))
        decoder.initialise(torch.Generator().manual_seed(seed))
        with torch.no_grad():
            for name, parameter in decoder.named_parameters():
                if not name.endswith("norm.weight"):
                    parameter.mul_(8)  # at 0.02 all logits of a tiny model are nearly equal
        return decoder.cast(dtype).eval()

    return make
