"""Attention of new tokens over a KV cache: one `Attend` for any ragged batch, and one of fixed shapes for decoding.

Query heads that share a key-value head are folded into the query axis, so that keys are read once for all of them and
never copied per head.
"""

import torch
from torch import Tensor
from torch.nn import functional

from pointsman.engine.cache import KVCache, Window
from pointsman.engine.model import cpu_has_bf16

CHUNK_TOKENS, CHUNKED_FROM_TOKENS, CHUNKED_FROM_WIDTH = 64, 128, 64
"""Queries that are computed together, and from which prompts and heads on that wins; see `causal_in_chunks`."""


class CachedAttend:
    """Stores a ragged batch's keys and values in the cache and looks back over its rows.

    Mutates the cache's tensors, not its lengths: whoever ran the forward adds the counts.
    """

    def __init__(self, cache: KVCache, window: Window) -> None:
        self._cache, self._window = cache, window
        self._is_causal = window.is_even and window.starts[0] == 0 and window.counts[0] > 1
        needs_mask = not (window.is_even and (window.counts[0] == 1 or self._is_causal))
        self._mask = _visible(window) if needs_mask else None
        self._places = None if window.is_even and window.is_adjacent else _places(window)
        self._rows = None if window.is_adjacent else torch.tensor(window.rows, device=window.positions.device)

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """See `Attend`: (B, T, H, E) out."""
        self.remember(layer, k, v)
        keys, values = self._cache.keys[layer], self._cache.values[layer]
        if self._is_causal:
            return _causal(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)).transpose(1, 2)
        return _attend(q, self._load(keys), self._load(values), self._mask)

    def remember(self, layer: int, k: Tensor, v: Tensor) -> None:
        """See `Remember`."""
        self._store(self._cache.keys[layer], k)
        self._store(self._cache.values[layer], v)

    def _store(self, slots: Tensor, new: Tensor) -> None:
        """Writes `new` (B, T, K, E) into `slots` (R, K, S, E)."""
        if self._places is None:
            window = self._window
            first, start = window.rows[0], window.starts[0]
            slots[first : first + len(window.rows), :, start : start + new.shape[1]] = new.transpose(1, 2)
        else:
            batch, token, row, slot = self._places
            slots[row, :, slot] = new[batch, token]

    def _load(self, slots: Tensor) -> Tensor:
        """(B, K, end, E) of the window's rows; a view where they are adjacent."""
        window = self._window
        if self._rows is None:
            return slots[window.rows[0] : window.rows[0] + len(window.rows), :, : window.end]
        return slots[self._rows, :, : window.end]


class StaticAttend:
    """One new token a row for all rows of the cache, in shapes that depend on nothing but the cache.

    Reads every slot and masks those beyond a row's position, which a compiled or captured decode step needs. Mutates
    the cache's tensors, not its lengths.
    """

    def __init__(self, cache: KVCache, positions: Tensor) -> None:
        """`positions`: (R, 1) int64, the slot of each row's new token."""
        self._cache = cache
        self._positions = positions
        slots = torch.arange(cache.capacity_tokens, device=positions.device)
        self._mask = (slots <= positions)[:, None, None, :]  # (R, 1, 1, S)
        self._rows = torch.arange(cache.num_rows, device=positions.device)

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """See `Attend`: (R, 1, H, E) out."""
        keys, values = self._cache.keys[layer], self._cache.values[layer]
        where = self._positions[:, 0]
        keys[self._rows, :, where] = k[:, 0]
        values[self._rows, :, where] = v[:, 0]
        return _attend(q, keys, values, self._mask)


def _causal(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Whole prompts over themselves: (B, H, T, E) over (B, K, T, E)."""
    is_long = q.shape[2] >= CHUNKED_FROM_TOKENS and q.shape[3] >= CHUNKED_FROM_WIDTH
    if is_long and q.dtype is torch.bfloat16 and q.device.type == "cpu" and cpu_has_bf16():
        return causal_in_chunks(q, k, v)
    return functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=q.shape[1] != k.shape[1])


def causal_in_chunks(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """`_causal` by two products a chunk of queries, over the keys up to its end.

    On a processor that multiplies bf16, where torch's own attention does not use that: 4.3 ms in place of 11.3 for 512
    tokens and 20 heads of 64. Measured on a Zen 4, where float32 and heads of 16 gain nothing.
    """
    batch, num_heads, num_tokens, width = q.shape
    keys, values = k.flatten(0, 1), v.flatten(0, 1)  # (B K, T, E)
    q, chunks = q * width**-0.5, []
    later = q.new_full((CHUNK_TOKENS, CHUNK_TOKENS), -torch.inf).triu(1)
    for start in range(0, num_tokens, CHUNK_TOKENS):
        end = min(start + CHUNK_TOKENS, num_tokens)
        count = end - start
        queries = q[:, :, start:end].reshape(keys.shape[0], -1, width)
        scores = torch.bmm(queries, keys[:, :end].transpose(1, 2))
        scores.view(-1, count, end)[:, :, start:] += later[:count, :count]
        weights = scores.softmax(-1)
        chunks.append(torch.bmm(weights, values[:, :end]).view(batch, num_heads, count, width))
    return torch.cat(chunks, 2)


def _attend(q: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    """(B, T, H, E) over (B, K, S, E); `mask` is (B, 1, T, S) bool, true where a token may look, or None for all."""
    batch, num_tokens, num_heads, width = q.shape
    num_kv_heads = keys.shape[1]
    group = num_heads // num_kv_heads
    folded = q.view(batch, num_tokens, num_kv_heads, group, width).permute(0, 2, 3, 1, 4)
    folded = folded.reshape(batch, num_kv_heads, group * num_tokens, width)
    if mask is not None and group > 1:
        mask = mask.repeat(1, 1, group, 1)
    y = functional.scaled_dot_product_attention(folded, keys, values, attn_mask=mask)
    y = y.view(batch, num_kv_heads, group, num_tokens, width).permute(0, 3, 1, 2, 4)
    return y.reshape(batch, num_tokens, num_heads, width)


def _places(window: Window) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of every new token: its row in the batch, its column, its row in the cache, its slot. Each is (N,) int64."""
    device = window.positions.device
    is_new = torch.arange(window.positions.shape[1]) < torch.tensor(window.counts)[:, None]  # (B, T)
    batch, token = (index.to(device) for index in is_new.nonzero(as_tuple=True))
    return batch, token, torch.tensor(window.rows, device=device)[batch], window.positions[batch, token]


def _visible(window: Window) -> Tensor:
    """(B, 1, T, end) bool: a token sees its row up to itself."""
    slots = torch.arange(window.end, device=window.positions.device)
    return (slots <= window.positions[:, :, None])[:, None]
