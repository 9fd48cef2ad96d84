"""A start for attention: heads that look at the tokens just before.

Everything that the families ask is looked up: find where `Lena` was told about, and read what stands three tokens
further. A head can only find a token by what it has been told about its neighbours, so before any look-up is learned
heads must come to look at a fixed distance. From random weights that takes most of a short training. So the first
layer starts with them: a constant in the bias of queries and keys, turned by as much as `distance` positions turn it,
makes rotary scores highest at that distance. Measured on chains of containers, 0.1M parameters, 45 seconds on one core
of a Zen 4: two links right in 32 % with it, in 8 % without. Everything stays free to change. Starting weights from what
trained ones look like is due to Trockman & Kolter 2023 (arXiv 2305.09828).
"""

import math

import torch

from pointsman.engine.model import Block, Decoder

_SCORES = (8.0, 6.0, 6.0)
"""What each of the fastest rotary pairs adds to the score at the distance. Their sum falls by 4 one token away."""

_CONTENT = 0.1
"""What is left of the random weights of those queries and keys, so that at first position alone decides."""


@torch.no_grad()
def look_back(model: Decoder) -> None:
    """Makes head `h` of the first layer attend to the token `h + 1` places back. Needs a bias of queries and keys.

    Raises:
        ValueError: the architecture has none, or groups its heads.
    """
    config, block = model.config, model.blocks[0]
    assert isinstance(block, Block)
    attention = block.attention
    if attention.qkv_bias is None or config.num_heads != config.num_kv_heads:
        raise ValueError(f"{config.architecture} with {config.num_kv_heads} key heads cannot start by looking back")
    queries, keys, _ = attention.qkv_bias.view(3, config.num_heads, config.head_dim)
    attention.qkv.view(3, config.num_heads, config.head_dim, -1)[:2] *= _CONTENT
    half = config.head_dim // 2
    for head in range(config.num_heads):
        for pair, score in enumerate(_SCORES):
            size = math.sqrt(score * math.sqrt(config.head_dim))
            angle = (head + 1) * config.rope.theta ** (-pair / half)
            queries[head, pair] = size
            keys[head, pair], keys[head, pair + half] = size * math.cos(angle), size * math.sin(angle)
