"""What a step of either model costs, and where handing over pays: the threshold is derived from both, not tuned.

A span of k small steps and the call that judges it cost k * small + call + (k + 1) * token, and give the tokens that
stand and one more. Along recorded spans with predicted survival S, handing over where S falls below a threshold gives a
cost for every token that stands; the best threshold is where that is least. Prices are in one currency at a time:
seconds as measured here, bytes moved, or operations.
"""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from pointsman.engine import LoadedModel, ModelConfig, Traffic
from pointsman.engine.cost import fixed_weight_bytes, forward_flops
from pointsman.token.pair import Pair
from pointsman.token.scores import Scorer

Currency = Literal["seconds", "bytes", "flops"]
THRESHOLDS = tuple(round(0.02 * step, 2) for step in range(1, 50))
_WIDTHS, _ROUNDS = (1, 2, 4, 8, 16), 15


@dataclass(frozen=True, slots=True)
class Prices:
    """In one currency.

    Attributes:
        currency: which.
        small: one step of the small model, its score included.
        call: a forward of the large model, before any token.
        token: each token that the forward reads.
    """

    currency: Currency
    small: float
    call: float
    token: float

    def of_span(self, num_pending: int) -> float:
        """A span of so many small steps and the call behind it."""
        return num_pending * self.small + self.call + (num_pending + 1) * self.token


def counted_prices(
    pair: Pair, gate: Traffic, currency: Literal["bytes", "flops"], context_tokens: int, num_rows: int = 1
) -> Prices:
    """Prices in bytes or operations for each of `num_rows` texts of about `context_tokens`, which share the weights."""
    small, large = (_counted(model, context_tokens, num_rows, currency) for model in (pair.small, pair.large))
    scoring = gate.moved_bytes / num_rows if currency == "bytes" else gate.flops
    return Prices(currency, sum(small) + scoring, *large)


def _counted(
    model: LoadedModel, context_tokens: int, num_rows: int, currency: Literal["bytes", "flops"]
) -> tuple[float, float]:
    """Of a row's part of a forward, and of each of its tokens."""
    config = model.config
    if currency == "flops":
        return 0.0, float(forward_flops(config, context_tokens, 1, 1))
    token_bytes = config.kv_token_bytes(model.decoder.embedding.element_size())
    return fixed_weight_bytes(model.decoder) / num_rows + context_tokens * token_bytes, float(token_bytes)


def measured_prices(pair: Pair, score_seconds: float, context_tokens: int, num_rows: int = 1) -> Prices:
    """Prices in seconds for each of `num_rows` texts, measured on this machine now: takes about a second a model."""
    small = _step_seconds(pair.small, context_tokens, num_rows, (1,))[0]
    seconds = _step_seconds(pair.large, context_tokens, num_rows, _WIDTHS)
    slope, intercept = statistics.linear_regression(_WIDTHS, seconds)
    return Prices("seconds", small + score_seconds, max(intercept, 0.0), max(slope, 0.0))


def _step_seconds(model: LoadedModel, context_tokens: int, num_rows: int, widths: Sequence[int]) -> list[float]:
    """Median seconds a row of a forward of so many new tokens."""
    rows, medians = range(num_rows), []
    session = model.session(num_rows, context_tokens + max(widths))
    session.extend(rows, [[0] * context_tokens] * num_rows)
    for width in widths:
        taken = []
        for _ in range(_ROUNDS):
            start = time.perf_counter()
            session.extend(rows, [[0] * width] * num_rows, "all")
            taken.append((time.perf_counter() - start) / num_rows)
            for row in rows:
                session.truncate(row, context_tokens)
        medians.append(statistics.median(taken))
    return medians


def best_threshold(prices: Prices, scores: Sequence[Tensor], stands: Sequence[Tensor]) -> tuple[float, float]:
    """The survival below which handing over is cheapest, and the cost of a token that stands then.

    Args:
        prices: of the steps.
        scores: (k,) of each recorded span: the predicted chance of every token, also behind those that did not stand.
        stands: (k,) bool of the same spans: whether the token was let stand.
    """
    survivals = [span.cumprod(0) for span in scores]
    leading = [span.long().cumprod(0).cumsum(0) for span in stands]
    costs = [(_cost_each(prices, survivals, leading, threshold), threshold) for threshold in THRESHOLDS]
    cost, threshold = min(costs)
    return threshold, cost


def _cost_each(prices: Prices, survivals: Sequence[Tensor], leading: Sequence[Tensor], threshold: float) -> float:
    """Cost of a standing token where spans end at the first token whose survival is below the threshold."""
    cost, num_tokens = 0.0, 0
    for survival, kept in zip(survivals, leading, strict=True):
        below = (survival < threshold).nonzero()
        length = int(below[0]) + 1 if len(below) else len(survival)
        cost += prices.of_span(length)
        num_tokens += int(kept[length - 1]) + 1
    return cost / num_tokens


def gate_seconds(gate: Scorer, config: ModelConfig) -> float:
    """Median seconds of one score over a small model of this shape."""
    hidden, logits = torch.randn(1, config.hidden_size), torch.randn(1, config.vocab_size)
    token, taken = logits.argmax(-1), []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        gate(hidden, logits, token)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)
