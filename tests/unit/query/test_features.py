"""Hashed n-grams against their slow twin."""

import hashlib

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pointsman.query import features
from pointsman.query.features import NUM_NGRAMS, features_of, hashed_ngrams, slow_ngrams
from pointsman.query.surface import surface_of

# every code point, lone surrogates too, and often enough the bytes at which words end
TEXTS = st.text(st.characters() | st.characters(categories=["Cs"]) | st.sampled_from(" \t\n09azAZ_.?é漢"), max_size=60)
LONG = "Reis & Bohnen 12.5 kg? " * 400  # 9,200 bytes, more than twice of what is kept


@pytest.fixture(scope="module", autouse=True)
def _loops_are_compiled() -> None:
    """Before deadlines count."""
    features_of(["any"])


def assert_twins_agree(text: str) -> None:
    index, counts = hashed_ngrams(text)
    slow = slow_ngrams(text)
    assert index.tolist() == sorted(slow)
    np.testing.assert_allclose(counts, [slow[bucket] for bucket in index.tolist()], rtol=1e-6)


@given(TEXTS)
@example("")
@example(" ")
@example(" \n\t ")
@example("a")
@example("ab")
@example("abc")
@example("\ud800")
@example("a\udfff1 \ud800\ud800")
@example("İstanbul ẞ")  # lower case is longer
@example("a" * 300)
def test_hashed_ngrams_are_those_of_the_slow_twin(text: str) -> None:
    assert_twins_agree(text)


@settings(deadline=None)  # of a text so long the slow twin takes what a busy machine makes of it
@given(TEXTS, st.integers(1_000, 2_500), TEXTS)
def test_twins_agree_on_texts_longer_than_what_is_kept(start: str, repeated: int, end: str) -> None:
    assert_twins_agree(start + "été x1 " * repeated + end)


@pytest.mark.parametrize("size", range(3_998, 4_003))
def test_twins_agree_where_the_window_ends(size: int) -> None:
    assert_twins_agree((LONG * 2)[:size])


@given(TEXTS)
@example(LONG)
def test_numpy_finds_what_the_loops_find(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features, "compiled", lambda _: None)
        index, counts = hashed_ngrams(text)
    found = hashed_ngrams(text)
    assert index.tolist() == found[0].tolist()
    assert counts.tolist() == found[1].tolist()


def test_of_a_long_text_the_middle_is_not_read_but_the_question_is() -> None:
    other = LONG[:4_000] + "completely different words" + LONG[4_000:]
    assert np.array_equal(hashed_ngrams(LONG)[0], hashed_ngrams(other)[0])
    asked = LONG + "Who sings?"
    assert not np.array_equal(hashed_ngrams(LONG)[0], hashed_ngrams(asked)[0])


def test_hashes_are_the_same_in_every_process_and_version() -> None:
    """Weights that were stored would mean nothing if this changed: give stored forecasters another version then."""
    index, _ = hashed_ngrams("How many apples are 12 + 7? ÄÖ 漢字 \ud800")
    digest = hashlib.sha256(index.astype("<i8").tobytes()).hexdigest()
    assert digest == "63674751e4f0dce484da7f9f3f48219f6047cf04135f38ac20931634373ec58f"


def test_case_does_not_count_and_words_do() -> None:
    assert np.array_equal(hashed_ngrams("SORT these")[0], hashed_ngrams("sort THESE")[0])
    assert set(hashed_ngrams("these")[0]) < set(hashed_ngrams("sort these")[0])
    assert set(hashed_ngrams("sort these")[0]) != set(hashed_ngrams("these sort")[0])  # pairs have an order


def test_words_and_runs_of_bytes_have_halves_of_their_own() -> None:
    index, _ = hashed_ngrams("a")  # one word, no run of three
    assert len(index) == 1
    assert index[0] < NUM_NGRAMS // 2
    index, _ = hashed_ngrams("abcd")  # one word, two runs of three and one of four
    assert sum(index >= NUM_NGRAMS // 2) == 3


def test_counts_are_one_and_a_logarithm() -> None:
    _, counts = hashed_ngrams("a a a")
    assert sorted(counts.tolist())[-1] == pytest.approx(1 + np.log(3))


@given(st.lists(TEXTS, max_size=4))
def test_features_of_several_are_those_of_each(texts: list[str]) -> None:
    together = features_of(texts)
    assert len(together) == len(texts)
    assert together.ngrams.shape == (len(texts), NUM_NGRAMS)
    assert together.extra.shape == (len(texts), 0)
    for row, text in enumerate(texts):
        index, counts = hashed_ngrams(text)
        found = together.ngrams[row]
        assert found.indices.tolist() == index.tolist()
        assert found.data.tolist() == counts.tolist()
        assert np.array_equal(together.surface[row], surface_of(text))


def test_rows_of_features_stand_in_the_order_asked_for() -> None:
    extra = np.arange(6, dtype=np.float32).reshape(3, 2)
    found = features_of(["one", "two", "three"], extra).rows([2, 0])
    wanted = features_of(["three", "one"], extra[[2, 0]])
    assert np.array_equal(found.ngrams.toarray(), wanted.ngrams.toarray())
    assert np.array_equal(found.surface, wanted.surface)
    assert np.array_equal(found.extra, wanted.extra)
