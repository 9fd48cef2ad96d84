"""Certificates hold as often as they say, and are as strict as the exact binomial tail."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core import BadRequest
from pointsman.core.risk import mean_interval, mean_is_below, mean_upper_bound, num_certified, p_value, upper_bound


@given(st.integers(0, 60), st.integers(0, 60), st.floats(0.001, 0.999))
def test_the_p_value_is_the_binomial_tail(losses: int, more: int, limit: float) -> None:
    tries = losses + more
    exact = math.fsum(math.comb(tries, k) * limit**k * (1 - limit) ** (tries - k) for k in range(losses + 1))
    assert p_value(losses, tries, limit) == pytest.approx(min(exact, 1.0), rel=1e-9, abs=1e-12)


def test_many_tries_do_not_underflow() -> None:
    assert p_value(100_000, 200_000, 0.5) == pytest.approx(0.5, abs=0.01)
    assert p_value(0, 1_000_000, 0.5) == 0.0


@pytest.mark.parametrize(
    ("settings", "certified"),
    [
        ([(0, 298)], 0),  # 0.99 ** 298 is just above 0.05
        ([(0, 299)], 1),
        ([(0, 500), (1, 500), (9, 500), (0, 500)], 2),  # what comes after a failure is not looked at
        ([], 0),
        ([(0, 0)], 0),
    ],
)
def test_settings_are_certified_from_the_front(settings: list[tuple[int, int]], certified: int) -> None:
    assert num_certified(settings, limit=0.01, confidence=0.95) == certified


def test_a_certificate_is_wrong_no_more_often_than_it_says() -> None:
    rng, limit, wrong = random.Random(0), 0.05, 0
    risks = [0.01, 0.03, 0.049, 0.06, 0.08]
    for _ in range(1000):
        settings = [(sum(rng.random() < risk for _ in range(200)), 200) for risk in risks]
        certified = num_certified(settings, limit=limit, confidence=0.9)
        wrong += any(risk > limit for risk in risks[:certified])
    assert wrong / 1000 < 0.12  # 0.1 and two deviations


@given(st.integers(0, 40), st.integers(1, 40), st.floats(0.5, 0.99))
def test_the_upper_bound_is_where_the_certificate_ends(losses: int, more: int, confidence: float) -> None:
    tries = losses + more
    bound = upper_bound(losses, tries, confidence)
    assert bound >= losses / tries
    if bound < 0.999:
        assert num_certified([(losses, tries)], limit=min(bound + 1e-6, 0.9999), confidence=confidence) == 1
    if bound > 1e-6:
        assert num_certified([(losses, tries)], limit=bound - 1e-7, confidence=confidence) == 0


def test_nothing_tried_is_not_safe() -> None:
    assert upper_bound(0, 0, 0.95) == pytest.approx(1.0)


@pytest.mark.parametrize(("limit", "confidence"), [(0.0, 0.9), (1.0, 0.9), (0.1, 1.0), (0.1, 0.0), (math.nan, 0.9)])
def test_numbers_that_mean_nothing_are_refused(limit: float, confidence: float) -> None:
    with pytest.raises(BadRequest, match="between 0 and 1"):
        num_certified([(0, 9)], limit=limit, confidence=confidence)


@pytest.mark.parametrize("losses", [-1, 4])
def test_losses_that_cannot_be_are_refused(losses: int) -> None:
    with pytest.raises(BadRequest, match="cannot be"):
        p_value(losses, 3, 0.1)


@pytest.mark.parametrize("count", [60, 400])
def test_a_bound_of_a_mean_is_passed_no_more_often_than_it_says(count: int) -> None:
    """Values that are mostly small and sometimes large, as divergences are."""
    rng, wrong, mean = random.Random(1), 0, 0.9 * 0.03 + 0.1 * 0.5
    for _ in range(300):
        values = [rng.random() if rng.random() < 0.1 else rng.random() * 0.06 for _ in range(count)]
        wrong += mean_upper_bound(values, 2.0, 0.9) < mean
    assert wrong / 300 < 0.13  # 0.1 and two deviations


def test_a_bound_of_a_mean_is_close_where_values_are_many_and_small() -> None:
    values = [0.01, 0.03] * 1000
    assert 0.02 < mean_upper_bound(values, 2.0, 0.95) < 0.025
    assert mean_upper_bound([], 2.0, 0.95) == 2.0


@pytest.mark.parametrize(("values", "confidence"), [([0.1], 1.0), ([-0.1], 0.9), ([2.1], 0.9), ([math.nan], 0.9)])
def test_a_mean_of_what_is_no_loss_is_refused(values: list[float], confidence: float) -> None:
    with pytest.raises(BadRequest) as caught:
        mean_upper_bound(values, 2.0, confidence)
    assert caught.value.code == "invalid_risk"


def test_an_interval_of_a_mean_covers_as_often_as_it_says_and_moves_with_its_range() -> None:
    covered = 0
    for seed in range(200):
        rng = random.Random(seed)
        low, high = mean_interval([rng.choice((-1.0, 1.0, 1.0)) for _ in range(60)], -1.0, 1.0, 0.9)
        covered += low <= 1 / 3 <= high
    assert covered / 200 >= 0.9
    assert mean_interval([], -1.0, 2.0, 0.9) == (-1.0, 2.0)
    values = [0.1, 0.4, 0.4, 0.9] * 10
    low, high = mean_interval(values, 0.0, 1.0, 0.95)
    moved = mean_interval([5 + 10 * value for value in values], 5.0, 15.0, 0.95)
    assert moved == pytest.approx((5 + 10 * low, 5 + 10 * high), abs=1e-3)
    with pytest.raises(BadRequest):
        mean_interval([3.0], 0.0, 1.0, 0.95)


RANGES = [(0.0, 1.0), (-1.0, 1.0), (-1.0, 0.97), (-3.0, 7.0)]


@given(
    st.sampled_from(RANGES),
    st.lists(st.floats(0, 1), max_size=60),
    st.floats(0.01, 0.99),
    st.floats(0.5, 0.99),
)
def test_one_test_of_a_mean_says_what_the_bound_says(
    within: tuple[float, float], shares: list[float], place: float, confidence: float
) -> None:
    """For limits above the sample's mean, where the bound starts; below it, the bet may still have been won early."""
    low, high = within
    values = [low + share * (high - low) * 0.999 for share in shares]
    limit = low + place * (high - low)
    bound = low + mean_upper_bound([value - low for value in values], high - low, confidence)
    below = mean_is_below(limit, values, within, confidence)
    near = 3e-6 * (high - low)
    if bound < limit - near:
        assert below
    if limit + near < bound and values and limit > sum(values) / len(values):
        assert not below
    if not values:
        assert not below


