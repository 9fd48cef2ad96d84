"""A decoder-only transformer: Llama, Mistral, Qwen2 and Qwen3 in one page.

The model computes blocks and knows nothing of caches: it hands queries, keys and values of a layer to an `Attend`,
which stores and looks back as it likes. A cached forward, packed training sequences and a forecaster that leaves a
block out are thus the same model. Queries, keys and values are one matrix, and so are the MLP's gate and up: at batch 1
a forward is bound by reading weights, and fewer, longer reads come closer to the memory's bandwidth.

Axes: B rows, T new tokens, D hidden, H query heads, K key and value heads, E head width, V vocabulary.
Padding tokens of a ragged batch are computed and ignored; whatever they give is unspecified.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from pointsman.engine.config import ModelConfig, RopeConfig
from pointsman.engine.execution import Attend, Execute, Remember, executed

FLOAT_ROWS = 6
"""From so many rows on a bf16 product on a CPU without bf16 arithmetic is computed in float32; see `linear`."""

CHUNK_BYTES = 1 << 20
"""Float32 weights that are made at a time there. A chunk stays in the processor's cache. Both measured on a Zen 3."""


def inverse_frequencies(rope: RopeConfig, head_dim: int) -> Tensor:
    """(E/2,) float32: radians per position of each rotated pair, after scaling.

    `llama3` follows Llama 3.1's reference: wavelengths above `original / low` are divided by `factor`, those below
    `original / high` are left, and between them the two are mixed linearly in turns per context.
    """
    base = rope.theta ** (torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim)
    frequency = 1.0 / base
    if rope.kind == "linear":
        return frequency / rope.factor
    if rope.kind == "llama3":
        turns = rope.original_tokens * frequency / (2 * math.pi)
        share = (turns - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor)
        share = share.clamp(0.0, 1.0)
        return frequency * (share + (1 - share) / rope.factor)
    return frequency


