"""The two sizes, as they are shipped."""

from pointsman.embedded.pair import Size
from pointsman.embedded.training import Recipe
from pointsman.embedded.vocabulary import END, SPECIALS
from pointsman.engine.config import ModelConfig

CONTEXT_TOKENS = 512


def recipe_for(size: Size, vocab_size: int) -> Recipe:
    """How `size` is built and trained: Qwen3's block, whose normalised queries and keys bear a high learning rate."""
    if size == "large":
        return Recipe(_config(vocab_size, 160, 6, 5, 432), num_rows=4, row_tokens=384, peak_lr=2.5e-3)
    return Recipe(_config(vocab_size, 48, 3, 3, 96), num_rows=4, row_tokens=384, peak_lr=5e-3)


def _config(vocab_size: int, hidden_size: int, num_layers: int, num_heads: int, intermediate_size: int) -> ModelConfig:
    return ModelConfig(
        architecture="Qwen3ForCausalLM",
        vocab_size=vocab_size,
        hidden_size=hidden_size,
        intermediate_size=intermediate_size,
        num_layers=num_layers,
        num_heads=num_heads,
        num_kv_heads=num_heads,
        head_dim=hidden_size // num_heads,
        context_tokens=CONTEXT_TOKENS,
        ties_embedding=True,
        eos_tokens=(SPECIALS.index(END),),
        has_qk_norm=True,
    )
