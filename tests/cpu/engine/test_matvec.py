"""Products of one or a few rows are the exact ones, rounded once, for any shape; from several threads at once too."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from pointsman.engine import matvec


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).bfloat16()


def is_exact(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> bool:
    """Off by one rounding to bf16's eight bits, and a sum in float32 before it."""
    y = matvec.product(x, weight, bias)
    exact = torch.nn.functional.linear(x.double(), weight.double(), None if bias is None else bias.double())
    assert y is not None
    assert (y.dtype, y.shape) == (torch.bfloat16, exact.shape)
    return torch.allclose(y.double(), exact, rtol=2**-8, atol=1e-5 * weight.shape[1])


@pytest.mark.parametrize("num_rows", [1, 2, 3])
@pytest.mark.parametrize("size", [(1, 1), (7, 37), (64, 64), (200, 129)])
def test_the_product_is_the_exact_one_rounded_once(num_rows: int, size: tuple[int, int]) -> None:
    weight, bias = random(*size), random(size[0], seed=1)
    for shape in ((num_rows, size[1]), (1, num_rows, size[1])):
        assert is_exact(random(*shape, seed=2), weight, None)
        assert is_exact(random(*shape, seed=2), weight, bias)


def test_rows_need_not_lie_side_by_side() -> None:
    assert is_exact(random(2, 3, 40)[:, 1], random(20, 40), None)


def test_several_threads_multiply_at_once() -> None:
    weights = [random(300, 200, seed=seed) for seed in range(8)]
    x = random(1, 200)
    alone = [matvec.product(x, weight, None) for weight in weights]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda weight: matvec.product(x, weight, None), weights * 20))
    for index, y in enumerate(together):
        assert torch.equal(y, alone[index % 8])


def test_without_numba_torch_multiplies(monkeypatch: pytest.MonkeyPatch) -> None:
    from pointsman.engine.model import linear

    monkeypatch.setattr(matvec, "_kernel", lambda: None)
    x, weight = random(1, 30), random(20, 30)
    with torch.inference_mode():
        assert torch.equal(linear(x, weight), torch.nn.functional.linear(x, weight))
