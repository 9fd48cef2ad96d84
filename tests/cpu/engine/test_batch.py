"""Batches: whoever writes beside you, your text is your own."""

import random
from collections.abc import Callable, Sequence

import pytest
import torch

from pointsman.core import BadRequest
from pointsman.engine import Batch, Decoder, LoadedModel, NaiveSession, Sampling, Traffic, generate
from pointsman.engine.tokenizer import TextTokenizer

MakeDecoder = Callable[..., Decoder]


@pytest.fixture(scope="module")
def model(make_decoder: MakeDecoder, letters: TextTokenizer) -> LoadedModel:
    decoder = make_decoder(3)
    return LoadedModel("tiny", decoder, letters, decoder.config)


PROMPTS = [[3, 4, 5], [6], [7, 8, 9, 10, 11, 12], [20, 21], [30] * 9, [41, 42, 43]]


def naive_greedy(model: LoadedModel, prompt: Sequence[int], max_tokens: int) -> list[int]:
    """The definition: read everything anew for every token."""
    tokens: list[int] = []
    while len(tokens) < max_tokens and tokens[-1:] != [1] and len(prompt) + len(tokens) <= 64:
        session = NaiveSession(model.decoder, 1, 65)
        tokens.append(int(session.extend([0], [[*prompt, *tokens]]).logits[0, 0].argmax()))
    return tokens


@pytest.mark.parametrize("num_rows", [1, 2, 4, 8])
def test_greedy_texts_are_those_of_the_naive_loop(model: LoadedModel, num_rows: int) -> None:
    texts = generate(model, PROMPTS, Sampling(max_tokens=20), num_rows=num_rows)
    for prompt, text in zip(PROMPTS, texts, strict=True):
        assert list(text.tokens) == naive_greedy(model, prompt, 20)
        assert text.prompt_tokens == len(prompt)
        assert text.text == model.tokenizer.decode([token for token in text.tokens if token != 1])
        assert text.finish_reason == ("stop" if text.tokens[-1] == 1 else "length")


@pytest.mark.parametrize("seed", range(3))
def test_sampled_texts_do_not_depend_on_their_neighbours(model: LoadedModel, seed: int) -> None:
    batch = Batch(model, 3)
    rng = random.Random(seed)
    sampled = [Sampling(max_tokens=rng.randint(1, 15), temperature=1.0, top_p=0.9, seed=n) for n in range(10)]
    prompts = [rng.choice(PROMPTS) for _ in sampled]
    writings = []
    for prompt, sampling in zip(prompts, sampled, strict=True):
        writings.append(batch.submit(prompt, sampling))
        for _ in range(rng.randint(0, 3)):
            batch.step()
    while not batch.is_idle:
        batch.step()
    for prompt, sampling, writing in zip(prompts, sampled, writings, strict=True):
        assert writing.result().tokens == generate(model, [prompt], sampling)[0].tokens


def test_a_naive_session_serves_a_batch_alike(model: LoadedModel) -> None:
    batch = Batch(model, 2, 40, NaiveSession(model.decoder, 2, 40))
    writings = [batch.submit(prompt, Sampling(max_tokens=9)) for prompt in PROMPTS]
    while not batch.is_idle:
        batch.step()
    expected = [text.tokens for text in generate(model, PROMPTS, Sampling(max_tokens=9))]
    assert [writing.result().tokens for writing in writings] == expected


def test_pieces_make_the_text(model: LoadedModel) -> None:
    pieces: dict[int, list[str]] = {index: [] for index in range(len(PROMPTS))}
    texts = generate(model, PROMPTS, Sampling(max_tokens=12), on_text=lambda index, piece: pieces[index].append(piece))
    assert ["".join(pieces[index]) for index in pieces] == [text.text for text in texts]
    assert len(pieces[0]) > 3


def test_a_stop_string_ends_the_text_before_it(model: LoadedModel) -> None:
    whole = generate(model, [PROMPTS[0]], Sampling(max_tokens=12))[0]
    stop = whole.text[3:5]
    text = generate(model, [PROMPTS[0]], Sampling(max_tokens=12, stop=(stop, "nowhere")))[0]
    assert text.text == whole.text[: whole.text.index(stop)]
    assert text.finish_reason == "stop"
    assert len(text.tokens) < len(whole.tokens)


def test_what_was_held_back_for_a_stop_string_comes_at_the_end(model: LoadedModel) -> None:
    whole = generate(model, [PROMPTS[0]], Sampling(max_tokens=5))[0]
    text = generate(model, [PROMPTS[0]], Sampling(max_tokens=5, stop=(whole.text[-2:] + "~",)))[0]
    assert text.text == whole.text
    assert text.finish_reason == "length"


