"""The pair's tokenizer."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.core import BadRequest
from pointsman.embedded.families import FAMILIES, draw
from pointsman.embedded.packing import encode
from pointsman.embedded.problems import DIFFICULTIES, MODES
from pointsman.embedded.recipes import CONTEXT_TOKENS, recipe_for
from pointsman.embedded.vocabulary import SPECIALS, build_tokenizer, save_tokenizer
from pointsman.embedded.wording import ENDINGS, ONSETS, TOWN_ENDINGS
from pointsman.engine.tokenizer import JsonTokenizer, read_tokenizer

TOKENIZER = build_tokenizer("large")


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> JsonTokenizer:
    folder: Path = tmp_path_factory.mktemp("tokenizer")
    save_tokenizer(folder, "large")
    return read_tokenizer(folder)


@settings(max_examples=200)
@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=60))
def test_every_text_comes_back(text: str) -> None:
    if not any(special in text for special in SPECIALS):
        assert TOKENIZER.decode(TOKENIZER.encode(text).ids) == text


def test_a_name_is_two_tokens_and_a_digit_one() -> None:
    for onset in ONSETS:
        for ending in (*ENDINGS, *TOWN_ENDINGS):
            assert TOKENIZER.encode(f" {onset}{ending}").tokens == [f"Ġ{onset}", ending]
    assert TOKENIZER.encode(" 407").tokens == ["Ġ4", "0", "7"]


@pytest.mark.parametrize("family", FAMILIES)
def test_words_of_the_families_are_one_token_each(family: str) -> None:
    for difficulty in DIFFICULTIES:
        for index in range(20):
            for split in ("train", "test"):
                tokens = TOKENIZER.encode(f" {draw(family, difficulty, split, index).prompt}").tokens
                spelled = [token for token in tokens if len(token) == 1 and token.isalpha() and token.islower()]
                assert spelled in ([], *[[letter] * len(spelled) for letter in "xyno"]), tokens


def test_the_template_writes_what_training_saw(loaded: JsonTokenizer) -> None:
    problem = draw("arithmetic", 2, "train", 0)
    example = encode(TOKENIZER, [problem], 1)
    (question,) = example.questions
    prompt = (*example.story, *question.tokens)
    for mode, response in zip(MODES, question.responses.values(), strict=True):
        messages = [{"role": "user", "content": problem.prompt}]
        asked = loaded.encode(loaded.render_chat(messages, mode=mode, add_generation_prompt=True), special=False)
        assert tuple(asked) == (*prompt, response[0])
        messages.append({"role": "assistant", "content": problem.response(mode).strip()})
        whole = loaded.render_chat(messages, add_generation_prompt=False)
        assert tuple(loaded.encode(whole, special=False)) == (*prompt, *response)


def test_a_foreign_role_is_refused(loaded: JsonTokenizer) -> None:
    with pytest.raises(BadRequest, match="user and assistant, not tool"):
        loaded.render_chat([{"role": "tool", "content": "x"}])


def test_the_end_token_is_the_models(loaded: JsonTokenizer) -> None:
    config = recipe_for("small", loaded.vocab_size).config
    assert loaded.eos_tokens == config.eos_tokens
    assert config.vocab_size == loaded.vocab_size


def test_the_longest_problem_fits_the_rows_and_the_context() -> None:
    longest = 0
    for split in ("train", "test"):
        for family in FAMILIES:
            for index in range(150):
                longest = max(longest, encode(TOKENIZER, [draw(family, 8, split, index)], 1).num_tokens)
    assert longest <= recipe_for("large", 1).row_tokens <= CONTEXT_TOKENS


def test_an_answer_begins_without_the_space_that_the_tokenizer_puts_there(loaded: JsonTokenizer) -> None:
    (steps,) = loaded.encode("<steps>", special=False)
    (word,) = loaded.encode(" Friday", special=False)
    assert loaded.stream(after=steps).push(word) == "Friday"
    assert loaded.stream(after=word).push(word) == " Friday"
