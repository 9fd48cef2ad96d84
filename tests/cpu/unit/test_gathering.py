"""Prompts of which MLPs run for some tokens only: against whole sequences, and what they read and count."""

import math
from collections.abc import Callable

import pytest
import torch

from pointsman.core import BadRequest, NotFound
from pointsman.engine import Session
from pointsman.engine.attention import CachedAttend
from pointsman.engine.cache import open_window
from pointsman.engine.model import Decoder
from pointsman.engine.session import padded
from pointsman.unit import Card, Curve, Point, Router, Routing, Shape
from pointsman.unit import execution as execution_module
from pointsman.unit.execution import RoutedExecution
from pointsman.unit.gathering import Gathering
from pointsman.unit.prices import Prices
from pointsman.unit.router import prompt_tariff
from pointsman.unit.routing import Routed
from pointsman.unit.whole import logits_of

MakeDecoder = Callable[..., Decoder]
MakeRouter = Callable[..., Router]
TEXTS = [[3, 17, 9, 40, 22, 8, 51, 33, 2, 19], [44, 7, 12, 30, 5]]
RATE = 1.0


def gathered(decoder: Decoder, router: Router, most: float, rate: float = RATE) -> tuple[list[torch.Tensor], Gathering]:
    """Hidden states of both texts, read together."""
    session = Session(decoder, 2, 32)
    counts = [len(text) for text in TEXTS]
    window, tariff = open_window(session.cache, [0, 1], counts), prompt_tariff(decoder, router)
    execute = Gathering(router, tariff, tariff.prices.dense(0) / rate, window, most)
    hidden = decoder(padded(TEXTS), window.positions, CachedAttend(session.cache, window), execute)
    return [its[:count] for its, count in zip(hidden, counts, strict=True)], execute


def whole(decoder: Decoder, router: Router, text: list[int]) -> tuple[torch.Tensor, list[list[int]]]:
    tokens = torch.tensor([text])
    routed = Routed(router, prompt_tariff(decoder, router), torch.ones_like(tokens).bool(), torch.tensor([RATE]))
    logits = logits_of(decoder, tokens, routed, routed.attend)[0]
    return logits, [options.tolist() for options in routed.taken.options]


@torch.no_grad()
def test_each_token_is_what_whole_sequences_say(make_decoder: MakeDecoder, make_router: MakeRouter) -> None:
    decoder = make_decoder()
    router = make_router(decoder)
    found, execute = gathered(decoder, router, most=1.0)
    expected = [whole(decoder, router, text) for text in TEXTS]
    for hidden, (logits, options) in zip(found, expected, strict=True):
        torch.testing.assert_close(decoder.logits(hidden), logits, rtol=1e-4, atol=1e-4)
        assert all(option == 1 for its in options[::2] for option in its), "every attention is executed"
    for index in range(2):
        options = [option for _, its in expected for option in its[2 * index + 1]]
        taken = execute.options[index]
        assert taken is not None
        assert taken.tolist() == options
        assert len(set(options)) > 1


@torch.no_grad()
def test_where_most_tokens_execute_all_do(make_decoder: MakeDecoder, make_router: MakeRouter) -> None:
    decoder = make_decoder()
    router = make_router(decoder)
    for unit in (1, 3):
        router.gate(unit).weight[:, 0].mul_(20)  # some tokens execute, some do not
    assert gathered(decoder, router, most=1.0)[1].options != [None, None]
    found, execute = gathered(decoder, router, most=0.0)
    assert execute.options == [None, None]
    assert execute.spared == 0
    for hidden, text in zip(found, TEXTS, strict=True):
        expected = logits_of(decoder, torch.tensor([text]))[0]
        torch.testing.assert_close(decoder.logits(hidden), expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_an_mlp_that_no_token_executes_is_not_read(make_decoder: MakeDecoder, make_router: MakeRouter) -> None:
    decoder = make_decoder()
    router = make_router(decoder)
    for layer in range(2):
        decoder.block(layer).mlp.down.fill_(math.nan)
        decoder.block(layer).mlp.gate_up.fill_(math.nan)
        router.gate(2 * layer + 1).bias.fill_(-60.0)
    found, execute = gathered(decoder, router, most=1.0, rate=1e9)
    assert all(hidden.isfinite().all() for hidden in found)
    prices, mlps = prompt_tariff(decoder, router), [1, 3]
    num_tokens = sum(map(len, TEXTS))
    spared = sum(prices.prices.mlp - float(prices.options[unit][0]) for unit in mlps) * num_tokens
    assert execute.spared == pytest.approx(spared)


def test_a_session_gathers_long_prompts(
    make_decoder: MakeDecoder, make_router: MakeRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder = make_decoder()
    router = make_router(decoder)
    monkeypatch.setattr(execution_module, "LEAST_ROWS", 8)
    session = Session(decoder, 2, 32, execution=Routing(router, 0.0, prompt_rate=1e3))
    plain = Session(decoder, 2, 32)
    execution = session.execution
    assert isinstance(execution, RoutedExecution)
    session.extend([0], [TEXTS[1]])
    assert (execution.log.num_dense, execution.log.num_gathered) == (1, 0), "it is short"
    session.truncate(0, 0)
    found, dense = session.extend([0], [TEXTS[0]]), plain.extend([0], [TEXTS[0]])
    assert execution.log.num_gathered == 1
    assert not torch.allclose(found.logits, dense.logits, atol=1e-3)
    assert found.traffic.flops < dense.traffic.flops
    assert found.traffic.moved_bytes == dense.traffic.moved_bytes
    session.extend([0], [[5]])
    assert execution.log.num_gathered == 1, "what follows is no prompt"


def test_a_prompt_has_a_budget_where_its_router_has_seen_prompts() -> None:
    curve = Curve((Point(0.1, 0.9, 0.0, 0.0), Point(1.0, 0.5, 0.1, 0.1)), 10, "book", "multiplications")
    card = Card("m", Shape(4, (0,)), "book", 1.0, curve, None, curve)
    assert card.prompt_rate(1.0) == 0.0
    assert card.prompt_rate(0.5) == 1.0
    with pytest.raises(BadRequest, match="of the multiplications are still needed"):
        card.prompt_rate(0.4)
    answers = Card("m", card.shape, "embedded", 1.0, curve)
    assert answers.prompt_rate(1.0) == 0.0
    with pytest.raises(NotFound) as caught:
        answers.prompt_rate(0.5)
    assert caught.value.code == "no_prompts"


def test_multiplications_are_those_of_the_matrices(make_decoder: MakeDecoder) -> None:
    decoder = make_decoder()
    block, prices = decoder.block(0), Prices.of_prompt(decoder)
    weights = [block.attention.qkv, block.attention.out, block.mlp.gate_up, block.mlp.down]
    assert prices.dense(0) == decoder.config.num_layers * sum(weight.numel() for weight in weights)
