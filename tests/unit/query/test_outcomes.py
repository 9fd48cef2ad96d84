"""Rows, columns, the reference arm and the budgets of a table."""

from dataclasses import replace

import numpy as np
import pytest

from pointsman.core import BadRequest
from pointsman.query.outcomes import TableArm


@pytest.fixture
def table(tables):
    right = [[0, 1, 1], [1, 1, 0], [0, 0, 1], [1, 1, 1]]
    cost = np.arange(12.0).reshape(4, 3) + 1
    found = tables.outcomes_of(right, cost, texts=tuple("abcd"), tasks=tuple("wxyz"))
    numbers = np.arange(12).reshape(4, 3)
    return replace(
        found,
        prompt_tokens=cost * 2,
        completion_tokens=cost * 3,
        answers=numbers.astype(np.int64),
        agreement=numbers / 12,
    )


MATRICES = ("right", "nano_usd", "prompt_tokens", "completion_tokens", "answers", "agreement")


def test_rows_take_everything_along_in_order(table) -> None:
    found = table.rows([3, 0, 0])
    assert (found.ids, found.texts, found.tasks) == (("q3", "q0", "q0"), ("d", "a", "a"), ("z", "w", "w"))
    assert found.arms == table.arms
    assert len(found) == 3
    for name in MATRICES:
        assert np.array_equal(getattr(found, name), getattr(table, name)[[3, 0, 0]])


def test_columns_take_every_matrix_along(table) -> None:
    found = table.columns([2, 0])
    assert found.names == ("arm2", "arm0")
    assert found.texts == table.texts
    for name in MATRICES:
        assert np.array_equal(getattr(found, name), getattr(table, name)[:, [2, 0]])


def test_the_strongest_is_right_most_often_and_of_equals_the_cheapest(tables) -> None:
    right = [[1, 1, 1, 0], [0, 1, 1, 1]]
    assert tables.outcomes_of(right, [1.0, 9.0, 8.0, 2.0]).strongest == 2
    assert tables.outcomes_of(right, [1.0, 8.0, 9.0, 2.0]).strongest == 1


def test_an_arm_is_found_by_name_and_an_unknown_one_is_refused(table) -> None:
    assert table.index("arm1") == 1
    with pytest.raises(BadRequest, match=r"no arm 'arm9'.*arm0, arm1, arm2") as caught:
        table.index("arm9")
    assert (caught.value.code, caught.value.param) == ("unknown_arm", "arms")


def test_budgets_rise_in_cost_and_models_of_one_budget_have_none(tables) -> None:
    names = (("b", "high"), ("a", "low"), ("b", "low"), ("c", ""), ("b", "mid"))
    arms = tuple(TableArm(f"{model}/{budget}", model, budget) for model, budget in names)
    found = tables.outcomes_of(np.zeros((2, 5)), [9.0, 1.0, 2.0, 1.0, 5.0], arms=arms)
    assert found.budgets() == {"b": (2, 4, 0)}
