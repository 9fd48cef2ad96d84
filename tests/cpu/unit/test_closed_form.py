"""Regressions that are exact where the unit is what they assume, and gates that are right on average."""

from collections.abc import Callable

import pytest
import torch

from pointsman.core import BadRequest
from pointsman.engine.model import Decoder
from pointsman.unit.closed_form import fit_gate, fit_unit, least_squares, require_enough, tokens_needed
from pointsman.unit.forecaster import own_neurons
from pointsman.unit.gate import Gate
from pointsman.unit.observing import Observed
from pointsman.unit.router import Router, Shape

MakeDecoder = Callable[..., Decoder]


def observed(u: torch.Tensor, y: torch.Tensor, generator: torch.Generator) -> Observed:
    return Observed(u, y, torch.randn(len(u), 2, y.shape[1], generator=generator))


def test_least_squares_is_numpys() -> None:
    generator = torch.Generator().manual_seed(0)
    x, true = torch.randn(500, 6, generator=generator), torch.randn(6, 3, generator=generator)
    weight, bias = least_squares(x, x @ true + 0.5)
    torch.testing.assert_close(weight, true, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(bias, torch.full((3,), 0.5), rtol=1e-3, atol=1e-3)


def test_a_unit_that_is_linear_of_low_rank_is_forecast_exactly(make_decoder: MakeDecoder) -> None:
    decoder = make_decoder()
    generator = torch.Generator().manual_seed(1)
    u = torch.randn(800, 32, generator=generator)
    y = u @ torch.randn(32, 3, generator=generator) @ torch.randn(3, 32, generator=generator) + 1.0
    router = Router(decoder.config, Shape(3, (0,)))
    harm = fit_unit(router, decoder, 0, observed(u, y, generator))
    forecaster = router.forecaster(0)
    torch.testing.assert_close(forecaster.forecast(u, forecaster.latent(u), 0), y, rtol=1e-2, atol=5e-2)
    assert harm.item() < 1e-3


def test_all_of_an_mlps_own_neurons_are_the_mlp(make_decoder: MakeDecoder) -> None:
    """With every neuron and its least squares, nothing is left; with fewer, more harm is done the fewer there are."""
    decoder = make_decoder()
    mlp = decoder.block(0).mlp
    generator = torch.Generator().manual_seed(2)
    u = torch.randn(2000, 32, generator=generator)
    with torch.no_grad():
        y = mlp(u)
    router = Router(decoder.config, Shape(4, (0, 8, 24, 48)))
    harm = fit_unit(router, decoder, 1, observed(u, y, generator))
    assert harm[0] > harm[1] > harm[2] > 100 * harm[3]
    kept = router.forecaster(1).own_gate_up[1]
    all_gates = mlp.gate_up[:48]
    assert all((all_gates == row).all(1).any() for row in kept[:8]), "they are the unit's own"


def test_latents_have_variance_one(make_decoder: MakeDecoder) -> None:
    decoder = make_decoder()
    generator = torch.Generator().manual_seed(3)
    u = torch.randn(500, 32, generator=generator)
    with torch.no_grad():
        y = decoder.block(0).mlp(u)
    router = Router(decoder.config, Shape(4, (0,)))
    fit_unit(router, decoder, 1, observed(u, y, generator))
    torch.testing.assert_close(router.forecaster(1).latent(u).std(0), torch.ones(4), rtol=1e-3, atol=1e-3)


def test_a_gate_finds_the_mean_of_noisy_labels() -> None:
    """Labels are a log-linear mean times chi-square noise; predictions come near the mean."""
    generator = torch.Generator().manual_seed(4)
    u, z = torch.randn(6000, 5, generator=generator), torch.randn(6000, 2, generator=generator)
    mean = (u[:, 0] - 0.5 * u[:, 3] + 0.3 * z[:, 1].square() - 2).exp()
    labels = mean * torch.randn(6000, generator=generator).square()
    gate = Gate(5, 2, 1)
    with torch.no_grad():
        fit_gate(gate, u, z, labels[:, None])
        error = gate(u, z)[:, 0] - mean.log()
    assert error.abs().mean() < 0.1


def test_too_few_tokens_are_refused_with_how_many_are_needed(make_decoder: MakeDecoder) -> None:
    router = Router(make_decoder().config, Shape(4, (0, 8)))
    needed = tokens_needed(router)
    require_enough(router, needed)
    with pytest.raises(BadRequest, match=f"{needed:,}") as caught:
        require_enough(router, needed - 1)
    assert caught.value.code == "too_little_data"


def test_own_neurons_are_those_of_the_engines_mlp(make_decoder: MakeDecoder) -> None:
    mlp = make_decoder().block(1).mlp
    u = torch.randn(7, 32, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        torch.testing.assert_close(own_neurons(u, mlp.gate_up) @ mlp.down.mT, mlp(u))
