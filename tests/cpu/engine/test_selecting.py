"""A model that selects rows: what it kept of the rows changes nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pointsman.core import OverBudget
from pointsman.core.selecting import Row, rows_text, state_text
from pointsman.embedded.pair import READER, model_folder
from pointsman.embedded.reading.form import ReaderForm
from pointsman.engine import LoadedModel, load_model
from pointsman.engine.forms import LetteredForm, answer_tokens, prompt_tokens, selection_tokens
from pointsman.engine.selecting import RowSelector

TWO: tuple[Row, ...] = (((0, False),), ((0, True),))
THREE: tuple[Row, ...] = (((0, False),), ((0, True), (1, False)), ((0, True), (1, True)))
STATES = ["Now 5, 24; A 24; B 4, 120; p yes.", "Now [80], large; A ?; B none; p no.", "Now none; p no, q yes."]


@pytest.fixture
def model(chat_folder: Callable[..., Path]) -> LoadedModel:
    return load_model(str(chat_folder(eos_tokens=(94,))), dtype="float32")


@torch.inference_mode()
def chances(model: LoadedModel, rows: tuple[Row, ...], state: str) -> torch.Tensor:
    """By one forward over the whole prompt."""
    tokens = prompt_tokens(model, LetteredForm().selection(rows, state))
    logits = model.session(1, 500).extend([0], [tokens]).logits[0, 0]
    return logits[answer_tokens(model, LetteredForm(), "ABCD"[: len(rows)])].float().softmax(0)


def test_a_prompt_is_cut_where_the_state_begins(model: LoadedModel) -> None:
    head, before, after = selection_tokens(model, LetteredForm(), TWO)
    whole = prompt_tokens(model, LetteredForm().selection(TWO, STATES[0]))
    assert [*head, *model.tokenizer.encode_plain(before + STATES[0] + after)] == whole
    assert rows_text(TWO) in model.tokenizer.decode(head)


@pytest.mark.parametrize("rows", [TWO, THREE])
def test_a_selection_is_that_of_the_whole_prompt(model: LoadedModel, rows: tuple[Row, ...]) -> None:
    selector = RowSelector(model, "tiny")
    for state in [*STATES, *STATES]:  # the second time from what was kept
        found = selector.select(rows, state)
        expected = chances(model, rows, state)
        assert found.row == int(expected.argmax())
        assert found.confidence == pytest.approx(float(expected.max()), abs=1e-4)


def test_only_the_state_is_read_again(model: LoadedModel) -> None:
    selector = RowSelector(model, "tiny")
    first, second = (selector.select(TWO, STATES[0]).cost for _ in range(2))
    assert first.prompt_tokens == second.prompt_tokens
    assert second.prompt_tokens < len(prompt_tokens(model, LetteredForm().selection(TWO, STATES[0])))
    assert second.moved_bytes > 0


def test_tables_that_are_forgotten_are_read_again(model: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    from pointsman.engine import selecting

    monkeypatch.setattr(selecting, "_TABLES_KEPT", 1)
    selector = RowSelector(model, "tiny")
    found = [selector.select(rows, STATES[0]) for rows in (TWO, THREE, TWO)]
    assert found[0].row == found[2].row
    assert found[0].confidence == pytest.approx(found[2].confidence, abs=1e-5)


def test_a_state_that_is_too_long_leaves_nothing_behind(model: LoadedModel, chat_folder: Callable[..., Path]) -> None:
    head, before, after = selection_tokens(model, LetteredForm(), THREE)
    room = len(before) + len(after) + 40
    narrow = chat_folder("narrow", context_tokens=len(head) + room, eos_tokens=(94,))
    selector = RowSelector(load_model(str(narrow), dtype="float32"), "narrow")
    found = [selector.select(THREE, state).confidence for state in STATES[:2]]
    for length in (room, 600):  # read in pieces, of which the first ones fit, and at once
        with pytest.raises(OverBudget):
            selector.select(THREE, "9" * length)
    assert [selector.select(THREE, state).confidence for state in STATES[:2]] == pytest.approx(found, abs=1e-6)


def test_the_longest_state_that_is_shown_can_be_read() -> None:
    selector = RowSelector(load_model(str(model_folder(READER))), "reader", ReaderForm())
    rows: list[Row] = [((p, a), (1 + p, b)) for p, a in ((0, False), (1, True)) for b in (False, True)]
    value = "-0.0001234"
    state = state_text([value] * 9, [[value] * 9] * 4, {0: True, 1: False, 2: True})
    assert selector.select(rows, state).row in range(4)
