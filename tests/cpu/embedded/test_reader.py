"""The shipped reader: its tokenizer is the families', and it selects and reads what it was never shown."""

import json
import re
from functools import cache

import pytest

from pointsman.core.asking import LETTERS, NOTHING, Question, Value
from pointsman.core.selecting import FACTS, Row
from pointsman.embedded.families import READING_FAMILIES, draw, draw_all
from pointsman.embedded.packing import encode
from pointsman.embedded.pair import READER, model_folder
from pointsman.embedded.problems import DIFFICULTIES
from pointsman.embedded.reading.form import ReaderForm, rows_text, told_by
from pointsman.embedded.reading.sentences import ARITHMETIC_KINDS, NUMBER, TELLS, TRACKING_KINDS
from pointsman.embedded.recipes import CONTEXT_TOKENS, recipe_for
from pointsman.embedded.vocabulary import build_tokenizer, save_tokenizer
from pointsman.engine import LoadedModel, load_model
from pointsman.engine.reading import Reader
from pointsman.engine.selecting import RowSelector

SPLITS = ("train", "test")


@cache
def model() -> LoadedModel:
    return load_model(str(model_folder(READER)))


def test_the_tokenizer_is_the_one_that_the_families_make(tmp_path_factory: pytest.TempPathFactory) -> None:
    made = tmp_path_factory.mktemp("reader")
    save_tokenizer(made, READER)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert json.loads((made / name).read_text()) == json.loads((model_folder(READER) / name).read_text())


def test_the_model_is_the_recipes() -> None:
    recipe = recipe_for(READER, build_tokenizer(READER).get_vocab_size())
    config = model().config
    assert (config.vocab_size, config.hidden_size, config.num_layers) == (
        recipe.config.vocab_size,
        recipe.config.hidden_size,
        recipe.config.num_layers,
    )
    assert config.context_tokens == CONTEXT_TOKENS
    assert tuple(recipe.families) == tuple(READING_FAMILIES)
    assert sum(parameter.numel() for parameter in model().decoder.parameters()) < 120_000


def test_no_problem_is_longer_than_a_row() -> None:
    tokenizer = build_tokenizer(READER)
    recipe = recipe_for(READER, 1)
    longest = dict.fromkeys(READING_FAMILIES, 0)
    for family in READING_FAMILIES:
        for difficulty in DIFFICULTIES:
            for index in range(40):
                for problem in draw_all(family, difficulty, SPLITS[index % 2], index):
                    length = encode(tokenizer, [problem], 1, recipe.modes).num_tokens
                    longest[family] = max(longest[family], length)
    assert max(longest.values()) <= recipe.row_tokens <= CONTEXT_TOKENS
    assert min(longest.values()) > 40


def test_the_template_asks_for_an_answer_at_once() -> None:
    problem = draw("sentences", 2, "train", 0)
    example = encode(build_tokenizer(READER), [problem], 1, ["direct"])
    messages = [{"role": "user", "content": problem.prompt}]
    asked = model().tokenizer.encode(model().tokenizer.render_chat(messages, add_generation_prompt=True), special=False)
    (question,) = example.questions
    assert tuple(asked) == (*example.story, *question.tokens, question.responses["direct"][0])


# -- what it learned --------------------------------------------------------------------------------------------------


def rows_of(story: str) -> list[Row]:
    rows: dict[str, list[tuple[int, bool]]] = {}
    for name, word, letter in re.findall(r"(\w) (yes|no) (\w)(?=[,;]|$)", story):
        rows.setdefault(letter, []).append((FACTS.index(name), word == "yes"))
    return [tuple(row) for row in rows.values()]


def test_it_selects_rows_of_random_tables() -> None:
    selector, num_right = RowSelector(model(), "reader", ReaderForm()), 0
    for index in range(200):
        problem = draw("routing", index % 8 + 1, "test", f"shipped/{index}")
        rows = rows_of(problem.story)
        assert rows_text(rows) == problem.story
        selection = selector.select(rows, problem.question)
        num_right += LETTERS[selection.row] == problem.answer
        assert 1 / len(rows) <= selection.confidence <= 1
    assert num_right >= 199


def as_question(asked: str) -> Question:
    """The question as a program puts it to the reader."""
    if asked == TELLS:
        return Question("choose", asked, "option", (*ARITHMETIC_KINDS, *TRACKING_KINDS))
    return Question("extract", asked, "int" if asked == NUMBER else "span")


def told(question: Question, value: Value) -> str:
    return NOTHING if value is None else told_by(str(value)) if question.type == "option" else str(value)


def test_it_reads_sentences_in_wordings_that_it_never_saw() -> None:
    reader, asked, expected = Reader(model(), "reader", form=ReaderForm()), [], []
    for index in range(100):
        for problem in draw_all("sentences", index % 8 + 1, "test", f"shipped/{index}"):
            if not problem.question.endswith(", last word?"):
                asked.append((as_question(problem.question.removesuffix("?")), problem.story))
                expected.append(problem.answer)
    replies = reader.answer(asked)
    found = [told(question, reply.value) for (question, _), reply in zip(asked, replies, strict=True)]
    assert len({question.type for question, _ in asked}) == 3
    assert sum(map(str.__eq__, found, expected)) >= 0.99 * len(asked)
    alone = [reader.answer([pair])[0].value for pair in asked[:20]]
    assert alone == [reply.value for reply in replies[:20]]
