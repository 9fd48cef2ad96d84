"""What routed sequences cost and lose against the model itself, text by text, so that intervals can be drawn.

Everything is measured as decoding at batch 1 would be: a text's real tokens are read, and each chooses for itself.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from pointsman.engine import Branch, Decoder
from pointsman.unit.dial import RATES, Curve, Point, bound_of
from pointsman.unit.prices import Currency, Prices
from pointsman.unit.router import Router, Tariff
from pointsman.unit.routing import Routed, Taken
from pointsman.unit.texts import NONE, Texts
from pointsman.unit.whole import WholeAttend, divergence, logits_of


class WholeExecute(Protocol):
    """An `Execute` for whole sequences that keeps account."""

    attend: WholeAttend
    taken: Taken

    def __call__(self, unit: int, u: Tensor, branch: Branch) -> Tensor:
        """See `Execute`."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A way to route, by name and dial.

    Attributes:
        make: gives what executes a batch.
        decoder: whose units it executes; None for the model that is measured against.
    """

    name: str
    dial: float
    make: Callable[[Texts], WholeExecute] = field(repr=False)
    decoder: Decoder | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Measured:
    """What one setting did, each (N,) float64 by text.

    Attributes:
        name, dial: of the setting.
        divergence: nats from the model's own predictions, summed over routed tokens.
        agreed: routed tokens at which both find the same token likeliest.
        right: 1 where every token that followed was found likeliest, so that the text would have been written.
        excess: how much less likely, in nats, the tokens that really followed were, summed.
        num_routed: tokens that may be approximated.
        num_targets: tokens of which it is known what followed.
        moved: bytes of routed tokens.
        dense: bytes that the model itself moves for them.
        spent: what they cost at other prices, milliseconds of a clock or multiplications; zeros without those.
        dense_spent: what the model itself costs for them at the same.
    """

    name: str
    dial: float
    divergence: Tensor
    agreed: Tensor
    right: Tensor
    excess: Tensor
    num_routed: Tensor
    num_targets: Tensor
    moved: Tensor
    dense: Tensor
    spent: Tensor
    dense_spent: Tensor

    @property
    def moved_share(self) -> float:
        """Bytes over the model's own."""
        return float(self.moved.sum() / self.dense.sum())

    @property
    def spent_share(self) -> float:
        """The same at other prices; nan without those."""
        return float(self.spent.sum() / self.dense_spent.sum())

    def share(self, currency: Currency) -> float:
        """Either of the two."""
        return self.moved_share if currency == "bytes" else self.spent_share

    @property
    def mean_divergence(self) -> float:
        """Nats a routed token."""
        return float(self.divergence.sum() / self.num_routed.sum())

    @property
    def perplexity_ratio(self) -> float:
        """Perplexity over the model's own."""
        return math.exp(min(float(self.excess.sum() / self.num_targets.sum()), 100.0))

    @property
    def right_share(self) -> float:
        """Texts that would have been written token by token."""
        return float(self.right.mean())

    @property
    def agreement(self) -> float:
        """Share of routed tokens at which both find the same token likeliest."""
        return float(self.agreed.sum() / self.num_routed.sum())


@torch.no_grad()
def measure(
    decoder: Decoder,
    texts: Texts,
    settings: Sequence[Setting],
    num_rows: int = 16,
    on_texts: Callable[[int], None] = lambda _: None,
    prices: Prices | None = None,
) -> list[Measured]:
    """Every setting over all texts; `on_texts` is told how many more are done, times settings.

    Bytes are told, and what the same choices cost at other `prices`. Whole sequences are not timed, they are charged.
    """
    books = [Prices.of(decoder)] + ([prices] if prices else [])
    parts: list[list[dict[str, Tensor]]] = [[] for _ in settings]
    for batch in texts.batches(num_rows):
        at = batch.is_routed | (batch.targets != NONE)
        p = logits_of(decoder, batch.tokens, at=at).log_softmax(-1)
        for setting, its in zip(settings, parts, strict=True):
            its.append(_measured(setting.decoder or decoder, batch, p, setting.make(batch), books))
            on_texts(len(batch))
    return [
        Measured(setting.name, setting.dial, **{key: torch.cat([part[key] for part in its]) for key in its[0]})
        for setting, its in zip(settings, parts, strict=True)
    ]


def _measured(
    decoder: Decoder, batch: Texts, p: Tensor, execute: WholeExecute, books: Sequence[Prices]
) -> dict[str, Tensor]:
    is_routed, has_target = batch.is_routed, batch.targets != NONE
    at = is_routed | has_target
    q, taken = logits_of(decoder, batch.tokens, execute, execute.attend, at).log_softmax(-1), execute.taken
    followed = batch.targets[at].clamp_min(0)[:, None]
    charged = [by_currency for prices in books for by_currency in taken.charged(prices)]
    moved, dense, spent, dense_spent = (*charged, *([torch.zeros_like(charged[0])] * (4 - len(charged))))

    def by_text(values: Tensor, where: Tensor) -> Tensor:
        rows = torch.zeros(at.shape, dtype=torch.float64, device=at.device)
        rows[where] = values.double()
        return rows.sum(1)

    return {
        "divergence": by_text((divergence(p, q) * is_routed[at]), at),
        "agreed": by_text((p.argmax(-1) == q.argmax(-1)) * is_routed[at], at),
        "right": (by_text((q.argmax(-1) != followed[:, 0]) * has_target[at], at) == 0).double(),
        "excess": by_text((p - q).gather(-1, followed)[:, 0] * has_target[at], at),
        "num_routed": is_routed.double().sum(1),
        "num_targets": has_target.double().sum(1),
        "moved": by_text(moved, is_routed),
        "dense": by_text(dense, is_routed),
        "spent": by_text(spent, is_routed),
        "dense_spent": by_text(dense_spent, is_routed),
    }


def routed_at(
    router: Router,
    tariff: Tariff,
    rate: float,
    name: str = "pointsman",
    *,
    forecasts: bool = True,
    ahead: bool = False,
) -> Setting:
    """A router at one rate for all texts; options as `Routed`."""

    def make(texts: Texts) -> Routed:
        rates = torch.full((len(texts),), rate, device=texts.tokens.device)
        return Routed(router, tariff, texts.is_routed, rates, forecasts=forecasts, ahead=ahead)

    return Setting(name, rate, make)


def measure_curve(
    decoder: Decoder,
    router: Router,
    tariff: Tariff,
    texts: Texts,
    data: str,
    on_texts: Callable[[int], None] = lambda _: None,
    *,
    forecasts: bool = True,
) -> Curve:
    """The curve of a router over `RATES`, in the currency of its tariff, with certified bounds."""
    settings = [routed_at(router, tariff, rate, forecasts=forecasts) for rate in RATES]
    currency = tariff.prices.currency
    measured = measure(decoder, texts, settings, on_texts=on_texts, prices=tariff.prices)
    points = []
    for one in measured:
        by_text = one.divergence / one.num_routed.clamp_min(1)
        points.append(Point(one.dial, one.share(currency), one.mean_divergence, bound_of(by_text.tolist())))
    return Curve(tuple(points), len(texts), data, currency)
