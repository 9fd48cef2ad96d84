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


def test_what_helps_is_believed_and_what_does_not_is_not(sample) -> None:
    ladders = Joint().fit(sample, 0).budgets.ladders
    assert [[arm for arm, _ in ladder] for ladder in ladders] == [[LOW, HIGH], [SMALL, HELPED]]
    assert ladders[0][1][1] == 0
    assert ladders[1][1][1] > 0.9


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
    ladder = Budgets((((2, 1.0), (0, 1.0), (1, 0.0)),))
    found = ladder.ordered(np.array([[0.5, 0.9, 0.6, 0.1], [0.7, 0.2, 0.6, 0.1]]))
    assert found.tolist() == [[0.6, 0.6, 0.6, 0.1], [0.7, 0.7, 0.6, 0.1]]
    half = Budgets((((2, 1.0), (0, 0.5), (1, 0.5)),)).ordered(np.array([[0.5, 0.9, 0.6, 0.1], [0.8, 0.2, 0.6, 0.1]]))
    np.testing.assert_allclose(half, [[0.6, 0.75, 0.6, 0.1], [0.7, 0.7, 0.6, 0.1]])


def test_ordering_changes_nothing_in_place() -> None:
    right = np.array([[0.9, 0.1]])
    Budgets((((0, 1.0), (1, 0.0)),)).ordered(right)
    assert right.tolist() == [[0.9, 0.1]]


def believed(tables, right: np.ndarray, forecast: np.ndarray) -> list[float]:
    """Of the arms of one model, by rising cost."""
    arms = tuple(TableArm(f"m/{number}", "m", str(number)) for number in range(right.shape[1]))
    outcomes = tables.outcomes_of(right, np.arange(1.0, right.shape[1] + 1), arms=arms)
    return [share for _, share in fit_budgets(outcomes, forecast).ladders[0]]


def test_a_budget_is_compared_with_the_best_below_it(tables) -> None:
    """The middle one is worse; the dear one is better than the middle, but not than the cheap one."""
    chance = np.tile([0.6, 0.2, 0.6], (400, 1))
    right = (np.random.default_rng(0).random((400, 3)) < chance).astype(float)
    assert believed(tables, right, chance) == [1.0, 0.0, 0.0]


def test_help_for_some_requests_is_seen_though_the_mean_gains_little(tables) -> None:
    """A tenth of the requests gain, the others lose a little: their mean alone would not show it."""
    rng = np.random.default_rng(0)
    gains = rng.random(2_000) < 0.1
    chance = np.column_stack([np.full(2_000, 0.5), np.where(gains, 0.9, 0.46)])
    right = (rng.random(chance.shape) < chance).astype(float)
    assert abs((right[:, 1] - right[:, 0]).mean()) < 0.03
    assert believed(tables, right, chance)[1] > 0.8


def test_gains_that_were_forecast_and_did_not_come_are_believed_little(tables) -> None:
    """Of 200 models that compute does not help, and forecasts that say it does, by chance."""
    found = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        right = (rng.random((80, 2)) < 0.5).astype(float)
        found.append(believed(tables, right, np.column_stack([np.full(80, 0.5), 0.5 + 0.2 * rng.random(80)]))[1])
    assert np.mean(np.array(found) == 0) > 0.75
    assert np.mean(found) < 0.2


def test_gains_that_came_by_half_are_believed_by_half(tables) -> None:
    rng = np.random.default_rng(1)
    forecast = 0.4 * rng.random(20_000)
    right = (rng.random((20_000, 2)) < np.column_stack([np.full(20_000, 0.4), 0.4 + forecast / 2])).astype(float)
    assert believed(tables, right, np.column_stack([np.full(20_000, 0.4), 0.4 + forecast]))[1] == pytest.approx(
        0.5, abs=0.06
    )
