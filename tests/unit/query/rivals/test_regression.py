"""Against refits one row at a time, and scikit-learn."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from pointsman.query.rivals.regression import fit_logistic, fit_ridge, held_out_ridge, tuned_logistic

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(50, 4))
TARGETS = np.column_stack([INPUTS @ [1, 2, 0, 0] + RNG.normal(size=50) * 0.1, RNG.normal(size=50)])


def test_the_penalty_is_that_of_least_error_when_each_row_is_left_out() -> None:
    rows, slow = np.arange(50), {}
    for penalty in (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0):
        for target in (0, 1):
            fits = [Ridge(penalty).fit(INPUTS[rows != i], TARGETS[rows != i, target]) for i in rows]
            errors = [(fit.predict(INPUTS[[i]])[0] - TARGETS[i, target]) ** 2 for i, fit in enumerate(fits)]
            slow[penalty, target] = sum(errors)
    fitted = fit_ridge(INPUTS, TARGETS)
    for target in (0, 1):
        best = min((error, penalty) for (penalty, at), error in slow.items() if at == target)[1]
        np.testing.assert_allclose(fitted.weights[:, target], Ridge(best).fit(INPUTS, TARGETS[:, target]).coef_)


def test_noise_is_shrunk_and_structure_is_kept() -> None:
    fitted = fit_ridge(INPUTS, TARGETS)
    np.testing.assert_allclose(fitted.weights[:, 0], [1, 2, 0, 0], atol=0.1)
    assert np.abs(fitted.weights[:, 1]).max() < 0.1


def test_held_out_values_do_not_depend_on_their_own_targets_beyond_the_mean() -> None:
    first = held_out_ridge(INPUTS, TARGETS, 0)
    changed = TARGETS.copy()
    changed[7] += 50.0
    second = held_out_ridge(INPUTS, changed, 0)
    np.testing.assert_allclose(second[7] - first[7], 50.0 / 50)
    assert not np.allclose(second - first, 1.0)


def test_held_out_values_of_equal_rows_are_equal() -> None:
    assert np.ptp(held_out_ridge(np.ones((50, 3)), TARGETS, 0), axis=0).max() < 1e-12


@pytest.mark.parametrize("penalty", [0.3, 30.0])
def test_logistic_is_that_of_scikit_learn(penalty: float) -> None:
    labels = (INPUTS[:, 0] + RNG.normal(size=50) > 0).astype(float)
    fitted = fit_logistic(INPUTS, labels, penalty)
    slow = LogisticRegression(C=1 / penalty, tol=1e-10).fit(INPUTS, labels)
    np.testing.assert_allclose(fitted.weights, slow.coef_[0], atol=2e-3)  # the intercept has a penalty of 0.001 here
    np.testing.assert_allclose(fitted.intercept, slow.intercept_[0], atol=2e-3)


def test_a_label_between_counts_as_a_share_of_either() -> None:
    labels = RNG.random(50)
    doubled = np.concatenate([np.ones(50), np.zeros(50)])
    slow = LogisticRegression(tol=1e-10).fit(
        np.vstack([INPUTS, INPUTS]), doubled, sample_weight=np.concatenate([labels, 1 - labels])
    )
    np.testing.assert_allclose(fit_logistic(INPUTS, labels, 1.0).weights, slow.coef_[0], atol=2e-3)


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_one_label_gives_a_finite_certain_answer(label: float) -> None:
    logits = tuned_logistic(INPUTS, np.full(50, label), 0).logits(INPUTS)
    assert np.isfinite(logits).all()
    assert (np.abs(1 / (1 + np.exp(-logits)) - label) < 0.05).all()
