"""Products of bf16 weights with one or a few rows on a CPU, at the speed of memory.

Decoding at batch 1 does nothing but read weights, and torch reads them at half the speed that the machine has: on two
cores of a Zen 4 16 to 20 GB/s, whether by `linear`, `mv` or compiled, where copying moves 31 to 45 and this kernel
reads 29 to 37. Sums are float32, rounded once. The loop is compiled by numba; LLVM makes it AVX2 or AVX-512.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

MOST_ROWS = 3
"""From four rows on torch's product is as fast: a weight is converted anew for each row here."""

_Kernel = Callable[[Any, Any, Any], None]


def product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor | None:
    """`x @ weight.T + bias` in bf16, without a gradient; None where numba or threads for it are missing.

    Args:
        x: (..., K) bf16 with at most `MOST_ROWS` rows.
        weight: (N, K) bf16, contiguous.
        bias: (N,) bf16.
    """
    compiled = _kernel()
    if compiled is None:
        return None
    rows = x.reshape(-1, x.shape[-1]).float()
    y = torch.empty(rows.shape[0], weight.shape[0])
    compiled(weight.detach().view(torch.uint16).numpy(), rows.numpy(), y.numpy())
    return (y if bias is None else y + bias).to(x.dtype).view(*x.shape[:-1], -1)


@cache
def _kernel() -> _Kernel | None:
    """The compiled loop, on as many threads as torch has. The first use of a process compiles, for a second.

    None without numba, or where numba has no threads that several of Python's may use at once.
    """
    try:
        import numba
        import numpy as np
    except ImportError:
        return None
    untyped: Any = numba  # its types lack the settings and the layer
    half, settings = np.uint32(16), untyped.config

    @numba.njit(parallel=True, fastmath=True)
    def multiply(weight: Any, x: Any, y: Any) -> None:
        for n in numba.prange(weight.shape[0]):
            row = weight[n]
            for b in range(x.shape[0]):
                column = x[b]
                total = np.float32(0)
                for k in range(row.shape[0]):
                    total += np.uint32(np.uint32(row[k]) << half).view(np.float32) * column[k]
                y[b, n] = total

    first = (np.zeros((1, 1), np.uint16), np.zeros((1, 1), np.float32), np.zeros((1, 1), np.float32))
    if not _starts_safely(untyped, lambda: multiply(*first)):
        return None

    def run(weight: Any, x: Any, y: Any) -> None:
        numba.set_num_threads(min(torch.get_num_threads(), settings.NUMBA_NUM_THREADS))
        multiply(weight, x, y)

    return run


def _starts_safely(numba: Any, start: Callable[[], None]) -> bool:
    """Runs a first parallel loop, at which numba chooses its threads for good; false unless Python's may share them."""
    wanted, numba.config.THREADING_LAYER = numba.config.THREADING_LAYER, "threadsafe"
    try:
        start()
    except ValueError:  # no such layer could be loaded
        return False
    finally:
        numba.config.THREADING_LAYER = wanted
    return bool(numba.threading_layer() != "workqueue")  # which a loop before ours may have chosen; it ends the process
