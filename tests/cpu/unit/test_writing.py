"""Texts with budgets, and texts that the model drafts for itself."""

from collections.abc import Callable

import pytest
import torch

from pointsman.core import BadRequest
from pointsman.engine import LoadedModel, Sampling, Session, generate
from pointsman.engine.model import Decoder
from pointsman.engine.tokenizer import TextTokenizer
from pointsman.unit import Curve, Point, Router, UnitBatch, UnitSampling, UnitText, generate_drafted, routed, writing
from pointsman.unit.drafting import DraftRows
from pointsman.unit.execution import Routing

MakeRouter = Callable[..., Router]
PROMPTS = [[3, 17, 9, 40], [22, 8], [51, 33, 2, 19, 44, 7], [5]]
CURVE = Curve((Point(0.5, 0.9, 0.0, 0.0), Point(5.0, 0.4, 1.0, 1.0)), 10, "none")
RATE = 2.0


@pytest.fixture
def model(make_decoder: Callable[..., Decoder], letters: TextTokenizer) -> LoadedModel:
    decoder = make_decoder(eos_tokens=())
    return LoadedModel("tiny", decoder, letters, decoder.config)


@pytest.fixture
def router(model: LoadedModel, make_router: MakeRouter) -> Router:
    return make_router(model.decoder)


@pytest.mark.parametrize("num_rows", [1, 3])
def test_drafted_texts_are_those_of_the_model(model: LoadedModel, router: Router, num_rows: int) -> None:
    sampling = Sampling(max_tokens=30)
    expected = generate(model, PROMPTS, sampling, num_rows=num_rows)
    found = generate_drafted(model, router, RATE, PROMPTS, sampling, num_rows=num_rows)
    assert [text.tokens for text in found] == [text.tokens for text in expected]
    assert sum(text.num_rolled_back for text in found) > 0, "drafts must be wrong somewhere"
    assert sum(text.num_small_tokens for text in found) > 0, "and right elsewhere"


def test_a_good_draft_is_verified_in_few_calls(model: LoadedModel, router: Router) -> None:
    (text,) = generate_drafted(model, router, 0.0, PROMPTS[:1], Sampling(max_tokens=30))
    assert text.num_rolled_back == 0
    assert text.num_calls < 30


def test_sampled_drafts_are_distributed_as_the_model_writes(model: LoadedModel, router: Router) -> None:
    """The first two tokens of many sampled texts, against the model's own chances."""
    count, prompt = 1500, PROMPTS[0]
    found = [
        generate_drafted(model, router, RATE, [prompt], Sampling(max_tokens=2, temperature=1.0, seed=seed))[0].tokens
        for seed in range(count)
    ]
    session = Session(model.decoder, 1, 16)
    chances = session.extend([0], [prompt]).logits[0, 0].softmax(-1)
    assert is_drawn_from(torch.tensor([tokens[0] for tokens in found]), chances)
    best = int(chances.argmax())
    after = session.extend([0], [[best]]).logits[0, 0].softmax(-1)
    assert is_drawn_from(torch.tensor([tokens[1] for tokens in found if tokens[0] == best]), after)
    assert not is_drawn_from(torch.tensor([tokens[1] for tokens in found if tokens[0] == best]), chances)


def is_drawn_from(tokens: torch.Tensor, chances: torch.Tensor) -> bool:
    """Whether their counts are no farther from the chances than the farthest of 200 honest draws of as many."""

    def distance(drawn: torch.Tensor) -> float:
        return float((torch.bincount(drawn, minlength=len(chances)) / len(drawn) - chances).abs().sum())

    generator = torch.Generator().manual_seed(0)
    honest = [
        distance(torch.multinomial(chances, len(tokens), replacement=True, generator=generator)) for _ in range(200)
    ]
    return distance(tokens) <= max(honest)


def test_a_draft_starts_from_the_models_own_past(model: LoadedModel, router: Router) -> None:
    """What was verified is read by nobody again, and its keys are the model's own."""
    dense = Session(model.decoder, 1, 32)
    draft = DraftRows(dense, Routing(router, RATE))
    draft.extend([0], [PROMPTS[0]])
    assert (list(draft.lengths), list(dense.lengths)) == ([4], [3])
    draft.extend([0], [[6]])
    draft.extend([0], [[7]])
    dense.extend([0], [[PROMPTS[0][-1], 6, 7]])
    plain = Session(model.decoder, 1, 32)
    plain.extend([0], [[*PROMPTS[0], 6, 7]])
    for mine, theirs in zip(draft._drafting.cache.keys, plain.cache.keys, strict=True):
        torch.testing.assert_close(mine[0, :, :6], theirs[0, :, :6])
    draft.truncate(0, 5)
    dense.truncate(0, 5)
    assert list(draft.lengths) == [5]


