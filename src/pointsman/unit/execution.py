"""Units that are really left out: reads new tokens and touches no weight of what was not chosen.

A row's first forward, its prompt, is read by the model as it is, or by MLPs for some of its tokens only where it has a
rate of its own: it computes many tokens for one read of the weights, so that arithmetic is all that can be saved; see
`gathering.py`. Later forwards of a few tokens are routed. All their tokens share one choice a unit, which weighs its
price against the harm of all together; see `kernels.py`.

On a CPU one compiled call reads everything. Elsewhere torch does, and every choice is a transfer from the device that
waits for it; `ahead` makes one transfer a forward instead, by taking for a token what the gates say at the one before.
"""

from collections import deque
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pointsman.core import Unsupported
from pointsman.engine import Decoder, Traffic
from pointsman.engine.attention import CachedAttend
from pointsman.engine.cache import KVCache, Window
from pointsman.engine.session import padded
from pointsman.engine.step import FewTokens
from pointsman.unit.gathering import LEAST_ROWS, Gathering
from pointsman.unit.prices import Prices
from pointsman.unit.router import Router, Tariff, prompt_tariff, tariff
from pointsman.unit.skipping import UNDECIDED, Skipping

LOGGED = 4096
"""Forwards whose choices are remembered."""


@dataclass
class Log:
    """Which path ran how often, and what was taken.

    Attributes:
        num_compiled: routed forwards by compiled loops,
        num_torch: and by torch.
        num_dense: forwards of the model as it is.
        num_gathered: prompts of which some MLPs ran for some tokens only.
        options: (units,) of each of the last routed forwards, the latest last; no more than `LOGGED`.
    """

    num_compiled: int = 0
    num_torch: int = 0
    num_dense: int = 0
    num_gathered: int = 0
    options: deque[NDArray[np.int64]] = field(default_factory=lambda: deque(maxlen=LOGGED))


class Routing:
    """Makes the execution of a session; what `LoadedModel.execution` is.

    Args:
        router: forecasters and gates, for the model that it will be given.
        rate: nats that one whole token is worth.
        prices: that choices are made by; None for bytes, see `Prices.of`.
        prompt_rate: the same for a token of a prompt, in multiplications; 0 executes all.
        script: of each unit the option to take, or `UNDECIDED`; None where the gates choose all.
        compiles: whether compiled loops may read.
        ahead: whether torch takes what the gates said at the token before.

    Raises:
        Unsupported: `unsupported_kv` for evicted keys and values, which exist for measuring whole sequences only.
    """

    def __init__(
        self,
        router: Router,
        rate: float,
        *,
        prices: Prices | None = None,
        prompt_rate: float = 0.0,
        script: Sequence[int] | None = None,
        compiles: bool = True,
        ahead: bool = False,
    ) -> None:
        if router.shape.kv == "evicted":
            problem = "keys and values that are evicted can be measured, but no text is written so"
            raise Unsupported(f"{problem}; expected computed or forecast ones", code="unsupported_kv")
        self.router, self.rate, self.prices, self.compiles, self.ahead = router, rate, prices, compiles, ahead
        self.prompt_rate = prompt_rate
        self.script = np.array([UNDECIDED] * len(router.gates) if script is None else script)

    def __call__(self, decoder: Decoder, cache: KVCache) -> "RoutedExecution":
        """For one session."""
        return RoutedExecution(decoder, cache, self)


