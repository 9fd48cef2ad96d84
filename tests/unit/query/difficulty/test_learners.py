"""Learners: what they predict of rows that they have not seen has seen nothing of them."""

from dataclasses import replace

import numpy as np
import pytest

from pointsman.query.difficulty.learners import LEARNERS, Neighbours, directions_view, text_view

NAMES = sorted(LEARNERS)
LINEAR = ["even", "mixed", "smooth", "text"]


def skill(predicted: np.ndarray, targets: np.ndarray) -> float:
    """The share of the variance that is explained: 1 of what is known, 0 of the mean."""
    return float(1 - ((predicted - targets) ** 2).mean() / targets.var(0).mean())


@pytest.fixture(scope="module")
def told(tables, lesson_of):
    return lesson_of(tables.tasks_sample(240, seed=0))


@pytest.fixture(scope="module")
def noise(tables, lesson_of):
    return lesson_of(tables.noise_sample(200, seed=0))


@pytest.fixture(scope="module")
def held_out(told, noise):
    return {
        (name, kind): LEARNERS[name](lesson) for name in NAMES for kind, lesson in (("told", told), ("noise", noise))
    }


@pytest.mark.parametrize("name", NAMES)
def test_held_out_predictions_of_noise_have_no_skill(name: str, held_out, noise) -> None:
    found = held_out[name, "noise"]
    assert skill(found.by_row[:, :3], noise.targets[:, :3]) < 0.03
    assert skill(found.by_task[:, :3], noise.targets[:, :3]) < 0.03


@pytest.mark.parametrize("name", ["even", "mixed", "neighbours", "text", "trees"])
def test_what_the_text_tells_is_learned(name: str, held_out, told) -> None:
    """`smooth` learns little from few rows."""
    assert skill(held_out[name, "told"].by_row[:, [0]], told.targets[:, [0]]) > 0.1


@pytest.mark.parametrize("name", [name for name in NAMES if name != "text neighbours"])
def test_a_task_that_was_held_out_is_not_known(name: str, held_out, told) -> None:
    """Tasks share no words: what is right of one says nothing of another.

    Texts alone are nearest to the task whose letters are most alike, and of six tasks that one happens to be like it.
    """
    assert skill(held_out[name, "told"].by_task[:, [0]], told.targets[:, [0]]) < 0.15


@pytest.mark.parametrize("name", NAMES)
def test_a_row_does_not_change_what_is_predicted_of_it(name: str, held_out, noise) -> None:
    """Turning the outcomes of one fold leaves its held-out predictions as they were."""
    for folds, part in ((noise.rows, "by_row"), (noise.tasks, "by_task")):
        if name == "trees" and part == "by_row":
            continue  # out-of-bag trees have their own bags: the next test
        inside = folds == 2
        targets = noise.targets.copy()
        targets[inside] = targets[inside][::-1]  # deviations stay, by which trees scale
        changed = getattr(LEARNERS[name](replace(noise, targets=targets)), part)
        before = getattr(held_out[name, "noise"], part)
        atol = 0.05 if name == "trees" else 1e-6  # rounding of the deviation decides between splits that are equal
        np.testing.assert_allclose(changed[inside], before[inside], atol=atol)
        assert np.abs(changed[~inside] - before[~inside]).max() > 1e-3


def test_a_row_does_not_change_what_out_of_bag_trees_predict_of_it(noise, held_out) -> None:
    targets = noise.targets.copy()
    targets[5, :3] = 1 - targets[5, :3]
    changed = LEARNERS["trees"](replace(noise, targets=targets)).by_row
    before = held_out["trees", "noise"].by_row
    np.testing.assert_allclose(changed[5], before[5], atol=0.02)
    assert np.abs(changed - before).max() > 0.05  # of others it does


def test_a_target_that_never_varies_does_not_blind_the_trees(told, held_out) -> None:
    """As the lengths of a table whose answers are all one token, whose rounding once outweighed all outcomes."""
    targets = told.targets.copy()
    targets[:, 2:] = np.log(1.5)
    found = LEARNERS["trees"](replace(told, targets=targets))
    np.testing.assert_allclose(found.by_row[:, 2:], np.log(1.5))
    assert skill(found.by_row[:, [0]], told.targets[:, [0]]) > 0.1