def test_the_context_ends_a_text(model: LoadedModel) -> None:
    text = generate(model, [[5] * 60], Sampling(allowed_tokens=(2, 3)))[0]
    assert text.finish_reason == "length"
    assert len(text.tokens) == 5  # four more are read, and one is drawn from what they give


def test_only_allowed_tokens_are_written(model: LoadedModel) -> None:
    text = generate(model, [[5]], Sampling(max_tokens=30, temperature=1.5, seed=1, allowed_tokens=(7, 9)))[0]
    assert set(text.tokens) == {7, 9}


@pytest.mark.parametrize("temperature", [0.0, 2.0])
def test_one_of_the_choices_is_written(model: LoadedModel, temperature: float) -> None:
    choices = ("RED", "ROT", "GOLD")
    written = {
        generate(model, [[5, seed]], Sampling(choices=choices, temperature=temperature, seed=seed))[0].text
        for seed in range(12)
    }
    assert written <= set(choices)
    assert len(written) > 1


def test_behind_a_special_token_a_choice_may_begin_with_a_space(model: LoadedModel) -> None:
    sampled = [Sampling(choices=("RED", "ROT"), temperature=3.0, seed=seed) for seed in range(30)]
    written = [generate(model, [[5, 1]], sampling)[0] for sampling in sampled]
    assert {text.text for text in written} == {"RED", "ROT"}
    assert {text.tokens[0] == 59 for text in written} == {True, False}


def test_logprobs_are_those_of_the_model(model: LoadedModel) -> None:
    text = generate(model, [PROMPTS[2]], Sampling(max_tokens=4, logprobs=3, temperature=0.8, seed=2))[0]
    assert text.logprobs is not None
    assert [report.token for report in text.logprobs] == list(text.tokens)
    tokens = list(PROMPTS[2])
    for report in text.logprobs:
        logits = NaiveSession(model.decoder, 1, 64).extend([0], [tokens]).logits[0, 0]
        expected = logits.log_softmax(-1)
        assert report.logprob == pytest.approx(float(expected[report.token]), abs=1e-4)
        best = expected.topk(3)
        assert [token for token, _ in report.alternatives] == best.indices.tolist()
        assert [value for _, value in report.alternatives] == pytest.approx(best.values.tolist(), abs=1e-4)
        tokens.append(report.token)


def test_without_the_question_there_are_no_logprobs(model: LoadedModel) -> None:
    assert generate(model, [[5]], Sampling(max_tokens=2))[0].logprobs is None


def test_costs_add_up_to_the_forwards(model: LoadedModel) -> None:
    alone = generate(model, [PROMPTS[0]], Sampling(max_tokens=5, allowed_tokens=(2,)))[0]
    assert alone.traffic.new_tokens == 3 + 4  # the last token is written and never read
    assert alone.traffic.forwards == 5
    together = generate(model, PROMPTS[:2], Sampling(max_tokens=5, allowed_tokens=(2,)))
    total = sum((text.traffic for text in together), Traffic())
    assert total.forwards == 5
    read_anew = (3 + 1 + 2 * 4) * model.decoder.embedding[0].nbytes
    assert total.weight_bytes - read_anew == alone.traffic.weight_bytes - 7 * model.decoder.embedding[0].nbytes


def test_a_cancelled_text_leaves(model: LoadedModel) -> None:
    batch = Batch(model, 1)
    going, waiting = batch.submit([5], Sampling(allowed_tokens=(2,))), batch.submit([6], Sampling(max_tokens=2))
    dropped = batch.submit([7], Sampling())
    batch.step()
    going.cancel()
    dropped.cancel()
    while not batch.is_idle:
        batch.step()
    assert going.result().finish_reason == "cancelled"
    assert len(going.result().tokens) == 1
    assert dropped.result().tokens == ()
    assert waiting.result().tokens == generate(model, [[6]], Sampling(max_tokens=2))[0].tokens
    waiting.cancel()
    assert waiting.result().finish_reason != "cancelled"


@pytest.mark.parametrize(
    ("prompt", "code"),
    [([], "invalid_tokens"), ([60], "invalid_tokens"), ([-1], "invalid_tokens"), ([2] * 64, "prompt_too_long")],
)
def test_prompts_that_cannot_be_continued(model: LoadedModel, prompt: list[int], code: str) -> None:
    with pytest.raises(BadRequest) as caught:
        generate(model, [prompt], Sampling(max_tokens=3))
    assert (caught.value.code, caught.value.param) == (code, "prompt")


def test_compiled_writing_is_the_same(model: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)  # the static step without the compiler
    plain = generate(model, PROMPTS, Sampling(max_tokens=9), num_rows=len(PROMPTS))
    static = generate(model, PROMPTS, Sampling(max_tokens=9), num_rows=len(PROMPTS), compiles=True)
    assert [text.tokens for text in static] == [text.tokens for text in plain]
