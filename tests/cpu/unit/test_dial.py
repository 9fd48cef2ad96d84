"""Budgets become rates, and promises are kept or not made."""

import pytest

from pointsman.core import BadRequest
from pointsman.unit.dial import CAP, Curve, Point, bound_of

CURVE = Curve((Point(0.1, 0.9, 0.001, 0.01), Point(1.0, 0.6, 0.02, 0.03), Point(10.0, 0.3, 3.0, 2.0)), 50, "texts")


def test_a_budget_is_interpolated_in_the_logarithm_of_the_rate() -> None:
    assert CURVE.rate_for_budget(1) == 0.0
    assert CURVE.rate_for_budget(0.95) == 0.1
    assert CURVE.rate_for_budget(0.6) == pytest.approx(1.0)
    assert CURVE.rate_for_budget(0.75) == pytest.approx(10**-0.5)
    assert CURVE.rate_for_budget(0.3) == pytest.approx(10.0)


@pytest.mark.parametrize("budget", [0.0, -1.0, 1.01, 0.29, float("nan")])
def test_a_budget_that_cannot_be_is_refused(budget: float) -> None:
    with pytest.raises(BadRequest) as caught:
        CURVE.rate_for_budget(budget)
    assert (caught.value.code, caught.value.param) == ("invalid_budget", "budget")


def test_the_least_budget_is_named() -> None:
    with pytest.raises(BadRequest, match=r"0\.300 of the bytes are still needed"):
        CURVE.rate_for_budget(0.2)


def test_a_divergence_is_promised_by_the_first_points_that_pass() -> None:
    assert CURVE.rate_for_divergence(0.03) == 1.0
    assert CURVE.rate_for_divergence(0.02) == 0.1
    assert CURVE.rate_for_divergence(0.001) == 0.0
    after_a_miss = Curve((Point(0.1, 0.9, 0, 0.5), Point(1.0, 0.6, 0, 0.01)), 50, "texts")
    assert after_a_miss.rate_for_divergence(0.1) == 0.0


def test_ruined_texts_count_as_the_cap() -> None:
    assert bound_of([50.0] * 400) == pytest.approx(CAP, rel=1e-3)
    assert bound_of([-1e-9] * 400) < 0.05
