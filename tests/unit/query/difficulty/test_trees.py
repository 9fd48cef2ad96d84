"""Forests as arrays against scikit-learn."""

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor

from pointsman.query.difficulty.trees import Trees, flattened

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
