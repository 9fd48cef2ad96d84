"""Item response curves: what made the outcomes is found again."""

import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from pointsman.query.difficulty.curves import Curves, _Problem, fit_curves


def made(num_rows: int, seed: int, slopes: tuple[float, ...] = (1.0, 1.5, 0.5, 1.0)) -> tuple[np.ndarray, ...]:
    """(N, 6) inputs, of which the first two say how easy a request is, (N, A) outcomes and their chances."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(num_rows, 6))
    chances = expit((inputs[:, :1] - inputs[:, 1:2]) * slopes + np.array([-1.0, 0.5, 1.0, 0.0])[: len(slopes)])
    return inputs, (rng.random(chances.shape) < chances).astype(float), chances


def error(curves: Curves, inputs: np.ndarray, chances: np.ndarray) -> float:
    return float(((curves.chances(curves.easiness(inputs)) - chances) ** 2).mean())


def test_chances_are_found_again_and_more_rows_find_them_better() -> None:
    inputs, _, chances = made(1_000, 9)
    few, many = (error(fit_curves(*made(num_rows, 1)[:2]), inputs, chances) for num_rows in (40, 2_000))
    assert many < 0.001
    assert many < few < 0.35 * chances.var(0).mean()


def test_arms_of_few_rows_are_told_apart_by_what_they_share() -> None:
    """Thirty rows: a logistic regression of each arm alone knows less of it."""
    inputs, right, _ = made(30, 3)
    new, _, chances = made(1_000, 9)
    alone = [LogisticRegression(C=1.0).fit(inputs, arm).predict_proba(new)[:, 1] for arm in right.T]
    assert error(fit_curves(inputs, right), new, chances) < ((np.stack(alone, 1) - chances) ** 2).mean()


def test_more_difficulties_tell_arms_apart_that_one_cannot() -> None:
    inputs, _, _ = made(500, 5)
    right = (inputs[:, :4] > 0).astype(float)  # each arm asks for something else
    one, four = (error(fit_curves(inputs, right, count), inputs, right) for count in (1, 4))
    assert one > 0.15
    assert four < 0.6 * one


def test_slopes_of_either_sign_are_found() -> None:
    inputs, right, chances = made(2_000, 5, slopes=(1.0, -1.0, 1.0, -1.0))
    assert error(fit_curves(inputs, right), inputs, chances) < 0.002


def test_the_gradient_is_that_of_the_loss() -> None:
    inputs, right, _ = made(50, 0)
    problem = _Problem(inputs, right, 2, 1.0)
    at = problem.start + np.random.default_rng(0).normal(size=len(problem.start))
    assert check_grad(lambda x: problem.loss(x)[0], lambda x: problem.loss(x)[1], at) < 1e-4


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_arms_that_are_never_or_always_right_stay_finite(share: float) -> None:
    inputs, right, _ = made(60, 0)
    right[:, 1] = share
    curves = fit_curves(inputs, right)
    found = curves.chances(curves.easiness(inputs))
    assert np.isfinite(found).all()
    assert np.abs(found[:, 1] - share).max() < 0.2


def test_inputs_that_say_nothing_leave_the_means() -> None:
    _, right, _ = made(200, 0)
    curves = fit_curves(np.zeros((200, 3)), right)
    np.testing.assert_allclose(
        curves.chances(curves.easiness(np.zeros((5, 3)))), np.tile(right.mean(0), (5, 1)), atol=0.01
    )


def test_the_same_is_found_twice_and_nothing_is_changed() -> None:
    inputs, right, _ = made(80, 0)
    before = inputs.copy(), right.copy()
    first, again = fit_curves(inputs, right, 2), fit_curves(inputs, right, 2)
    assert all(np.array_equal(getattr(first, name), getattr(again, name)) for name in ("weights", "slopes", "offsets"))
    assert np.array_equal(inputs, before[0])
    assert np.array_equal(right, before[1])
