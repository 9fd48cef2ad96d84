"""One block over a few new tokens on a CPU, compiled by numba into loops over its weights.

Decoding reads every weight for one token, so it can run as fast as memory is read. In torch it does not: a step is some
thirty calls a block of 5 to 30 us each, and its products read bf16 weights at half the speed that two cores have (16 to
20 GB/s on a Zen 4, where these loops read 29 to 37). Measured there: the embedded large model 115 us a token on one
core in place of 650, half a billion parameters in bf16 29 ms on two in place of 41.

All arithmetic is float32; bf16 is read and written as its bits (uint16), and rounded only where keys and values are
stored. Loops over `prange` run on as many threads as `numba.set_num_threads` says. The compiled code is kept where
Python keeps its bytecode, so that only the first process of a machine compiles, for some seconds.

Axes: N lines (new tokens), D hidden, H query heads, K key and value heads, E head width, R rows and S slots of a cache.
A line names the row that it belongs to and its slot there.
"""

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba.extending import overload

_untyped: Any = numba  # its decorators lack the types
_SETTINGS: dict[str, Any] = {
    "nogil": True,  # a server answers meanwhile
    "error_model": "numpy",
    "fastmath": {"reassoc", "contract", "arcp", "nsz"},  # sums in any order; a NaN stays one
}
_HALF, _ONE = np.uint32(16), np.float32(1)
_LOWEST, _HIGHEST, _HALF_ONE = np.float32(-87), np.float32(88), np.float32(0.5)
_LOG2_E, _LN_2_HIGH, _LN_2_LOW = np.float32(1.44269504), np.float32(0.693359375), np.float32(-2.12194440e-4)
_C1, _C2, _C3 = np.float32(1.6666665459e-1), np.float32(4.1665795894e-2), np.float32(8.3334519073e-3)
_C4, _C5 = np.float32(1.3981999507e-3), np.float32(1.9875691500e-4)
LINES_AT_ONCE = 3
"""Lines that share one read of a weight, so that it is converted once for all of them. Four at once take as long as
three and one: 16 to 20 us for a weight of 640 by 128 in place of 10 and 7. Measured on a Zen 4."""


def compiled(**options: bool) -> Callable[[Any], Any]:
    def decorate(function: Any) -> Any:
        try:
            return _untyped.njit(cache=True, **_SETTINGS, **options)(function)
        except RuntimeError:  # there is no folder to keep it in
            return _untyped.njit(**_SETTINGS, **options)(function)

    return decorate


def wide(x: Any) -> Any:
    """A stored number as float32. Only for compiled code."""
    raise NotImplementedError


@overload(wide, inline="always")
def _wide(x: Any) -> Any:
    def from_bits(x: Any) -> Any:
        return np.uint32(np.uint32(x) << _HALF).view(np.float32)

    def unchanged(x: Any) -> Any:
        return x

    return from_bits if x == _untyped.types.uint16 else unchanged


def store(into: Any, index: Any, x: Any) -> Any:
    """Writes a float32 to `into[index]`, rounded to the nearest, ties to even. Only for compiled code."""
    raise NotImplementedError


@overload(store)
def _store(into: Any, index: Any, x: Any) -> Any:  # noqa: ARG001  numba compares the signatures
    def rounded(into: Any, index: Any, x: Any) -> Any:
        bits = np.float32(x).view(np.uint32)
        to_even = np.uint32(0x7FFF) + ((bits >> _HALF) & np.uint32(1))
        # Adding would carry a NaN of all ones over to -0.
        into[index] = np.uint16((bits + to_even) >> _HALF) if x == x else np.uint16(0x7FC0)

    def exact(into: Any, index: Any, x: Any) -> Any:
        into[index] = x

    return rounded if into.dtype == _untyped.types.uint16 else exact


@compiled()
def exponential(x: Any) -> Any:
    """e^x within 3e-7 of it, from e^-87 to e^88 and constant beyond. `np.exp` would call the C library for each.

    Cephes' `expf`: x is split into a power of two and a rest within ln(2)/2, of which a polynomial is taken.
    """
    x = _LOWEST if x < _LOWEST else x
    x = _HIGHEST if x > _HIGHEST else x
    power = np.floor(x * _LOG2_E + _HALF_ONE)
    rest = x - power * _LN_2_HIGH - power * _LN_2_LOW
    y = _C5
    y = y * rest + _C4
    y = y * rest + _C3
    y = y * rest + _C2
    y = y * rest + _C1
    y = y * rest + _HALF_ONE
    y = y * rest * rest + rest + _ONE
    return y * np.int32((np.int32(power) + np.int32(127)) << np.int32(23)).view(np.float32)


