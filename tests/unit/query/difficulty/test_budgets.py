"""More is bought only where it was shown to help."""

import numpy as np
import pytest

from pointsman.query.certifying import Setting, choose
from pointsman.query.difficulty.budgets import Budgets, fit_budgets
from pointsman.query.difficulty.joint import Joint
from pointsman.query.frontier import choices, prices_of
from pointsman.query.outcomes import TableArm

HIGH, LOW, HELPED, SMALL = range(4)
ARMS = (
    TableArm("m/high", "m", "high"),
    TableArm("m/low", "m", "low"),
    TableArm("n/high", "n", "high"),
    TableArm("n/low", "n", "low"),
)
"""Budgets of `m` do not help, those of `n` do; dear ones stand in front, as names sort them."""


@pytest.fixture(scope="module")
def sample(tables):
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(tables.WORDS, int(rng.integers(4, 40)))) for _ in range(240)]
    right = (rng.random((240, 4)) < [0.6, 0.6, 0.85, 0.4]).astype(float)
    cost = np.array([90.0, 30.0, 100.0, 20.0]) * np.exp(rng.normal(0, 0.1, right.shape))
    return tables.sample_of(texts, right, cost, arms=ARMS)


def test_what_is_shown_to_help_is_found(sample) -> None:
    assert fit_budgets(sample.outcomes) == Budgets((((LOW, True), (HIGH, False)), ((SMALL, True), (HELPED, True))))


def test_a_budget_that_does_not_help_is_never_bought_at_any_dial(sample, tables) -> None:
    test = tables.sample_of(sample.outcomes.texts[::-1], sample.outcomes.right, sample.outcomes.nano_usd, arms=ARMS)
    forecasts = Joint().fit(sample, 0).forecast(test.features, test.outcomes.prompt_tokens)
    np.testing.assert_array_equal(forecasts.right[:, HIGH], forecasts.right[:, LOW])
    assert (forecasts.right[:, HELPED] >= forecasts.right[:, SMALL]).all()
    prices = prices_of(forecasts)
    taken = {int(arm) for price in prices for arm in choices(forecasts, price)}
    assert taken == {LOW, HELPED, SMALL}
    cautious = {
        int(arm)
        for price in prices[:-1]
        for caution in (0.0, 0.2)
        for arm in choose(forecasts, HELPED, Setting(float(price), caution))
    }
    assert HIGH not in cautious


def test_without_the_gate_it_may_be(sample) -> None:
    ungated = Joint(gates_budgets=False).fit(sample, 0).forecast(sample.features, sample.outcomes.prompt_tokens)
    assert not np.array_equal(ungated.right[:, HIGH], ungated.right[:, LOW])


def test_forecasts_rise_with_the_budget_by_hand() -> None:
    ladder = Budgets((((2, True), (0, True), (1, False)),))
    found = ladder.ordered(np.array([[0.5, 0.9, 0.6, 0.1], [0.7, 0.2, 0.6, 0.1]]))
    assert found.tolist() == [[0.6, 0.6, 0.6, 0.1], [0.7, 0.7, 0.6, 0.1]]


def test_ordering_changes_nothing_in_place() -> None:
    right = np.array([[0.9, 0.1]])
    Budgets((((0, True), (1, False)),)).ordered(right)
    assert right.tolist() == [[0.9, 0.1]]


def test_a_budget_is_compared_with_the_best_below_it(tables) -> None:
    """The middle one is worse; the dear one is better than the middle, but not than the cheap one."""
    rng = np.random.default_rng(0)
    arms = tuple(TableArm(f"m/{name}", "m", name) for name in "abc")
    right = (rng.random((400, 3)) < [0.6, 0.2, 0.6]).astype(float)
    assert fit_budgets(tables.outcomes_of(right, [1.0, 2.0, 3.0], arms=arms)).ladders == (
        ((0, True), (1, False), (2, False)),
    )


def test_gains_by_chance_are_shown_no_more_often_than_one_in_twenty(tables) -> None:
    shown, num = 0, 200
    arms = (TableArm("m/a", "m", "a"), TableArm("m/b", "m", "b"))
    for seed in range(num):
        right = (np.random.default_rng(seed).random((80, 2)) < 0.5).astype(float)
        shown += fit_budgets(tables.outcomes_of(right, [1.0, 2.0], arms=arms)).ladders[0][1][1]
    assert shown <= num * 0.05 + 2 * np.sqrt(num * 0.05 * 0.95)
