"""All forecasters and gates of one model, and what each option costs."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor, nn

from pointsman.engine import Decoder, ModelConfig
from pointsman.unit.forecaster import Forecaster
from pointsman.unit.gate import Gate
from pointsman.unit.prices import Prices

KvPolicy = Literal["computed", "forecast", "evicted"]
"""Keys and values of a token whose attention is not executed: by the model's own weights; from the latent; or the token
is not seen by later ones."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How forecasters are built.

    Attributes:
        rank: of every latent.
        widths: own neurons of each forecast of an MLP, rising; 0 for a linear one. An attention has a linear one only.
        kv: what becomes of keys and values where attention is not executed.
    """

    rank: int
    widths: tuple[int, ...]
    kv: KvPolicy = "computed"


def default_shape(config: ModelConfig) -> Shape:
    """A sixteenth of the width as rank, a latent at least of 8; an eighth and three eighths of an MLP's neurons.

    Chosen from 8, 16 and 32 ranks and five sets of widths on validation texts; docs/log.md.
    """
    eighth = max(1, config.intermediate_size // 8)
    return Shape(max(8, config.hidden_size // 16), (0, eighth, 3 * eighth))


class Router(nn.Module):
    """A forecaster and a gate for every unit of a model of this shape."""

    def __init__(self, config: ModelConfig, shape: Shape) -> None:
        super().__init__()
        self.config, self.shape = config, shape
        hidden, num_units = config.hidden_size, 2 * config.num_layers
        widths = [shape.widths if unit % 2 else (0,) for unit in range(num_units)]
        self.forecasters = nn.ModuleList(Forecaster(hidden, shape.rank, its) for its in widths)
        self.gates = nn.ModuleList(Gate(hidden, shape.rank, len(its)) for its in widths)
        kv_rows = 2 * config.num_kv_heads * config.head_dim
        num_remembered = config.num_layers if shape.kv == "forecast" else 0
        self.remembered = nn.ParameterList(torch.zeros(kv_rows, shape.rank + 1) for _ in range(num_remembered))

    def forecaster(self, unit: int) -> Forecaster:
        """That of a unit."""
        found = self.forecasters[unit]
        assert isinstance(found, Forecaster)
        return found

    def gate(self, unit: int) -> Gate:
        """That of a unit."""
        found = self.gates[unit]
        assert isinstance(found, Gate)
        return found

    def keys_values(self, layer: int, z: Tensor) -> tuple[Tensor, Tensor]:
        """Keys, before they are placed, and values, forecast from latents (B, T, r): each (B, T, K, E)."""
        weight = self.remembered[layer]
        both = nn.functional.linear(z, weight[:, :-1], weight[:, -1])
        heads = both.view(*z.shape[:2], 2, self.config.num_kv_heads, self.config.head_dim)
        return heads[:, :, 0], heads[:, :, 1]


@dataclass(frozen=True)
class Tariff:
    """What each option of each unit costs, beside what the whole model costs.

    Attributes:
        prices: of the model's parts, in one currency.
        quantities: by unit, (O + 1, 5) float64: how much an option takes of each of `PARTS`; the last one executes.
    """

    prices: Prices
    quantities: tuple[Tensor, ...] = field(repr=False)

    @cached_property
    def options(self) -> tuple[Tensor, ...]:
        """By unit, (O + 1,) float64: the cost of each option, without what an executed attention looks at."""
        return tuple(its @ self.prices.by_part() for its in self.quantities)

    def priced(self, prices: Prices) -> "Tariff":
        """The same options at other prices."""
        return replace(self, prices=prices)

    def of_unit(self, unit: int, num_before: Tensor) -> Tensor:
        """(..., O + 1) cost of each option, keys and values included, behind so many tokens (...)."""
        base = self.options[unit].to(num_before.device).expand(*num_before.shape, -1)
        if unit % 2:
            return base
        read = torch.zeros_like(base)
        read[..., -1] = num_before * self.prices.slot
        return base + read + self.prices.written

    def dense(self, num_before: Tensor) -> Tensor:
        """(...) cost of the model itself there."""
        per_token = self.prices.slot * self.prices.num_layers
        return self.prices.dense(0) + num_before.double() * per_token


def counted(
    *, attention: float = 0, keys_values: float = 0, mlp: float = 0, values: float = 0, decided: bool
) -> Tensor:
    """(5,) an option's quantities."""
    return torch.tensor([attention, keys_values, mlp, values, float(decided)], dtype=torch.float64)


def tariff(prices: Prices, router: Router, *, forecasts: bool = True) -> Tariff:
    """What a router's options cost; without forecasts nobody reads those."""
    units = range(prices.num_units)
    return Tariff(prices, tuple(_quantities(router, unit, forecasts=forecasts) for unit in units))


def prompt_tariff(decoder: Decoder, router: Router) -> Tariff:
    """Of tokens that are read together, in multiplications. An attention is executed: a forecast costs no less."""
    own = tariff(Prices.of_prompt(decoder), router)
    quantities = []
    for unit, its in enumerate(own.quantities):
        quantities.append(its if unit % 2 else its[-1:].expand_as(its))
    return replace(own, quantities=tuple(quantities))


def _quantities(router: Router, unit: int, *, forecasts: bool) -> Tensor:
    forecaster, gate, kv = router.forecaster(unit), router.gate(unit), router.shape.kv
    always = forecaster.down.numel() + sum(parameter.numel() for parameter in gate.parameters())
    is_mlp = unit % 2 == 1
    remembered = router.remembered[unit // 2].numel() if not is_mlp and kv == "forecast" else 0
    keys_values = float(not is_mlp and kv == "computed")
    approximated = [
        counted(
            keys_values=keys_values,
            values=always + remembered + forecaster.option_values(option) * forecasts,
            decided=True,
        )
        for option in range(forecaster.num_forecasts)
    ]
    executed = counted(attention=not is_mlp, mlp=is_mlp, values=always, decided=True)
    return torch.stack([*approximated, executed])
