"""An `Execute` over a prompt that runs an MLP for some of its tokens only, and forecasts it for the others.

Tokens that are read together share what is read, so that no bytes are saved here; arithmetic is. The rows that execute
are gathered into one smaller product. Where nearly all of them do, gathering costs more than it saves: then the MLP
runs dense, for all. Attentions run dense always, since their keys and values are needed and few rows attend no faster.
The slow twin is `routing.Routed` with `router.prompt_tariff`, which has no such limit.
"""

import torch
from torch import Tensor

from pointsman.engine import Branch
from pointsman.engine.cache import Window
from pointsman.unit.router import Router, Tariff

LEAST_ROWS = 64
"""Tokens of a prompt below which all is executed. With half of them executing an MLP of 896 by 4,864 in bf16 took 0.77
of its time at 32 tokens, gates and gathering included, 0.69 at 64 and 0.54 at 1,024. Measured on a Zen 4."""

MOST_GATHERED = 0.8
"""Share of a prompt's tokens above which an MLP runs dense: 0.8 of the rows took 0.87 to 0.92 of the time of all, 0.9
of them 0.97 to 1.03. Measured likewise."""


class Gathering:
    """Use once.

    Args:
        router: forecasters and gates, where the decoder is.
        tariff: of `prompt_tariff`.
        worth: multiplications that a nat may cost.
        window: the new tokens.
        most_gathered: share of rows above which an MLP runs dense.

    Attributes:
        options: (N,) by MLP that was gathered, in order; None for one that ran dense.
        spared: multiplications less than the model's own.
    """

    def __init__(
        self, router: Router, tariff: Tariff, worth: float, window: Window, most_gathered: float = MOST_GATHERED
    ) -> None:
        self._router, self._tariff, self._worth, self._most = router, tariff, worth, most_gathered
        counts = torch.tensor(window.counts)
        self._is_new = (torch.arange(int(counts.max())) < counts[:, None]).to(window.device)  # (B, T)
        self.options: list[Tensor | None] = []
        self.spared = 0

    def __call__(self, unit: int, u: Tensor, branch: Branch) -> Tensor:
        """See `Execute`."""
        if unit % 2 == 0:
            return branch(u)
        forecaster, lines = self._router.forecaster(unit), u[self._is_new]  # (N, D)
        z = forecaster.latent(lines)
        options = self._chosen(unit, lines, z)
        is_executed = options == forecaster.num_forecasts
        num_executed = int(is_executed.sum())
        if num_executed > self._most * len(lines):
            self.options.append(None)
            return branch(u)
        self.options.append(options)
        y = torch.empty_like(lines)
        if num_executed:
            y[is_executed] = branch(lines[is_executed][None])[0]
        for option in range(forecaster.num_forecasts):
            rows = options == option
            y[rows] = forecaster.forecast(lines[rows], z[rows], option)
        price = self._tariff.options[unit]
        self.spared += int(len(lines) * self._tariff.prices.mlp - float(price[options.cpu()].sum()))
        return torch.zeros_like(u).masked_scatter_(self._is_new[..., None], y)

    def _chosen(self, unit: int, u: Tensor, z: Tensor) -> Tensor:
        """(N,) the option of least harm and price for each token."""
        harm: Tensor = self._router.gate(unit)(u, z).double().exp()
        price = self._tariff.options[unit].to(u.device)
        executed = price[-1:].expand(len(u), 1)
        return torch.cat((harm * self._worth + price[:-1], executed), 1).argmin(1)
