"""What a token costs, by the parts of a model.

At batch 1 in bytes that a decoding step must move, or in milliseconds; in a prompt, whose tokens share what is read, in
multiplications.

Never the share of modules: in Llama 3.1 8B a quarter of all modules, chosen as published routers choose them, is a
seventh of the bytes, because attention is skipped more often and is smaller.

A router's options are counted in parts (`Tariff.quantities`), so any of them can be priced in every currency. Bytes
and multiplications are read off the model; milliseconds are measured on a machine, see `timing.py`.
"""

from dataclasses import dataclass
from typing import Literal, Self

import torch
from torch import Tensor

from pointsman.engine import Decoder
from pointsman.engine.cost import fixed_weight_bytes

Currency = Literal["bytes", "ms", "multiplications"]

PARTS = ("attention", "keys_values", "mlp", "value", "decision")
"""What options are counted in."""


@dataclass(frozen=True, slots=True)
class Prices:
    """By part, in one currency. Norms belong to the rest, since what decides reads the normed input.

    Attributes:
        currency: of all numbers.
        attention: one attention, without what it looks at.
        keys_values: of this, computing keys and values.
        mlp: one MLP.
        value: one number that a forecaster or a gate holds.
        decision: besides, choosing among the options of a unit.
        slot: for each token before, looking at its keys and values in one layer.
        written: storing those of the token itself in one layer.
        rest: everything that no unit is: head, norms, a row of the embedding.
        num_layers: blocks.
    """

    currency: Currency
    attention: float
    keys_values: float
    mlp: float
    value: float
    decision: float
    slot: float
    written: float
    rest: float
    num_layers: int

    @classmethod
    def of(cls, decoder: Decoder) -> Self:
        """Bytes of a model as it is stored."""
        config, size = decoder.config, decoder.embedding.element_size()
        block = decoder.block(0)
        attention = sum(parameter.nbytes for parameter in block.attention.parameters())
        mlp = sum(parameter.nbytes for parameter in block.mlp.parameters())
        kv_rows = 2 * config.num_kv_heads * config.head_dim
        keys_values = kv_rows * (config.hidden_size + config.has_qkv_bias) * size
        row = 0 if config.ties_embedding else decoder.embedding[0].nbytes
        rest = fixed_weight_bytes(decoder) + row - config.num_layers * (attention + mlp)
        slot = kv_rows * size
        return cls("bytes", attention, keys_values, mlp, size, 0, slot, slot, rest, config.num_layers)

    @classmethod
    def of_prompt(cls, decoder: Decoder) -> Self:
        """Multiplications for one of many tokens that are read together, by weights.

        The head is read for the last one only; what attentions look at is left out, since there they always look.
        """
        config, block = decoder.config, decoder.block(0)
        attention = block.attention.qkv.numel() + block.attention.out.numel()
        mlp = block.mlp.gate_up.numel() + block.mlp.down.numel()
        keys_values = 2 * config.num_kv_heads * config.head_dim * config.hidden_size
        return cls("multiplications", attention, keys_values, mlp, 1, 0, 0, 0, 0, config.num_layers)

    @property
    def num_units(self) -> int:
        """Attention and MLP of every block."""
        return 2 * self.num_layers

    def unit(self, unit: int) -> float:
        """Executing a unit, without what it looks at."""
        return self.mlp if unit % 2 else self.attention

    def by_part(self) -> Tensor:
        """(5,) float64, in the order of `PARTS`."""
        return torch.tensor([getattr(self, part) for part in PARTS], dtype=torch.float64)

    def dense(self, num_before: float) -> float:
        """All of a token behind so many others."""
        return self.rest + self.num_layers * (self.attention + self.mlp + self.written + self.slot * num_before)
