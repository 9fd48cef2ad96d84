"""How published routers are trained: language-model loss, a budget, and what each adds. The model itself is frozen."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from pointsman.engine import Branch, Decoder
from pointsman.engine.store import Store
from pointsman.unit.evaluation import Setting, measure
from pointsman.unit.prices import Prices
from pointsman.unit.rivals.published import Noise, Published, PublishedExecute, tariff_of
from pointsman.unit.texts import Texts
from pointsman.unit.whole import logits_of

BUDGET_WEIGHT, RECOVERABILITY_WEIGHT, D_LLM_WEIGHT = 8.0, 0.1, 5.0
"""Of the loss's terms, as published (SkipGPT, informed routing; D-LLM's lambda)."""

HOTTEST, COOLEST = 5.0, 1.0
"""Between which the Gumbel softmax is annealed, linearly over the steps."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How long and how fast.

    Attributes:
        steps: batches for the router.
        forecaster_steps: batches for forecasters before, where there are any.
        num_rows: texts of a batch.
        router_lr: 2e-3 as published, constant.
        forecaster_lr: 1e-3 as published, before a cosine to 0.
        seed: of batches and noise.
    """

    steps: int = 600
    forecaster_steps: int = 600
    num_rows: int = 16
    router_lr: float = 2e-3
    forecaster_lr: float = 1e-3
    seed: int = 0


class PublishedTraining:
    """Trains one published router for one budget. `train` does both stages.

    Args:
        decoder: frozen.
        published: what is trained.
        texts: with targets at routed tokens.
        budget: share of bytes that routed tokens may move.
        recipe: see `Recipe`.
        on_step: told how many steps are done.
    """

    def __init__(
        self,
        decoder: Decoder,
        published: Published,
        texts: Texts,
        budget: float,
        recipe: Recipe,
        on_step: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._decoder, self._published, self._texts = decoder, published, texts.by_length()
        self._tariff, self._budget, self._recipe = tariff_of(published, Prices.of(decoder)), budget, recipe
        self._on_step = on_step
        self._generator = torch.Generator().manual_seed(recipe.seed)

    def train(self, store: Store | None = None) -> None:
        """Forecasters first, where there are any, then routers. A stage that `store` has is not trained again."""
        published = self._published
        if published.kind == "mod":
            published.offset.fill_(self._mod_offset())
        stages = {"forecasters": self._train_forecasters} if len(published.forecasters) else {}
        for stage, train in {**stages, "routers": self._train_routers}.items():
            if store is None:
                train()
            else:
                name = f"{published.kind}-{self._budget:g}-{stage}"
                published.load_state_dict(store.chunk(name, _trained(published, train)))

    def _batch(self) -> Texts:
        return self._texts.drawn(self._recipe.num_rows, self._generator)

    def _train_forecasters(self) -> None:
        """Smooth L1 between forecasts and outputs on the model's own path, all units at once."""
        published, recipe = self._published, self._recipe
        optimizer = torch.optim.AdamW(published.forecasters.parameters(), recipe.forecaster_lr, weight_decay=0.01)
        for step in range(recipe.forecaster_steps):
            batch, losses = self._batch(), list[Tensor]()

            def watch(unit: int, u: Tensor, branch: Branch) -> Tensor:
                with torch.no_grad():
                    y = branch(u)
                at = batch.is_routed  # noqa: B023  called within this step
                losses.append(functional.smooth_l1_loss(published.forecasters[unit](u[at]), y[at]))  # noqa: B023
                return y

            logits_of(self._decoder, batch.tokens, watch, at=batch.is_routed)
            rate = recipe.forecaster_lr * 0.5 * (1 + math.cos(math.pi * step / recipe.forecaster_steps))
            _update(optimizer, torch.stack(losses).sum(), rate)
            self._on_step(step + 1)

    def _train_routers(self) -> None:
        published, recipe = self._published, self._recipe
        optimizer = torch.optim.AdamW(published.routers.parameters(), recipe.router_lr, weight_decay=0.01)
        published.forecasters.requires_grad_(False)
        for step in range(recipe.steps):
            progress = step / max(1, recipe.steps - 1)
            noise = Noise(HOTTEST + (COOLEST - HOTTEST) * progress, self._generator)
            _update(optimizer, self._loss(self._batch(), noise), recipe.router_lr)
            self._on_step(recipe.forecaster_steps * bool(len(published.forecasters)) + step + 1)

    def _loss(self, batch: Texts, noise: Noise) -> Tensor:
        published, at = self._published, batch.is_routed
        execute = PublishedExecute(published, self._decoder, self._tariff, batch.tokens, at, noise)
        logits = logits_of(self._decoder, batch.tokens, execute, execute.attend, at)
        loss = functional.cross_entropy(logits, batch.targets[at])
        share = execute.taken.spent / execute.taken.dense.to(logits)
        if published.kind == "d-llm":
            return loss + D_LLM_WEIGHT * (share - self._budget).abs().mean()
        if published.kind == "mod":
            return loss
        loss = loss + BUDGET_WEIGHT * (share.mean() - self._budget).abs()
        if execute.recoverability:
            loss = loss + RECOVERABILITY_WEIGHT * torch.stack(execute.recoverability).mean()
        return loss

    def _mod_offset(self) -> float:
        """Which share of tokens its layers must take to meet the budget, as log-odds."""
        prices = self._tariff.prices
        by_layer = [self._published.decides(unit) for unit in range(0, prices.num_units, 2)]
        whole = prices.attention + prices.mlp + prices.slot * 64
        wanted = (1 - self._budget) * prices.dense(64) / (sum(by_layer) * whole)
        share = min(max(1 - wanted, 0.01), 0.99)
        return math.log(share / (1 - share))


def _trained(published: Published, train: Callable[[], None]) -> Callable[[], Mapping[str, Tensor]]:
    def state() -> Mapping[str, Tensor]:
        train()
        return {name: tensor.clone() for name, tensor in published.state_dict().items()}

    return state


def meet(
    decoder: Decoder,
    published: Published,
    kept: Texts,
    budget: float,
    copy: Decoder | None = None,
    rounds: int = 12,
) -> float:
    """Sets the offset at which the budget is met on `kept`, by bisection. Returns the share that is moved there."""
    low, high = -30.0, 30.0
    moved = math.nan
    for _ in range(rounds):
        middle = (low + high) / 2
        published.offset.fill_(middle)
        (found,) = measure(decoder, kept, [published_setting(decoder, published, budget, copy)])
        moved = found.moved_share
        low, high = (low, middle) if moved > budget else (middle, high)
    return moved


def published_setting(decoder: Decoder, published: Published, budget: float, copy: Decoder | None = None) -> Setting:
    """A published router as it stands, over the model or over a `copy` that was tuned to it."""
    tariff = tariff_of(published, Prices.of(decoder))

    def make(texts: Texts) -> PublishedExecute:
        return PublishedExecute(published, copy or decoder, tariff, texts.tokens, texts.is_routed)

    return Setting(published.kind + (" + LoRA" if copy else ""), budget, make, copy)


def _update(optimizer: torch.optim.Optimizer, loss: Tensor, rate: float) -> None:
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
