"""A few new tokens on a CPU, unit by unit: predict each option's harm, choose, and read no weight but the chosen one's.

The fast twin of `routing.Routed` over the engine's blocks. All new tokens share one choice a unit, since they share its
weights: it weighs the bytes against the harm of all of them together. So a batch executes more than each text alone
would, and none of it is slower for what was not worth it.

Axes as in `engine.kernels`; besides: r latent numbers, O forecasts of a unit, the cheapest first. Option O executes.
"""

from typing import Any

import numpy as np

from pointsman.engine.kernels import attention, compiled, embed, exponential, mlp, multiply, normalised, place, wide

_ONE = np.float32(1)
_LEAST, _MOST = np.float32(-60), np.float32(20)
"""Between which the logarithm of a harm is cut off, as in `gate.LOWEST` and `gate.HIGHEST`."""

UNDECIDED = -1
"""In a script: the gate chooses."""


@compiled()
def _log_harm(u: Any, z: Any, gate: Any, option: int) -> Any:
    """`Gate.forward` of one token and option. `gate`: weights (O, D + 2 r), biases (O,)."""
    weights, biases = gate
    row, width, rank = weights[option], u.shape[0], z.shape[0]
    total = biases[option]
    for i in range(width):
        total += wide(row[i]) * u[i]
    for i in range(rank):
        total += wide(row[width + i]) * z[i] + wide(row[width + rank + i]) * z[i] * z[i]
    return min(max(total, _LEAST), _MOST)


@compiled()
def _chosen(u: Any, z: Any, gate: Any, prices: Any, worth: Any) -> Any:
    """The option with the least harm plus price, over all tokens. `prices` (O + 1,), `worth` (N,) of a nat."""
    num_forecasts = prices.shape[0] - 1
    best, least = num_forecasts, prices[num_forecasts]
    for option in range(num_forecasts):
        total = prices[option]
        for n in range(u.shape[0]):
            total += worth[n] * float(exponential(_log_harm(u[n], z[n], gate, option)))
        if total < least:
            best, least = option, total
    return best


@compiled()
def _latent(down: Any, u: Any) -> Any:
    """(N, r) of `u` (N, D) by `down` (r, D). On one thread: starting others takes longer than so few numbers."""
    z = np.empty((u.shape[0], down.shape[0]), np.float32)
    for n in range(u.shape[0]):
        line = u[n]
        for k in range(down.shape[0]):
            row, total = down[k], np.float32(0)
            for i in range(line.shape[0]):
                total += wide(row[i]) * line[i]
            z[n, k] = total
    return z


@compiled()
def _add_linear(z: Any, columns: Any, bias: Any, x: Any) -> None:
    """`x += z @ columns + bias`: z (N, r), columns (r, M), bias (M,), x (N, M). On one thread, as `_latent`."""
    for n in range(x.shape[0]):
        line = x[n]
        for i in range(line.shape[0]):
            line[i] += wide(bias[i])
        for k in range(columns.shape[0]):
            column, scale = columns[k], z[n, k]
            for i in range(line.shape[0]):
                line[i] += scale * wide(column[i])


@compiled()
def _forecast(u: Any, z: Any, arrays: Any, option: int, x: Any) -> None:
    """Adds a forecast to `x` (N, D). `arrays`: up (O, r, D), biases (O, D), widths (O,), and all own neurons in one."""
    up, biases, widths, own = arrays
    _add_linear(z, up[option], biases[option], x)
    width, hidden = widths[option], x.shape[1]
    if width == 0:
        return
    begin = 0
    for earlier in range(option):
        begin += 3 * widths[earlier] * hidden
    middle, end = begin + 2 * width * hidden, begin + 3 * width * hidden
    both, gated = np.zeros((x.shape[0], 2 * width), np.float32), np.empty((x.shape[0], width), np.float32)
    multiply(own[begin:middle].reshape(2 * width, hidden), u, both)
    for n in range(x.shape[0]):
        for i in range(width):
            gate = both[n, i]
            gated[n, i] = gate / (_ONE + exponential(-gate)) * both[n, width + i]
    multiply(own[middle:end].reshape(hidden, width), gated, x)


@compiled()
def _remember(u: Any, z: Any, lines: Any, weights: Any, forecast: Any, rope: Any, cache: Any, eps: float) -> None:
    """Keys and values of tokens whose attention is not executed: by the model's own weights, or forecast.

    `forecast`: weights (r, 2 K E) and biases (2 K E,), or none, of which the last axis is 0.
    """
    (rows, slots), (_, qkv, bias, q_norm, k_norm, out), (keys, values) = lines, weights, cache
    (from_latent, biases), width = forecast, keys.shape[3]
    first = out.shape[1]
    projected = np.zeros((u.shape[0], qkv.shape[0] - first), np.float32)
    if biases.shape[0] > 0:
        _add_linear(z, from_latent, biases, projected)
    else:
        for n in range(u.shape[0]):
            for i in range(max(bias.shape[0] - first, 0)):
                projected[n, i] = wide(bias[first + i])
        multiply(qkv[first:], u, projected)
    heads = projected.reshape(u.shape[0], projected.shape[1] // width, width)
    for n in range(u.shape[0]):
        place(heads[n], rows[n], slots[n], rope, (q_norm, k_norm), eps, keys, values)


@compiled()
def _option(u: Any, unit: Any, slots: Any, slot_price: float, worth: Any, scripted: int) -> Any:
    """The latent (N, r) and what is chosen. `unit`: down (r, D), gate, prices, forecasts, forecast of keys."""
    down, gate, prices = unit[0], unit[1], unit[2].copy()
    z = _latent(down, u)
    if scripted != UNDECIDED:
        return z, scripted
    for n in range(u.shape[0]):
        prices[-1] += slot_price * slots[n]
    return z, _chosen(u, z, gate, prices, worth)


@compiled()
def read(lines: Any, model: Any, units: Any, slot_price: float, worth: Any, script: Any, chosen: Any) -> Any:
    """(N, D) float32 after the last norm.

    Args:
        lines: ids, rows and slots of the new tokens, three of (N,) int64.
        model: embedding, norm, head, blocks, rope and eps; see `FewTokens.arrays`.
        units: of each unit the arrays of `_option`.
        slot_price: of what executed attention looks at of a token before.
        worth: what a nat may cost, of each new token, (N,) float64.
        script: of each unit the option to take, or `UNDECIDED`.
        chosen: of each unit, which is filled, the option that was taken.
    """
    (tokens, rows, slots), (embedding, norm, _, blocks, rope, eps) = lines, model
    x = np.empty((tokens.shape[0], embedding.shape[1]), np.float32)
    embed(embedding, tokens, x)
    for layer in range(len(blocks)):
        looking, computing, cache = blocks[layer]
        unit = units[2 * layer]
        u = normalised(x, looking[0], eps)
        z, option = _option(u, unit, slots, slot_price, worth, script[2 * layer])
        chosen[2 * layer] = option
        if option == unit[2].shape[0] - 1:
            attention(x, (rows, slots), looking, rope, cache, eps)
        else:
            _remember(u, z, (rows, slots), looking, unit[4], rope, cache, eps)
            _forecast(u, z, unit[3], option, x)
        unit = units[2 * layer + 1]
        u = normalised(x, computing[0], eps)
        z, option = _option(u, unit, slots, 0.0, worth, script[2 * layer + 1])
        chosen[2 * layer + 1] = option
        if option == unit[2].shape[0] - 1:
            mlp(x, computing, eps)
        else:
            _forecast(u, z, unit[3], option, x)
    return normalised(x, norm, eps)
