"""What stands in for a unit: forecasts of its output from its input, from cheap and rough to dear and close.

A forecast is a linear map through a few latent numbers, and, for an MLP, a small MLP beside it: some of the unit's own
neurons. The latent is shared by all forecasts of a unit, and by the gate that chooses among them.

    z = down u                                          (r,)
    forecast_o = up_o z + bias_o + own_down_o (silu(own_gate_o u) * own_up_o u)

The published forecaster (Han et al., arXiv 2510.13831) is `rivals.Lff`: one such map with a SiLU between its halves.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class Forecaster(nn.Module):
    """The forecasts of one unit, the cheapest first.

    Args:
        hidden_size: D, of the model.
        rank: r, of the latent.
        widths: own neurons of each forecast; 0 for the linear one.
    """

    def __init__(self, hidden_size: int, rank: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.rank, self.widths = rank, tuple(widths)
        self.down = nn.Parameter(torch.zeros(rank, hidden_size))
        self.up = nn.Parameter(torch.zeros(len(widths), hidden_size, rank))
        self.bias = nn.Parameter(torch.zeros(len(widths), hidden_size))
        self.own_gate_up = nn.ParameterList(torch.zeros(2 * width, hidden_size) for width in widths)
        self.own_down = nn.ParameterList(torch.zeros(hidden_size, width) for width in widths)

    @property
    def num_forecasts(self) -> int:
        """O."""
        return len(self.widths)

    def latent(self, u: Tensor) -> Tensor:
        """(..., D) to (..., r)."""
        return functional.linear(u, self.down)

    def forecast(self, u: Tensor, z: Tensor, option: int) -> Tensor:
        """(..., D), what the unit would give for the normed input `u` (..., D) with latent `z`."""
        y = functional.linear(z, self.up[option], self.bias[option])
        if self.widths[option]:
            y = y + functional.linear(own_neurons(u, self.own_gate_up[option]), self.own_down[option])
        return y

    def option_values(self, option: int) -> int:
        """Numbers that a forecast reads besides the latent's."""
        hidden = self.down.shape[1]
        return hidden * (self.rank + 1) + 3 * hidden * self.widths[option]


def own_neurons(u: Tensor, gate_up: Tensor) -> Tensor:
    """(..., D) to (..., k), neurons of a gated MLP; `gate_up` (2 k, D) holds gates over ups."""
    gate, up = functional.linear(u, gate_up).chunk(2, -1)
    return functional.silu(gate) * up
