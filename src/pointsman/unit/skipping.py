"""An `Execute` over a cache that calls no branch which was not chosen: real skipping in torch, for any device.

A choice that the gates make here and now must be known to the host before the next kernel is launched. On a GPU that is
a transfer a unit which waits for everything before it; a script has none.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pointsman.engine import Branch
from pointsman.engine.cache import Window
from pointsman.engine.model import Looking
from pointsman.unit.router import Router, Tariff

UNDECIDED = -1
"""In a script: the gate chooses."""


class Skipping:
    """Use once.

    Args:
        router: forecasters and gates, where the decoder is.
        tariff: their prices.
        worth: (B,) what a nat may cost, to each row.
        script: of each unit the option to take, or `UNDECIDED`.
        window: the new tokens.

    Attributes:
        taken: the option of each unit, in order.
        wanted: what the gates say of each, on the device.
    """

    def __init__(
        self,
        router: Router,
        tariff: Tariff,
        worth: NDArray[np.float64],
        script: NDArray[np.int64],
        window: Window,
    ) -> None:
        self._router, self._tariff, self._script = router, tariff, script
        counts = torch.tensor(window.counts)
        is_new = (torch.arange(int(counts.max())) < counts[:, None]).to(window.device)  # (B, T)
        self._num_seen = float(window.positions[is_new].sum())
        self._worth = torch.from_numpy(worth).to(window.device)[:, None] * is_new  # (B, T), 0 for padding
        self.taken: list[int] = []
        self.wanted: list[Tensor] = []

    def __call__(self, unit: int, u: Tensor, branch: Branch) -> Tensor:
        """See `Execute`."""
        forecaster = self._router.forecaster(unit)
        z = forecaster.latent(u)
        wanted = self._wanted(unit, u, z)
        self.wanted.append(wanted)
        option = int(wanted) if self._script[unit] == UNDECIDED else int(self._script[unit])
        self.taken.append(option)
        if option == forecaster.num_forecasts:
            return branch(u)
        if isinstance(branch, Looking) and self._router.shape.kv == "forecast":
            k, v = self._router.keys_values(branch.layer, z)
            branch.remember_as(branch.attention.placed(k, branch.cos, branch.sin), v)
        else:
            branch.remember(u)
        return forecaster.forecast(u, z, option)

    def _wanted(self, unit: int, u: Tensor, z: Tensor) -> Tensor:
        """() the option of least harm and price over all new tokens, on the device."""
        harm: Tensor = self._router.gate(unit)(u, z).double().exp()
        price = self._tariff.options[unit].to(u.device)
        total = (harm * self._worth[..., None]).sum((0, 1)) + price[:-1]
        full = price[-1:] + self._tariff.prices.slot * self._num_seen * (unit % 2 == 0)
        return torch.cat((total, full)).argmin()
