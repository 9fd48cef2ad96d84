"""Which option each token takes at each unit, over whole sequences: the definition of what `execution.py` does fast.

Options are the forecasts of a unit, and executing it. The one is taken whose predicted harm and price together are
least; a price is `rate` nats for what one whole token costs, in proportion. In training the choice is hard forward
and soft backward (straight through), by a softmax over the logarithm of these sums, so that only their ratios count and
one temperature fits every rate.
"""

import torch
from torch import Tensor
from torch.nn import functional

from pointsman.engine import Branch
from pointsman.engine.model import Looking
from pointsman.unit.forecaster import Forecaster
from pointsman.unit.prices import Prices
from pointsman.unit.router import Router, Tariff
from pointsman.unit.whole import WholeAttend


class Taken:
    """What the N routed tokens took, in the order of their texts: what it costs, and the option of each unit.

    Args:
        tariff: what options cost.
        is_routed: (B, T) bool.
        evicts: whether keys and values of a token whose attention is not executed are not stored, so that later ones
            have fewer to look at.

    Attributes:
        spent: (N,) in the tariff's currency, the rest of the model included; with a gradient where choices have one.
        options: (N,) int64 by unit, in order.
        num_before: (N,) int64, tokens before each.
    """

    def __init__(self, tariff: Tariff, is_routed: Tensor, *, evicts: bool = False) -> None:
        self.tariff, self.is_routed, self._evicts = tariff, is_routed, evicts
        self._num_seen: list[Tensor] = []
        places = torch.arange(is_routed.shape[1], device=is_routed.device)
        self.num_before = places.expand(is_routed.shape)[is_routed]
        self.spent = torch.full(self.num_before.shape, float(tariff.prices.rest), device=is_routed.device)
        self.options: list[Tensor] = []

    def add(self, unit: int, selection: Tensor) -> None:
        """Takes note of a one-hot (N, O + 1)."""
        self.options.append(selection.detach().argmax(-1))
        self._num_seen.append(self._seen(unit, selection.detach()[:, -1] > 0.5))
        self.spent = self.spent + (selection * self._price(self.tariff, unit).to(selection)).sum(-1)

    @property
    def dense(self) -> Tensor:
        """(N,) what the model itself costs at the same places."""
        return self.tariff.dense(self.num_before)

    def charged(self, prices: Prices) -> tuple[Tensor, Tensor]:
        """(N,) what was taken would cost at other prices, and (N,) what the model itself would."""
        tariff = self.tariff.priced(prices)
        spent = torch.full(self.num_before.shape, float(prices.rest), dtype=torch.float64, device=self.is_routed.device)
        for unit, options in enumerate(self.options):
            spent += self._price(tariff, unit).gather(-1, options[:, None])[:, 0]
        return spent, tariff.dense(self.num_before)

    def _price(self, tariff: Tariff, unit: int) -> Tensor:
        """(N, O + 1) of each option."""
        price = tariff.of_unit(unit, self._num_seen[unit])
        if self._evicts and unit % 2 == 0:
            price[..., :-1] -= tariff.prices.written
        return price

    def _seen(self, unit: int, is_executed: Tensor) -> Tensor:
        """(N,) tokens before each whose keys and values are there."""
        if not self._evicts or unit % 2:
            return self.num_before
        is_there = ~self.is_routed
        is_there[self.is_routed] = is_executed
        return (is_there.cumsum(1) - is_there.long())[self.is_routed]

    def by_text(self, values: Tensor) -> Tensor:
        """(N, ...) to (B, T, ...), 0 where nothing is routed."""
        rows = values.new_zeros(*self.is_routed.shape, *values.shape[1:])
        rows[self.is_routed] = values
        return rows


class Routed:
    """An `Execute` for whole sequences. Use once.

    Args:
        router: forecasters and gates.
        tariff: their prices.
        is_routed: (B, T) bool, tokens that may be approximated.
        rate: (B,) nats that one whole token, in bytes or milliseconds, is worth.
        temperature: of the straight-through choice; None for a hard one without.
        forecasts: whether a unit that is not executed is forecast; else it is left out, as the gate believes it is not.
        ahead: whether a token takes what the gates said at the one before, as `execution.Routing` may.
    """

    def __init__(
        self,
        router: Router,
        tariff: Tariff,
        is_routed: Tensor,
        rate: Tensor,
        temperature: float | None = None,
        forecasts: bool = True,
        ahead: bool = False,
    ) -> None:
        self._ahead = ahead
        self._router, self._rate, self._temperature, self._forecasts = router, rate, temperature, forecasts
        self.taken = Taken(tariff, is_routed, evicts=router.shape.kv == "evicted")
        self.attend = WholeAttend()

    def __call__(self, unit: int, u: Tensor, branch: Branch) -> Tensor:
        """See `Execute`."""
        forecaster, is_routed = self._router.forecaster(unit), self.taken.is_routed
        routed = u[is_routed]  # (N, D); what belongs to a prompt is only executed
        z = forecaster.latent(routed)
        selection = self._selection(unit, routed, z)
        self.taken.add(unit, selection)
        if isinstance(branch, Looking):
            self._replace(branch, u, forecaster, selection[:, -1])
        executed = branch(u)
        y = selection[:, -1:] * executed[is_routed]
        if self._forecasts:
            for option in range(forecaster.num_forecasts):
                y = y + selection[:, option : option + 1] * forecaster.forecast(routed, z, option)
        return executed.index_put((is_routed,), y)

    def _selection(self, unit: int, u: Tensor, z: Tensor) -> Tensor:
        """(N, O + 1), one-hot."""
        taken, prices = self.taken, self.taken.tariff.prices
        harm = self._router.gate(unit)(u, z)
        price = (taken.tariff.of_unit(unit, taken.num_before) / prices.dense(0)).to(u)
        paid = self._rate.expand(taken.is_routed.mT.shape).mT[taken.is_routed][:, None] * price
        total = torch.cat((harm.exp() + paid[:, :-1], paid[:, -1:]), -1)
        hard = functional.one_hot(total.argmin(-1), total.shape[-1]).to(u)
        if self._ahead:
            hard = self._from_before(hard)
        if self._temperature is None:
            return hard
        soft = (-total.log() / self._temperature).softmax(-1)
        return hard + soft - soft.detach()

    def _from_before(self, selection: Tensor) -> Tensor:
        """(N, O + 1), that of the token before where it was routed as well."""
        is_routed = self.taken.is_routed
        has_before = is_routed.roll(1, 1)
        has_before[:, 0] = False
        own = self.taken.by_text(selection)
        return torch.where(has_before[..., None], own.roll(1, 1), own)[is_routed]

    def _replace(self, branch: Looking, u: Tensor, forecaster: Forecaster, is_executed: Tensor) -> None:
        """Tells the attention what becomes of the keys and values of tokens that it is not executed for."""
        policy, is_routed = self._router.shape.kv, self.taken.is_routed
        if policy == "computed":
            return
        share = is_routed.new_ones(is_routed.shape, dtype=u.dtype).index_put((is_routed,), is_executed)
        if policy == "forecast":
            k, v = self._router.keys_values(branch.layer, forecaster.latent(u))
            self.attend.stand_in(share[..., None, None], branch.attention.placed(k, branch.cos, branch.sin), v)
        else:
            self.attend.hide(share.detach() < 0.5)
