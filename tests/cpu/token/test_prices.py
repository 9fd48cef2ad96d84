"""Prices are those of the forwards, and the threshold is the cheapest one."""

import pytest
import torch

from pointsman.engine import Session, Traffic
from pointsman.token.pair import Pair
from pointsman.token.prices import THRESHOLDS, Prices, best_threshold, counted_prices, measured_prices


def test_counted_prices_are_what_a_session_counts(pair: Pair) -> None:
    session = Session(pair.large.decoder, 1, 40)
    session.extend([0], [[5] * 20])
    taken = session.extend([0], [[5] * 3], "all").traffic
    prices = counted_prices(pair, Traffic(weight_bytes=100, flops=30), "bytes", 20)
    read = taken.weight_bytes - 3 * pair.large.decoder.embedding[0].nbytes  # rows of an untied embedding
    assert prices.call + 3 * prices.token == read + taken.kv_read_bytes + taken.kv_written_bytes
    flops = counted_prices(pair, Traffic(weight_bytes=100, flops=30), "flops", 20)
    assert flops.call == 0
    assert flops.token == pytest.approx(taken.flops / 3, rel=0.02)  # later tokens look at a little more
    small = counted_prices(pair, Traffic(), "bytes", 20).small
    assert prices.small == small + 100


def test_measured_prices_are_seconds(pair: Pair) -> None:
    prices = measured_prices(pair, 1e-3, 16, num_rows=2)
    assert prices.currency == "seconds"
    assert 1e-3 < prices.small < 1
    assert 0 <= prices.call < 1
    assert 0 <= prices.token < 1


def spans(chance: float, count: int, length: int) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    scores = [torch.full((length,), chance) for _ in range(count)]
    return scores, [torch.rand(length, generator=generator) < chance for _ in range(count)]


def test_the_threshold_is_the_cheapest_draft_length() -> None:
    chance, prices = 0.8, Prices("bytes", small=1.0, call=10.0, token=0.0)
    threshold, cost = best_threshold(prices, *spans(chance, 20_000, 20))
    # With equal chances the threshold is a length k; kept are (1 - c^k) c / (1 - c) + 1 for k + 10 units.
    costs = {k: (k + 10) / (1 + chance * (1 - chance**k) / (1 - chance)) for k in range(1, 21)}
    best = min(costs, key=costs.__getitem__)
    assert cost == pytest.approx(costs[best], rel=0.02)
    length = next(k for k in range(1, 21) if chance**k < threshold)
    assert abs(length - best) <= 1


def test_dear_calls_are_made_later() -> None:
    recorded = spans(0.9, 2_000, 20)
    thresholds = [best_threshold(Prices("bytes", 1.0, call, 0.0), *recorded)[0] for call in (1.0, 10.0, 100.0)]
    assert thresholds == sorted(thresholds, reverse=True)
    assert thresholds[0] > thresholds[-1]
    assert set(thresholds) <= set(THRESHOLDS)


def test_a_call_that_costs_nothing_is_made_at_once() -> None:
    prices = Prices("flops", small=1.0, call=0.0, token=1.0)
    threshold, _ = best_threshold(prices, *spans(0.5, 2_000, 8))
    assert threshold > 0.5  # after the first token
