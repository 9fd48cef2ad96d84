"""Wall clock of leaving units out where it matters: half a billion random weights in bf16, with scripted choices.

Of a prompt the choices of each token are simulated by gates with random weights, of which half say that it executes.
"""

from __future__ import annotations

import time
from copy import deepcopy
from dataclasses import replace

import torch

from pointsman.bench.engine import HALF_BILLION
from pointsman.bench.report import Report, median_figure
from pointsman.engine import Decoder, Session
from pointsman.unit import Router, Routing, default_shape, tariff
from pointsman.unit.gate import HIGHEST
from pointsman.unit.prices import Prices
from pointsman.unit.router import Tariff

__all__ = ["measure_loop", "script_for"]

_SHARES = (0.25, 0.5)
_PROMPT_TOKENS, _LONG_PROMPT = 64, 1024
_QUICK_LAYERS, _QUICK_WORDS, _QUICK_PROMPT = 6, 32_768, 128


def measure_loop(report: Report, quick: bool, seed: int) -> None:
    """Adds the figures of decoding and of a long prompt to a report; quick ones are of a quarter of the layers."""
    rounds, num_tokens, config, long = 9, 24, HALF_BILLION, _LONG_PROMPT
    if quick:
        config = replace(HALF_BILLION, num_layers=_QUICK_LAYERS, vocab_size=_QUICK_WORDS)
        rounds, num_tokens, long = 2, 6, _QUICK_PROMPT
    decoder = Decoder(config)
    decoder.initialise(torch.Generator().manual_seed(seed))
    decoder = decoder.to(torch.bfloat16).eval()
    router = Router(decoder.config, default_shape(decoder.config))
    prices = tariff(Prices.of(decoder), router)
    for share in _SHARES:
        script = script_for(prices, share, _PROMPT_TOKENS + num_tokens // 2)
        routing = Routing(router, 1.0, script=script)
        found = []
        for number in range(rounds + 1):
            dense_s, dense_bytes = _decode(decoder, None, num_tokens)
            kept_s, kept_bytes = _decode(decoder, routing, num_tokens)
            if number:
                found.append(dense_s / kept_s / (dense_bytes / kept_bytes))
        name = f"decode_speedup_over_ideal_{share * 100:.0f}"
        report.figures[name] = median_figure(found, "ratio", seed=seed, at_least=0.9)
        told = f"{config.num_layers} layers of 0.5B, bf16, batch 1"
        report.details.append(f"{told}: {1 - kept_bytes / dense_bytes:.3f} of the bytes saved by script")
    found = []
    for number in range(rounds + 1):
        dense_s, routed_s = _prompt(decoder, None, long), _prompt(decoder, Routing(router, 1.0), long)
        if number:
            found.append(dense_s / routed_s)
    report.figures["prefill_over_dense"] = median_figure(found, "ratio", seed=seed, at_least=0.97)
    halved, found = Routing(_halving(router, seed), 1.0, prompt_rate=1.0), []
    for number in range(rounds + 1):
        dense_s, routed_s = _prompt(decoder, None, long), _prompt(decoder, halved, long)
        if number:
            found.append(dense_s / routed_s)
    report.figures["prefill_half_gathered_over_dense"] = median_figure(found, "ratio", seed=seed)


def _halving(router: Router, seed: int) -> Router:
    """The same, whose gates let half of all tokens execute an MLP and forecast the others most cheaply."""
    generator, halving = torch.Generator().manual_seed(seed), deepcopy(router).requires_grad_(False)
    for unit in range(1, len(halving.gates), 2):
        gate = halving.gate(unit)
        gate.bias[1:] = HIGHEST
        gate.weight[0].normal_(0.0, 10.0, generator=generator)
    return halving


def script_for(prices: Tariff, saved: float, num_before: int) -> list[int]:
    """Options that save about this share of the bytes.

    The cheapest forecast at MLPs, spread over the layers, then at attentions.
    """
    num_layers = prices.prices.num_layers
    options = [len(its) - 1 for its in prices.options]
    spread = [7 * index % num_layers for index in range(num_layers)]  # 7 and the number of layers have no divisor
    order = [2 * layer + 1 for layer in spread] + [2 * layer for layer in spread]
    before = torch.tensor(float(num_before))
    dense = float(prices.dense(before))
    for unit in order:
        moved = prices.prices.rest + sum(
            float(prices.of_unit(index, before)[option]) for index, option in enumerate(options)
        )
        if moved <= (1 - saved) * dense:
            break
        options[unit] = 0
    return options


def _decode(decoder: Decoder, routing: Routing | None, num_tokens: int) -> tuple[float, int]:
    """Seconds and bytes of so many tokens behind a prompt."""
    session = Session(decoder, 1, _PROMPT_TOKENS + num_tokens + 1, execution=routing)
    session.extend([0], [list(range(_PROMPT_TOKENS))])
    session.extend([0], [[0]])
    moved = 0
    begun = time.perf_counter()
    for index in range(num_tokens):
        moved += session.extend([0], [[index]]).traffic.moved_bytes
    return time.perf_counter() - begun, moved


def _prompt(decoder: Decoder, routing: Routing | None, num_tokens: int) -> float:
    session = Session(decoder, 1, num_tokens, execution=routing)
    begun = time.perf_counter()
    session.extend([0], [list(range(num_tokens))])
    return time.perf_counter() - begun
