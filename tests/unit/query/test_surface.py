"""What the surface says of a text, by hand; and compiled counts against regular expressions."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pointsman.query import scanning
from pointsman.query.scanning import KEYWORDS, automaton, num_words
from pointsman.query.surface import HEAD, SURFACE, TAIL, plain_counts, scanned_counts, surface_of

TEXTS = st.text(st.characters() | st.characters(categories=["Cs"]) | st.sampled_from(" \t\n09azAZ_.?é漢"), max_size=60)
LONG = "Reis & Bohnen 12.5 kg? " * 400
PIECES = (
    *("A) ", "(b) ", "(c", "1. ", "9)", "\n", "\n\n", " ", "\t", "\r", "\x1c", "{", "}", ";", "; \n", "=", "==", "=>"),
    *(
        "===>",
        "_",
        "int ",
        "_int",
        "printf",
        "Def",
        "12.5",
        "7.",
        "..3",
        ".5.6.7",
        "examplexample",
        "How many",
        "this ",
    ),
    *("longer_than_that", "ab", "ba", "?", "!", ".", "\x00", "\x7f", *KEYWORDS),
)
ASCII = st.lists(st.sampled_from(PIECES) | st.text(st.characters(max_codepoint=127), max_size=3)).map("".join)


@pytest.fixture(scope="module", autouse=True)
def _loops_are_compiled() -> None:
    """Before deadlines count."""
    surface_of("any " * HEAD)


def counts_of(text: str) -> list[int]:
    found = scanned_counts(np.frombuffer(text.encode("ascii"), dtype=np.uint8))
    assert found is not None  # the fast path is what runs
    return found.tolist()


@given(ASCII, st.integers(1, 40))
@example("", 1)
@example("=", 1)
@example("===>;", 1)
@example("A) \n B. \n\n\t(c) x\n(d)", 1)
@example("; \x1f\n}\t", 1)
@example("examplexample xexample", 3)
@example("intint int.int _int int", 1)
@example("a b", 1000)
def test_loops_count_what_regular_expressions_do(text: str, times: int) -> None:
    pytest.importorskip("numba")
    text = (text * times)[: HEAD + TAIL]
    assert counts_of(text) == plain_counts(text).tolist()


@given(ASCII | TEXTS)
@example("\x85 a\x1c\u3000b ")
def test_words_of_a_long_text_are_counted_as_it_splits(text: str) -> None:
    assert num_words(text) == len(text.split())


def test_a_thousand_words_share_slots_and_are_told_apart() -> None:
    """Some twenty pairs of 600 words fall on one of 8,192 slots."""
    pytest.importorskip("numba")
    text = " ".join(f"{number % 600:03d}" for number in range(1_000))
    assert counts_of(text)[:4] == [1_000, 600, 3_000, 0]


def test_without_numba_regular_expressions_count(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = surface_of(LONG)
    monkeypatch.setattr(scanning, "compiled", lambda _: None)
    assert scanned_counts(np.zeros(3, dtype=np.uint8)) is None
    assert np.array_equal(surface_of(LONG), wanted)


def test_phrases_of_which_one_ends_the_other_are_refused() -> None:
    with pytest.raises(AssertionError, match="two phrases end"):
        automaton(["within", "thin"], ignores_case=False)


@given(TEXTS)
@example(LONG)
def test_a_surface_has_every_name_and_is_finite(text: str) -> None:
    found = surface_of(text)
    assert found.shape == (len(SURFACE),)
    assert np.isfinite(found).all()
    assert (found >= 0).all()


def named(text: str) -> dict[str, float]:
    return dict(zip(SURFACE, surface_of(text).tolist(), strict=True))


def test_surface_features_by_hand() -> None:
    found = named("How many are 12 + 7.25?\n\nA) 3\nB) 19, or (ab)")
    assert found["bytes"] == pytest.approx(np.log1p(44))
    assert found["words"] == pytest.approx(np.log1p(12))
    assert found["lines"] == pytest.approx(np.log1p(4))
    assert found["paragraphs"] == pytest.approx(np.log1p(2))
    assert found["numbers"] == pytest.approx(np.log1p(4))  # 12, 7.25, 3, 19
    assert found["longest_number"] == pytest.approx(np.log1p(4))
    assert found["mean_digits"] == pytest.approx(np.log1p((2 + 4 + 1 + 2) / 4))
    assert found["options"] == pytest.approx(np.log1p(2))
    assert found["question_ends"] == 0.0
    assert found["questions"] == pytest.approx(np.log1p(1))
    assert found["commas"] == pytest.approx(np.log1p(1))
    assert found["brackets"] == pytest.approx(np.log1p(4))
    assert found["operators"] == pytest.approx(np.log1p(1))
    assert found["upper"] == pytest.approx(3 / 44)
    assert found["digits"] == pytest.approx(8 / 44)
    assert found["says_how_many"] == pytest.approx(np.log1p(1))
    assert found["says_calculate"] == 0.0
    assert named("Who sings? ")["question_ends"] == pytest.approx(np.log1p(1))


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("это", "cyrillic"),
        ("שלום", "semitic"),
        ("नमस्ते", "indic"),
        ("かな", "kana"),
        ("漢字", "han"),
        ("한글", "hangul"),
    ],
)
def test_scripts_are_told_apart(text: str, script: str) -> None:
    found = named(text)
    assert {name for name in SURFACE if name.startswith("script_") and found[name] > 0} == {f"script_{script}"}
    assert found[f"script_{script}"] == 1.0


def test_code_is_seen() -> None:
    assert named("def f(x):\n    return x")["code"] > 0
    assert named("the default is fine")["code"] == 0.0
