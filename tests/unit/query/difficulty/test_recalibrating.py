"""Recalibration: forecasts move to what they were worth, as far as held-out rows bear that out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from pointsman.query.difficulty.recalibrating import Recalibration, _design, fit_recalibration, unchanged

NUM_ROWS = 4_000


def made(seed: int = 0, num_rows: int = NUM_ROWS) -> tuple[np.ndarray, ...]:
    """Forecasts of two arms, what they are worth (of the second they are overconfident), outcomes, folds."""
    rng = np.random.default_rng(seed)
    forecast = rng.uniform(0.05, 0.95, (num_rows, 2))
    worth = np.stack([forecast[:, 0], expit(0.4 * logit(forecast[:, 1]) - 0.5)], axis=1)
    return forecast, worth, (rng.random(worth.shape) < worth).astype(float), rng.integers(0, 5, num_rows)


def test_an_arm_that_is_overconfident_is_mended_and_the_other_stays() -> None:
    forecast, worth, right, folds = made()
    found = fit_recalibration(forecast, right, folds)
    moved = found.of(forecast, np.zeros(NUM_ROWS))
    assert found.shares[0] > 0.9
    assert np.abs(moved - worth).max() < 0.04
    assert ((moved - worth) ** 2)[:, 1].mean() < 0.02 * ((forecast - worth) ** 2)[:, 1].mean()


def test_forecasts_that_are_worth_what_they_say_stay() -> None:
    forecast, _, _, folds = made()
    right = (np.random.default_rng(5).random(forecast.shape) < forecast).astype(float)
    moved = fit_recalibration(forecast, right, folds).of(forecast, np.zeros(NUM_ROWS))
    assert np.abs(moved - forecast).max() < 0.03


def test_few_rows_change_little() -> None:
    forecast, _, _, _ = made()
    few = made(1, 20)
    moved = fit_recalibration(few[0], few[2], few[3]).of(forecast, np.zeros(NUM_ROWS))
    assert np.abs(moved - forecast).mean() < 0.1


def test_unknown_requests_are_not_moved_and_others_by_as_much_as_they_are_known() -> None:
    forecast, _, right, folds = made()
    found = fit_recalibration(forecast, right, folds)
    known, half, novel = (found.of(forecast, np.full(NUM_ROWS, novelty)) for novelty in (0.0, 0.5, 1.0))
    np.testing.assert_allclose(novel, forecast)
    np.testing.assert_allclose(half, (known + forecast) / 2)


def test_what_is_true_of_one_fold_only_is_not_believed() -> None:
    """Curves are judged on rows that they were not fitted to: here each fold says the opposite of the other."""
    forecast, _, _, _ = made(0, 400)
    folds = np.repeat([0, 1], 200)
    right = np.where(folds[:, None] == [0, 1], 1.0, 0.0)
    assert (fit_recalibration(forecast, right, folds).shares == 0).all()


def test_one_fold_cannot_be_judged_and_nothing_moves() -> None:
    forecast, _, right, folds = made(0, 100)
    assert (fit_recalibration(forecast, right, np.zeros_like(folds)).shares == 0).all()


@given(
    st.lists(st.floats(0, 3), min_size=2, max_size=2),
    st.floats(-2, 2),
    st.floats(0, 0.95),
    st.lists(st.floats(-0.3, 1.3), min_size=1, max_size=20),
)
def test_forecasts_keep_their_order_and_come_back(
    slopes: list[float], offset: float, share: float, forecasts: list[float]
) -> None:
    found = Recalibration(np.array([[*slopes, offset]]), np.array([share]))
    right = np.sort(forecasts)[:, None]
    moved = found.of(right, np.zeros(len(right)))
    assert (np.diff(moved[:, 0]) >= -1e-12).all()
    np.testing.assert_allclose(found.undone(moved), right, atol=2e-3)


@pytest.mark.parametrize("right", [0.0, 1.0])
def test_outcomes_that_never_vary_stay_finite(right: float) -> None:
    forecast, _, _, folds = made(0, 50)
    found = fit_recalibration(forecast, np.full_like(forecast, right), folds)
    assert np.isfinite(found.of(forecast, np.zeros(50))).all()


def test_curves_are_read_as_they_are_fitted() -> None:
    forecast = made(0, 10)[0] * 1.4 - 0.2  # beyond 0 and 1 too
    curves = np.array([[1.2, 0.7, 0.1], [0.5, 0.5, -1.0]])
    found = Recalibration(curves, np.ones(2)).of(forecast, np.zeros(10))
    for arm in range(2):
        np.testing.assert_allclose(found[:, arm], expit(_design(forecast[:, arm]) @ curves[arm]))


def test_unchanged_gives_the_very_forecasts() -> None:
    forecast = made(0, 10)[0]
    assert np.array_equal(unchanged(2).of(forecast, np.zeros(10)), forecast)
    assert np.array_equal(unchanged(2).undone(forecast), forecast)
