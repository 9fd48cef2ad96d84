"""Whole sequences: what keys and values of approximated tokens become, against plain loops."""

from collections.abc import Callable

import pytest
import torch

from pointsman.engine.model import Decoder
from pointsman.unit.prices import Prices
from pointsman.unit.router import KvPolicy, Router, tariff
from pointsman.unit.routing import Routed
from pointsman.unit.whole import WholeAttend, logits_of

MakeDecoder = Callable[..., Decoder]
MakeRouter = Callable[..., Router]
TOKENS = torch.tensor([[3, 17, 9, 40, 22, 8, 51, 33]])


def test_hidden_tokens_are_seen_by_themselves_alone() -> None:
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(1, 5, 2, 4, generator=generator) for _ in range(3))
    is_hidden = torch.tensor([[False, True, False, True, False]])
    attend = WholeAttend()
    attend.hide(is_hidden)
    found = attend(0, q, k, v)
    for place in range(5):
        seen = [s for s in range(place + 1) if s == place or not is_hidden[0, s]]
        weights = torch.einsum("he,she->hs", q[0, place], k[0, seen]) / 2
        expected = torch.einsum("hs,she->he", weights.softmax(-1), v[0, seen])
        torch.testing.assert_close(found[0, place], expected)
    assert not torch.equal(attend(0, q, k, v), found), "what was set is used up"


@pytest.mark.parametrize("kv", ["computed", "forecast", "evicted"])
def test_without_a_price_everything_is_executed(
    make_decoder: MakeDecoder, make_router: MakeRouter, kv: KvPolicy
) -> None:
    decoder = make_decoder()
    router = make_router(decoder, kv)
    routed = Routed(router, tariff(Prices.of(decoder), router), torch.ones_like(TOKENS).bool(), torch.zeros(1))
    assert torch.equal(logits_of(decoder, TOKENS, routed, routed.attend), logits_of(decoder, TOKENS))
    last = [1, 3, 1, 3]
    assert [int(options.min()) for options in routed.taken.options] == last


@pytest.mark.parametrize("kv", ["computed", "forecast", "evicted"])
def test_a_prompt_is_never_touched(make_decoder: MakeDecoder, make_router: MakeRouter, kv: KvPolicy) -> None:
    decoder = make_decoder()
    router = make_router(decoder, kv)
    is_routed = torch.arange(8)[None] >= 5
    routed = Routed(router, tariff(Prices.of(decoder), router), is_routed, torch.tensor([1e9]))
    found, plain = logits_of(decoder, TOKENS, routed, routed.attend), logits_of(decoder, TOKENS)
    torch.testing.assert_close(found[:, :5], plain[:, :5])
    assert not torch.allclose(found[:, 5:], plain[:, 5:], atol=1e-2)
    assert all((options == 0).all() for options in routed.taken.options)


def test_policies_differ(make_decoder: MakeDecoder, make_router: MakeRouter) -> None:
    decoder = make_decoder()
    logits = []
    for kv in ("computed", "forecast", "evicted"):
        router = make_router(decoder, kv)
        routed = Routed(router, tariff(Prices.of(decoder), router), torch.ones_like(TOKENS).bool(), torch.tensor([0.5]))
        logits.append(logits_of(decoder, TOKENS, routed, routed.attend)[0])
    assert not torch.allclose(logits[0], logits[1], atol=1e-3)
    assert not torch.allclose(logits[0], logits[2], atol=1e-3)


def test_bytes_are_those_of_the_tariff(make_decoder: MakeDecoder, make_router: MakeRouter) -> None:
    decoder = make_decoder()
    router = make_router(decoder)
    prices = tariff(Prices.of(decoder), router)
    is_routed = torch.arange(8)[None] >= 3
    for rate, chosen in ((1e9, [0, 0, 0, 0]), (0.0, [1, 3, 1, 3])):
        routed = Routed(router, prices, is_routed, torch.tensor([rate]))
        logits_of(decoder, TOKENS, routed, routed.attend)
        for index, before in enumerate(range(3, 8)):
            units = sum(float(prices.options[unit][option]) for unit, option in enumerate(chosen))
            seen = before * prices.prices.slot * sum(option == 1 for option in chosen[::2])
            written = 2 * prices.prices.slot
            assert routed.taken.spent[index].item() == prices.prices.rest + units + seen + written
    assert routed.taken.dense[0].item() == prices.prices.dense(3)


def test_what_is_evicted_is_neither_written_nor_looked_at(make_decoder: MakeDecoder, make_router: MakeRouter) -> None:
    decoder = make_decoder()
    router = make_router(decoder, "evicted")
    prices = tariff(Prices.of(decoder), router)
    is_routed = torch.arange(8)[None] >= 3
    routed = Routed(router, prices, is_routed, torch.tensor([1.0]))
    logits_of(decoder, TOKENS, routed, routed.attend)
    options = routed.taken.options
    assert 0 < sum(int(its.sum()) for its in options[::2]) < 10, "some attentions are executed, some not"
    charged, _ = routed.taken.charged(prices.prices)
    for index in range(5):
        expected = prices.prices.rest
        for unit, its in enumerate(options):
            expected += float(prices.options[unit][its[index]])
            if unit % 2 == 0 and its[index] == 1:
                there = 3 + int(its[:index].sum())  # of the prompt, and those before that were executed
                expected += prices.prices.slot * (there + 1)
        assert routed.taken.spent[index].item() == charged[index].item() == expected


def test_straight_through_choices_have_gradients_and_hard_values(
    make_decoder: MakeDecoder, make_router: MakeRouter
) -> None:
    decoder = make_decoder().requires_grad_(False)
    router = make_router(decoder).requires_grad_(True)
    everything = torch.ones_like(TOKENS).bool()
    hard = Routed(router, tariff(Prices.of(decoder), router), everything, torch.ones(1))
    soft = Routed(router, tariff(Prices.of(decoder), router), everything, torch.ones(1), temperature=0.5)
    expected = logits_of(decoder, TOKENS, hard, hard.attend)
    found = logits_of(decoder, TOKENS, soft, soft.attend)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    (found.sum() + soft.taken.spent.sum()).backward()
    assert all(router.gate(unit).weight.grad.abs().sum() > 0 for unit in range(4))
    router.requires_grad_(False)


def test_left_out_units_add_nothing(make_decoder: MakeDecoder, make_router: MakeRouter) -> None:
    """Without forecasts and without anything executed, the logits are those of the embedding alone."""
    decoder = make_decoder()
    router = make_router(decoder)
    routed = Routed(
        router, tariff(Prices.of(decoder), router), torch.ones_like(TOKENS).bool(), torch.tensor([1e9]), forecasts=False
    )
    found = logits_of(decoder, TOKENS, routed, routed.attend)
    torch.testing.assert_close(found, decoder.logits(decoder.norm(decoder.embedding[TOKENS])))