@pytest.mark.parametrize("chance", [0.2, 0.5])
def test_a_test_of_a_mean_passes_what_is_not_below_no_more_often_than_it_says(chance: float) -> None:
    rng, wrong = random.Random(4), 0
    for _ in range(400):
        values = [rng.choice((-1.0, 0.0)) if rng.random() < chance else rng.choice((0.0, 1.0)) for _ in range(80)]
        wrong += mean_is_below(0.5 - chance, values, (-1.0, 1.0), 0.9)  # the mean itself
    assert wrong / 400 < 0.13  # 0.1 and two deviations


def test_a_limit_beyond_what_values_can_be_needs_no_values() -> None:
    assert mean_is_below(1.0, [], (-1.0, 1.0), 0.95)
    assert not mean_is_below(-1.0, [-1.0] * 9_000, (-1.0, 1.0), 0.95)
    assert mean_is_below(-0.9, [-1.0] * 9_000, (-1.0, 1.0), 0.95)


@pytest.mark.parametrize(
    ("values", "confidence"), [([0.1], 1.0), ([0.1], 0.0), ([-1.1], 0.9), ([1.1], 0.9), ([math.nan], 0.9)]
)
def test_a_test_of_what_is_no_loss_is_refused(values: list[float], confidence: float) -> None:
    with pytest.raises(BadRequest) as caught:
        mean_is_below(0.5, values, (-1.0, 1.0), confidence)
    assert caught.value.code == "invalid_risk"
