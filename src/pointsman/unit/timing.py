"""Milliseconds by part, measured on this machine: what a token of batch 1 takes with units executed or forecast.

Whole tokens are decoded, in the compiled loops or in torch as they will be, with every attention and every MLP at one
option at a time. How long a token takes is then taken to be linear in what its options hold (`Tariff.quantities`), and
solved for the parts. What overlaps or waits is thereby spread over the parts as it occurs. Every token that is timed
computes keys and values; that is taken to be the share of its attention's time that it is of its bytes.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pointsman.engine import Decoder, Session
from pointsman.unit.execution import Routing
from pointsman.unit.gate import HIGHEST, LOWEST
from pointsman.unit.prices import PARTS, Prices
from pointsman.unit.router import Router, Shape, counted, tariff


@dataclass(frozen=True, slots=True)
class Clock:
    """Prices in milliseconds, and the machine that they were measured on."""

    machine: str
    prices: Prices


NEAR_TOKENS, FAR_TOKENS = 16, 192
"""Tokens before the timed ones, without and with much to look at."""

ROUNDS, TOKENS = 7, 12
"""How often every way is timed, in turn, and over how many tokens; the least counts. Chosen."""


def timed_prices(decoder: Decoder, shape: Shape, *, rounds: int = ROUNDS, num_tokens: int = TOKENS) -> Prices:
    """Milliseconds of a model as it is stored and placed. Raises as `Routing`."""
    router = Router(decoder.config, shape).requires_grad_(False)
    num_tokens = min(num_tokens, decoder.config.context_tokens // 4)
    near = min(NEAR_TOKENS, decoder.config.context_tokens // 4)
    far = min(FAR_TOKENS, decoder.config.context_tokens - num_tokens - 1)
    ways = _ways(router)
    timers = [_Timer(decoder, None, near, num_tokens), _Timer(decoder, None, far, num_tokens)]
    timers += [_Timer(decoder, _always(router, options), near, num_tokens) for options in ways]
    least = [float("inf")] * len(timers)
    for _ in range(rounds):
        for index, timer in enumerate(timers):
            least[index] = min(least[index], timer.milliseconds())
    middle = num_tokens / 2
    return _solved(decoder, router, ways, least, (near + middle, far + middle))


def _ways(router: Router) -> list[tuple[int, int]]:
    """Options of all attentions and of all MLPs."""
    attention, mlp = (router.forecaster(unit).num_forecasts for unit in (0, 1))
    return [(attention, option) for option in range(mlp + 1)] + [(0, mlp), (0, 0)]


def _always(router: Router, options: tuple[int, int]) -> Routing:
    """A routing whose gates are computed and always say the same."""
    fixed = Router(router.config, router.shape).requires_grad_(False)
    for unit in range(len(fixed.gates)):
        bias = fixed.gate(unit).bias
        bias.fill_(HIGHEST)
        if options[unit % 2] < len(bias):
            bias[options[unit % 2]] = LOWEST
    return Routing(fixed, 1.0)


class _Timer:
    """One way, over so many tokens behind others."""

    def __init__(self, decoder: Decoder, routing: Routing | None, num_before: int, num_tokens: int) -> None:
        self._session = Session(decoder, 1, num_before + num_tokens, execution=routing)
        self._session.extend([0], [[0] * num_before])
        self._num_before, self._num_tokens = num_before, num_tokens
        self._is_ahead = decoder.embedding.device.type == "cuda"

    def milliseconds(self) -> float:
        """Of one token, the first one not counted."""
        self._session.extend([0], [[0]])
        self._wait()
        begun = time.perf_counter()
        for _ in range(self._num_tokens - 1):
            self._session.extend([0], [[0]])
        self._wait()
        seconds = time.perf_counter() - begun
        self._session.truncate(0, self._num_before)
        return seconds / (self._num_tokens - 1) * 1000

    def _wait(self) -> None:
        if self._is_ahead:
            torch.cuda.synchronize()


def _solved(
    decoder: Decoder,
    router: Router,
    ways: Sequence[tuple[int, int]],
    found_ms: Sequence[float],
    num_before: tuple[float, float],
) -> Prices:
    """The prices by which what was found is explained best; a part that would be negative is 0."""
    own, layers = Prices.of(decoder), decoder.config.num_layers
    quantities, kv_share = tariff(own, router).quantities, own.keys_values / own.attention

    def row(parts: Tensor, looked_at: float) -> Tensor:
        attention, keys_values, *others = parts.tolist()
        known = [attention + kv_share * keys_values, 0.0, *others]
        return torch.tensor([*(layers * count for count in (*known, looked_at)), 1.0], dtype=torch.float64)

    whole = counted(attention=1, mlp=1, decided=False)
    rows = [row(whole, before) for before in num_before]
    executing = len(quantities[0]) - 1
    for options in ways:
        parts = quantities[0][options[0]] + quantities[1][options[1]]
        rows.append(row(parts, num_before[0] * (options[0] == executing)))
    left, right = torch.stack(rows), torch.tensor(found_ms, dtype=torch.float64)
    *found, slot, rest = _non_negative(left, right).tolist()
    priced = dict(zip(PARTS, found, strict=True))
    priced["keys_values"] = kv_share * priced["attention"]
    return Prices("ms", **priced, slot=slot, written=0.0, rest=rest, num_layers=layers)


def _non_negative(left: Tensor, right: Tensor) -> Tensor:
    """(M, P) and (M,) to (P,): least squares over numbers that are not negative; what is goes, the worst one first."""
    scale = left.abs().amax(0).clamp_min(1e-12)
    kept = torch.arange(left.shape[1])
    while True:
        solved = torch.linalg.lstsq((left / scale)[:, kept], right, driver="gelsd").solution
        if len(kept) == 0 or solved.min() >= 0:
            break
        kept = kept[torch.arange(len(kept)) != solved.argmin()]
    found = torch.zeros(left.shape[1], dtype=torch.float64)
    found[kept] = solved / scale[kept]
    return found
