"""Two models write what their method says: strict methods the large model's text, token for token."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch

from pointsman.core import BadRequest, Unsupported
from pointsman.engine import Batch, Sampling, Session, Text, Traffic, distribution, generate
from pointsman.token.batch import Judged, PairBatch, PairSampling, generate_pair
from pointsman.token.gate import Gate, GateShape
from pointsman.token.judges import Bounded, Exact
from pointsman.token.method import (
    ALWAYS,
    Method,
    adaptive_speculative,
    at_random,
    bild,
    by_divergence,
    by_query,
    cascade,
    ours,
    routed,
    speculative,
)
from pointsman.token.pair import Pair
from pointsman.token.scores import Entropy, Margin, MaxProbability, Scripted
from pointsman.token.stops import After

MakePair = Callable[..., Pair]
GREEDY = Sampling(max_tokens=30)

STRICT = {
    "1": speculative(1),
    "3": speculative(3),
    "8": speculative(8),
    "adaptive": adaptive_speculative(MaxProbability(), 0.5),
    "ours": ours(MaxProbability(), 0.4, 0.0, 0.0),
    "tolerance 0": cascade(4, 0.0),
    "all large": routed("all", MaxProbability(), 1.0),
}
LOOSE = {
    "random": at_random(0.3),
    "margin": routed("margin", Margin(), 0.5),
    "entropy": routed("entropy", Entropy(), 0.9),
    "bild": bild(MaxProbability()),
    "cascade": cascade(3, 0.9),
    "kl": by_divergence(3, 2.0),
    "ours": ours(MaxProbability(), 0.3, 0.5, 0.5),
}


def prompts_of(count: int, seed: int = 0) -> list[list[int]]:
    rng = random.Random(seed)
    return [[rng.randrange(2, 60) for _ in range(rng.randint(1, 12))] for _ in range(count)]


def tokens_of(texts: Sequence[Text]) -> list[tuple[int, ...]]:
    return [text.tokens for text in texts]


@pytest.mark.parametrize("num_rows", [1, 3])
@pytest.mark.parametrize("method", STRICT.values(), ids=STRICT)
def test_strict_methods_write_the_large_models_text(make_pair: MakePair, method: Method, num_rows: int) -> None:
    for seed in range(3):
        pair, prompts = make_pair(seed), prompts_of(7, seed)
        alone = generate(pair.large, prompts, GREEDY)
        together = generate_pair(pair, method, prompts, GREEDY, num_rows=num_rows)
        assert tokens_of(together) == tokens_of(alone)
        assert [text.text for text in together] == [text.text for text in alone]
        assert [text.finish_reason for text in together] == [text.finish_reason for text in alone]
        assert {text.method for text in together} == {method.name}


def test_both_models_had_a_part_in_strict_texts(pair: Pair) -> None:
    texts = generate_pair(pair, speculative(4), prompts_of(10), GREEDY)
    writers = [writer for text in texts for writer in text.writers]
    assert 20 < writers.count("small") < len(writers) - 20
    assert sum(text.num_rolled_back for text in texts) > 20


def test_without_a_threshold_the_small_model_writes_alone(pair: Pair) -> None:
    prompts = prompts_of(5)
    texts = generate_pair(pair, routed("none", MaxProbability(), 0.0), prompts, GREEDY)
    assert tokens_of(texts) == tokens_of(generate(pair.small, prompts, GREEDY))
    assert {text.large for text in texts} == {Traffic()}  # it did not read the prompts either
    assert {writer for text in texts for writer in text.writers} == {"small"}


@pytest.mark.parametrize("name", sorted(LOOSE.keys() - {"random"}))  # whose draws go to whoever asks first
def test_a_text_does_not_depend_on_its_neighbours(pair: Pair, name: str) -> None:
    method = LOOSE[name]
    prompts = prompts_of(6)
    together = generate_pair(pair, method, prompts, GREEDY, num_rows=4)
    for prompt, text in zip(prompts, together, strict=True):
        (alone,) = generate_pair(pair, method, [prompt], GREEDY)
        assert alone.tokens == text.tokens
        assert alone.writers == text.writers
        assert alone.rolled_back == text.rolled_back


@pytest.mark.parametrize("method", [*STRICT.values(), *LOOSE.values()], ids=[*STRICT, *LOOSE])
def test_what_is_shown_is_never_taken_back(pair: Pair, method: Method) -> None:
    shown: dict[int, str] = {}

    def show(index: int, piece: str) -> None:
        shown[index] = shown.get(index, "") + piece

    texts = generate_pair(pair, method, prompts_of(5), Sampling(max_tokens=20, stop=("CA", "XY")), on_text=show)
    assert [shown.get(index, "") for index in range(5)] == [text.text for text in texts]
    for text in texts:
        assert len(text.tokens) == len(text.writers) <= 20
        assert "CA" not in text.text


def test_stop_strings_end_a_text_within_a_pending_span(pair: Pair) -> None:
    prompts = prompts_of(12)
    whole = generate(pair.large, prompts, GREEDY)
    stop = whole[0].text[7:9]
    sampling = Sampling(max_tokens=30, stop=(stop,))
    alone, together = generate(pair.large, prompts, sampling), generate_pair(pair, speculative(6), prompts, sampling)
    assert [text.text for text in together] == [text.text for text in alone]
    assert tokens_of(together) == tokens_of(alone)
    assert whole[0].text != alone[0].text


def scripted(scores: list[float], end_safety: float) -> Method:
    return Method("scripted", After(50), Scripted(scores), Bounded(1.0), keeps_last=True, end_safety=end_safety)


@pytest.mark.parametrize(("score", "end_safety", "calls"), [(0.9, 0.1, 0), (0.9, 0.9, 1), (1.0, ALWAYS, 1)])
def test_the_end_of_a_text_is_checked_where_it_is_unlikely_to_stand(
    pair: Pair, score: float, end_safety: float, calls: int
) -> None:
    (text,) = generate_pair(pair, scripted([score], end_safety), [[5, 6, 7]], Sampling(max_tokens=8))
    assert text.num_calls == calls
    assert (text.large.forwards > 0) == (calls > 0)
    assert len(text.tokens) == 8


def test_costs_are_those_of_the_forwards(pair: Pair) -> None:
    method = Method("two", After(2), judge=Bounded(1.0), keeps_last=True, end_safety=ALWAYS)
    (text,) = generate_pair(pair, method, [[5, 6, 7]], Sampling(max_tokens=6))
    assert text.writers == ("small", "small", "large", "small", "small", "large")
    assert text.num_calls == text.large.forwards == 2
    assert text.large.new_tokens == 3 + 2 + 1 + 2  # the prompt and two tokens, then its own token and two more
    assert text.small.new_tokens == 3 + 1 + 2 + 1  # its last token is read by nobody
    assert text.traffic == text.small + text.large
    assert text.traffic.flops > 0


def test_what_a_scorer_costs_is_counted(pair: Pair) -> None:
    scorer = MaxProbability()
    scorer.traffic = Traffic(weight_bytes=10, flops=7)
    (text,) = generate_pair(pair, routed("priced", scorer, 0.0), [[5, 6]], Sampling(max_tokens=4))
    assert text.gate == Traffic(weight_bytes=4 * 10, flops=4 * 7)
    assert text.traffic == text.small + text.gate


@pytest.mark.parametrize("method", [*STRICT.values(), *LOOSE.values()], ids=[*STRICT, *LOOSE])
def test_a_text_that_fills_the_context_ends_there(pair: Pair, method: Method) -> None:
    capacity = 16
    prompts = [[5, 6, 7], [8] * 15, [9] * 9]
    batch = PairBatch(pair, method, 3, capacity)
    texts = [batch.submit(prompt, Sampling()) for prompt in prompts]
    while not batch.is_idle:
        batch.step()
    alone = Batch(pair.large, 3, capacity)
    expected = [alone.submit(prompt, Sampling()) for prompt in prompts]
    while not alone.is_idle:
        alone.step()
    assert [text.finish_reason for text in texts] == ["length"] * 3
    assert [len(text.tokens) for text in texts] == [len(text.tokens) for text in expected]
    if method in STRICT.values():
        assert [text.tokens for text in texts] == [text.tokens for text in expected]


def test_texts_join_leave_and_are_cancelled(pair: Pair) -> None:
    batch = PairBatch(pair, speculative(3), 2)
    texts = [batch.submit(prompt, GREEDY) for prompt in prompts_of(5)]
    ended = batch.step()
    texts[0].cancel()
    texts[4].cancel()
    while not batch.is_idle:
        ended += batch.step()
    assert {id(text) for text in ended} == {id(text) for text in texts}
    assert texts[0].finish_reason == texts[4].finish_reason == "cancelled"
    rest = generate(pair.large, prompts_of(5)[1:4], GREEDY)
    assert [tuple(text.tokens) for text in texts[1:4]] == tokens_of(rest)
    assert batch.renewed().is_idle


def test_every_call_tells_what_the_large_model_thinks_of_what_was_pending(pair: Pair) -> None:
    heard: list[Judged] = []
    batch = PairBatch(pair, speculative(4), 2, on_judged=heard.append)
    texts = [batch.submit(prompt, GREEDY) for prompt in prompts_of(3)]
    while not batch.is_idle:
        batch.step()
    kept = sum(judged.num_kept for judged in heard if judged.writing is texts[0])
    assert kept == texts[0].result().writers.count("small")
    for judged in heard:
        assert judged.num_kept == int((judged.p.argmax(-1) == judged.tokens).long().cumprod(0).sum())
        assert torch.equal(judged.q.argmax(-1), judged.tokens)
        assert judged.hidden.shape == (len(judged.tokens), pair.small.config.hidden_size)


@pytest.mark.parametrize(("name", "value"), [("logprobs", 1), ("allowed_tokens", (5,)), ("choices", ("A",))])
def test_what_only_one_model_can_do_is_refused(pair: Pair, name: str, value: object) -> None:
    with pytest.raises(Unsupported, match=f"{name} is not supported where two models write"):
        generate_pair(pair, speculative(2), [[5]], Sampling(**{name: value}))  # type: ignore[arg-type]


def test_a_prompt_that_does_not_fit_is_refused(pair: Pair) -> None:
    with pytest.raises(BadRequest, match="at most 63"):
        generate_pair(pair, speculative(2), [[5] * 64])


class _Harmless(MaxProbability):
    """Knows which tokens do no harm: those of some ids."""

    def __init__(self, ids: set[int]) -> None:
        self._ids = ids

    def __call__(self, hidden: torch.Tensor, logits: torch.Tensor, proposals: torch.Tensor) -> torch.Tensor:
        harmless = torch.tensor([[float(int(token) in self._ids)] for token in proposals])
        return torch.cat((super().__call__(hidden, logits, proposals), harmless), -1)


def test_what_does_no_harm_is_forgiven(pair: Pair) -> None:
    prompts = prompts_of(8)
    for ids in (set(range(60)), set(range(0, 60, 2)), set()):
        method = replace(ours(_Harmless(ids), 0.3, 0.0, 0.1), end_safety=ALWAYS)
        heard: list[Judged] = []
        batch = PairBatch(pair, method, 3, on_judged=heard.append)
        for prompt in prompts:
            batch.submit(prompt, GREEDY)
        while not batch.is_idle:
            batch.step()
        for judged in heard:
            stands = (judged.p.argmax(-1) == judged.tokens) | torch.tensor([int(t) in ids for t in judged.tokens])
            assert judged.num_kept == int(stands.long().cumprod(0).sum())
        strict = tokens_of(generate(pair.large, prompts, GREEDY))
        assert (tokens_of(generate_pair(pair, method, prompts, GREEDY)) == strict) == (not ids)
    everything = ours(_Harmless(set(range(60))), 0.3, 0.0, 0.1)
    texts = generate_pair(pair, everything, prompts, GREEDY)
    assert tokens_of(texts) == tokens_of(generate(pair.small, prompts, GREEDY))
    assert sum(text.num_calls for text in texts) == 0  # and an end that does no harm is not checked
    assert tokens_of(generate_pair(pair, replace(everything, forgives=0.0, end_safety=ALWAYS), prompts, GREEDY)) == (
        tokens_of(generate(pair.large, prompts, GREEDY))
    )


class _ByLength(Gate):
    """An outlook that is good for prompts of an even length."""

    def __init__(self, pair: Pair) -> None:
        super().__init__(GateShape(("length",), ()), pair.small)

    def forward(self, *seen: torch.Tensor) -> torch.Tensor:
        return (seen[-1] % 2 == 0).float()[:, None] * 0.8 + 0.1


@pytest.mark.parametrize("num_rows", [1, 3])
def test_texts_of_a_good_outlook_are_left_to_the_small_model(pair: Pair, num_rows: int) -> None:
    prompts, outlook = prompts_of(9), _ByLength(pair)
    small, large = (tokens_of(generate(model, prompts, GREEDY)) for model in (pair.small, pair.large))
    expected = [one if len(prompt) % 2 == 0 else two for prompt, one, two in zip(prompts, small, large, strict=True)]
    for method in (
        by_query(outlook, 0.5),
        replace(ours(MaxProbability(), 0.3, 0.0, 0.0, outlook=outlook), alone_risk=0.3),
    ):
        texts = generate_pair(pair, method, prompts, GREEDY, num_rows=num_rows)
        assert tokens_of(texts) == expected
        assert [text.num_calls == 0 for text in texts] == [len(prompt) % 2 == 0 for prompt in prompts]
        assert min(text.gate.weight_bytes for text in texts) > 0
    routed_whole = generate_pair(pair, by_query(outlook, 0.5), prompts, GREEDY, num_rows=num_rows)
    assert {writer for text in routed_whole if text.num_calls for writer in text.writers} == {"large"}
    assert tokens_of(generate_pair(pair, by_query(outlook, 0.0), prompts, GREEDY)) == small
    assert tokens_of(generate_pair(pair, by_query(outlook, 1.0), prompts, GREEDY)) == large


# Sampling. A tiny vocabulary of 60 ids and two tokens, so that every outcome is seen often.

DRAWS = 3000
TEMPERED = {"temperature": 0.9, "top_k": 3, "max_tokens": 2}


def drawn(pair: Pair, method: Method) -> torch.Tensor:
    """(60, 60) shares of the first two tokens."""
    found = torch.zeros(60, 60)
    for start in range(0, DRAWS, 64):
        batch = PairBatch(pair, method, 64, 16)
        seeds = range(start, start + 64)
        writings = [batch.submit([5, 6, 7], Sampling(seed=seed, **TEMPERED)) for seed in seeds]  # type: ignore[arg-type]
        while not batch.is_idle:
            batch.step()
        for writing in writings:
            first, second = (*writing.tokens, 1)[:2]
            found[first, second] += 1
    return found / found.sum()


def exact(pair: Pair) -> torch.Tensor:
    """(60, 60) probabilities of the large model."""
    sampling, result = Sampling(**TEMPERED), torch.zeros(60, 60)  # type: ignore[arg-type]
    session = Session(pair.large.decoder, 1, 16)
    first = distribution(session.extend([0], [[5, 6, 7]]).logits[0, 0], sampling)
    for token in first.nonzero()[:, 0].tolist():
        if token == 1:
            result[1, 1] += first[1]
            continue
        second = distribution(session.extend([0], [[token]]).logits[0, 0], sampling)
        session.truncate(0, 3)
        result[token] += first[token] * second
    return result


@pytest.mark.parametrize("method", [speculative(1), speculative(3), ours(MaxProbability(), 0.5, 0.0, 0.0)])
def test_strict_sampling_has_the_large_models_distribution(make_pair: MakePair, method: Method) -> None:
    pair = make_pair(3, likeness=0.6)
    expected, found = exact(pair), drawn(pair, method)
    # With 9 outcomes and 3,000 draws the total variation is 0.02 on the average; the small model's is over 0.2 away.
    assert 0.5 * float((expected - found).abs().sum()) < 0.05
    assert isinstance(method.judge, Exact)
    tolerant = drawn(pair, cascade(3, 1.0))
    assert 0.5 * float((expected - tolerant).abs().sum()) > 0.15


def test_a_seed_repeats_a_text(pair: Pair) -> None:
    sampling = Sampling(max_tokens=20, temperature=1.0, seed=7)
    first, second = (generate_pair(pair, cascade(3, 0.5), [[5, 6]], sampling)[0] for _ in range(2))
    assert first.tokens == second.tokens
    assert first.tokens != generate_pair(pair, cascade(3, 0.5), [[5, 6]], Sampling(20, 1.0, seed=8))[0].tokens


def at_risk(risk: float) -> Method:
    return ours(GATE, 0.3, 0.5 if risk else 0.0, risk)


GATE = MaxProbability()


def test_texts_of_one_batch_may_each_have_a_risk_of_their_own(make_pair: MakePair) -> None:
    """As each would be written in a batch of that method alone, tokens, writers and calls; without one the batch's."""
    pair, prompts, default = make_pair(), prompts_of(9), at_risk(0.05)
    risks = [None, 0.0, 0.4] * 3
    batch = PairBatch(pair, default, 4, at_risk=at_risk)
    texts = [
        batch.submit(prompt, PairSampling(max_tokens=20, risk=risk))
        for prompt, risk in zip(prompts, risks, strict=True)
    ]
    while not batch.is_idle:
        batch.step()
    for prompt, risk, text in zip(prompts, risks, texts, strict=True):
        method = default if risk is None else at_risk(risk)
        (alone,) = generate_pair(pair, method, [prompt], Sampling(max_tokens=20))
        found = text.result()
        assert (found.tokens, found.writers, found.num_calls) == (alone.tokens, alone.writers, alone.num_calls)
    strict = [text.result().tokens for text, risk in zip(texts, risks, strict=True) if risk == 0.0]
    assert strict == tokens_of(generate(pair.large, prompts[1::3], Sampling(max_tokens=20)))


def test_more_risks_than_are_kept(make_pair: MakePair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pointsman.token.batch._MOST_METHODS", 2)
    pair, (prompt, *_) = make_pair(), prompts_of(1)
    batch = PairBatch(pair, at_risk(0.05), 2, at_risk=at_risk)
    texts = [batch.submit(prompt, PairSampling(max_tokens=9, risk=risk)) for risk in (0.0, 0.1, 0.2, 0.3, 0.0)]
    while not batch.is_idle:
        batch.step()
    assert texts[0].result().tokens == texts[4].result().tokens


def test_a_risk_that_cannot_be(make_pair: MakePair) -> None:
    pair = make_pair()
    with pytest.raises(BadRequest, match="from 0 to 1") as caught:
        PairBatch(pair, at_risk(0.1), 1, at_risk=at_risk).submit([1], PairSampling(risk=1.5))
    assert (caught.value.code, caught.value.param) == ("invalid_risk", "risk")
    with pytest.raises(BadRequest, match="has no risk to choose"):
        PairBatch(pair, speculative(2), 1).submit([1], PairSampling(risk=0.5))
