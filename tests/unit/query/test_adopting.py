"""Looks on rows that they were not learned on; which looks are adopted is in `test_sequences.py`."""

from dataclasses import replace

import numpy as np
import pytest

from pointsman.query.adopting import fit_sequences, held_out_curve, learned_on_others
from pointsman.query.forecasting import Forecasts
from pointsman.query.frontier import gap_closed
from pointsman.query.outcomes import Outcomes
from pointsman.query.sequences import Sequences


@pytest.fixture
def table(tables) -> Outcomes:
    """Two cheap arms that give the same answer exactly if both are right, and one that is nearly always right."""
    rng = np.random.default_rng(0)
    easy = rng.random(300) < 0.5
    right = np.column_stack([easy, easy, rng.random(300) < 0.97]).astype(float)
    answers = np.column_stack([np.zeros(300), np.where(easy, 0, 1), np.where(right[:, 2], 0, 2)]).astype(np.int64)
    return tables.outcomes_of(right, [1.0, 1.5, 30.0], answers=answers)


@pytest.fixture
def forecasts(tables, table: Outcomes) -> Forecasts:
    return tables.forecasts_of(np.tile(table.right.mean(0), (len(table), 1)), table.nano_usd.mean(0))


@pytest.fixture
def fitted(table: Outcomes, forecasts: Forecasts) -> Sequences:
    found = fit_sequences(forecasts, table)
    assert found.looks
    return found


def test_every_row_is_in_one_part_and_not_among_what_its_looks_were_learned_on(
    table: Outcomes, forecasts: Forecasts, fitted: Sequences
) -> None:
    parts = learned_on_others(fitted, forecasts, table)
    assert sorted(np.concatenate([rows for rows, _ in parts]).tolist()) == list(range(len(table)))
    own, before = parts[0]
    right = table.right.copy()
    right[own] = 1 - right[own]
    changed = learned_on_others(fitted, forecasts, replace(table, right=right))
    assert changed[0][0].tolist() == own.tolist()
    np.testing.assert_array_equal(changed[0][1].moved, before.moved)
    assert any((one.moved != other.moved).any() for (_, one), (_, other) in zip(changed[1:], parts[1:], strict=True))
    assert all(sequences.looks == fitted.looks for _, sequences in parts)


def test_fewer_rows_than_parts(table: Outcomes, forecasts: Forecasts, fitted: Sequences) -> None:
    parts = learned_on_others(fitted, forecasts.rows([0, 1, 2]), table.rows([0, 1, 2]))
    assert sorted(row for rows, _ in parts for row in rows) == [0, 1, 2]


def test_the_held_out_curve_is_near_that_of_other_rows(
    table: Outcomes, forecasts: Forecasts, fitted: Sequences
) -> None:
    held_out = gap_closed(held_out_curve(fitted, forecasts, table), table)
    assert 0.5 < held_out <= gap_closed(fitted.play(forecasts, table), table) + 0.05
    nothing = held_out_curve(fitted.only([]), forecasts, table)
    np.testing.assert_allclose(nothing.right, fitted.only([]).play(forecasts, table).right)
