"""A few tokens read by the compiled loops are what the decoder reads in torch."""

import logging
import random
from collections.abc import Callable, Iterator

import numba
import pytest
import torch

from pointsman.engine import kernels, step
from pointsman.engine.attention import CachedAttend
from pointsman.engine.cache import KVCache, open_window
from pointsman.engine.model import Decoder
from pointsman.engine.session import Session, padded
from pointsman.engine.step import FewTokens

MakeDecoder = Callable[..., Decoder]

ROWS, CAPACITY = 4, 40
TOLERANCE = {torch.float32: 2e-5, torch.bfloat16: 0.15}
"""As in `test_session`: sums in another order, and bf16 rounded in other places. Logits are about 5."""


def make_cache(decoder: Decoder) -> KVCache:
    return KVCache(decoder.config, ROWS, CAPACITY, decoder.embedding.dtype, torch.device("cpu"))


def few_tokens(decoder: Decoder, cache: KVCache) -> FewTokens:
    few = FewTokens.over(decoder, cache)
    assert few is not None
    return few


@torch.inference_mode()
def compare(decoder: Decoder, seed: int, tolerance: float) -> int:
    """Random ragged windows by both ways, each on a cache of its own; returns how many tokens were compared."""
    rng, compared = random.Random(seed), 0
    fast, slow = make_cache(decoder), make_cache(decoder)
    few = few_tokens(decoder, fast)
    for _ in range(12):
        rows = rng.sample(range(ROWS), rng.randint(1, ROWS))
        counts = [rng.randint(1, 3) for _ in rows]
        tokens = [[rng.randrange(60) for _ in range(count)] for count in counts]
        hidden = few.hidden(tokens, open_window(fast, rows, counts))
        window = open_window(slow, rows, counts)
        expected = decoder(padded(tokens), window.positions, CachedAttend(slow, window))
        assert (hidden.shape, hidden.dtype) == (expected.shape, expected.dtype)
        logits, expected_logits = few.logits(hidden), decoder.logits(expected)
        for index, (row, count) in enumerate(zip(rows, counts, strict=True)):
            for ours, theirs in ((hidden, expected), (logits, expected_logits)):
                torch.testing.assert_close(ours[index, :count], theirs[index, :count], atol=tolerance, rtol=tolerance)
            for cache in (fast, slow):
                cache.lengths[row] += count
            compared += count
    return compared


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_few_tokens_are_what_the_decoder_reads(make_decoder: MakeDecoder, seed: int, dtype: torch.dtype) -> None:
    changes = {"num_kv_heads": (1, 2, 4)[seed % 3], "ties_embedding": seed % 2 == 0, "has_qkv_bias": seed > 2}
    decoder = make_decoder(seed, dtype, **changes)
    assert compare(decoder, seed, TOLERANCE[dtype]) > 30


@pytest.fixture
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)
    numba.set_num_threads(1)


@pytest.mark.usefixtures("_threads")
def test_threads_change_nothing(make_decoder: MakeDecoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step, "THREADS_FROM_BYTES", 0)
    decoder = make_decoder(1)
    assert few_tokens(decoder, make_cache(decoder)).most_lines == step.MOST_LINES_THREADED
    assert compare(decoder, 1, TOLERANCE[torch.float32]) > 30
    assert numba.get_num_threads() == min(2, numba.config.NUMBA_NUM_THREADS)


def test_what_is_written_into_the_weights_is_seen(make_decoder: MakeDecoder) -> None:
    decoder = make_decoder(2)
    session = Session(decoder, 1, CAPACITY)
    before = session.extend([0], [[5]]).logits
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.mul_(1.5)
    session.truncate(0, 0)
    after = session.extend([0], [[5]]).logits
    assert not torch.allclose(before, after)
    torch.testing.assert_close(after, Session(decoder, 1, CAPACITY).extend([0], [[5]]).logits)


def test_what_is_no_number_is_not_hidden(make_decoder: MakeDecoder) -> None:
    decoder = make_decoder(3)
    with torch.no_grad():
        decoder.blocks[0].mlp.down[0, 0] = torch.nan  # type: ignore[union-attr,index]
    assert Session(decoder, 1, CAPACITY).extend([0], [[5]]).logits.isnan().all()


def test_a_session_takes_the_loops_for_as_many_tokens_as_pay(
    make_decoder: MakeDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []
    hidden = FewTokens.hidden

    def counted(self: FewTokens, tokens: list[list[int]], window: object) -> torch.Tensor:
        taken.append(sum(map(len, tokens)))
        return hidden(self, tokens, window)  # type: ignore[arg-type]

    monkeypatch.setattr(FewTokens, "hidden", counted)
    monkeypatch.setattr(step, "MOST_LINES_ALONE", 8)
    session = Session(make_decoder(), ROWS, CAPACITY)
    for tokens in ([[1]], [[1] * 8], [[1] * 9], [[1] * 4, [1] * 4], [[1] * 4, [1] * 5]):
        session.extend(range(len(tokens)), tokens)
    assert taken == [1, 8, 8]


def test_other_dtypes_are_left_to_torch(make_decoder: MakeDecoder) -> None:
    decoder = make_decoder(0, torch.float64)
    assert FewTokens.over(decoder, make_cache(decoder)) is None
    assert Session(decoder, 1, CAPACITY).extend([0], [[5]]).logits.dtype is torch.float64


def test_without_threads_to_share_torch_reads_and_it_is_said(
    make_decoder: MakeDecoder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected = Session(make_decoder(), 1, CAPACITY).extend([0], [[5]]).logits
    monkeypatch.setattr(kernels, "starts_safely", lambda: False)
    step.usable_kernels.cache_clear()
    try:
        with caplog.at_level(logging.WARNING):
            session = Session(make_decoder(), 1, CAPACITY)
        assert "neither OpenMP nor TBB" in caplog.text
        torch.testing.assert_close(session.extend([0], [[5]]).logits, expected)
    finally:
        step.usable_kernels.cache_clear()
