"""What is folded says what the learners say, along the directions of the stack."""

import numpy as np
import pytest

from pointsman.query.compiling import compiled
from pointsman.query.difficulty.folding import LINEAR_VIEWS, Fold, Forest, Rows, folded_ridges
from pointsman.query.difficulty.learners import Ridge, TreeView, directions_view, tree_view
from pointsman.query.difficulty.space import Points, unit
from pointsman.query.difficulty.trees import Trees
from pointsman.query.difficulty.walking import Layout, walk

LAYOUT = Layout(50, 7, 9)
RNG = np.random.default_rng(0)
POINTS = Points(*(RNG.normal(size=(20, size)) for size in (50, 7, 9)))
PLACES = np.hstack([POINTS.text, unit(POINTS.text), POINTS.surface, POINTS.waves])
FOLD = Fold(RNG.normal(size=6), RNG.normal(size=(6, 4)))


def forest_of(num_trees: int, thresholds: np.ndarray) -> Trees:
    """Stumps that ask for one feature after another."""
    first = np.arange(num_trees, dtype=np.int32) * 3
    feature, left, right = (np.full(3 * num_trees, -1, dtype=np.int32) for _ in range(3))
    feature[first], left[first], right[first] = np.arange(num_trees) % 47, first + 1, first + 2
    every = np.zeros(3 * num_trees)
    every[first] = thresholds
    values = np.random.default_rng(1).normal(size=(3 * num_trees, 6)).astype(np.float32)
    return Trees(first, feature, every, left, right, values)


@pytest.mark.parametrize("view", LINEAR_VIEWS)
def test_ridges_become_one_matrix(view) -> None:
    width = view(POINTS).shape[1]
    ridges = [Ridge(view, RNG.normal(size=width), RNG.normal(size=(width, 6)), RNG.normal(size=6)) for _ in range(2)]
    shares = [RNG.random((2, 4)) for _ in range(2)]
    matrix, offset = folded_ridges(list(zip(ridges, shares, strict=True)), FOLD, LAYOUT)
    found = (PLACES @ matrix + offset).reshape(20, 2, 4)
    wanted = sum(
        FOLD.along(ridge.predict(POINTS))[:, None, :] * share for ridge, share in zip(ridges, shares, strict=True)
    )
    np.testing.assert_allclose(found, wanted, atol=1e-9)


def test_no_ridge_says_nothing() -> None:
    matrix, offset = folded_ridges([], FOLD, LAYOUT)
    assert not matrix.any()
    assert not offset.any()


def test_a_walk_comes_to_the_folded_leaves_of_the_trees() -> None:
    pytest.importorskip("numba")
    loop = compiled(walk)
    assert loop is not None
    asked = tree_view(POINTS).astype(np.float32)
    # at a feature, just below it and just above: thresholds that singles cannot hold
    at = asked[0, np.arange(90) % 47].astype(np.float64) + np.repeat([0.0, -1e-12, 1e-12], 30)
    trees = forest_of(90, at)
    forest = Forest.of(trees, FOLD, LAYOUT)
    wanted = FOLD.along(TreeView(trees).predict(POINTS))
    arrays = forest.roots, forest.nodes, forest.thresholds, forest.leaves
    for place, each in zip(PLACES, wanted, strict=True):
        np.testing.assert_allclose(loop(*arrays, place.astype(np.float32)), each, atol=1e-6)


def test_both_similarities_come_from_one_reading() -> None:
    rows = POINTS.directions.astype(np.float32)
    rows[3, :50] = 0.0  # a text without a known n-gram
    near = Rows.of(rows, 50)
    asked = directions_view(POINTS)[5].astype(np.float32)
    similar, texts = near.similar(asked)
    np.testing.assert_allclose(similar, rows @ asked, atol=1e-6)
    np.testing.assert_allclose(texts, unit(rows[:, :50].astype(np.float64)) @ unit(POINTS.text)[5], atol=1e-6)
    nothing = asked.copy()
    nothing[:50] = 0.0
    assert near.similar(nothing)[1].tolist() == [0.0] * 20


def test_targets_become_coordinates_of_outcomes_and_of_lengths(learned) -> None:
    fitted, rng = learned[1], np.random.default_rng(2)
    targets = rng.normal(size=(5, 2 * len(fitted.right.mean)))
    found, num_arms = Fold.of(fitted).along(targets), len(fitted.right.mean)
    wanted = [
        (part - stack.mean) @ stack.directions
        for part, stack in ((targets[:, :num_arms], fitted.right), (targets[:, num_arms:], fitted.lengths))
    ]
    np.testing.assert_allclose(found, np.hstack(wanted), atol=1e-12)
