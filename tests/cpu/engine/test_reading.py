"""A model that answers questions: choices are a softmax over letters, values keep to their type."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pointsman.core import Unsupported
from pointsman.core.asking import Question
from pointsman.engine import LoadedModel, load_model
from pointsman.engine.forms import LetteredForm
from pointsman.engine.reading import Reader
from pointsman.engine.tokenizer import TextTokenizer

LATE = Question("judge", "it is late", "bool")
COLOUR = Question("choose", "the colour", "option", ("red", "green", "blue"))
TEXTS = ["It is past nine and the red bus left.", "Nobody came. 17 of 30 wanted 2.5 more by 2026-03-01.", "x"]
VALUES = [
    Question("extract", "the number", "int"),
    Question("extract", "the share", "float"),
    Question("extract", "the day", "date"),
    Question("extract", "the words", "span"),
    Question("extract", "the colour", "option", ("red", "green", "blue")),
]


@pytest.fixture
def model(chat_folder: Callable[..., Path]) -> LoadedModel:
    return load_model(str(chat_folder(eos_tokens=(94,))), dtype="float32")


@torch.inference_mode()
def letter_logits(model: LoadedModel, question: Question, options: tuple[str, ...], text: str) -> torch.Tensor:
    """By one forward over the whole prompt, without a cache."""
    content = LetteredForm().choice(question, options, text)
    rendered = model.tokenizer.render_chat([{"role": "user", "content": content}], add_generation_prompt=True)
    session = model.session(1, 500)
    logits = session.extend([0], [model.tokenizer.encode(rendered, special=False)]).logits[0, 0]
    letters = [model.tokenizer.encode_plain(letter)[0] for letter in "ABC"[: len(options)]]
    return logits[letters].log_softmax(0)


@pytest.mark.parametrize("text", TEXTS)
def test_a_choice_is_a_softmax_over_letters_without_their_own_weight(model: LoadedModel, text: str) -> None:
    (reply,) = Reader(model, "tiny", close=0).answer([(COLOUR, text)])
    scores = letter_logits(model, COLOUR, COLOUR.options, text) - letter_logits(model, COLOUR, COLOUR.options, "N/A")
    chances = scores.softmax(0)
    assert reply.value == COLOUR.options[int(chances.argmax())]
    assert reply.confidence == pytest.approx(float(chances.max()), abs=1e-5)
    assert reply.rung == "tiny"
    assert reply.cost.prompt_tokens > len(text)
    assert reply.cost.moved_bytes > 0


def test_a_judgement_is_a_choice_of_yes_and_no(model: LoadedModel) -> None:
    replies = Reader(model, "tiny", close=0).answer([(LATE, text) for text in TEXTS])
    for text, reply in zip(TEXTS, replies, strict=True):
        scores = letter_logits(model, LATE, ("yes", "no"), text) - letter_logits(model, LATE, ("yes", "no"), "N/A")
        assert reply.value is bool(scores[0] >= scores[1])


def test_a_batch_answers_what_one_by_one_answers(model: LoadedModel) -> None:
    asked = [(question, text) for text in TEXTS for question in (LATE, COLOUR, VALUES[0])]
    together, alone = Reader(model, "tiny"), Reader(model, "tiny")
    for reply, pair in zip(together.answer(asked), asked, strict=True):
        (single,) = alone.answer([pair])
        assert reply.value == single.value
        assert reply.confidence == pytest.approx(single.confidence, abs=1e-4)


def test_of_close_options_every_order_is_asked_for(model: LoadedModel) -> None:
    turned = replace(COLOUR, options=("green", "blue", "red"))
    reader = Reader(model, "tiny", close=1.1)
    for text in TEXTS:
        first, second = reader.answer([(COLOUR, text), (turned, text)])
        assert first.value == second.value
        assert first.confidence == pytest.approx(second.confidence, abs=1e-5)
    (once,) = Reader(model, "tiny", close=0).answer([(COLOUR, TEXTS[0])])
    (often,) = reader.answer([(COLOUR, TEXTS[0])])
    assert often.cost.prompt_tokens > 2.5 * once.cost.prompt_tokens


def test_without_a_text_no_option_is_likelier(model: LoadedModel) -> None:
    (reply,) = Reader(model, "tiny", close=0).answer([(COLOUR, "N/A")])
    assert reply.confidence == pytest.approx(1 / 3, abs=1e-5)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("question", VALUES, ids=lambda question: question.type)
def test_values_keep_to_their_type(chat_folder: Callable[..., Path], question: Question, seed: int) -> None:
    model = load_model(str(chat_folder(f"m{seed}", seed=seed, eos_tokens=(94,))), dtype="float32")
    for reply, text in zip(Reader(model, "tiny").answer([(question, text) for text in TEXTS]), TEXTS, strict=True):
        assert question.admits(reply.value)
        assert 0 < reply.confidence <= 1
        if question.type == "span" and reply.value is not None:
            assert str(reply.value) in text


def test_what_a_model_cannot_do_is_said(model: LoadedModel, letters: TextTokenizer) -> None:
    many = replace(COLOUR, options=tuple(f"option {number}" for number in range(27)))
    reader = Reader(model, "tiny")
    assert not reader.knows(many)
    with pytest.raises(Unsupported, match="27 options") as caught:
        reader.answer([(many, "x")])
    assert caught.value.code == "too_many_options"
    plain = Reader(replace(model, tokenizer=letters), "tiny", form=_Capitals())
    with pytest.raises(Unsupported, match="are not single tokens") as caught:
        plain.answer([(LATE, "X")])
    assert caught.value.code == "no_letters"
    with pytest.raises(Unsupported, match=r"tokenizer\.json") as caught:
        plain.answer([(VALUES[0], "X")])
    assert caught.value.code == "no_grammar"


class _Capitals(LetteredForm):
    """For a tokenizer of letters only."""

    def choice(self, question: Question, options: object, text: str) -> str:
        return "ASK"

    def extraction(self, question: Question, text: str) -> str:
        return "ASK"
