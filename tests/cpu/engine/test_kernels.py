"""The compiled loops do what their plain definitions say, for any shape, and from several threads at once."""

from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.engine import kernels


def bits(tensor: torch.Tensor) -> np.ndarray:
    return tensor.view(torch.uint16).numpy()


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@numba.njit
def stored(numbers):  # numba compiles what has no annotation of its own
    into = np.zeros(numbers.shape[0], np.uint16)
    for i in range(numbers.shape[0]):
        kernels.store(into, i, numbers[i])
    return into


@numba.njit
def widened(numbers):
    into = np.zeros(numbers.shape[0], np.float32)
    for i in range(numbers.shape[0]):
        into[i] = kernels.wide(numbers[i])
    return into


@numba.njit
def exponentials(numbers):
    return np.array([kernels.exponential(x) for x in numbers])


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1))
def test_a_number_is_stored_as_torch_rounds_it(numbers: list[float]) -> None:
    expected = torch.tensor(numbers, dtype=torch.float32).bfloat16()
    assert stored(np.array(numbers, np.float32)).tolist() == bits(expected).tolist()
    assert widened(bits(expected)).tolist() == expected.tolist()


def test_what_is_no_number_stays_none() -> None:
    strange = np.array([0x7FFFFFFF, 0x7F800001, 0xFFFFFFFF], np.uint32).view(np.float32)
    assert np.isnan(strange).all()
    assert np.isnan(widened(stored(strange))).all()
    assert np.isnan(exponentials(strange)).all()


def test_the_exponential_is_exact_to_a_few_roundings() -> None:
    x = np.linspace(-87, 88, 400_001, dtype=np.float32)
    exact = np.exp(x.astype(np.float64))
    assert np.abs(exponentials(x) / exact - 1).max() < 3e-7
    ends = exponentials(np.array([-np.inf, -1e9, 1e9, np.inf, 0], np.float32))
    assert ends.tolist() == [*exponentials(np.array([-87, -87, 88, 88], np.float32)), 1.0]


@pytest.mark.parametrize("num_lines", range(1, 10))
@pytest.mark.parametrize("size", [(1, 1), (7, 37), (64, 64), (200, 129)])
def test_products_are_the_exact_ones(num_lines: int, size: tuple[int, int]) -> None:
    weight, x, before = random(*size), random(num_lines, size[1], seed=1), random(num_lines, size[0], seed=2)
    for stored_weight in (weight, weight.bfloat16()):
        y = before.clone()
        is_short = stored_weight.dtype is torch.bfloat16
        kernels.multiply(bits(stored_weight) if is_short else stored_weight.numpy(), x.numpy(), y.numpy())
        exact = before.double() + x.double() @ stored_weight.double().T
        torch.testing.assert_close(y.double(), exact, atol=1e-6 * size[1], rtol=1e-5)


def test_several_threads_multiply_at_once() -> None:
    weights, x = [random(300, 200, seed=seed).numpy() for seed in range(8)], random(1, 200).numpy()

    def product(weight: np.ndarray) -> list[list[float]]:
        y = np.zeros((1, 300), np.float32)
        kernels.multiply(weight, x, y)
        return y.tolist()

    alone = [product(weight) for weight in weights]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(product, weights * 20))
    assert together == alone * 20


def test_threads_are_as_many_as_are_asked_for_and_there_are() -> None:
    before = numba.get_num_threads()
    try:
        kernels.use_threads(1)
        assert numba.get_num_threads() == 1
        kernels.use_threads(10_000)
        assert numba.get_num_threads() == numba.config.NUMBA_NUM_THREADS
    finally:
        numba.set_num_threads(before)


def test_threads_that_may_not_be_shared_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = numba.config.THREADING_LAYER
    assert kernels.starts_safely()
    monkeypatch.setattr(numba, "threading_layer", lambda: "workqueue")
    assert not kernels.starts_safely()
    assert wanted == numba.config.THREADING_LAYER


def test_without_a_folder_to_keep_it_in_code_is_compiled_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = numba.njit

    def nowhere(*, cache: bool = False, **options: object) -> object:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return plain(**options)

    monkeypatch.setattr(numba, "njit", nowhere)
    assert kernels.compiled()(lambda x: x + 1)(2) == 3
