"""Prompt tokens from the text's length, and intervals from similar rows."""

from dataclasses import replace

import numpy as np
import pytest

from pointsman.query.forecasting import Forecasts
from pointsman.query.outcomes import Outcomes, TableArm
from pointsman.query.prompts import fit_prompt_lengths
from pointsman.query.seen import SeenRows, digest_of


def table(tokens: np.ndarray, texts: list[str]) -> Outcomes:
    num_rows, num_arms = tokens.shape
    right = np.tile((np.arange(num_rows) % 2).astype(np.float64)[:, None], num_arms)
    unknown = np.full(tokens.shape, np.nan)
    arms = tuple(TableArm(f"arm{a}", f"arm{a}") for a in range(num_arms))
    ids = tuple(map(str, range(num_rows)))
    kinds, nothing = ("",) * num_rows, np.full(tokens.shape, -1)
    return Outcomes(ids, tuple(texts), kinds, arms, right, tokens + 1, tokens, unknown, nothing, unknown)


TEXTS = ["é" * n for n in range(1, 101)]  # of two bytes each


def test_a_line_over_bytes() -> None:
    sizes = np.arange(2, 202, 2.0)
    noise = np.random.default_rng(0).normal(0, 1, 100)
    found = fit_prompt_lengths(table(np.column_stack([20 + sizes / 4, 10 + sizes / 2 + noise]), TEXTS))
    assert found is not None
    assert found.base == pytest.approx([20, 10], abs=1)
    assert found.per_byte == pytest.approx([0.25, 0.5], abs=0.01)
    assert found.error[0] == pytest.approx(0, abs=1e-9)
    assert 0.005 < found.error[1] < 0.03
    assert found.estimate("é" * 50) == pytest.approx([45, 60], abs=1)
    both = found.plus(found)
    assert len(both.estimate("x")) == 4


def test_lines_are_never_negative() -> None:
    sizes = np.arange(2, 202, 2.0)
    found = fit_prompt_lengths(table(np.column_stack([np.maximum(sizes - 60, 1), 300 - sizes]), TEXTS))
    assert found is not None
    assert found.base == [0, 0]
    assert min(found.per_byte) > 0
    assert (found.estimate("") >= 0).all()


def test_unknown_lengths_and_texts() -> None:
    tokens = np.ones((100, 1))
    assert fit_prompt_lengths(table(tokens, [""] * 100)) is None
    tokens[3] = np.nan
    assert fit_prompt_lengths(table(tokens, TEXTS)) is None


def test_intervals_hold_what_similar_rows_did() -> None:
    held = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        chance = rng.random((2000, 1))
        right = (rng.random((2000, 1)) < chance).astype(np.float64)
        known = replace(table(np.ones((2000, 1)), ["x"] * 2000), right=right)
        seen = SeenRows.of(known, Forecasts(chance, np.ones((2000, 1)), np.zeros(2000)))
        for forecast in (0.1, 0.5, 0.9):
            found = seen.interval(0, forecast)
            assert found is not None
            low, high, count = found
            assert (high - low < 0.25, count) == (True, 200)
            held.append(low < forecast < high)
    assert np.mean(held) >= 0.9


def test_the_digest_is_of_all_that_was_learned_from() -> None:
    known = table(np.ones((100, 1)), TEXTS)
    others = [
        replace(known, texts=("a", *known.texts[1:])),
        replace(known, ids=("a", *known.ids[1:])),
        replace(known, right=1 - known.right),
        replace(known, nano_usd=known.nano_usd + 1),
        replace(known, arms=(TableArm("b", "b"),)),
    ]
    assert len({digest_of(known), *map(digest_of, others)}) == 6
    assert digest_of(table(np.ones((100, 1)), TEXTS)) == digest_of(known)
