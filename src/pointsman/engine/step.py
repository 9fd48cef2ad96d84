"""A forward of a few new tokens on a CPU through compiled loops: the fast twin of `Decoder` over a `CachedAttend`.

It is exact to rounding, and rounds less: in bf16 the residual stream stays float32 from the first block to the head,
where torch rounds after every operation. `kernels.py` has the loops and what they give.

Not done here: gradients, other dtypes than float32 and bf16, so many tokens that torch's products are as fast.
"""

import logging
from collections.abc import Callable, Sequence
from functools import cache
from types import ModuleType
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pointsman.engine.cache import KVCache, Window
from pointsman.engine.model import Block, Decoder, RmsNorm

THREADS_FROM_BYTES = 4 << 20
"""Weights of a block from which on threads share it. Below, one core takes 40 us a block and two 30, and the other core
serves someone else. Measured on a Zen 4."""

MOST_LINES_ALONE, MOST_LINES_THREADED = 24, 4
"""New tokens up to which these loops win, on one thread and on several. 24 rows of the embedded large model take 1.7 ms
in place of 2.0, 32 rows 2.7 in place of 2.6; 4 rows of half a billion parameters in bf16 50 ms in place of 57, 8 rows
98 in place of 67. Measured on a Zen 4, with two threads for torch."""

Array = NDArray[Any]


class FewTokens:
    """Reads a few new tokens, at most `most_lines` over all rows.

    Holds views of the decoder's weights and of the cache's tensors: it follows what is written into them, and is void
    once the decoder is cast, moved, or given other tensors. Mutates the cache's tensors, not its lengths.
    """

    def __init__(self, decoder: Decoder, cache: KVCache, kernels: ModuleType) -> None:
        self._kernels = kernels
        self._eps = decoder.config.rms_norm_eps
        self._dtype = decoder.embedding.dtype
        self._embedding, self._norm = as_array(decoder.embedding), as_array(decoder.norm.weight)
        self._head = self._embedding if decoder.head is None else as_array(decoder.head)
        self._rope = as_array(decoder.cos), as_array(decoder.sin)
        self._weights = [_block_arrays(block) for block in decoder.blocks if isinstance(block, Block)]
        self._cache = [
            (as_array(keys), as_array(values)) for keys, values in zip(cache.keys, cache.values, strict=True)
        ]
        block_bytes = sum(parameter.nbytes for parameter in decoder.blocks[0].parameters())
        self.is_threaded = block_bytes >= THREADS_FROM_BYTES
        self.most_lines = MOST_LINES_THREADED if self.is_threaded else MOST_LINES_ALONE
        self._compile()

    @classmethod
    def over(cls, decoder: Decoder, cache: KVCache) -> Self | None:
        """One for this decoder and cache; None on a GPU, in another dtype, or where numba has no threads to share."""
        weight = decoder.embedding
        if weight.device.type != "cpu" or weight.dtype not in (torch.float32, torch.bfloat16):
            return None
        kernels = usable_kernels()
        return None if kernels is None else cls(decoder, cache, kernels)

    @property
    def arrays(self) -> tuple[Any, ...]:
        """Embedding, last norm, head, blocks (attention, MLP and cache of each), rotary tables and eps, for loops."""
        blocks = tuple((*weights, stored) for weights, stored in zip(self._weights, self._cache, strict=True))
        return self._embedding, self._norm, self._head, blocks, self._rope, self._eps

    def use_threads(self) -> None:
        """Lets the calling thread's loops run on as many threads as pay for this model."""
        self._kernels.use_threads(torch.get_num_threads() if self.is_threaded else 1)

    def hidden(
        self,
        tokens: Sequence[Sequence[int]],
        window: Window,
        read: Callable[[Array, Array, Array], Array] | None = None,
    ) -> Tensor:
        """(B, T, D) after the last norm, in the decoder's dtype; unspecified beyond a row's new tokens.

        `read` gets ids, rows and slots of N new tokens, each (N,) int64, and gives their (N, D) float32; None for the
        decoder's own blocks.
        """
        places = zip(window.rows, window.starts, window.counts, strict=True)
        lines = np.array([(row, start + index) for row, start, count in places for index in range(count)])
        ids = np.array([token for new in tokens for token in new])
        self.use_threads()
        x = (read or self._read)(ids, lines[:, 0].copy(), lines[:, 1].copy())
        return _by_row(torch.from_numpy(x).to(self._dtype), window.counts)

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., D) of `hidden`, at most `most_lines`, to (..., V)."""
        lines = hidden.reshape(-1, hidden.shape[-1]).float().numpy()
        y = np.zeros((lines.shape[0], self._head.shape[0]), np.float32)
        self._kernels.multiply(self._head, lines, y)
        return torch.from_numpy(y).to(self._dtype).view(*hidden.shape[:-1], y.shape[1])

    def _read(self, tokens: Array, rows: Array, slots: Array) -> Array:
        """(N, D) float32 after the last norm, of N tokens that go into these slots of these rows; all (N,) int64."""
        loops = self._kernels
        x = np.empty((len(tokens), self._embedding.shape[1]), np.float32)
        loops.embed(self._embedding, tokens, x)
        for (attention, mlp), stored in zip(self._weights, self._cache, strict=True):
            loops.attention(x, (rows, slots), attention, self._rope, stored, self._eps)
            loops.mlp(x, mlp, self._eps)
        normed: Array = loops.normalised(x, self._norm, self._eps)
        return normed

    def _compile(self) -> None:
        """Reads no token, so that the first one finds everything compiled."""
        none = np.empty(0, np.int64)
        self.use_threads()
        self.logits(torch.from_numpy(self._read(none, none, none)))


def _by_row(lines: Tensor, counts: Sequence[int]) -> Tensor:
    """(N, D) to (B, T, D), where row i has `counts[i]` lines."""
    width = max(counts)
    if min(counts) == width:
        return lines.view(len(counts), width, -1)
    rows = lines.new_zeros(len(counts), width, lines.shape[-1])
    for row, its_lines in zip(rows, torch.split(lines, list(counts)), strict=True):
        row[: its_lines.shape[0]] = its_lines
    return rows


def as_array(tensor: Tensor) -> Array:
    """The tensor's memory; bf16 as its bits."""
    plain = tensor.detach()
    array: Array = (plain.view(torch.uint16) if plain.dtype is torch.bfloat16 else plain).numpy()
    return array


def _block_arrays(block: Block) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """The weights of `kernels.attention` and of `kernels.mlp`."""
    inner = block.attention

    def optional(tensor: Tensor | None) -> Array:
        return as_array(inner.out.new_empty(0) if tensor is None else tensor)

    def of_heads(norm: RmsNorm | None) -> Array:
        return optional(None if norm is None else norm.weight)

    attention = (
        as_array(block.attention_norm.weight),
        as_array(inner.qkv),
        optional(inner.qkv_bias),
        of_heads(inner.q_norm),
        of_heads(inner.k_norm),
        as_array(inner.out),
    )
    return attention, (as_array(block.mlp_norm.weight), as_array(block.mlp.gate_up), as_array(block.mlp.down))


@cache
def usable_kernels() -> ModuleType | None:
    """The compiled loops; None where numba has no threads that several of Python's may use at once."""
    from pointsman.engine import kernels

    if kernels.starts_safely():
        return kernels
    problem = "numba found neither OpenMP nor TBB; single tokens are computed by torch, several times slower"
    logging.getLogger(__name__).warning(problem)
    return None
