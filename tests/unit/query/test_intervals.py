import math
import random
import statistics

import pytest

from pointsman.query.intervals import Estimate, bounded_interval, skewed_interval, student_quantile


@pytest.mark.parametrize(("freedom", "expected"), [(5, 2.5706), (10, 2.2281), (30, 2.0423), (120, 1.9799)])
def test_student_s_quantiles_are_those_of_tables(freedom: int, expected: float) -> None:
    assert student_quantile(0.975, freedom) == pytest.approx(expected, rel=0.005)


def test_a_skewed_sample_has_more_room_above() -> None:
    rng = random.Random(1)
    found = skewed_interval([rng.lognormvariate(0, 1) for _ in range(60)])
    assert found.high - found.value > 1.2 * (found.value - found.low)


def test_a_symmetric_sample_has_student_s_interval() -> None:
    values = [float(value) for value in range(-20, 21)]
    found = skewed_interval(values)
    error = student_quantile(0.975, 40) * statistics.stdev(values) / math.sqrt(41)
    assert (found.low, found.high) == pytest.approx((-error, error), rel=1e-6)


def test_costs_with_a_long_tail_are_covered() -> None:
    covered, num = 0, 400
    for seed in range(num):
        rng = random.Random(seed)
        found = skewed_interval([rng.lognormvariate(-0.5, 1) for _ in range(100)])
        covered += found.low <= 1 <= found.high
    assert covered / num >= 0.91


def test_equal_values_have_no_spread_but_bounded_ones_keep_a_doubt() -> None:
    assert skewed_interval([3.0] * 40) == Estimate(3.0, 3.0, 3.0)
    found = bounded_interval([1.0] * 40, 0.0, 1.0)
    assert (found.value, found.high) == (1.0, 1.0)
    assert 0.8 < found.low < 0.99


def test_many_bounded_values_are_covered_and_quick() -> None:
    rng = random.Random(1)
    values = [float(rng.random() < 0.9) for _ in range(50_001)]
    found = bounded_interval(values, 0.0, 1.0)
    assert found.low <= 0.9 <= found.high
    assert found.high - found.low < 0.01


def test_blocks_cost_little_where_few_values_have_a_great_weight() -> None:
    rng = random.Random(1)
    values = [30.0 * (rng.random() < 0.9) if rng.random() < 1 / 30 else 0.0 for _ in range(30_000)]
    found = bounded_interval(values, 0.0, 30.0)
    normal = 1.96 * statistics.stdev(values) / math.sqrt(len(values))
    assert found.low <= 0.9 <= found.high
    assert (found.high - found.low) / 2 <= 1.5 * normal


def test_estimates_move_and_scale() -> None:
    found = Estimate(2.0, 1.0, 4.0)
    assert found.scaled(2) == Estimate(4.0, 2.0, 8.0)
    assert found.plus(-1) == Estimate(1.0, 0.0, 3.0)
    assert found.within(0.0, 3.0) == Estimate(2.0, 1.0, 3.0)
