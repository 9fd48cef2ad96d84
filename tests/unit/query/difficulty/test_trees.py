"""Forests as arrays against scikit-learn, and compiled walks against arrays."""

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor

from pointsman.query.difficulty import walking
from pointsman.query.difficulty.trees import Trees, flattened
from pointsman.query.difficulty.walking import mean_leaf, projected

SCALE = np.array([1.0, 100.0, 0.01])


def grown(num_targets: int, seed: int, max_depth: int | None = None) -> tuple[ExtraTreesRegressor, Trees]:
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(150, 6)).round(1)  # ties at thresholds
    targets = found[:, :num_targets] * 2 + rng.normal(size=(150, num_targets))
    forest = ExtraTreesRegressor(20, min_samples_leaf=2, max_depth=max_depth, bootstrap=True, random_state=seed)
    forest.fit(found, targets if num_targets > 1 else targets[:, 0])
    return forest, flattened(forest, SCALE[:num_targets])


@pytest.fixture(scope="module")
def asked() -> np.ndarray:
    rng = np.random.default_rng(7)
    return np.vstack([rng.normal(size=(200, 6)), rng.normal(size=(100, 6)).round(1), np.full((1, 6), 1e6)])


@pytest.mark.parametrize(("num_targets", "max_depth"), [(1, None), (3, None), (3, 1), (2, 4)])
def test_arrays_predict_what_scikit_learn_predicts(num_targets: int, max_depth: int | None, asked: np.ndarray) -> None:
    forest, trees = grown(num_targets, 0, max_depth)
    wanted = forest.predict(asked).reshape(-1, num_targets) * SCALE[:num_targets]
    np.testing.assert_allclose(trees.predict(asked), wanted, rtol=1e-5, atol=1e-6 * SCALE[:num_targets].max())


def test_a_tree_that_never_splits_is_its_mean(asked: np.ndarray) -> None:
    forest = ExtraTreesRegressor(3, random_state=0).fit(np.zeros((5, 6)), np.arange(5.0))
    np.testing.assert_allclose(flattened(forest, np.ones(1)).predict(asked), 2.0)


@pytest.mark.parametrize("num_targets", [1, 3])
def test_a_walk_is_the_prediction_of_one_row(num_targets: int, asked: np.ndarray) -> None:
    pytest.importorskip("numba")
    assert walking.compiled(walking._walk) is not None  # the fast path is what runs
    _, trees = grown(num_targets, 1)
    walked = np.array([mean_leaf(trees, row) for row in asked.astype(np.float32)])
    np.testing.assert_allclose(walked, trees.predict(asked), rtol=1e-12)


def test_without_numba_numpy_answers(monkeypatch: pytest.MonkeyPatch, asked: np.ndarray) -> None:
    monkeypatch.setattr(walking, "compiled", lambda _: None)
    _, trees = grown(3, 1)
    assert np.array_equal(mean_leaf(trees, asked[0].astype(np.float32)), trees.predict(asked[:1])[0])


def test_a_gather_is_the_product_with_the_named_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    projection = rng.normal(size=(50, 7)).astype(np.float32)
    columns, weights = np.array([3, 3, 49, 0]), rng.normal(size=4).astype(np.float32)
    wanted = weights @ projection[columns]
    np.testing.assert_allclose(projected(weights, columns, projection), wanted, rtol=1e-5)
    monkeypatch.setattr(walking, "compiled", lambda _: None)
    assert np.array_equal(projected(weights, columns, projection), wanted.astype(np.float64))