@compiled(parallel=True)
def multiply(weight: Any, x: Any, y: Any) -> None:
    """`y += x @ weight.T`: weight (M, K), x (N, K) float32, y (N, M) float32."""
    num_grouped = x.shape[0] - x.shape[0] % LINES_AT_ONCE
    for m in numba.prange(weight.shape[0]):
        row = weight[m]
        for n in range(0, num_grouped, LINES_AT_ONCE):
            _three_products(row, x[n : n + LINES_AT_ONCE], y[n : n + LINES_AT_ONCE], m)
        rest = x.shape[0] - num_grouped
        if rest == 1:
            line, total = x[num_grouped], np.float32(0)
            for k in range(row.shape[0]):
                total += wide(row[k]) * line[k]
            y[num_grouped, m] += total
        elif rest == 2:
            _two_products(row, x[num_grouped:], y[num_grouped:], m)


@compiled()
def _two_products(row: Any, x: Any, y: Any, m: int) -> None:
    x0, x1 = x[0], x[1]
    t0 = t1 = np.float32(0)
    for k in range(row.shape[0]):
        w = wide(row[k])
        t0 += w * x0[k]
        t1 += w * x1[k]
    y[0, m] += t0
    y[1, m] += t1


@compiled()
def _three_products(row: Any, x: Any, y: Any, m: int) -> None:
    """`y[:, m] += x @ row` for `LINES_AT_ONCE` lines."""
    x0, x1, x2 = x[0], x[1], x[2]
    t0 = t1 = t2 = np.float32(0)
    for k in range(row.shape[0]):
        w = wide(row[k])
        t0 += w * x0[k]
        t1 += w * x1[k]
        t2 += w * x2[k]
    y[0, m] += t0
    y[1, m] += t1
    y[2, m] += t2


@compiled()
def embed(table: Any, tokens: Any, x: Any) -> None:
    """`x = table[tokens]`: table (V, D), tokens (N,), x (N, D) float32."""
    for n in range(tokens.shape[0]):
        for i in range(x.shape[1]):
            x[n, i] = wide(table[tokens[n], i])


@compiled()
def normalise(x: Any, weight: Any, eps: float, y: Any) -> None:
    """`y = x / sqrt(mean(x^2) + eps) * weight` of one line, which may be `x` itself."""
    total = np.float32(0)
    for i in range(x.shape[0]):
        total += x[i] * x[i]
    scale = _ONE / np.sqrt(total / np.float32(x.shape[0]) + np.float32(eps))
    for i in range(x.shape[0]):
        y[i] = x[i] * scale * wide(weight[i])


@compiled()
def normalised(x: Any, weight: Any, eps: float) -> Any:
    """A new (N, D), `normalise` of every line."""
    y = np.empty_like(x)
    for n in range(x.shape[0]):
        normalise(x[n], weight, eps, y[n])
    return y


@compiled()
def _turn(head: Any, cos: Any, sin: Any) -> None:
    """Rotates a head (E,) in place by rows of `model.rotary_table`."""
    half = head.shape[0] // 2
    for i in range(half):
        low, high = head[i], head[half + i]
        head[i] = low * cos[i] + high * sin[i]
        head[half + i] = high * cos[half + i] + low * sin[half + i]


@compiled()
def _look_back(q: Any, keys: Any, values: Any, num_tokens: int, y: Any) -> None:
    """Attention of one query (E,) over the first slots of keys and values (S, E), into `y` (E,)."""
    scale, weights = _ONE / np.float32(math.sqrt(q.shape[0])), np.empty(num_tokens, np.float32)
    for s in range(num_tokens):
        score = np.float32(0)
        for e in range(q.shape[0]):
            score += q[e] * wide(keys[s, e])
        weights[s] = score * scale
    largest, total = weights.max(), np.float32(0)
    for s in range(num_tokens):
        weights[s] = exponential(weights[s] - largest)
        total += weights[s]
    y[:] = np.float32(0)
    for s in range(num_tokens):
        weight = weights[s] / total
        for e in range(q.shape[0]):
            y[e] += weight * wide(values[s, e])


