"""Units that are left out: the compiled and the torch path against whole sequences, and proof that nothing was read."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from pointsman.core import Unsupported
from pointsman.engine import Session
from pointsman.engine.model import Decoder
from pointsman.unit.execution import RoutedExecution, Routing
from pointsman.unit.prices import Prices
from pointsman.unit.router import KvPolicy, Router, tariff
from pointsman.unit.routing import Routed
from pointsman.unit.skipping import UNDECIDED
from pointsman.unit.whole import logits_of

TEXT = [3, 17, 9, 40, 22, 8, 51, 33, 2, 19, 44, 7]
PROMPT_TOKENS = 3
FAMILIES: dict[str, dict[str, Any]] = {
    "qwen3": {},
    "qwen2": {"architecture": "Qwen2ForCausalLM", "has_qk_norm": False, "has_qkv_bias": True},
    "llama": {"architecture": "LlamaForCausalLM", "has_qk_norm": False, "ties_embedding": True},
}
MakeDecoder = Callable[..., Decoder]
MakeRouter = Callable[..., Router]


def routed_session(decoder: Decoder, routing: Routing, num_rows: int = 1) -> tuple[Session, RoutedExecution]:
    session = Session(decoder, num_rows, 64, execution=routing)
    execution = session.execution
    assert isinstance(execution, RoutedExecution)
    return session, execution


def whole(
    decoder: Decoder, router: Router, rate: float, *, ahead: bool = False
) -> tuple[torch.Tensor, list[list[int]]]:
    """Logits behind every token that is routed, and the options that they took."""
    tokens = torch.tensor([TEXT])
    is_routed = torch.arange(len(TEXT))[None] >= PROMPT_TOKENS
    routed = Routed(router, tariff(Prices.of(decoder), router), is_routed, torch.tensor([rate]), ahead=ahead)
    logits = logits_of(decoder, tokens, routed, routed.attend)[0, PROMPT_TOKENS:]
    options = torch.stack(routed.taken.options, -1)
    return logits, options.tolist()


@pytest.mark.parametrize("compiles", [True, False])
@pytest.mark.parametrize("kv", ["computed", "forecast"])
@pytest.mark.parametrize("family", FAMILIES)
def test_token_by_token_is_what_whole_sequences_say(
    make_decoder: MakeDecoder, make_router: MakeRouter, family: str, kv: KvPolicy, compiles: bool
) -> None:
    decoder = make_decoder(**FAMILIES[family])
    router = make_router(decoder, kv)
    rate = 1.0
    expected, options = whole(decoder, router, rate)
    session, execution = routed_session(decoder, Routing(router, rate, compiles=compiles))
    session.extend([0], [TEXT[:PROMPT_TOKENS]])
    found = torch.cat([session.extend([0], [[token]]).logits[0] for token in TEXT[PROMPT_TOKENS:]])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert [taken.tolist() for taken in execution.log.options] == options
    assert len({tuple(row) for row in options}) > 1, "the gates must choose differently somewhere"
    assert any(option < 3 for row in options for option in row[1::2])
    assert any(option == 0 for row in options for option in row[0::2])
    assert (execution.log.num_compiled > 0) == compiles
    assert (execution.log.num_torch > 0) != compiles


@pytest.mark.parametrize("compiles", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_is_not_chosen_is_not_read(
    make_decoder: MakeDecoder, make_router: MakeRouter, compiles: bool, dtype: torch.dtype
) -> None:
    """Weights of units that are left out are NaN once the prompt is read: any read would show."""
    decoder = make_decoder(dtype=dtype)
    router = make_router(decoder)
    script = [0, 1, 1, 3]  # attention forecast, an MLP forecast, attention and MLP executed
    session, execution = routed_session(decoder, Routing(router, 1.0, script=script, compiles=compiles))
    session.extend([0], [TEXT[:PROMPT_TOKENS]])
    with torch.no_grad():
        skipped, config = decoder.block(0), decoder.config
        skipped.attention.out.fill_(math.nan)
        skipped.attention.qkv[: config.num_heads * config.head_dim].fill_(
            math.nan
        )  # the queries; keys and values are computed
        skipped.mlp.gate_up.fill_(math.nan)
        skipped.mlp.down.fill_(math.nan)
    for token in TEXT[PROMPT_TOKENS:]:
        assert session.extend([0], [[token]]).logits.isfinite().all()
    assert [taken.tolist() for taken in execution.log.options] == [script] * (len(TEXT) - PROMPT_TOKENS)
    with torch.no_grad():
        decoder.block(1).mlp.down.fill_(math.nan)
    assert not session.extend([0], [[5]]).logits.isfinite().any(), "what is executed is read"


def test_a_rate_of_nothing_is_the_model_itself(make_decoder: MakeDecoder, make_router: MakeRouter) -> None:
    decoder = make_decoder()
    session, execution = routed_session(decoder, Routing(make_router(decoder), 0.0))
    plain = Session(decoder, 1, 64)
    for tokens in (TEXT[:3], TEXT[3:4], TEXT[4:6]):
        assert torch.equal(session.extend([0], [tokens]).logits, plain.extend([0], [tokens]).logits)
    assert execution.log.num_dense == 3


def test_all_tokens_of_a_forward_share_a_choice(make_decoder: MakeDecoder, make_router: MakeRouter) -> None:
    """Where two rows are decoded together, a unit is approximated only where the sum of both harms is worth it."""
    decoder = make_decoder()
    router = make_router(decoder)
    rows = {compiles: routed_session(decoder, Routing(router, 1.0, compiles=compiles), 2) for compiles in (True, False)}
    logits = {}
    for compiles, (session, _) in rows.items():
        session.extend([0, 1], [TEXT[:3], TEXT[4:6]])
        logits[compiles] = session.extend([0, 1], [[5], [9]]).logits
    torch.testing.assert_close(logits[True], logits[False], rtol=1e-4, atol=1e-4)
    assert np.array_equal(rows[True][1].log.options[0], rows[False][1].log.options[0])


def test_traffic_is_what_the_options_cost(make_decoder: MakeDecoder, make_router: MakeRouter) -> None:
    decoder = make_decoder()
    router = make_router(decoder)
    script = [0, 2, 1, 0]
    session, _ = routed_session(decoder, Routing(router, 1.0, script=script))
    plain = Session(decoder, 1, 64)
    for each in (session, plain):
        each.extend([0], [TEXT[:3]])
    found, dense = session.extend([0], [[5]]).traffic, plain.extend([0], [[5]]).traffic
    prices = tariff(Prices.of(decoder), router)
    saved = sum(prices.prices.unit(unit) - float(prices.options[unit][option]) for unit, option in enumerate(script))
    assert dense.weight_bytes - found.weight_bytes == saved
    assert dense.kv_read_bytes - found.kv_read_bytes == 3 * prices.prices.slot  # one of two attentions looks back
    assert dense.kv_written_bytes == found.kv_written_bytes
    assert found.flops < dense.flops


def test_a_script_may_leave_some_units_to_the_gates(make_decoder: MakeDecoder, make_router: MakeRouter) -> None:
    decoder = make_decoder()
    script = [UNDECIDED, 1, UNDECIDED, UNDECIDED]
    session, execution = routed_session(decoder, Routing(make_router(decoder), 1.0, script=script))
    session.extend([0], [TEXT[:3]])
    session.extend([0], [[5]])
    taken = execution.log.options[0]
    assert taken[1] == 1
    assert set(taken) <= {0, 1, 2, 3}


def test_ahead_takes_what_the_gates_said_before(make_decoder: MakeDecoder, make_router: MakeRouter) -> None:
    decoder = make_decoder()
    router = make_router(decoder)
    session, execution = routed_session(decoder, Routing(router, 1.0, compiles=False, ahead=True))
    session.extend([0], [TEXT[:3]])
    found = torch.cat([session.extend([0], [[token]]).logits[0] for token in TEXT[3:]])
    expected, options = whole(decoder, router, 1.0, ahead=True)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert [taken.tolist() for taken in execution.log.options] == options
    plain, now = routed_session(decoder, Routing(router, 1.0, compiles=False))
    plain.extend([0], [TEXT[:3]])
    plain.extend([0], [[TEXT[3]]])
    assert np.array_equal(execution.log.options[0], now.log.options[0]), "nothing was said before the first token"
    assert np.array_equal(execution.log.options[1], now.log.options[0])


def test_evicted_keys_are_refused(make_decoder: MakeDecoder, make_router: MakeRouter) -> None:
    with pytest.raises(Unsupported, match="evicted") as caught:
        Routing(make_router(make_decoder(), "evicted"), 1.0)
    assert caught.value.code == "unsupported_kv"
