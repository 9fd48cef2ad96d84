"""Which option each token takes at each unit, over whole sequences: the definition of what `execution.py` does fast.

Options are the forecasts of a unit, and executing it. The one is taken whose predicted harm and price together are
least; a price is `rate` nats for the bytes of one whole token, in proportion. In training the choice is hard forward
and soft backward (straight through), by a softmax over the logarithm of these sums, so that only their ratios count and
one temperature fits every rate.
"""

import torch
from torch import Tensor
from torch.nn import functional

from pointsman.engine import Branch
from pointsman.engine.model import Looking
from pointsman.unit.router import Router, Tariff
from pointsman.unit.whole import WholeAttend


class Taken:
    """What was taken: bytes by token, and the option of each unit.

    Attributes:
        moved: (B, T) bytes, float32, those that no unit is among them; with a gradient where choices have one.
        options: (B, T) int64 by unit, in order.
    """

    def __init__(self, tariff: Tariff, is_routed: Tensor) -> None:
        self.tariff, self.is_routed = tariff, is_routed
        self.num_before = torch.arange(is_routed.shape[1], device=is_routed.device)
        self.moved = torch.full(is_routed.shape, float(tariff.prices.rest), device=is_routed.device)
        self.options: list[Tensor] = []

    def add(self, unit: int, selection: Tensor) -> None:
        """Takes note of a one-hot (B, T, O + 1)."""
        price = self.tariff.of_unit(unit, self.num_before).to(selection)
        self.moved = self.moved + (selection * price).sum(-1)
        self.options.append(selection.detach().argmax(-1))

    @property
    def saved_share(self) -> Tensor:
        """() share of the model's own bytes that was not moved, over routed tokens."""
        dense = self.tariff.dense(self.num_before).expand(self.is_routed.shape)[self.is_routed].sum()
        return 1 - self.moved.detach()[self.is_routed].double().sum() / dense

    @property
    def moved_share(self) -> Tensor:
        """(B, T) bytes over those of the model itself at the same place."""
        return self.moved / self.tariff.dense(self.num_before).to(self.moved)


class Routed:
    """An `Execute` for whole sequences. Use once.

    Args:
        router: forecasters and gates.
        tariff: their prices.
        is_routed: (B, T) bool, tokens that may be approximated.
        rate: (B,) nats that the bytes of one whole token are worth.
        temperature: of the straight-through choice; None for a hard one without.
        forecasts: whether a unit that is not executed is forecast; else it is left out, as the gate believes it is not.
    """

    def __init__(
        self,
        router: Router,
        tariff: Tariff,
        is_routed: Tensor,
        rate: Tensor,
        temperature: float | None = None,
        forecasts: bool = True,
    ) -> None:
        self._router, self._rate, self._temperature, self._forecasts = router, rate, temperature, forecasts
        self.taken = Taken(tariff, is_routed)
        self.attend = WholeAttend()

    def __call__(self, unit: int, u: Tensor, branch: Branch) -> Tensor:
        """See `Execute`."""
        forecaster = self._router.forecaster(unit)
        z = forecaster.latent(u)
        selection = self._selection(unit, u, z)
        self.taken.add(unit, selection)
        if isinstance(branch, Looking):
            self._replace(branch, z, selection[..., -1])
        y = selection[..., -1:] * branch(u)
        if self._forecasts:
            for option in range(forecaster.num_forecasts):
                y = y + selection[..., option : option + 1] * forecaster.forecast(u, z, option)
        return y

    def _selection(self, unit: int, u: Tensor, z: Tensor) -> Tensor:
        """(B, T, O + 1), one-hot."""
        taken, prices = self.taken, self.taken.tariff.prices
        harm = self._router.gate(unit)(u, z)
        price = (taken.tariff.of_unit(unit, taken.num_before) / prices.dense(0)).to(u)
        paid = self._rate[:, None, None] * price
        total = torch.cat((harm.exp() + paid[..., :-1], paid[..., -1:].expand(*harm.shape[:-1], 1)), -1)
        hard = functional.one_hot(total.argmin(-1), total.shape[-1]).to(u)
        selection = hard
        if self._temperature is not None:
            soft = (-total.log() / self._temperature).softmax(-1)
            selection = hard + soft - soft.detach()
        dense = functional.one_hot(torch.tensor(total.shape[-1] - 1, device=u.device), total.shape[-1]).to(u)
        return torch.where(taken.is_routed[..., None], selection, dense)

    def _replace(self, branch: Looking, z: Tensor, is_executed: Tensor) -> None:
        """Tells the attention what becomes of the keys and values of tokens that it is not executed for."""
        policy = self._router.shape.kv
        if policy == "forecast":
            k, v = self._router.keys_values(branch.layer, z)
            self.attend.stand_in(is_executed[..., None, None], branch.attention.placed(k, branch.cos, branch.sin), v)
        elif policy == "evicted":
            self.attend.hide(is_executed.detach() < 0.5)
