"""Choices as trees of tokens."""

import pytest

from pointsman.core import BadRequest
from pointsman.engine.choices import ChoiceTree


def spell(text: str) -> list[int]:
    return [ord(letter) for letter in text]


def test_only_the_choices_can_be_written() -> None:
    tree = ChoiceTree(["yes", "yet", "no"], spell, [])
    assert sorted(tree.allowed([])) == sorted(spell("yn"))
    assert sorted(tree.allowed(spell("ye"))) == sorted(spell("st"))
    assert tree.allowed(spell("no")) == ()
    assert tree.allowed(spell("xx")) == ()


def test_a_choice_that_begins_another_may_end() -> None:
    tree = ChoiceTree(["a", "ab"], spell, [7])
    assert set(tree.allowed(spell("a"))) == {ord("b"), 7}
    assert tree.allowed(spell("ab")) == ()


def test_without_an_end_token_no_choice_may_begin_another() -> None:
    with pytest.raises(BadRequest, match="begins another"):
        ChoiceTree(["a", "ab"], spell, [])
