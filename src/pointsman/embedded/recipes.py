"""The pair and the reader, as they are shipped."""

from pointsman.embedded.families import FAMILIES, READING_FAMILIES
from pointsman.embedded.pair import READER
from pointsman.embedded.training import Recipe
from pointsman.embedded.vocabulary import END, SPECIALS
from pointsman.engine.config import ModelConfig

CONTEXT_TOKENS = 512

HEAD_DIM = 16
"""Many narrow heads: each of the first layer looks at a distance of its own, and a look-up takes one or two."""


def recipe_for(model: str, vocab_size: int) -> Recipe:
    """How a model is built and trained: Qwen2's block, whose biased queries and keys can start by looking back."""
    if model == READER:
        config = _config(vocab_size, 48, 3, 4, 96)
        families: tuple[str, ...] = tuple(READING_FAMILIES)
        return Recipe(config, num_rows=4, row_tokens=448, peak_lr=8e-3, families=families, modes=("direct",))
    config = _config(vocab_size, 128, 3, 8, 320) if model == "large" else _config(vocab_size, 24, 2, 3, 48)
    peak_lr = 4e-3 if model == "large" else 8e-3
    return Recipe(config, num_rows=4, row_tokens=384, peak_lr=peak_lr, families=tuple(FAMILIES))


def _config(vocab_size: int, hidden_size: int, num_layers: int, num_heads: int, intermediate_size: int) -> ModelConfig:
    return ModelConfig(
        architecture="Qwen2ForCausalLM",
        vocab_size=vocab_size,
        hidden_size=hidden_size,
        intermediate_size=intermediate_size,
        num_layers=num_layers,
        num_heads=num_heads,
        num_kv_heads=num_heads,
        head_dim=HEAD_DIM,
        context_tokens=CONTEXT_TOKENS,
        ties_embedding=True,
        has_qkv_bias=True,
        eos_tokens=(SPECIALS.index(END),),
    )
