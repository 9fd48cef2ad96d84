"""LoRA for a published router, the stage that its authors add: a copy of the model learns to live without some units.

As published (SkipGPT, informed routing): rank 16 and alpha 32 on queries, values and the MLP's gate, a peak rate of
2e-4 with a warm-up over a tenth of the steps and a cosine, language-model loss, routers frozen and taking the likelier
option. Left out: dropout of the inputs. The engine keeps queries, keys and values in one matrix, and gate and up, so
that the changes are of some rows of a parameter, where `peft` adapts whole linear modules.
"""

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from pointsman.engine import Decoder
from pointsman.unit.distilling import warmed_cosine
from pointsman.unit.prices import Prices
from pointsman.unit.rivals.published import Published, PublishedExecute, tariff_of
from pointsman.unit.rivals.training import Recipe
from pointsman.unit.texts import Texts
from pointsman.unit.whole import logits_of

RANK, ALPHA, PEAK_LR = 16, 32, 2e-4


class LowRank(nn.Module):
    """A matrix (M, N) plus `up down` on some of its rows.

    Args:
        weight: the matrix.
        rows: (R,) int64, which change.
    """

    def __init__(self, weight: Tensor, rows: Tensor) -> None:
        super().__init__()
        self.rows = rows.to(weight.device)
        self.down = nn.Parameter(torch.empty(RANK, weight.shape[1], device=weight.device))
        self.up = nn.Parameter(torch.zeros(len(rows), RANK, device=weight.device))
        nn.init.normal_(self.down, 0.0, weight.shape[1] ** -0.5)

    def forward(self, weight: Tensor) -> Tensor:
        """(M, N) to (M, N)."""
        return weight.index_add(0, self.rows, self.up @ self.down * (ALPHA / RANK))


def adapted(decoder: Decoder) -> tuple[Decoder, nn.ModuleList]:
    """A frozen copy whose queries, values and gates can be changed, and the changes, which are none yet."""
    config, copy, changes = decoder.config, deepcopy(decoder).requires_grad_(False), nn.ModuleList()
    num_queries, num_keys = config.num_heads * config.head_dim, config.num_kv_heads * config.head_dim
    all_rows = torch.arange(num_queries + 2 * num_keys)
    looking = torch.cat((all_rows[:num_queries], all_rows[num_queries + num_keys :]))
    for layer in range(config.num_layers):
        block = copy.block(layer)
        places: tuple[tuple[nn.Module, str, Tensor], ...] = (
            (block.attention, "qkv", looking),
            (block.mlp, "gate_up", torch.arange(config.intermediate_size)),
        )
        for module, name, rows in places:
            change = LowRank(getattr(module, name), rows)
            parametrize.register_parametrization(module, name, change)
            changes.append(change)
    return copy, changes


def tuned(
    decoder: Decoder,
    published: Published,
    texts: Texts,
    recipe: Recipe,
    on_step: Callable[[int], None] = lambda _: None,
) -> tuple[Decoder, nn.ModuleList]:
    """The copy of `adapted` after `recipe.steps` batches."""
    copy, changes = adapted(decoder)
    optimizer = torch.optim.AdamW(changes.parameters(), PEAK_LR)
    texts, tariff = texts.by_length(), tariff_of(published, Prices.of(decoder))
    generator = torch.Generator().manual_seed(recipe.seed + 1)
    for step in range(recipe.steps):
        batch = texts.drawn(recipe.num_rows, generator)
        at = batch.is_routed
        execute = PublishedExecute(published, copy, tariff, batch.tokens, at)
        logits = logits_of(copy, batch.tokens, execute, execute.attend, at)
        loss = functional.cross_entropy(logits, batch.targets[at])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        for group in optimizer.param_groups:
            group["lr"] = PEAK_LR * warmed_cosine(step / recipe.steps)
        optimizer.step()
        on_step(step + 1)
    return copy, changes
