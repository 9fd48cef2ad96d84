"""Curves, the two ends of the measure, and figures against slow twins."""

import math
from dataclasses import replace
from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.query.frontier import Curve, apgr, choices, cpt, curve_of, gap_closed, mixture, oracle, prices_of, saving
from pointsman.query.outcomes import Outcomes

COSTS = [100.0, 300.0, 1_000.0]


@pytest.fixture(scope="module")
def table(tables) -> Outcomes:
    """Of two tasks: arm 0 is good at one, arm 1 at the other, arm 2 at both."""
    rng = np.random.default_rng(0)
    task = rng.integers(0, 2, 600)
    chance = np.array([[0.9, 0.2, 0.95], [0.1, 0.8, 0.95]])[task]
    right = (rng.random(chance.shape) < chance).astype(float)
    cost = COSTS * rng.uniform(0.8, 1.2, chance.shape)
    return tables.outcomes_of(right, cost, tasks=tuple(f"t{each}" for each in task))


def task_forecasts(tables, table: Outcomes):
    """Of every request the means of its task."""
    tasks = np.array(table.tasks)
    means = {task: table.right[tasks == task].mean(0) for task in set(table.tasks)}
    return tables.forecasts_of([means[task] for task in table.tasks], table.nano_usd.mean(0))


def test_choices_are_those_of_most_value(tables) -> None:
    found = tables.forecasts_of([[0.2, 0.5, 0.9], [0.8, 0.5, 0.9]], [1.0, 2.0, 4.0])
    assert choices(found, 0.0).tolist() == [2, 2]
    assert choices(found, 0.1).tolist() == [2, 0]  # 0.5 against 0.1 and 0.3; 0.7 against 0.5
    assert choices(found, 0.35).tolist() == [0, 0]
    assert choices(found, np.inf).tolist() == [0, 0]


def test_of_arms_that_are_worth_the_same_the_cheapest_is_taken(tables) -> None:
    found = tables.forecasts_of([[0.9, 0.9, 0.5]], [4.0, 3.0, 1.0])
    assert choices(found, 0.0).tolist() == [1]


def test_choices_and_prices_never_depend_on_outcomes(tables, table: Outcomes) -> None:
    """They are not even given them: the curve's points are means over choices that were made before."""
    forecasts = task_forecasts(tables, table)
    turned = replace(table, right=1 - table.right, nano_usd=table.nano_usd[::-1])
    curves = [curve_of(forecasts, each) for each in (table, turned)]
    rows = np.arange(len(table))
    for each, curve in zip((table, turned), curves, strict=True):
        taken = [choices(forecasts, price) for price in prices_of(forecasts)]
        np.testing.assert_allclose(curve.right, [each.right[rows, arms].mean() for arms in taken])
        np.testing.assert_allclose(curve.nano_usd, [each.nano_usd[rows, arms].mean() for arms in taken])


def test_prices_are_those_at_which_choices_change(tables) -> None:
    rng = np.random.default_rng(1)
    found = tables.forecasts_of(rng.random((5, 2)), [1.0, 3.0])
    prices = prices_of(found)
    assert prices[0] == 0
    assert prices[-1] == np.inf
    assert (np.diff(prices) > 0).all()
    met = {tuple(choices(found, price)) for price in np.linspace(0, 1, 5_001)}
    assert {tuple(choices(found, price + 1e-9)) for price in prices} >= met


def test_prices_of_arms_that_cost_the_same_are_the_ends_only(tables) -> None:
    assert prices_of(tables.forecasts_of([[0.1, 0.9]], [2.0, 2.0])).tolist() == [0.0, np.inf]


def test_the_area_under_a_curve_by_hand() -> None:
    curve = Curve(np.array([3.0, 1.0, 2.0]), np.array([0.8, 0.2, 0.6]))  # in no order
    assert curve.area(1, 3) == pytest.approx(0.4 + 0.7)
    assert curve.area(0, 4) == pytest.approx(0.2 + 0.4 + 0.7 + 0.8)  # flat beyond its ends
    assert curve.area(1.5, 2.5) == pytest.approx(0.5 * (0.4 + 0.6) / 2 + 0.5 * (0.6 + 0.7) / 2)


def test_the_mixture_is_the_upper_hull_of_single_arms(tables) -> None:
    means = [(1.0, 0.2), (2.0, 0.25), (3.0, 0.8), (4.0, 0.7), (6.0, 0.9), (7.0, 0.9)]
    right = np.array([[1.0] * round(20 * share) + [0.0] * (20 - round(20 * share)) for _, share in means]).T
    found = mixture(tables.outcomes_of(right, [cost for cost, _ in means]))
    assert found.nano_usd.tolist() == [1.0, 3.0, 6.0]
    np.testing.assert_allclose(found.right, [0.2, 0.8, 0.9])


def test_the_oracle_takes_the_cheapest_right_arm(table: Outcomes) -> None:
    found = oracle(table)
    assert found.right.max() == pytest.approx(table.right.max(1).mean())
    cheapest = np.where(table.right == 1, table.nano_usd, np.inf).min(1)
    solved = np.isfinite(cheapest)
    least = np.where(solved, cheapest, table.nano_usd.min(1)).mean()
    near = found.nano_usd[found.right == found.right.max()].min()
    assert near >= least - 1e-9
    assert near == pytest.approx(least, rel=0.02)


