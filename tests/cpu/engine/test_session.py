"""The cached session gives what the naive one gives, whatever is done to both."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from pointsman.core import BadRequest, OverBudget
from pointsman.engine.cache import KVCache
from pointsman.engine.cost import Traffic, fixed_weight_bytes
from pointsman.engine.model import Decoder
from pointsman.engine.session import NaiveSession, Session

MakeDecoder = Callable[..., Decoder]

ROWS, CAPACITY = 4, 24
TOLERANCE = {torch.float32: 2e-5, torch.bfloat16: 0.15}
"""Logits are about 5. Float32: sums in another order. bf16: 8 bits, rounded in other places through two blocks."""


def run_both(decoder: Decoder, seed: int, steps: int, tolerance: float, *, compiles: bool = False) -> int:
    """Random extensions, roll-backs and moves on both sessions; returns how many logits were compared."""
    rng = random.Random(seed)
    fast = Session(decoder, ROWS, CAPACITY, compiles=compiles)
    slow = NaiveSession(decoder, ROWS, CAPACITY)
    compared = 0
    for _ in range(steps):
        action = rng.random()
        if action < 0.6:
            rows = rng.sample(range(ROWS), rng.randint(1, ROWS))
            if rng.random() < 0.3:
                rows = list(range(ROWS))
            longest = 1 if rng.random() < 0.4 else 5
            tokens = [[rng.randrange(60) for _ in range(rng.randint(1, longest))] for _ in rows]
            if any(fast.lengths[row] + len(new) > CAPACITY for row, new in zip(rows, tokens, strict=True)):
                continue
            some = [rng.randint(1, len(new)) for new in tokens]
            want = rng.choice(("last", "all", some))
            ours, theirs = fast.extend(rows, tokens, want), slow.extend(rows, tokens, want)
            for index, new in enumerate(tokens):
                count = {"last": 1, "all": len(new)}[want] if isinstance(want, str) else want[index]
                torch.testing.assert_close(
                    ours.logits[index, :count], theirs.logits[index, :count], atol=tolerance, rtol=tolerance
                )
                torch.testing.assert_close(
                    ours.hidden[index, :count], theirs.hidden[index, :count], atol=tolerance, rtol=tolerance
                )
                compared += count
        elif action < 0.85:
            row = rng.randrange(ROWS)
            keep = rng.randint(0, fast.lengths[row])
            fast.truncate(row, keep)
            slow.truncate(row, keep)
        else:
            source, target = rng.randrange(ROWS), rng.randrange(ROWS)
            fast.move(source, target)
            slow.move(source, target)
        assert list(fast.lengths) == list(slow.lengths)
    return compared


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_random_operations_agree_with_recomputation(make_decoder: MakeDecoder, seed: int, dtype: torch.dtype) -> None:
    decoder = make_decoder(seed, dtype, num_kv_heads=(1, 2, 4)[seed % 3], ties_embedding=seed % 2 == 0)
    assert run_both(decoder, seed, 60, TOLERANCE[dtype]) > 50


def test_the_static_step_agrees_with_recomputation(make_decoder: MakeDecoder, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def uncompiled(function: Callable[..., object], **_: object) -> Callable[..., object]:
        def counted(*args: object) -> object:
            calls.append(args)
            return function(*args)

        return counted

    monkeypatch.setattr(torch, "compile", uncompiled)
    assert run_both(make_decoder(), 1, 150, TOLERANCE[torch.float32], compiles=True) > 50
    assert len(calls) > 5


def test_all_logits_end_in_the_last_ones(make_decoder: MakeDecoder) -> None:
    session = Session(make_decoder(), 2, CAPACITY)
    every = session.extend([0, 1], [[3, 4, 5], [6]], "all")
    last = Session(make_decoder(), 2, CAPACITY).extend([0, 1], [[3, 4, 5], [6]])
    torch.testing.assert_close(every.logits[0, 2], last.logits[0, 0])
    torch.testing.assert_close(every.logits[1, 0], last.logits[1, 0])


def test_gather_and_scatter_copy_rows(make_decoder: MakeDecoder) -> None:
    decoder = make_decoder()
    session = Session(decoder, 3, CAPACITY)
    session.extend([0, 1, 2], [[3, 4, 5], [6], [7, 8]])
    copy = session.cache.gather([2, 0])
    assert copy.lengths == [2, 3]
    session.extend([2], [[9]])  # the copy does not follow
    assert copy.lengths == [2, 3]
    session.cache.scatter([0, 1], copy)
    assert session.lengths == [2, 3, 3]
    naive = NaiveSession(decoder, 1, CAPACITY)
    naive.extend([0], [[3, 4, 5]])
    expected = naive.extend([0], [[11]]).logits[0]
    torch.testing.assert_close(session.extend([1], [[11]]).logits[0], expected, atol=2e-5, rtol=2e-5)


def test_scatter_needs_as_many_rows(make_decoder: MakeDecoder) -> None:
    session = Session(make_decoder(), 3, CAPACITY)
    with pytest.raises(ValueError, match="cannot take"):
        session.cache.scatter([0, 0], session.cache.gather([1, 2]))


def test_a_copy_that_does_not_fit_is_refused(make_decoder: MakeDecoder) -> None:
    decoder = make_decoder()
    session = Session(decoder, 1, CAPACITY)
    session.extend([0], [[2] * 9])
    small = KVCache(decoder.config, 1, 8, torch.float32, torch.device("cpu"))
    with pytest.raises(OverBudget, match="exceed the 8"):
        small.scatter([0], session.cache)


@pytest.mark.parametrize(
    ("tokens", "expected"), [([[]], "without a token"), ([[60]], "from 60 to 60"), ([[3, -1]], "from -1 to 3")]
)
@pytest.mark.parametrize("kind", [Session, NaiveSession])
def test_tokens_that_are_none_of_the_vocabulary(
    make_decoder: MakeDecoder, kind: Callable[..., Session], tokens: list[list[int]], expected: str
) -> None:
    with pytest.raises(BadRequest, match=expected) as caught:
        kind(make_decoder(), 1, CAPACITY).extend([0], tokens)
    assert caught.value.code == "invalid_tokens"


@pytest.mark.parametrize("kind", [Session, NaiveSession])
def test_a_row_that_is_full_changes_nothing(make_decoder: MakeDecoder, kind: Callable[..., Session]) -> None:
    session = kind(make_decoder(), 2, CAPACITY)
    session.extend([0, 1], [[2] * 20, [2]])
    with pytest.raises(OverBudget) as caught:
        session.extend([1, 0], [[3], [4] * 5])
    assert caught.value.code == "context_exceeded"
    assert list(session.lengths) == [20, 1]


def test_a_session_longer_than_the_context_is_refused(make_decoder: MakeDecoder) -> None:
    with pytest.raises(OverBudget, match="context of 64"):
        Session(make_decoder(), 1, 65)


@pytest.mark.parametrize("keep", [-1, 3])
def test_truncating_to_more_than_there_is(make_decoder: MakeDecoder, keep: int) -> None:
    session = Session(make_decoder(), 1, CAPACITY)
    session.extend([0], [[5, 6]])
    with pytest.raises(ValueError, match="cannot keep"):
        session.truncate(0, keep)


def test_traffic_counts_weights_once_and_the_cache_by_length(make_decoder: MakeDecoder) -> None:
    decoder = make_decoder(ties_embedding=True)
    session = Session(decoder, 2, CAPACITY)
    token_bytes = 2 * 2 * 2 * 8 * 4  # keys and values, layers, heads, width, float32
    assert session.cache.token_bytes == token_bytes
    weights = 4 * decoder.config.num_parameters
    assert fixed_weight_bytes(decoder) == weights
    first = session.extend([0, 1], [[3, 4, 5], [6]])
    assert replace(first.traffic, flops=0) == Traffic(1, 4, weights, 0, 4 * token_bytes)
    second = session.extend([0, 1], [[7], [8]])
    assert replace(second.traffic, flops=0) == Traffic(1, 2, weights, 4 * token_bytes, 2 * token_bytes)
    assert second.shares[0].kv_read_bytes == 3 * token_bytes
    assert sum(second.shares, Traffic()) == second.traffic


def test_arithmetic_is_two_operations_a_weight_and_what_attention_takes(make_decoder: MakeDecoder) -> None:
    decoder = make_decoder(ties_embedding=False)
    config, session = decoder.config, Session(decoder, 1, CAPACITY)
    in_blocks = sum(parameter.numel() for parameter in decoder.blocks.parameters() if parameter.ndim == 2)
    head, a_pair = config.vocab_size * config.hidden_size, 2 * config.num_layers * config.num_heads * config.head_dim
    assert session.extend([0], [[3]]).traffic.flops == 2 * (in_blocks + head + a_pair)
    more = session.extend([0], [[4, 5, 6]], [2]).traffic.flops
    assert more == 2 * (3 * in_blocks + 2 * head + (2 + 3 + 4) * a_pair)


@pytest.mark.parametrize("want", [[0], [3], [1, 1]])
def test_no_more_tokens_can_be_wanted_than_are_new(make_decoder: MakeDecoder, want: list[int]) -> None:
    with pytest.raises(ValueError, match="cannot be wanted"):
        Session(make_decoder(), 1, CAPACITY).extend([0], [[5, 6]], want)


def test_an_untied_embedding_is_read_by_the_row(make_decoder: MakeDecoder) -> None:
    decoder = make_decoder(ties_embedding=False)
    session = Session(decoder, 1, CAPACITY)
    rows = 3 * 32 * 4
    assert session.extend([0], [[3, 4, 5]]).traffic.weight_bytes == fixed_weight_bytes(decoder) + rows
    assert fixed_weight_bytes(decoder) == 4 * (decoder.config.num_parameters - 60 * 32)
