"""Keys and values of the tokens that a model has read, a slot a row.

One tensor a layer for keys and one for values, (R, K, S, E): R rows, K key-value heads, S slots, E head width. Slot i
of a row holds its token i; `lengths[row]` slots are valid and the rest is garbage that no read reaches. Rolling back is
therefore a number: `truncate` moves nothing.

Rows of a forward that lie side by side are read in place; any other choice of rows copies what it reads, so callers
keep their busy rows together (`move` fills a gap for the price of one row).
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from pointsman.core import OverBudget
from pointsman.engine.config import ModelConfig


class KVCache:
    """The cache of `num_rows` rows of at most `capacity_tokens` tokens each."""

    def __init__(
        self, config: ModelConfig, num_rows: int, capacity_tokens: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        shape = (num_rows, config.num_kv_heads, capacity_tokens, config.head_dim)
        self.config = config
        self.capacity_tokens = capacity_tokens
        # Zeros, not garbage: attention over all slots multiplies what it masks by 0, and 0 * NaN is NaN.
        self.keys = [torch.zeros(shape, dtype=dtype, device=device) for _ in range(config.num_layers)]
        self.values = [torch.zeros(shape, dtype=dtype, device=device) for _ in range(config.num_layers)]
        self.lengths = [0] * num_rows

    @property
    def num_rows(self) -> int:
        return len(self.lengths)

    @property
    def token_bytes(self) -> int:
        """Bytes that one token of one row has here, over all layers."""
        return self.config.kv_token_bytes(self.keys[0].element_size())

    def beside(self) -> "KVCache":
        """The same slots under lengths of their own: what either writes, the other reads."""
        other = copy(self)
        other.lengths = list(self.lengths)
        return other

    def require_room(self, row: int, num_tokens: int) -> None:
        """Raises `OverBudget` (`context_exceeded`) unless `num_tokens` more fit into `row`."""
        if self.lengths[row] + num_tokens > self.capacity_tokens:
            problem = f"{self.lengths[row]} tokens and {num_tokens} more exceed the {self.capacity_tokens} that fit"
            raise OverBudget(problem, code="context_exceeded")

    def truncate(self, row: int, num_tokens: int) -> None:
        """Forgets all but the first `num_tokens` tokens of `row`. Moves no data.

        Raises:
            ValueError: the row has fewer.
        """
        if not 0 <= num_tokens <= self.lengths[row]:
            raise ValueError(f"row {row} has {self.lengths[row]} tokens; cannot keep {num_tokens}")
        self.lengths[row] = num_tokens

    def gather(self, rows: Sequence[int]) -> "KVCache":
        """A new cache whose row i is a copy of `rows[i]`; a row may be named twice. This one is unchanged."""
        dtype, device = self.keys[0].dtype, self.keys[0].device
        copy = KVCache(self.config, len(rows), self.capacity_tokens, dtype, device)
        for target, source in enumerate(rows):
            _copy_row(self, source, copy, target)
        return copy

    def scatter(self, rows: Sequence[int], source: "KVCache") -> None:
        """Replaces `rows[i]` by a copy of `source`'s row i."""
        if len(set(rows)) != source.num_rows:
            raise ValueError(f"{len(set(rows))} different rows cannot take {source.num_rows}")
        for index, row in enumerate(rows):
            _copy_row(source, index, self, row)

    def move(self, source: int, target: int) -> None:
        """Replaces `target` by `source`, which is empty afterwards."""
        if source != target:
            _copy_row(self, source, self, target)
            self.lengths[source] = 0


def _copy_row(source: KVCache, source_row: int, target: KVCache, target_row: int) -> None:
    length = source.lengths[source_row]
    if length > target.capacity_tokens:
        raise OverBudget(f"{length} tokens exceed the {target.capacity_tokens} that fit", code="context_exceeded")
    for mine, theirs in ((target.keys, source.keys), (target.values, source.values)):
        for into, out in zip(mine, theirs, strict=True):
            into[target_row, :, :length] = out[source_row, :, :length]
    target.lengths[target_row] = length


@dataclass(frozen=True)  # without slots, for what is cached
class Window:
    """Where the new tokens of one forward go, and what each may see. Valid until the cache's lengths change.

    Attributes:
        rows: the cache's rows, in the order of the batch.
        counts: how many of the T columns are new tokens, by row; the rest is padding.
        starts: the length of each row before.
        device: of the cache.
    """

    rows: tuple[int, ...]
    counts: tuple[int, ...]
    starts: tuple[int, ...]
    device: torch.device

    @cached_property
    def positions(self) -> Tensor:
        """(B, T) int64; padding has the position of its row's last new token. Loops over few tokens never ask."""
        positions = torch.tensor(self.starts)[:, None]
        if (width := max(self.counts)) > 1:
            positions = positions + torch.minimum(torch.arange(width), torch.tensor(self.counts)[:, None] - 1)
        return positions.to(self.device)

    @property
    def end(self) -> int:
        """Slots that any row of the batch reads."""
        return max(start + count for start, count in zip(self.starts, self.counts, strict=True))

    @property
    def is_even(self) -> bool:
        """Whether all rows have the same length before and get the same number of tokens."""
        return len(set(self.starts)) == 1 and len(set(self.counts)) == 1

    @property
    def is_adjacent(self) -> bool:
        """Whether the rows lie side by side in the cache, in order."""
        return self.rows == tuple(range(self.rows[0], self.rows[0] + len(self.rows)))


def open_window(cache: KVCache, rows: Sequence[int], counts: Sequence[int]) -> Window:
    """The window of `counts[i]` new tokens for `rows[i]`.

    Raises:
        OverBudget: `context_exceeded` where a row has no room.
    """
    for row, count in zip(rows, counts, strict=True):
        cache.require_room(row, count)
    starts = tuple(cache.lengths[row] for row in rows)
    return Window(tuple(rows), tuple(counts), starts, cache.keys[0].device)