class RoutedExecution:
    """An `engine.Execution`. Mutates the cache's tensors, not its lengths.

    Attributes:
        rates: of the rows of the next forward, in their order, where they are not all `Routing.rate`.
        shares: by unit, (O + 1,) share of its weights that each option reads; the last one executes.
        taken: (units,) of each unit the option that the last forward took; None where that was not routed.
        log: what was done so far.
    """

    def __init__(self, decoder: Decoder, cache: KVCache, routing: Routing) -> None:
        weight = decoder.embedding
        self._decoder, self._cache, self._routing = decoder, cache, routing
        self._router = deepcopy(routing.router).to(weight.device, weight.dtype)
        bytes_moved = tariff(Prices.of(decoder), self._router)
        self._slot_bytes = round(bytes_moved.prices.slot)
        self.shares = tuple((options / options[-1]).clamp(0, 1).numpy() for options in bytes_moved.options)
        self._extra_bytes = [
            [round(float(price) - bytes_moved.prices.unit(unit)) for price in options]
            for unit, options in enumerate(bytes_moved.options)
        ]
        self._tariff = bytes_moved.priced(routing.prices or bytes_moved.prices)
        self._whole, self._slot_price = self._tariff.prices.dense(0), float(self._tariff.prices.slot)
        self._prompt_tariff = prompt_tariff(decoder, self._router)
        self._few = FewTokens.over(decoder, cache)
        self._units = _unit_arrays(self._router, self._tariff) if self._few and routing.compiles else None
        self._ahead = routing.script
        self.rates: Sequence[float] | None = None
        self.taken: NDArray[np.int64] | None = None
        self.log = Log()

    def read(self, tokens: Sequence[Sequence[int]], window: Window) -> tuple[Tensor, Sequence[Traffic]]:
        """See `Execution.read`."""
        self.taken = None
        if max(window.starts) == 0 and self._routing.prompt_rate and sum(window.counts) >= LEAST_ROWS:
            return self._gathered(tokens, window)
        num_lines, most = sum(window.counts), self._few.most_lines if self._few else 0
        rates = self.rates or [self._routing.rate] * len(window.rows)
        is_routed = min(window.starts) > 0 and min(rates) > 0
        if not is_routed or (num_lines > most and max(window.counts) > 1):
            self.log.num_dense += 1
            return self._dense(tokens, window), (Traffic(),) * len(window.rows)
        worth = [self._whole / rate for rate in rates]  # what a nat may cost, to each row
        if self._units is not None and self._few is not None and num_lines <= most:
            hidden, options = self._compiled(self._few, tokens, window, worth)
            self.log.num_compiled += 1
        else:
            hidden, options = self._by_torch(tokens, window, worth)
            self.log.num_torch += 1
        self.log.options.append(options)
        self.taken = options
        return hidden, self._extra(options, window)

    def _dense(self, tokens: Sequence[Sequence[int]], window: Window) -> Tensor:
        if self._few is not None and sum(window.counts) <= self._few.most_lines:
            return self._few.hidden(tokens, window)
        hidden: Tensor = self._decoder(
            padded(tokens).to(window.device), window.positions, CachedAttend(self._cache, window)
        )
        return hidden

    def _gathered(self, tokens: Sequence[Sequence[int]], window: Window) -> tuple[Tensor, Sequence[Traffic]]:
        tariff_ = self._prompt_tariff
        worth = tariff_.prices.dense(0) / self._routing.prompt_rate
        execute = Gathering(self._router, tariff_, worth, window)
        attend = CachedAttend(self._cache, window)
        hidden: Tensor = self._decoder(padded(tokens).to(window.device), window.positions, attend, execute)
        is_dense = all(options is None for options in execute.options)
        self.log.num_dense += is_dense
        self.log.num_gathered += not is_dense
        num_lines = sum(window.counts)
        return hidden, [Traffic(flops=-2 * execute.spared * count // num_lines) for count in window.counts]

    def _compiled(
        self, few: FewTokens, tokens: Sequence[Sequence[int]], window: Window, worth: Sequence[float]
    ) -> tuple[Tensor, NDArray[np.int64]]:
        from pointsman.unit import kernels

        options = np.zeros(len(self._routing.script), np.int64)
        by_line = np.array([its for its, count in zip(worth, window.counts, strict=True) for _ in range(count)])

        def read(ids: Any, rows: Any, slots: Any) -> Any:
            lines, script = (ids, rows, slots), self._routing.script
            return kernels.read(lines, few.arrays, self._units, self._slot_price, by_line, script, options)

        return few.hidden(tokens, window, read), options

    def _by_torch(
        self, tokens: Sequence[Sequence[int]], window: Window, worth: Sequence[float]
    ) -> tuple[Tensor, NDArray[np.int64]]:
        execute = Skipping(self._router, self._tariff, np.array(worth), self._ahead, window)
        attend = CachedAttend(self._cache, window)
        hidden: Tensor = self._decoder(padded(tokens).to(window.device), window.positions, attend, execute)
        options = np.array(execute.taken)
        if self._routing.ahead:  # the one transfer
            script, wanted = self._routing.script, torch.stack(execute.wanted).cpu().numpy()
            self._ahead = np.where(script == UNDECIDED, wanted, script)
        return hidden, options

    def _extra(self, options: NDArray[np.int64], window: Window) -> list[Traffic]:
        """What the forward took more than the model's own, by row; less where it is negative."""
        taken = options.tolist()
        weight_bytes = sum(extra[option] for extra, option in zip(self._extra_bytes, taken, strict=True))
        unread = sum(option + 1 < len(extra) for extra, option in zip(self._extra_bytes[::2], taken[::2], strict=True))
        each, remainder = divmod(weight_bytes, len(window.rows))
        config, size = self._decoder.config, self._decoder.embedding.element_size()
        by_row = []
        for index, (start, count) in enumerate(zip(window.starts, window.counts, strict=True)):
            seen = count * start + count * (count + 1) // 2  # (query, key) pairs
            more = Traffic(
                weight_bytes=each + (remainder if index == 0 else 0),
                kv_read_bytes=-start * self._slot_bytes * unread,
                flops=2 * weight_bytes // size * count - 4 * config.num_heads * config.head_dim * seen * unread,
            )
            by_row.append(more)
        return by_row


def _unit_arrays(router: Router, tariff_: Tariff) -> tuple[Any, ...]:
    """Of each unit what `kernels.read` reads."""
    return tuple(_arrays_of(router, tariff_, unit) for unit in range(len(router.gates)))


def _arrays_of(router: Router, tariff_: Tariff, unit: int) -> tuple[Any, ...]:
    from pointsman.engine.step import as_array

    forecaster, gate = router.forecaster(unit), router.gate(unit)
    own = [
        torch.cat((forecaster.own_gate_up[option].flatten(), forecaster.own_down[option].flatten()))
        for option in range(forecaster.num_forecasts)
    ]
    nothing = forecaster.down.new_empty(forecaster.rank, 0)
    remembered = router.remembered[unit // 2] if unit % 2 == 0 and router.shape.kv == "forecast" else None
    weight = nothing if remembered is None else remembered[:, :-1].mT.contiguous()
    bias = nothing[0] if remembered is None else remembered[:, -1].contiguous()
    return (
        as_array(forecaster.down),
        (as_array(gate.weight), as_array(gate.bias.float())),
        tariff_.options[unit].numpy(),
        (
            as_array(forecaster.up.mT.contiguous()),
            as_array(forecaster.bias),
            np.array(forecaster.widths, np.int64),
            as_array(torch.cat(own)),
        ),
        (as_array(weight), as_array(bias)),
    )
