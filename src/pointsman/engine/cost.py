"""What forwards cost, counted as they happen: tokens computed and bytes that had to move.

A forward reads every weight of the blocks and the head once, the rows of the embedding that its tokens name, and the
keys and values of the tokens before; it writes those of the new ones. Activations stay in the processor's caches and
are not counted. This is a count of what the computation needs; what the memory really moved can only be more.

Arithmetic is counted as two operations for each weight of a matrix and each product of attention: padding is not, and
neither are norms, rotations and the like, which are a few per mille.
"""

from dataclasses import dataclass

from pointsman.engine.config import ModelConfig
from pointsman.engine.model import Decoder


@dataclass(frozen=True, slots=True)
class Traffic:
    """What one or several forwards took. Added, like `core.Cost`.

    Attributes:
        forwards: how often the weights were read.
        new_tokens: tokens computed, without padding.
        weight_bytes: weights read.
        kv_read_bytes: keys and values read.
        kv_written_bytes: keys and values written.
        flops: arithmetic of the products.
    """

    forwards: int = 0
    new_tokens: int = 0
    weight_bytes: int = 0
    kv_read_bytes: int = 0
    kv_written_bytes: int = 0
    flops: int = 0

    @property
    def moved_bytes(self) -> int:
        """All bytes together."""
        return self.weight_bytes + self.kv_read_bytes + self.kv_written_bytes

    def __add__(self, other: "Traffic") -> "Traffic":
        if not isinstance(other, Traffic):
            return NotImplemented
        return Traffic(
            self.forwards + other.forwards,
            self.new_tokens + other.new_tokens,
            self.weight_bytes + other.weight_bytes,
            self.kv_read_bytes + other.kv_read_bytes,
            self.kv_written_bytes + other.kv_written_bytes,
            self.flops + other.flops,
        )


def fixed_weight_bytes(decoder: Decoder) -> int:
    """Bytes of weights that every forward reads whole: all but an embedding that is not also the head."""
    total = sum(parameter.nbytes for parameter in decoder.parameters())
    return total if decoder.config.ties_embedding else total - decoder.embedding.nbytes


def forward_flops(config: ModelConfig, num_before: int, num_new: int, num_logits: int) -> int:
    """Operations that a row of `num_before` tokens takes for `num_new` more, with logits of `num_logits` of them."""
    num_seen = num_new * num_before + num_new * (num_new + 1) // 2  # (query, key) pairs
    matrices = config.num_layers * (
        config.hidden_size * (2 * config.num_heads + 2 * config.num_kv_heads) * config.head_dim
        + 3 * config.hidden_size * config.intermediate_size
    )
    attention = 2 * config.num_layers * config.num_heads * config.head_dim * num_seen
    return 2 * (matrices * num_new + attention + config.vocab_size * config.hidden_size * num_logits)
