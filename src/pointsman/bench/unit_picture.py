"""Pictures of the unit level: what bytes and milliseconds buy, and what was executed for each token of a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from matplotlib.axes import Axes

from pointsman.bench.plotting import canvas, save
from pointsman.bench.unit_curves import OURS
from pointsman.engine import LoadedModel
from pointsman.unit import Currency, Measured, Prices, Router, Texts, routed_at, tariff
from pointsman.unit.whole import logits_of

__all__ = ["draw"]

_SHOWN_RATIO, _SHOWN_NATS = (0.95, 2.0), (1e-4, 2.0)
_SPENT: dict[Currency, str] = {"bytes": "bytes moved", "ms": "milliseconds at batch 1"}
_MAP_TOKENS, _MAP_MOVED = 48, 0.6


def draw(
    path: Path, curves: Mapping[str, Sequence[Measured]], model: LoadedModel, router: Router, texts: Texts
) -> None:
    """Perplexity, divergence and right texts over bytes and over milliseconds, above a map of one text.

    Milliseconds are charged by the times of parts that were measured, the published methods' as well as ours.

    Raises BadRequest ``bad_plot`` as `plotting.save`.
    """
    figure = canvas(14.0, 12.0)
    grid = figure.add_gridspec(3, 3)
    panels = {
        "perplexity over the model's own": ("perplexity_ratio", _SHOWN_RATIO),
        "divergence, nats a token": ("mean_divergence", _SHOWN_NATS),
        "texts written token by token": ("right_share", (0.0, 1.02)),
    }
    for row, currency in enumerate(_SPENT):
        for column, (title, (what, limits)) in enumerate(panels.items()):
            axis = figure.add_subplot(grid[row, column])
            _curves(axis, curves, currency, what)
            axis.set_title(title, fontsize=10)
            axis.set_ylim(*limits)
            axis.set_xlabel(f"{_SPENT[currency]}, share of the model's own")
            axis.grid(alpha=0.3)
            if what == "mean_divergence":
                axis.set_yscale("log")
            if column == row == 0:
                axis.legend(fontsize=7)
    best = min(curves[OURS], key=lambda one: abs(one.moved_share - _MAP_MOVED))
    _map(figure.add_subplot(grid[2, :]), model, router, texts, best.dial)
    save(figure, path)


def _curves(axis: Axes, curves: Mapping[str, Sequence[Measured]], currency: Currency, what: str) -> None:
    for index, (name, curve) in enumerate(curves.items()):
        style = {"color": "black", "linewidth": 2.2} if name == OURS else {"color": f"C{index % 10}"}
        xs = [one.share(currency) for one in curve]
        axis.plot(xs, [getattr(one, what) for one in curve], marker="o", markersize=3, label=name, **style)


def _map(axis: Axes, model: LoadedModel, router: Router, texts: Texts, rate: float) -> None:
    """Layers by tokens: dark is executed, light is the cheapest forecast."""
    text = texts.chosen(slice(0, 1)).trimmed()
    execute = routed_at(router, tariff(Prices.of(model.decoder), router), rate).make(text)
    with torch.no_grad():
        logits_of(model.decoder, text.tokens, execute, execute.attend)
    counts = [router.forecaster(unit).num_forecasts for unit in range(len(router.gates))]
    shades = torch.stack(
        [options / count for options, count in zip(execute.taken.options, counts, strict=True)]
    )  # (units, N)
    shown = shades[:, :_MAP_TOKENS].numpy()
    axis.imshow(shown, aspect="auto", cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    names = [f"{'MLP' if unit % 2 else 'attention'} {unit // 2}" for unit in range(len(counts))]
    axis.set_yticks(range(len(names)), names, fontsize=7 if len(names) < 20 else 5)
    tokens = text.tokens[text.is_routed][:_MAP_TOKENS].tolist()
    pieces = [model.tokenizer.token_bytes(token).decode(errors="replace").replace("$", r"\$") for token in tokens]
    axis.set_xticks(range(len(tokens)), pieces, rotation=90, fontsize=7)
    axis.set_title(
        "what was executed (dark), forecast closely (medium) or roughly (light), token by token", fontsize=10
    )