@compiled()
def place(heads: Any, row: int, slot: int, rope: Any, norms: Any, eps: float, keys: Any, values: Any) -> None:
    """Normalises and rotates one line's queries and keys in `heads` (H + 2 K, E), and stores its keys and values."""
    (cos, sin), (q_norm, k_norm), num_kv_heads = rope, norms, keys.shape[1]
    num_heads = heads.shape[0] - 2 * num_kv_heads
    for h in range(num_heads + num_kv_heads):
        norm = q_norm if h < num_heads else k_norm
        if norm.shape[0] > 0:
            normalise(heads[h], norm, eps, heads[h])
        _turn(heads[h], cos[slot], sin[slot])
    for k in range(num_kv_heads):
        for e in range(heads.shape[1]):
            store(keys, (row, k, slot, e), heads[num_heads + k, e])
            store(values, (row, k, slot, e), heads[num_heads + num_kv_heads + k, e])


@compiled(parallel=True)
def _attend(heads: Any, rows: Any, slots: Any, keys: Any, values: Any, y: Any) -> None:
    """Every query of `heads` (N, H + 2 K, E) over its row, into `y` (N, H, E)."""
    num_heads = y.shape[1]
    group = num_heads // keys.shape[1]
    for i in numba.prange(y.shape[0] * num_heads):
        n, h = i // num_heads, i % num_heads
        row, k = rows[n], h // group
        _look_back(heads[n, h], keys[row, k], values[row, k], slots[n] + 1, y[n, h])


@compiled()
def attention(x: Any, lines: Any, weights: Any, rope: Any, cache: Any, eps: float) -> None:
    """Adds attention over the cache to `x` (N, D); stores the lines' keys and values first.

    Args:
        x: the residual stream, float32.
        lines: rows and slots of the lines, two of (N,) int64.
        weights: norm (D,), qkv ((H + 2 K) E, D), its bias or (0,), norms of query and key heads (E,) or (0,), out.
        rope: two of `model.rotary_table`.
        cache: keys and values of this block, two of (R, K, S, E).
        eps: of the norms.
    """
    (rows, slots), (norm, qkv, bias, q_norm, k_norm, out), (keys, values) = lines, weights, cache
    num_lines, width = x.shape[0], keys.shape[3]
    projected = np.zeros((num_lines, qkv.shape[0]), np.float32)
    for n in range(num_lines):
        for i in range(bias.shape[0]):
            projected[n, i] = wide(bias[i])
    multiply(qkv, normalised(x, norm, eps), projected)
    heads = projected.reshape(num_lines, qkv.shape[0] // width, width)
    for n in range(num_lines):
        place(heads[n], rows[n], slots[n], rope, (q_norm, k_norm), eps, keys, values)
    seen = np.empty((num_lines, out.shape[1] // width, width), np.float32)
    _attend(heads, rows, slots, keys, values, seen)
    multiply(out, seen.reshape(num_lines, out.shape[1]), x)


@compiled()
def mlp(x: Any, weights: Any, eps: float) -> None:
    """Adds the gated MLP to `x` (N, D). `weights`: norm (D,), gate over up (2 F, D), down (D, F)."""
    norm, gate_up, down = weights
    num_lines, width = x.shape[0], down.shape[1]
    both, gated = np.zeros((num_lines, 2 * width), np.float32), np.empty((num_lines, width), np.float32)
    multiply(gate_up, normalised(x, norm, eps), both)
    for n in range(num_lines):
        for i in range(width):
            gate = both[n, i]
            gated[n, i] = gate / (_ONE + exponential(-gate)) * both[n, width + i]
    multiply(down, gated, x)


def use_threads(num_threads: int) -> None:
    """Lets the calling thread's loops run on so many threads, or on all that there are."""
    wanted = min(num_threads, _untyped.config.NUMBA_NUM_THREADS)
    if numba.get_num_threads() != wanted:  # asking takes a tenth of setting
        numba.set_num_threads(wanted)


def starts_safely() -> bool:
    """Whether threads of Python may run these loops at once. numba chooses its own threads for good at the first loop.

    Where it has only its `workqueue`, two loops at once would end the process.
    """
    wanted, _untyped.config.THREADING_LAYER = _untyped.config.THREADING_LAYER, "threadsafe"
    one = np.zeros((1, 1), np.float32)
    try:
        multiply(one, one, one)
    except ValueError:  # no such threads could be loaded
        return False
    finally:
        _untyped.config.THREADING_LAYER = wanted
    return bool(_untyped.threading_layer() != "workqueue")  # which a loop before ours may have chosen
