"""What a token costs at batch 1, by the parts of a model: the bytes that a decoding step must move.

Never the share of modules: in Llama 3.1 8B a quarter of all modules, chosen as published routers choose them, is a
seventh of the bytes, because attention is skipped more often and is smaller.
"""

from dataclasses import dataclass
from typing import Self

from pointsman.engine import Decoder
from pointsman.engine.cost import fixed_weight_bytes


@dataclass(frozen=True, slots=True)
class Prices:
    """Bytes by part. Norms belong to the rest, since what decides reads the normed input.

    Attributes:
        attention: weights of one attention.
        keys_values: of these, those of keys and values.
        mlp: weights of one MLP.
        slot: keys and values that one token has in one layer.
        rest: everything that no unit is: head, norms, a row of the embedding.
        num_layers: blocks.
    """

    attention: int
    keys_values: int
    mlp: int
    slot: int
    rest: int
    num_layers: int

    @classmethod
    def of(cls, decoder: Decoder) -> Self:
        """Those of a model as it is stored."""
        config, size = decoder.config, decoder.embedding.element_size()
        block = decoder.block(0)
        attention = sum(parameter.nbytes for parameter in block.attention.parameters())
        mlp = sum(parameter.nbytes for parameter in block.mlp.parameters())
        kv_rows = 2 * config.num_kv_heads * config.head_dim
        keys_values = kv_rows * (config.hidden_size + config.has_qkv_bias) * size
        row = 0 if config.ties_embedding else decoder.embedding[0].nbytes
        rest = fixed_weight_bytes(decoder) + row - config.num_layers * (attention + mlp)
        return cls(attention, keys_values, mlp, kv_rows * size, rest, config.num_layers)

    @property
    def num_units(self) -> int:
        """Attention and MLP of every block."""
        return 2 * self.num_layers

    def unit(self, unit: int) -> int:
        """Weights of a unit."""
        return self.mlp if unit % 2 else self.attention

    def dense(self, num_before: float) -> float:
        """All bytes of a token behind so many others."""
        return self.rest + self.num_layers * (self.attention + self.mlp + self.slot * (num_before + 1))