def rotary_table(config: ModelConfig, num_positions: int) -> tuple[Tensor, Tensor]:
    """Cosines and signed sines of every position: two of (num_positions, E), float32.

    The first half of the sines is negated, so that `x * cos + roll(x, E/2) * sin` is the rotation of the pairs
    (i, i + E/2), which is the layout of Hugging Face's weights.
    """
    angles = torch.outer(torch.arange(num_positions).float(), inverse_frequencies(config.rope, config.head_dim))
    cos, sin = angles.cos(), angles.sin()
    return torch.cat((cos, cos), -1), torch.cat((-sin, sin), -1)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Heads `x` (..., E), turned by `rotary_table`'s rows, in the dtype of `x`."""
    return torch.addcmul(x * cos, x.roll(x.shape[-1] // 2, -1), sin)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`x @ weight.T + bias`; many rows of bf16 by float32 arithmetic on a CPU that has no other."""
    is_emulated = weight.dtype is torch.bfloat16 and weight.device.type == "cpu" and not cpu_has_bf16()
    if not is_emulated or x.numel() // x.shape[-1] < FLOAT_ROWS:
        return functional.linear(x, weight, bias)
    if torch.is_grad_enabled() or torch.compiler.is_compiling():
        return functional.linear(x, weight, bias)
    return linear_in_float(x, weight, bias)


def linear_in_float(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """A bf16 product by float32 arithmetic, rounded once. Has no gradient.

    For a CPU without bf16 arithmetic, where oneDNN emulates it: 16 GFLOP/s against 160 in float32 on a Zen 3. The
    weights are converted a chunk at a time into one buffer, since whole copies of them would go through memory three
    times: with 8 rows 3.9 GB/s of weights against 1.1 whole and 2.3 emulated. For fewer rows than `FLOAT_ROWS` bf16
    weights are the faster, because reading them is what limits (15 GB/s for one).
    """
    num_rows = max(1, CHUNK_BYTES // (4 * weight.shape[1]))
    buffer = torch.empty(min(num_rows, weight.shape[0]), weight.shape[1])
    wide, pieces = x.reshape(-1, x.shape[-1]).float(), []
    for chunk in torch.split(weight, num_rows):
        held = buffer[: chunk.shape[0]]
        held.copy_(chunk)
        pieces.append(wide @ held.T)
    y = torch.cat(pieces, -1)
    return (y if bias is None else y + bias).to(x.dtype).view(*x.shape[:-1], -1)


@cache
def cpu_has_bf16() -> bool:
    """Whether this processor multiplies bf16 (AVX512-BF16 or AMX); elsewhere the products are emulated."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def normalised(x: Tensor, eps: float) -> Tensor:
    """`x / sqrt(mean(x^2) + eps)` over the last axis, in its dtype; the mean is taken in float32, as the families do.

    Written with a vector norm, because a mean is two kernels on a CPU and this function is called 25 times a token.
    """
    wide = x.float()
    length = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
    return (wide * torch.rsqrt(length.square() / x.shape[-1] + eps)).to(x.dtype)


class RmsNorm(nn.Module):
    """`normalised(x) * weight`."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        if x.dtype is torch.float32:  # one call in place of six; in bf16 it would round once, the families round twice
            return functional.rms_norm(x, self.weight.shape, self.weight, self.eps)
        return normalised(x, self.eps) * self.weight


class Attention(nn.Module):
    """Projects to heads, normalises them (Qwen3), rotates, asks `attend`, projects back."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.num_heads, self.num_kv_heads, self.head_dim = config.num_heads, config.num_kv_heads, config.head_dim
        num_all = self.num_heads + 2 * self.num_kv_heads
        self.qkv = nn.Parameter(torch.empty(num_all * self.head_dim, config.hidden_size))
        self.qkv_bias = nn.Parameter(torch.empty(num_all * self.head_dim)) if config.has_qkv_bias else None
        self.out = nn.Parameter(torch.empty(config.hidden_size, self.num_heads * self.head_dim))
        self.q_norm = RmsNorm(self.head_dim, config.rms_norm_eps) if config.has_qk_norm else None
        self.k_norm = RmsNorm(self.head_dim, config.rms_norm_eps) if config.has_qk_norm else None

    def forward(self, x: Tensor, layer: int, cos: Tensor, sin: Tensor, attend: Attend) -> Tensor:
        """(B, T, D) to (B, T, D); `cos` and `sin` are (B, T, 1, E), or without B where all rows share positions."""
        batch, num_tokens, _ = x.shape
        heads = linear(x, self.qkv, self.qkv_bias).view(batch, num_tokens, -1, self.head_dim)
        num_turned = self.num_heads + self.num_kv_heads  # queries and keys are normalised and turned together
        turned, v = heads[:, :, :num_turned], heads[:, :, num_turned:]
        if self.q_norm is not None and self.k_norm is not None:
            turned = normalised(turned, self.q_norm.eps) * self._norm_weight()
        turned = rotate(turned, cos, sin)
        y = attend(layer, turned[:, :, : self.num_heads], turned[:, :, self.num_heads :], v)
        return linear(y.reshape(batch, num_tokens, -1), self.out)

    def keys_values(self, x: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
        """What `forward` would hand to `attend` as keys and values, each (B, T, K, E), without reading the rest."""
        first = self.num_heads * self.head_dim
        bias = None if self.qkv_bias is None else self.qkv_bias[first:]
        heads = linear(x, self.qkv[first:], bias).view(*x.shape[:2], -1, self.head_dim)
        return self.placed(heads[:, :, : self.num_kv_heads], cos, sin), heads[:, :, self.num_kv_heads :]

    def placed(self, k: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Keys (B, T, K, E) as they leave the projection, normalised and rotated to their positions."""
        if self.k_norm is not None:
            k = normalised(k, self.k_norm.eps) * self.k_norm.weight
        return rotate(k, cos, sin)

    def _norm_weight(self) -> Tensor:
        """(H + K, E): the weight of every query and key head."""
        assert self.q_norm is not None
        assert self.k_norm is not None
        q, k = self.q_norm.weight, self.k_norm.weight
        return torch.cat((q.expand(self.num_heads, -1), k.expand(self.num_kv_heads, -1)))


class Mlp(nn.Module):
    """`down(silu(gate x) * up x)`; gate and up are the upper and the lower half of one matrix."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate_up = nn.Parameter(torch.empty(2 * config.intermediate_size, config.hidden_size))
        self.down = nn.Parameter(torch.empty(config.hidden_size, config.intermediate_size))

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) to (B, T, D)."""
        gate, up = linear(x, self.gate_up).chunk(2, dim=-1)
        return linear(functional.silu(gate) * up, self.down)


@dataclass(frozen=True, slots=True)
class Looking:
    """The attention of a block over one forward's tokens: a `Branch`."""

    attention: Attention
    layer: int
    cos: Tensor
    sin: Tensor
    attend: Attend

    def __call__(self, u: Tensor) -> Tensor:
        y: Tensor = self.attention(u, self.layer, self.cos, self.sin, self.attend)
        return y

    def remember(self, u: Tensor) -> None:
        """Keys and values go into the cache. Needs an `attend` that has one."""
        self.remember_as(*self.attention.keys_values(u, self.cos, self.sin))

    def remember_as(self, k: Tensor, v: Tensor) -> None:
        """These keys, normalised and rotated, and values go into the cache, each (B, T, K, E)."""
        assert isinstance(self.attend, Remember), "there is no cache to remember in"
        self.attend.remember(self.layer, k, v)


@dataclass(frozen=True, slots=True)
class Computing:
    """The MLP of a block: a `Branch`."""

    mlp: Mlp

    def __call__(self, u: Tensor) -> Tensor:
        y: Tensor = self.mlp(u)
        return y

    def remember(self, u: Tensor) -> None:
        """Later tokens look at nothing of an MLP."""


class Block(nn.Module):
    """Attention and MLP, each on a normed copy of the residual stream and added to it."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attention_norm = RmsNorm(config.hidden_size, config.rms_norm_eps)
        self.attention = Attention(config)
        self.mlp_norm = RmsNorm(config.hidden_size, config.rms_norm_eps)
        self.mlp = Mlp(config)

    def forward(
        self, x: Tensor, layer: int, cos: Tensor, sin: Tensor, attend: Attend, execute: Execute = executed
    ) -> Tensor:
        """(B, T, D) to (B, T, D)."""
        looking = Looking(self.attention, layer, cos, sin, attend)
        x = x + execute(2 * layer, self.attention_norm(x), looking)
        return x + execute(2 * layer + 1, self.mlp_norm(x), Computing(self.mlp))


class Decoder(nn.Module):
    """The model. Weights are unset until `initialise` or a loader fills them.

    `cos` and `sin` are tables of float32 for `config.context_tokens` positions; they follow the module to its device
    but keep their precision when its dtype changes, and a rotation rounds its rows to the dtype of the heads.
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Parameter(torch.empty(config.vocab_size, config.hidden_size))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_layers))
        self.norm = RmsNorm(config.hidden_size, config.rms_norm_eps)
        self.head = None if config.ties_embedding else nn.Parameter(torch.empty_like(self.embedding))
        self._make_tables()

    def _make_tables(self) -> None:
        with self.embedding.device:
            cos, sin = rotary_table(self.config, self.config.context_tokens)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Moves or casts the weights. The tables are made anew: a cast would round them, `to_empty` unset them."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self._make_tables()
        return self

    def forward(self, tokens: Tensor, positions: Tensor, attend: Attend, execute: Execute = executed) -> Tensor:
        """The last hidden state of every new token.

        Args:
            tokens: (B, T) int64 ids.
            positions: (B, T) int64, where each new token stands in its row, from 0.
            attend: how layers see the tokens before; called once a layer, in order.
            execute: what executes a unit; called once a unit, in order.

        Returns:
            (B, T, D), after the last norm; `logits` turns any of its rows into logits.
        """
        x = functional.embedding(tokens, self.embedding)
        cos = self.cos[positions].unsqueeze(2).to(x.dtype)  # (B, T, 1, E)
        sin = self.sin[positions].unsqueeze(2).to(x.dtype)
        for layer, block in enumerate(self.blocks):
            x = block(x, layer, cos, sin, attend, execute)
        hidden: Tensor = self.norm(x)
        return hidden

    def block(self, layer: int) -> Block:
        """One of the blocks."""
        found = self.blocks[layer]
        assert isinstance(found, Block)
        return found

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., D) of `forward` to (..., V)."""
        return linear(hidden, self.embedding if self.head is None else self.head)

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> None:
        """Random weights: normal with deviation 0.02, and 1 / sqrt(2 L) of that where a block writes to the stream."""
        for name, parameter in self.named_parameters():
            if name.endswith("norm.weight"):
                parameter.fill_(1.0)
            elif name.endswith("bias"):
                parameter.zero_()
            else:
                writes = name.endswith(("attention.out", "mlp.down"))
                deviation = 0.02 / math.sqrt(2 * self.config.num_layers) if writes else 0.02
                parameter.normal_(0.0, deviation, generator=generator)
