"""Muon against the definition, and what its update is for."""

import pytest
import torch
from torch import nn

from pointsman.embedded.optimizer import Muon, orthogonalise


@pytest.mark.parametrize("shape", [(8, 8), (24, 8), (8, 24)])
def test_orthogonalising_keeps_directions_and_levels_singular_values(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    u, _, vh = torch.linalg.svd(matrix, full_matrices=False)
    levelled = u.mT @ orthogonalise(matrix) @ vh.mT  # diagonal in the matrix's own directions
    values = levelled.diagonal()
    assert values.min() > 0.6
    assert values.max() < 1.3
    assert (levelled - torch.diag(values)).abs().max() < 1e-4


def test_fused_matrices_are_treated_as_their_parts() -> None:
    whole = nn.Parameter(torch.randn(12, 6, generator=torch.Generator().manual_seed(1)))
    parts = [nn.Parameter(piece.clone()) for piece in whole.detach().split([6, 3, 3])]
    gradient = torch.randn(12, 6, generator=torch.Generator().manual_seed(2))
    fused = Muon([(whole, [6, 3, 3])], lr=0.1)
    split = Muon([(part, [part.shape[0]]) for part in parts], lr=0.1)
    for _ in range(3):
        whole.grad = gradient.clone()
        for part, piece in zip(parts, gradient.split([6, 3, 3]), strict=True):
            part.grad = piece.clone()
        fused.step()
        split.step()
    torch.testing.assert_close(whole.detach(), torch.cat([part.detach() for part in parts]))


def test_it_learns_a_linear_map() -> None:
    generator = torch.Generator().manual_seed(0)
    target, weight = torch.randn(8, 8, generator=generator), nn.Parameter(torch.zeros(8, 8))
    optimizer = Muon([(weight, [8])], lr=0.1)
    for step in range(300):
        optimizer.param_groups[0]["lr"] = 0.1 * (1 - step / 300)
        x = torch.randn(32, 8, generator=generator)
        optimizer.zero_grad()
        (x @ (weight - target).mT).square().mean().backward()
        optimizer.step()
    assert (weight - target).abs().max() < 0.05


def test_a_parameter_without_a_gradient_is_left() -> None:
    weight = nn.Parameter(torch.ones(4, 4))
    Muon([(weight, [4])], lr=0.1).step()
    assert torch.equal(weight, torch.ones(4, 4))
