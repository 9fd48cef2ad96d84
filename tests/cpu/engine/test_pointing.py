"""Copied values: the best of what a text has, by one forward where candidates begin differently."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pointsman.core.asking import NOTHING, Question
from pointsman.embedded.pair import READER, model_folder
from pointsman.embedded.reading.form import ReaderForm
from pointsman.engine import LoadedModel, load_model
from pointsman.engine.forms import LetteredForm, prompt_tokens
from pointsman.engine.pointing import Pointer, _stated
from pointsman.engine.reading import Reader

NUMBER, PART = Question("extract", "the number", "int"), Question("extract", "the part", "span")
SHARE = Question("extract", "the share", "float")


class Copying(LetteredForm):
    """The common form, with a question for the last word."""

    is_lettered = False

    def last_word(self, question: Question, text: str) -> str | None:
        return f"{text}\n\nWhat is the last word of {question.wording}?"


@pytest.fixture(params=range(3))
def model(request: pytest.FixtureRequest, chat_folder: Callable[..., Path]) -> LoadedModel:
    return load_model(str(chat_folder(f"m{request.param}", seed=request.param, eos_tokens=(94,))), dtype="float32")


@torch.inference_mode()
def likeliest(model: LoadedModel, question: Question, text: str, candidates: list[str]) -> str:
    """Token by token over the tree of candidates, each step a forward over everything."""
    prompt = prompt_tokens(model, Copying().extraction(question, text))
    ways = {one: [*model.tokenizer.encode_plain(one), 94] for one in candidates}
    known: list[int] = []
    while len(ways) > 1:
        logits = model.session(1, 500).extend([0], [[*prompt, *known]]).logits[0, 0]
        known.append(max({way[len(known)] for way in ways.values()}, key=lambda token: float(logits[token])))
        ways = {one: way for one, way in ways.items() if way[: len(known)] == known}
    return next(iter(ways))


@pytest.mark.parametrize("text", ["12 of 15 came, 17 left", "7 alone", "from 105 to 1052 and 3"])
def test_a_number_is_the_likeliest_that_the_text_has(model: LoadedModel, text: str) -> None:
    import re

    stated = re.findall(r"\d+", text)
    expected = likeliest(model, NUMBER, text, [*stated, *(f"-{one}" for one in stated), NOTHING])
    (found,) = Pointer(model, Copying()).values([(NUMBER, text)])
    assert found is not None
    assert found.value == (None if expected == NOTHING else int(expected))
    assert 0 < found.confidence <= 1


@pytest.mark.parametrize("text", ["2.5 of 7 and 2.75", "no share at all"])
def test_a_share_is_one_of_the_text(model: LoadedModel, text: str) -> None:
    (found,) = Pointer(model, Copying()).values([(SHARE, text)])
    assert found is not None
    assert found.value is None or str(abs(float(found.value))).removesuffix(".0") in text


def test_words_are_a_part_of_the_text_or_left_open(model: LoadedModel) -> None:
    texts = ["the red bus left early", "a b a b", "one", "", "say (this), please.", "e f g h i j k l m n o"]
    for text, found in zip(texts, Pointer(model, Copying()).values([(PART, text) for text in texts]), strict=True):
        if found is not None and found.value is not None:
            assert str(found.value) in text
            assert found.num_written == 0 or found.traffic.moved_bytes > 0


def test_a_batch_is_what_one_by_one_is(model: LoadedModel) -> None:
    asked = [(NUMBER, "12 of 15 came"), (PART, "the red bus left"), (SHARE, "2.5 of 7"), (NUMBER, "none here")]
    pointer = Pointer(model, Copying())
    for together, pair in zip(pointer.values(asked), asked, strict=True):
        (alone,) = pointer.values([pair])
        assert (together and together.value) == (alone and alone.value)


def test_dates_and_options_are_not_copied(model: LoadedModel) -> None:
    date = Question("extract", "the day", "date")
    colour = Question("extract", "the colour", "option", ("red", "blue"))
    assert Pointer(model, Copying()).values([(date, "on 2026-03-01"), (colour, "red")]) == [None, None]


def stated(question: Question, text: str) -> list[str]:
    found = _stated(question, text)
    return [told for _, told in found[: len(found) // 2]]


@pytest.mark.parametrize(
    ("text", "integers", "numbers"),
    [
        ("4 of -17 at 12.", ["4", "-17", "12"], ["4", "-17", "12"]),
        ("12.5 or 3", ["3"], ["12.5", "3"]),
        ("from 3-4, on 2026-03-01", ["3", "4", "2026", "03", "01"], ["3", "4", "2026", "03", "01"]),
        ("version 1.2.3", [], []),
        ("9" * 5_000, [], []),
        ("a 5 " + "1" * 18, ["5", "1" * 18], ["5"]),
        ("", [], []),
    ],
)
def test_numbers_are_whole_ones(text: str, integers: list[str], numbers: list[str]) -> None:
    assert stated(NUMBER, text) == integers
    assert stated(SHARE, text) == numbers


@pytest.mark.parametrize("text", ["", " ", "...", "none", "a\x00b", "<direct> yes<end>", "9" * 300, "\u0663 \u2028 x"])
def test_any_text_can_be_asked_about(text: str) -> None:
    reader = Reader(load_model(str(model_folder(READER))), "reader", form=ReaderForm())
    asked = [Question("extract", "the words", "span"), NUMBER, SHARE, Question("judge", "it is late", "bool")]
    for question, reply in zip(asked, reader.answer([(question, text) for question in asked]), strict=True):
        assert question.admits(reply.value)
        assert question.type != "span" or reply.value is None or str(reply.value) in text


def test_a_blank_option_is_none_that_a_word_tells() -> None:
    reader = Reader(load_model(str(model_folder(READER))), "reader", form=ReaderForm())
    for blank in ("", "  "):
        assert not reader.knows(Question("choose", "what", "option", (blank, "count")))
    assert reader.knows(Question("choose", "what", "option", ("more", "count")))
