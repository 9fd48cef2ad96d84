"""What a forecast would do harm: the gate of one unit, which is informed of the forecast by its latent.

It predicts, for each forecast, the logarithm of the harm that is done when the forecast stands in for the unit: nats of
Kullback-Leibler divergence from the model's own predictions, over all tokens that follow. One fitted gate therefore
serves every budget: an option is taken for which harm plus rate times bytes is least, and the rate is the dial.
"""

import torch
from torch import Tensor, nn

LOWEST, HIGHEST = -60.0, 20.0
"""Between which the logarithm of a harm is cut off."""


class Gate(nn.Module):
    """Log-harm of O forecasts, linear in the normed input, the latent and the latent's squares.

    Args:
        hidden_size: D, of the model.
        rank: r, of the latent.
        num_forecasts: O.
    """

    def __init__(self, hidden_size: int, rank: int, num_forecasts: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(num_forecasts, hidden_size + 2 * rank))
        self.bias = nn.Parameter(torch.zeros(num_forecasts))

    def forward(self, u: Tensor, z: Tensor) -> Tensor:
        """(..., D) and (..., r) to (..., O)."""
        harm: Tensor = nn.functional.linear(features(u, z), self.weight, self.bias)
        return harm.clamp(LOWEST, HIGHEST)


def features(u: Tensor, z: Tensor) -> Tensor:
    """(..., D + 2 r): what a gate is linear in."""
    return torch.cat((u, z, z.square()), -1)
