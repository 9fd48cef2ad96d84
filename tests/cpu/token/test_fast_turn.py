"""The compiled turn writes what the loop writes, for every method and at the same cost; it is taken where it can be."""

from collections.abc import Callable, Sequence

import pytest
import torch

from pointsman.engine import Sampling, Traffic
from pointsman.engine.session import NaiveSession
from pointsman.token.batch import PairBatch
from pointsman.token.fast_turn import FastTurn
from pointsman.token.fitting import KINDS, gate_shape
from pointsman.token.gate import Gate, GateShape
from pointsman.token.judges import Divergence
from pointsman.token.lineup import METHODS, grid, make
from pointsman.token.method import Method, at_random, ours, routed, speculative
from pointsman.token.pair import Pair
from pointsman.token.stops import After
from pointsman.token.writing import PairText

MakePair = Callable[..., Pair]
PROMPTS = [[5, 6, 7], [8], [9, 10, 11, 12, 13], [14, 15], [3, 3, 3, 3]]


def random_gate(pair: Pair, shape: GateShape) -> Gate:
    gate = Gate(shape, pair.small)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for tensor in gate.parameters():
            tensor.normal_(0.0, 0.4, generator=generator)
        gate.mean.normal_(generator=generator)
    return gate.eval()


def texts_of(
    pair: Pair, method: Method, sampling: Sampling, *, fast: bool, rows: int = 3, capacity: int | None = None
) -> tuple[list[PairText], int]:
    """The texts, and how many were written by the compiled turn."""
    batch, calls = PairBatch(pair, method, rows, capacity), []
    go_on = batch._go_on_alike

    def counted(turn: FastTurn, rows: Sequence[int]) -> None:
        calls.append(rows)
        go_on(turn, rows)

    batch._go_on_alike = counted  # type: ignore[method-assign]
    if not fast:
        batch._fast_turn = lambda _: None  # type: ignore[method-assign]
    writings = [batch.submit(prompt, sampling) for prompt in PROMPTS]
    while not batch.is_idle:
        batch.step()
    return [writing.result() for writing in writings], len(calls)


def same(ours: Sequence[PairText], theirs: Sequence[PairText]) -> bool:
    for one, other in zip(ours, theirs, strict=True):
        assert (one.tokens, one.writers, one.rolled_back) == (other.tokens, other.writers, other.rolled_back)
        assert (one.finish_reason, one.num_calls) == (other.finish_reason, other.num_calls)
        assert one.large == other.large
        assert one.gate == other.gate
        assert one.small == other.small
    return True


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", sorted(set(METHODS) - {"random", "kl"}))
def test_every_method_writes_the_same(make_pair: MakePair, name: str, dtype: torch.dtype) -> None:
    pair = make_pair(2, likeness=0.85)
    for model in (pair.small, pair.large):
        model.decoder.to(dtype)
    gates = {kind: random_gate(pair, gate_shape(kind, 32)) for kind in KINDS}
    gates["citer-1"] = gates["citer"]
    settings, taken = grid(name), 0
    for dials in settings[:: max(1, len(settings) // 3)]:
        method, sampling = make(name, gates, dials), Sampling(max_tokens=25)
        ours, calls = texts_of(pair, method, sampling, fast=True, rows=1)
        assert same(ours, texts_of(pair, method, sampling, fast=False, rows=1)[0])
        taken += calls
    assert taken > 0 or name in ("bild", "confidence", "margin", "pointsman by confidence")  # a random model is unsure


@pytest.mark.parametrize(
    "shape",
    [
        GateShape(("top_logits", "embedding", "confidence", "hidden"), (16, 8), "gelu"),
        GateShape(("confidence",), (8,), "relu", is_linear_at_the_end=True),
        GateShape(("hidden", "confidence"), (8,), outputs=2),
    ],
)
def test_any_gate_scores_the_same(pair: Pair, shape: GateShape) -> None:
    gate = random_gate(pair, shape)
    taken = 0
    for threshold in (0.01, 0.1, 0.3, 0.5):
        method = routed("gate", gate, threshold)
        ours, calls = texts_of(pair, method, Sampling(max_tokens=40), fast=True)
        theirs, _ = texts_of(pair, method, Sampling(max_tokens=40), fast=False)
        assert [text.tokens for text in ours] == [text.tokens for text in theirs]
        assert [text.writers for text in ours] == [text.writers for text in theirs]
        taken += calls
    assert taken > 0


@pytest.mark.parametrize("capacity", [9, 16, 30])
@pytest.mark.parametrize("method", [speculative(3), None], ids=["speculative", "routed"])
def test_the_context_ends_both_alike(pair: Pair, method: Method | None, capacity: int) -> None:
    chosen = method or routed("gate", random_gate(pair, gate_shape("citer", 32)), 0.4)
    ours, _ = texts_of(pair, chosen, Sampling(), fast=True, rows=1, capacity=capacity)
    assert same(ours, texts_of(pair, chosen, Sampling(), fast=False, rows=1, capacity=capacity)[0])


def test_stop_strings_and_neighbours_change_nothing(pair: Pair) -> None:
    gate = random_gate(pair, gate_shape("pointsman", 32))
    method = ours(gate, 0.3, 0.5, 0.1, outlook=random_gate(pair, gate_shape("outlook", 32)))
    for sampling in (Sampling(max_tokens=30), Sampling(max_tokens=30, stop=("A", "CH"))):
        together, calls = texts_of(pair, method, sampling, fast=True, rows=3)
        alone, _ = texts_of(pair, method, sampling, fast=False, rows=1)
        assert [(text.text, text.tokens, text.writers) for text in together] == [
            (text.text, text.tokens, text.writers) for text in alone
        ]
        assert calls > 0
        total = sum((text.small for text in together), Traffic())
        assert total.new_tokens >= sum(text.small.new_tokens for text in alone)  # what a stop string cut off, too
        assert total.weight_bytes < sum(text.small.weight_bytes for text in alone)  # shared


def test_sampled_texts_take_the_loop(pair: Pair) -> None:
    _, calls = texts_of(pair, speculative(3), Sampling(max_tokens=10, temperature=1.0, seed=3), fast=True)
    assert calls == 0


def test_what_it_does_not_know_takes_the_loop(pair: Pair) -> None:
    batch = PairBatch(pair, speculative(3), 1)
    assert batch._compiled(batch.method) is not None
    assert PairBatch(pair, at_random(0.5), 1)._compiled(at_random(0.5)) is None
    naive = NaiveSession(pair.small.decoder, 1, 64)
    assert FastTurn.over(naive, speculative(3), 60, (1,)) is None
    kl = Method("kl", After(3), judge=Divergence(1.0), keeps_last=True)
    _, calls = texts_of(pair, kl, Sampling(max_tokens=10), fast=True)
    assert calls == 0
