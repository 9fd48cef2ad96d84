"""Forecasters and gates without gradient descent: least squares on what units did, in seconds.

A forecast is a reduced-rank regression of the unit's output on its input, in the metric of what an error in the output
would matter (`Observed.metric`). For an MLP the regression has some of its own neurons as further inputs: those that
are hardest to say linearly and matter most. A gate is a regression too: of the harm of each forecast's error, by a
gamma deviance with a logarithmic link, since harms are positive, span decades, and their labels are right on average
only.

What it does not know: how errors of several units meet. `distilling.py` repairs that.
"""

import torch
from torch import Tensor

from pointsman.core import BadRequest
from pointsman.engine import Decoder
from pointsman.unit.forecaster import Forecaster, own_neurons
from pointsman.unit.gate import Gate, features
from pointsman.unit.observing import Observed
from pointsman.unit.router import Router

RIDGE = 1e-4
"""Of the mean variance of the inputs, added to each. Chosen."""

TOKENS_EACH = 8
"""Tokens that a fit needs for each input of a regression. Chosen."""

LEAST_VARIANCE = 1e-4
"""Of the largest one in a metric: directions that matter less are taken to matter so much. Chosen."""


def tokens_needed(router: Router) -> int:
    """Routed tokens without which its regressions would fit noise."""
    shape, config = router.shape, router.config
    return TOKENS_EACH * (config.hidden_size + 2 * shape.rank + max(shape.widths))


def require_enough(router: Router, num_tokens: int) -> None:
    """Raises `BadRequest` (`too_little_data`) for fewer routed tokens than `tokens_needed`."""
    needed = tokens_needed(router)
    if num_tokens < needed:
        shape = router.shape
        problem = f"{num_tokens:,} tokens are too few for rank {shape.rank} and {max(shape.widths)} own neurons"
        raise BadRequest(f"{problem}; expected at least {needed:,}, or a smaller rank", code="too_little_data")


@torch.no_grad()
def fit_unit(router: Router, decoder: Decoder, unit: int, seen: Observed, *, forecasts: bool = True) -> Tensor:
    """Fits the forecaster and the gate of one unit. Returns the mean harm (O,) of its forecasts on the same tokens.

    Without `forecasts` the gate learns the harm of leaving the unit out.
    """
    forecaster, mlp = router.forecaster(unit), decoder.block(unit // 2).mlp
    neurons, order = torch.empty(len(seen.u), 0, device=seen.u.device), torch.empty(0, dtype=torch.int64)
    metric = seen.metric()
    if any(forecaster.widths):
        neurons = own_neurons(seen.u, mlp.gate_up)
        order = _hardest(seen.u, neurons, mlp.down, metric)
    _fit_latent(forecaster, seen, metric)
    z = forecaster.latent(seen.u)
    for option, width in enumerate(forecaster.widths):
        own = order[:width]
        inputs = torch.cat((z, neurons[:, own]), 1)
        weight, bias = least_squares(inputs, seen.y)
        forecaster.up[option] = weight[: forecaster.rank].mT
        forecaster.bias[option] = bias
        if width:
            gates, ups = mlp.gate_up.chunk(2)
            forecaster.own_gate_up[option].copy_(torch.cat((gates[own], ups[own])))
            forecaster.own_down[option].copy_(weight[forecaster.rank :].mT)
    said = [forecaster.forecast(seen.u, z, option) * forecasts for option in range(forecaster.num_forecasts)]
    harms = torch.stack([seen.harm(seen.y - forecast) for forecast in said], 1)
    fit_gate(router.gate(unit), seen.u, z, harms)
    return harms.mean(0)


def _hardest(u: Tensor, neurons: Tensor, down: Tensor, metric: Tensor) -> Tensor:
    """(F,) neurons in the order of what is lost when the input's best linear guess stands in for them."""
    weight, bias = least_squares(u, neurons)
    unsaid = (neurons - u @ weight - bias).square().mean(0)
    matters = torch.einsum("df,de,ef->f", down, metric, down)
    return (unsaid * matters).argsort(descending=True)


def _fit_latent(forecaster: Forecaster, seen: Observed, metric: Tensor) -> None:
    """The latent of a reduced-rank regression: the `rank` best directions of the full one's predictions, variance 1."""
    weight, _ = least_squares(seen.u, seen.y)
    values, vectors = torch.linalg.eigh(metric)
    root = vectors * values.clamp_min(values.max() * LEAST_VARIANCE).sqrt()  # root root' is the metric
    said = (seen.u - seen.u.mean(0)) @ weight @ root
    _, _, directions = torch.linalg.svd(said.mT @ said)
    down = (weight @ root @ directions[: forecaster.rank].mT).mT
    spread = (seen.u @ down.mT).std(0).clamp_min(1e-12)
    forecaster.down.copy_(down / spread[:, None])


def least_squares(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Ridge regression of y (N, M) on x (N, F): weights (F, M) and biases (M,). Solved in float64."""
    x_mean, y_mean = x.mean(0), y.mean(0)
    centred = x - x_mean
    gram = (centred.mT @ centred).double()
    gram.diagonal().add_(RIDGE * gram.diagonal().mean().clamp_min(1e-12))
    weight = torch.linalg.solve(gram, (centred.mT @ (y - y_mean)).double()).to(x.dtype)
    return weight, y_mean - x_mean @ weight


def fit_gate(gate: Gate, u: Tensor, z: Tensor, harms: Tensor, num_rounds: int = 30) -> None:
    """Fits log-harm to labels (N, O), which need to be right on average only.

    Minimises the gamma deviance, mean(h exp(-s) + s), by Fisher scoring: the information of a gamma with a logarithmic
    link is constant, so all rounds share one factorisation. A step that does not lower the deviance is halved.
    """
    x = features(u, z)
    mean, spread = x.mean(0), x.std(0).clamp_min(1e-6)
    x = (x - mean) / spread
    gram = (x.mT @ x / len(x)).double()
    gram.diagonal().add_(1e-2)
    factor = torch.linalg.cholesky(gram)
    for option in range(harms.shape[1]):
        weight, bias = _fit_harm(x, harms[:, option], factor, num_rounds)
        gate.weight[option] = weight / spread
        gate.bias[option] = bias - (mean / spread) @ weight


def _fit_harm(x: Tensor, h: Tensor, factor: Tensor, num_rounds: int) -> tuple[Tensor, Tensor]:
    weight, bias = x.new_zeros(x.shape[1]), h.mean().clamp_min(1e-12).log()

    def deviance(weight: Tensor, bias: Tensor) -> Tensor:
        s = (x @ weight + bias).clamp(-30, 20)
        return (h * (-s).exp() + s).mean() + 0.5e-2 * weight.square().sum()

    least, step = deviance(weight, bias), 1.0
    for _ in range(num_rounds):
        residual = h * (-(x @ weight + bias).clamp(-30, 20)).exp() - 1
        gradient = x.mT @ residual / len(x) - 1e-2 * weight
        direction = torch.cholesky_solve(gradient[:, None].double(), factor)[:, 0].to(x)
        while step > 1e-3:
            tried = weight + step * direction, bias + step * residual.mean()
            found = deviance(*tried)
            if found < least:
                weight, bias, least, step = *tried, found, min(1.0, 2 * step)
                break
            step /= 2
    return weight, bias
