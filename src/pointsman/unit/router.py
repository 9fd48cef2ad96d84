"""All forecasters and gates of one model, and what each option costs."""

from dataclasses import dataclass, field
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
    """What each option of each unit costs in bytes, beside what the whole model costs.

    Attributes:
        prices: of the model.
        options: by unit, (O + 1,) float64: weights that a token reads, the gate's among them; the last one executes.
    """

    prices: Prices
    options: tuple[Tensor, ...] = field(repr=False)

    def of_unit(self, unit: int, num_before: Tensor) -> Tensor:
        """(..., O + 1) bytes of each option, keys and values included, behind so many tokens (...)."""
        base = self.options[unit].expand(*num_before.shape, -1)
        if unit % 2:
            return base
        read = torch.zeros_like(base)
        read[..., -1] = num_before * self.prices.slot
        return base + read + self.prices.slot

    def dense(self, num_before: Tensor) -> Tensor:
        """(...) bytes of the model itself there."""
        per_token = self.prices.slot * self.prices.num_layers
        return self.prices.dense(0) + num_before.double() * per_token


def tariff(decoder: Decoder, router: Router, *, forecasts: bool = True) -> Tariff:
    """What a router's options cost on a model, in the model's own precision; without forecasts nobody reads those."""
    prices, size = Prices.of(decoder), decoder.embedding.element_size()
    units = range(prices.num_units)
    return Tariff(prices, tuple(_options(router, prices, unit, size, forecasts=forecasts) for unit in units))


def _options(router: Router, prices: Prices, unit: int, size: int, *, forecasts: bool) -> Tensor:
    forecaster, gate = router.forecaster(unit), router.gate(unit)
    always = size * (forecaster.down.numel() + sum(parameter.numel() for parameter in gate.parameters()))
    remembered = 0
    if unit % 2 == 0:
        latent = router.remembered[unit // 2].numel() * size if router.shape.kv == "forecast" else 0
        remembered = {"computed": prices.keys_values, "forecast": latent, "evicted": 0}[router.shape.kv]
    own = [size * forecaster.option_values(option) * forecasts for option in range(forecaster.num_forecasts)]
    return torch.tensor(
        [*(always + remembered + values for values in own), always + prices.unit(unit)], dtype=torch.float64
    )