def test_budgets_of_a_batch_are_each_texts_own(model: LoadedModel, router: Router) -> None:
    """One after another they are those of sessions at their rates; without a budget it is the model itself."""
    batch = UnitBatch(routed(model, router), 1, CURVE)
    writings = [
        batch.submit(PROMPTS[0], UnitSampling(max_tokens=20, budget=0.4)),
        batch.submit(PROMPTS[0], Sampling(max_tokens=20)),
        batch.submit(PROMPTS[0], UnitSampling(max_tokens=20)),
    ]
    while not batch.is_idle:
        batch.step()
    texts = [writing.result() for writing in writings]
    (plain,) = generate(model, PROMPTS[:1], Sampling(max_tokens=20))
    (cheap,) = generate(routed(model, router, 5.0), PROMPTS[:1], Sampling(max_tokens=20))
    assert texts[0].tokens == cheap.tokens
    assert texts[1].tokens == texts[2].tokens == plain.tokens
    assert texts[0].traffic.weight_bytes < texts[1].traffic.weight_bytes == plain.traffic.weight_bytes


def test_a_neighbour_without_a_budget_gets_all_of_the_model(model: LoadedModel, router: Router) -> None:
    batch = UnitBatch(routed(model, router), 2, CURVE)
    cheap = batch.submit(PROMPTS[0], UnitSampling(max_tokens=10, budget=0.4))
    whole = batch.submit(PROMPTS[1], Sampling(max_tokens=10))
    while not batch.is_idle:
        batch.step()
    plain = generate(model, PROMPTS[:2], Sampling(max_tokens=10), num_rows=2)
    assert [cheap.result().tokens, whole.result().tokens] == [text.tokens for text in plain]


def test_a_text_says_what_was_taken_for_its_tokens(model: LoadedModel, router: Router) -> None:
    """Behind the first one, which the prompt gave: what the execution logged, and None where it was not routed."""
    batch = UnitBatch(routed(model, router), 1, CURVE)
    cheap = batch.submit(PROMPTS[0], UnitSampling(max_tokens=12, budget=0.4))
    whole = batch.submit(PROMPTS[1], UnitSampling(max_tokens=3))
    while not batch.is_idle:
        batch.step()
    found, plain = cheap.result(), whole.result()
    assert isinstance(found, UnitText)
    assert isinstance(plain, UnitText)
    taken = [options.tolist() for options in found.taken if options is not None]
    assert taken == [options.tolist() for options in batch.execution.log.options]
    assert len(taken) == len(found.tokens) - 1
    assert plain.taken == (None,) * 2
    for unit, shares in enumerate(batch.execution.shares):
        last = len(shares) - 1
        assert shares[last] == 1.0
        assert all(0 <= share < 1 for share in shares[:last])
        assert all(0 <= options[unit] <= last for options in taken)


def test_of_a_long_text_the_beginning_is_told(
    model: LoadedModel, router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "TOLD", 5)
    batch = UnitBatch(routed(model, router), 1, CURVE)
    text = batch.submit(PROMPTS[0], UnitSampling(max_tokens=12, budget=0.4))
    while not batch.is_idle:
        batch.step()
    first = [options.tolist() for options in list(batch.execution.log.options)[:5]]
    assert [options.tolist() for options in text.result().taken] == first  # type: ignore[attr-defined]


def test_a_budget_out_of_reach_is_refused_at_once(model: LoadedModel, router: Router) -> None:
    batch = UnitBatch(routed(model, router), 1, CURVE)
    with pytest.raises(BadRequest, match="are still needed") as caught:
        batch.submit(PROMPTS[0], UnitSampling(budget=0.1))
    assert caught.value.code == "invalid_budget"
    assert batch.renewed().is_idle


def test_a_model_that_is_not_routed_has_no_budgets(model: LoadedModel) -> None:
    with pytest.raises(AssertionError, match="not routed"):
        UnitBatch(model, 1, CURVE)
