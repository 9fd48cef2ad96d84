"""Prices in milliseconds: what is solved for, what is timed, and that choices are made by them."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pointsman.engine import Session
from pointsman.engine.model import Decoder
from pointsman.unit import Prices, Router, Routing, Shape, tariff, timed_prices
from pointsman.unit.execution import RoutedExecution
from pointsman.unit.prices import PARTS
from pointsman.unit.routing import Routed
from pointsman.unit.timing import _always, _non_negative, _solved, _ways
from pointsman.unit.whole import logits_of

MakeDecoder = Callable[..., Decoder]
MakeRouter = Callable[..., Router]
SHAPE = Shape(4, (0, 5, 11))
CLOCK = Prices("ms", 0.3, 0.1, 0.7, 2e-4, 0.02, 1e-3, 0.0, 0.5, 2)


def test_prices_are_found_again_from_times_that_they_explain(make_decoder: MakeDecoder) -> None:
    decoder = make_decoder()
    router, own = Router(decoder.config, SHAPE), Prices.of(decoder)
    clock = replace(CLOCK, keys_values=CLOCK.attention * own.keys_values / own.attention)
    options, ways = tariff(clock, router), _ways(router)
    before = (10.0, 50.0)
    times = [clock.dense(count) for count in before]
    for way in ways:
        units = (float(options.of_unit(unit, torch.tensor(before[0]))[way[unit % 2]]) for unit in range(4))
        times.append(clock.rest + sum(units))
    found = _solved(decoder, router, ways, times, before)
    assert found.currency == "ms"
    for part in (*PARTS, "slot", "rest"):
        assert getattr(found, part) == pytest.approx(getattr(clock, part), rel=1e-6), part


@settings(deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=3, max_size=3), st.integers(0, 1000))
def test_least_squares_over_what_is_not_negative(wanted: list[float], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    left = torch.randn(8, 3, dtype=torch.float64, generator=generator)
    right = left @ torch.tensor(wanted, dtype=torch.float64)
    found = _non_negative(left, right)
    assert (found >= 0).all()
    if min(wanted) >= 0.01:
        torch.testing.assert_close(found, torch.tensor(wanted, dtype=torch.float64))
    error = (left @ found - right).square().sum()
    assert error <= right.square().sum() + 1e-9, "no worse than nothing"


@pytest.mark.parametrize("options", [(1, 3), (0, 2), (0, 0)])
def test_what_is_timed_takes_the_option_by_its_gates(make_decoder: MakeDecoder, options: tuple[int, int]) -> None:
    decoder = make_decoder()
    routing = _always(Router(decoder.config, SHAPE).requires_grad_(False), options)
    session = Session(decoder, 1, 8, execution=routing)
    session.extend([0], [[1, 2]])
    session.extend([0], [[3]])
    execution = session.execution
    assert isinstance(execution, RoutedExecution)
    assert [taken.tolist() for taken in execution.log.options] == [list(options) * 2]


def test_a_clock_has_a_price_for_every_part(make_decoder: MakeDecoder) -> None:
    decoder = make_decoder()
    prices = timed_prices(decoder, SHAPE, rounds=2, num_tokens=4)
    assert prices.currency == "ms"
    assert min(getattr(prices, part) for part in (*PARTS, "slot", "rest")) >= 0
    assert prices.dense(10) > 0


@pytest.mark.parametrize("compiles", [True, False])
def test_choices_are_made_by_milliseconds(make_decoder: MakeDecoder, make_router: MakeRouter, compiles: bool) -> None:
    """As whole sequences say, and otherwise than by bytes, which are still told."""
    decoder = make_decoder()
    router, text, rate = make_router(decoder), [3, 17, 9, 40, 22, 8, 51], 1.0
    clock = replace(CLOCK, value=2e-3)

    def chosen(prices: Prices) -> list[list[int]]:
        is_routed = torch.arange(len(text))[None] >= 2
        routed = Routed(router, tariff(prices, router), is_routed, torch.tensor([rate]))
        logits_of(decoder, torch.tensor([text]), routed, routed.attend)
        return torch.stack(routed.taken.options, -1).tolist()

    by_ms, by_bytes = chosen(clock), chosen(Prices.of(decoder))
    assert by_ms != by_bytes
    session = Session(decoder, 1, 16, execution=Routing(router, rate, prices=clock, compiles=compiles))
    moved, plain = [], Session(decoder, 1, 16)
    for reader in (session, plain):
        reader.extend([0], [text[:2]])
        moved.append([reader.extend([0], [[token]]).traffic.moved_bytes for token in text[2:]])
    execution = session.execution
    assert isinstance(execution, RoutedExecution)
    assert [taken.tolist() for taken in execution.log.options] == by_ms
    options = tariff(Prices.of(decoder), router)
    for index, taken in enumerate(by_ms):
        before = torch.tensor(float(2 + index))
        spent = options.prices.rest + sum(float(options.of_unit(unit, before)[its]) for unit, its in enumerate(taken))
        assert moved[1][index] - moved[0][index] == pytest.approx(options.prices.dense(2 + index) - spent)


def test_what_was_taken_can_be_charged_at_other_prices(make_decoder: MakeDecoder, make_router: MakeRouter) -> None:
    decoder = make_decoder()
    router = make_router(decoder)
    own, other = Prices.of(decoder), CLOCK
    tokens = torch.tensor([[3, 17, 9, 40, 22, 8]])
    routed = Routed(router, tariff(own, router), torch.ones_like(tokens).bool(), torch.tensor([1.0]))
    with torch.no_grad():
        logits_of(decoder, tokens, routed, routed.attend)
    taken = routed.taken
    spent, dense = taken.charged(own)
    torch.testing.assert_close(spent, taken.spent.double(), rtol=1e-6, atol=0)
    torch.testing.assert_close(dense, taken.dense)
    spent, dense = taken.charged(other)
    for place in range(6):
        expected = other.rest + sum(
            _priced(tariff(other, router).quantities[unit][options[place]], other, unit, place, int(options[place]))
            for unit, options in enumerate(taken.options)
        )
        assert float(spent[place]) == pytest.approx(expected)
        assert float(dense[place]) == pytest.approx(other.dense(place))


def _priced(quantities: Tensor, prices: Prices, unit: int, place: int, option: int) -> float:
    parts = sum(float(count) * getattr(prices, part) for count, part in zip(quantities, PARTS, strict=True))
    looks = unit % 2 == 0 and option == 1
    return parts + looks * place * prices.slot + (unit % 2 == 0) * prices.written
