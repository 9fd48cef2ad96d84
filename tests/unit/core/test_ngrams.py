"""Hashed features: the same everywhere, of length one, near for near texts."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.ngrams import ngrams


def likeness(first: str, second: str) -> float:
    a, b = ngrams(first, 1 << 12), ngrams(second, 1 << 12)
    return sum(weight * b.get(index, 0.0) for index, weight in a.items())


@given(st.text(max_size=60), st.sampled_from([1, 7, 1 << 12]))
def test_features_are_in_range_and_of_length_one(text: str, num_features: int) -> None:
    found = ngrams(text, num_features)
    assert all(0 <= index < num_features for index in found)
    assert not found or math.isclose(sum(w * w for w in found.values()), 1.0, rel_tol=1e-9)


def test_they_do_not_change() -> None:
    assert sorted(ngrams("It came broken.", 4096))[:3] == FIRST


FIRST = [315, 735, 747]


def test_near_texts_are_near() -> None:
    assert likeness("It came broken", "it came BROKEN") == pytest.approx(1.0)
    assert likeness("the lamp came broken", "the lamps came broken") > 0.7
    assert likeness("pay 17 now", "pay 58 now") > likeness("pay 17 now", "pay 1000 now")
    assert likeness("the lamp came broken", "where is my order") < 0.2


def test_a_text_without_words_has_none() -> None:
    assert ngrams(" \n", 64) == {}
