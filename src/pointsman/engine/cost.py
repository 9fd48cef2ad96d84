"""What forwards cost, counted as they happen: tokens computed and bytes that had to move.

A forward reads every weight of the blocks and the head once, the rows of the embedding that its tokens name, and the
keys and values of the tokens before; it writes those of the new ones. Activations stay in the processor's caches and
are not counted. This is a count of what the computation needs; what the memory really moved can only be more.
"""

from dataclasses import dataclass

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
    """

    forwards: int = 0
    new_tokens: int = 0
    weight_bytes: int = 0
    kv_read_bytes: int = 0
    kv_written_bytes: int = 0

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
        )


def fixed_weight_bytes(decoder: Decoder) -> int:
    """Bytes of weights that every forward reads whole: all but an embedding that is not also the head."""
    total = sum(parameter.nbytes for parameter in decoder.parameters())
    return total if decoder.config.ties_embedding else total - decoder.embedding.nbytes