@pytest.mark.parametrize("name", LINEAR)
def test_held_out_rows_of_a_ridge_are_those_of_one_that_was_fitted_without_them(name: str, told, held_out) -> None:
    """By Gram matrices less the fold's, against a fit of the others around the same center."""
    inside = told.rows == 1
    found = held_out[name, "told"]
    view = found.fitted.view(told.points) - found.fitted.center
    penalty = 100.0 if name == "smooth" else 10.0
    design = np.hstack([view, np.ones((len(view), 1))])
    rest = design[~inside]
    weights = np.linalg.solve(
        rest.T @ rest + np.diag([penalty] * view.shape[1] + [1e-9]), rest.T @ told.targets[~inside]
    )
    np.testing.assert_allclose(found.by_row[inside], design[inside] @ weights, atol=1e-8)


def test_a_ridge_predicts_what_its_normal_equations_say(told, held_out) -> None:
    fitted = held_out["text", "told"].fitted
    view = text_view(told.points)
    residual = told.targets - fitted.predict(told.points)
    np.testing.assert_allclose(residual.mean(0), 0, atol=1e-9)
    np.testing.assert_allclose((view - view.mean(0)).T @ residual, 10.0 * fitted.weights, atol=1e-8)


def test_neighbours_are_the_nearest_weighed_by_similarity(told) -> None:
    directions = told.points.directions.astype(np.float32)
    fitted = Neighbours(directions_view, 30, directions[:200], told.targets[:200])
    found, ranks = fitted.predict_with(told.points.directions[200:210])
    for row, direction in enumerate(directions[200:210]):
        similar = directions[:200] @ direction
        near = np.argsort(-similar)[:30]
        weights = np.exp(similar[near] / 0.1)
        np.testing.assert_allclose(found[row], weights / weights.sum() @ told.targets[near], atol=1e-4)
        assert ranks[row] == pytest.approx([similar[near[0]], similar[near[9]]], abs=1e-5)


def test_of_rows_as_near_the_first_ones_count() -> None:
    """Texts that repeat; the second request has no ties where counting ends."""
    directions = np.array([[1.0, 0.0]] * 4 + [[0.0, 1.0]] * 2, dtype=np.float32)
    fitted = Neighbours(directions_view, 2, directions, np.arange(6.0)[:, None])
    assert fitted.predict_with(np.array([[1.0, 0.0], [0.0, 1.0]]))[0].ravel().tolist() == [0.5, 4.5]


def test_neighbours_that_are_excluded_do_not_count(told) -> None:
    directions = told.points.directions
    fitted = Neighbours(directions_view, 30, directions.astype(np.float32), told.targets)
    itself = np.eye(len(directions), dtype=bool)
    with_itself, without = (fitted.predict_with(directions, each)[1] for each in (None, itself))
    np.testing.assert_allclose(with_itself[:, 0], 1.0, atol=1e-5)
    assert without[:, 0].mean() < 0.999


def test_few_rows_have_few_neighbours() -> None:
    fitted = Neighbours(directions_view, 30, np.eye(3, dtype=np.float32), np.array([[1.0], [2.0], [3.0]]))
    found, ranks = fitted.predict_with(np.array([[1.0, 0.0, 0.0]]))
    assert found.shape == (1, 1)
    assert ranks.tolist() == [[1.0, 0.0]]


@pytest.mark.parametrize("name", NAMES)
def test_a_learner_gives_the_same_for_the_same(name: str, noise, held_out) -> None:
    again, before = LEARNERS[name](noise), held_out[name, "noise"]
    assert np.array_equal(again.by_row, before.by_row)
    assert np.array_equal(again.by_task, before.by_task)
    assert np.array_equal(again.fitted.predict(noise.points), before.fitted.predict(noise.points))