def test_the_gap_of_the_oracle_is_one_of_the_mixture_nought_and_of_the_task_mean_between(tables, table) -> None:
    assert gap_closed(oracle(table), table) == pytest.approx(1.0)
    assert gap_closed(mixture(table), table) == pytest.approx(0.0, abs=1e-12)
    informed = gap_closed(curve_of(task_forecasts(tables, table), table), table)
    assert 0.2 < informed < 0.9
    blind = tables.forecasts_of(np.tile(table.right.mean(0), (len(table), 1)), table.nano_usd.mean(0))
    assert gap_closed(curve_of(blind, table), table) <= 1e-12


def test_a_policy_that_takes_the_wrong_arm_is_seen(tables, table) -> None:
    """A curve is not hulled."""
    known = task_forecasts(tables, table)
    wrong = tables.forecasts_of(-known.right, known.nano_usd)
    assert gap_closed(curve_of(wrong, table), table) < -0.2


def test_the_gap_is_unknown_where_there_is_nothing_to_route(tables) -> None:
    cheap_is_best = tables.outcomes_of([[1, 0], [1, 1]], [1.0, 2.0])
    assert math.isnan(gap_closed(oracle(cheap_is_best), cheap_is_best))
    no_gain = tables.outcomes_of([[0, 1], [0, 1]], [1.0, 2.0])  # the oracle is the mixture
    assert math.isnan(gap_closed(oracle(no_gain), no_gain))


def slow_apgr(gain: list[float], gained: list[float]) -> float:
    """The mean over all orders that the scores leave open; each order one request after the other."""
    orders = {order for order in permutations(range(len(gain))) if all(gain[a] >= gain[b] for a, b in pairwise(order))}
    areas = []
    for order in orders:
        recovered, area = 0.0, 0.0
        for request in order:
            after = recovered + gained[request]
            area += (recovered + after) / 2 / sum(gained) / len(gain)
            recovered = after
        areas.append(area)
    return sum(areas) / len(areas)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1), st.integers(0, 1)), min_size=2, max_size=6))
def test_apgr_is_the_mean_over_all_orders_of_ties(tables, rows: list[tuple[int, int, int]]) -> None:
    right = np.array([[weak, strong] for _, weak, strong in rows], dtype=float)
    found = tables.outcomes_of(right, [1.0, 2.0])
    strong = found.strongest
    gained = (right[:, strong] - right[:, 1 - strong]).tolist()
    gain = np.array([float(each) for each, _, _ in rows])
    if sum(gained) == 0:
        assert math.isnan(apgr(gain, found))
    else:
        assert apgr(gain, found) == pytest.approx(slow_apgr(gain.tolist(), gained))


def test_apgr_by_hand_and_at_random(tables) -> None:
    found = tables.outcomes_of([[0, 1], [1, 1], [1, 1], [0, 1]], [1.0, 2.0])
    assert apgr(np.array([3.0, 1.0, 0.0, 2.0]), found) == pytest.approx((0.25 + 0.75 + 1 + 1) / 4)
    assert apgr(np.zeros(4), found) == pytest.approx(0.5)  # all tie: the diagonal
    with pytest.raises(ValueError, match="two arms"):
        apgr(np.zeros(1), tables.outcomes_of([[0, 1, 1]], [1.0, 2.0, 3.0]))


def test_the_saving_is_the_cheapest_setting_that_loses_no_more(tables) -> None:
    table = tables.outcomes_of([[0, 1]] * 5 + [[1, 1]] * 5, [1.0, 10.0])
    curve = Curve(np.array([1.0, 4.0, 7.0, 9.0]), np.array([0.5, 0.985, 0.99, 1.0]))
    assert saving(curve, table) == pytest.approx(0.1)
    assert saving(curve, table, 0.01) == pytest.approx(0.3)
    assert saving(curve, table, 0.02) == pytest.approx(0.6)
    assert saving(Curve(np.array([1.0]), np.array([0.9])), table) == 0.0
    assert saving(Curve(np.array([12.0]), np.array([1.0])), table) == 0.0  # dearer than the reference saves nothing


def slow_cpt(order: np.ndarray, gained: np.ndarray, recovered: float) -> float:
    """Calls one after the other, without ties."""
    for calls in range(len(order) + 1):
        if gained[order[:calls]].sum() >= recovered * gained.sum() - 1e-9:
            return calls / len(order)
    raise AssertionError("all calls recover all")


@given(
    st.permutations(range(8)), st.lists(st.integers(-1, 1), min_size=8, max_size=8), st.sampled_from([0.5, 0.8, 1.0])
)
def test_cpt_is_the_first_share_that_recovers_so_much(
    tables, scores: list[int], gains: list[int], level: float
) -> None:
    right = np.array([[float(gain < 0), float(gain > 0)] for gain in gains])
    found = tables.outcomes_of(right, [1.0, 2.0])
    gained = right[:, found.strongest] - right[:, 1 - found.strongest]
    if gained.sum() == 0:
        assert math.isnan(cpt(np.array(scores, float), found, level))
    else:
        order = np.argsort(-np.array(scores))
        assert cpt(np.array(scores, float), found, level) == slow_cpt(order, gained, level)


def test_cpt_by_hand_and_at_random(tables) -> None:
    found = tables.outcomes_of([[0, 1], [1, 1], [1, 1], [0, 1]], [1.0, 2.0])
    scores = np.array([3.0, 1.0, 0.0, 2.0])
    assert [cpt(scores, found, level) for level in (0.5, 0.8)] == [0.25, 0.5]
    assert [cpt(np.zeros(4), found, level) for level in (0.5, 0.8)] == [0.5, 1.0]  # all tie: the diagonal
