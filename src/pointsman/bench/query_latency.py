"""How long the router takes for one request: features, forecasts of 20 arms, and the choice, on one core."""

from __future__ import annotations

import time

import numpy as np
from threadpoolctl import threadpool_limits

from pointsman.bench.report import Figure, quantile_figure
from pointsman.query.certifying import Setting, choose
from pointsman.query.difficulty.joint import Joint
from pointsman.query.difficulty.serving import Server
from pointsman.query.features import features_of
from pointsman.query.forecasting import Sample
from pointsman.query.outcomes import Outcomes, TableArm

__all__ = ["latency_figures", "synthetic_sample"]

_ARMS, _ROWS, _TIMED, _WARM_UP, _AGAIN = 20, 3_000, 2_000, 200, 4
_WORDS = (
    "how many days does the train from Ulm need to carry twelve boxes of green apples and who pays for it then".split()
)


def latency_figures(seed: int) -> dict[str, Figure]:
    """The 99th percentile over synthetic requests of 20 to 400 words, in milliseconds.

    `router_p99_ms` is of each request once. `router_least_p99_ms` is of the least of five times of each: the router
    without what else the machine does.
    """
    sample = synthetic_sample(_ROWS, _ARMS, seed)
    with threadpool_limits(1):
        return _timed(Server.of(Joint().fit(sample, seed)), sample, seed)


def _timed(server: Server, sample: Sample, seed: int) -> dict[str, Figure]:
    tokens = sample.outcomes.prompt_tokens[0]
    texts = synthetic_texts(_TIMED + _WARM_UP, seed + 1)

    def taken_ms(text: str) -> float:
        started = time.perf_counter()
        forecasts = server.forecast(text, tokens)
        choose(forecasts, 0, Setting(1e-7, 0.1))
        return (time.perf_counter() - started) * 1e3

    once = [taken_ms(text) for text in texts][_WARM_UP:]
    again = [[taken_ms(text) for text in texts[_WARM_UP:]] for _ in range(_AGAIN)]
    least = [min(times) for times in zip(once, *again, strict=True)]
    named = {"router_p99_ms": once, "router_least_p99_ms": least}
    return {name: quantile_figure(times, 0.99, "ms", seed=seed) for name, times in named.items()}


def synthetic_texts(count: int, seed: int) -> list[str]:
    """Made-up requests; their words mean nothing."""
    rng = np.random.default_rng(seed)
    lengths = np.exp(rng.uniform(np.log(20), np.log(400), count)).astype(int)
    return [" ".join(rng.choice(_WORDS, length)) + f" {rng.integers(10_000)}?" for length in lengths]


def synthetic_sample(num_rows: int, num_arms: int, seed: int) -> Sample:
    """Requests whose length makes them hard, and arms of rising skill and price."""
    rng = np.random.default_rng(seed)
    texts = synthetic_texts(num_rows, seed)
    words = np.array([len(text.split()) for text in texts], dtype=np.float64)
    skill = np.linspace(3.0, 6.0, num_arms)
    chance = 1 / (1 + np.exp(2 * (np.log(words)[:, None] - skill)))
    right = (rng.uniform(size=chance.shape) < chance).astype(np.float64)
    prompt = np.repeat(words[:, None] * 1.3, num_arms, axis=1)
    written = np.exp(rng.normal(4.0, 0.5, chance.shape))
    price = np.geomspace(100, 10_000, num_arms)
    outcomes = Outcomes(
        ids=tuple(map(str, range(num_rows))),
        texts=tuple(texts),
        tasks=tuple(f"task {number}" for number in rng.integers(0, 12, num_rows)),
        arms=tuple(TableArm(f"arm {number}", f"arm {number}") for number in range(num_arms)),
        right=right,
        nano_usd=(prompt + 3 * written) * price,
        prompt_tokens=prompt,
        completion_tokens=written,
        answers=np.full(chance.shape, -1, dtype=np.int64),
        agreement=np.full(chance.shape, np.nan),
    )
    return Sample(outcomes, features_of(texts))
