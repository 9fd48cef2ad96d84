"""Coordinates of requests: their shapes, their sizes, and what they do not depend on."""

import numpy as np
import pytest

from pointsman.query.difficulty.space import fit_space
from pointsman.query.features import features_of


@pytest.fixture(scope="module")
def features(tables):
    return tables.tasks_sample(120, seed=3).features


def test_points_have_the_shapes_that_are_stated(features) -> None:
    space = fit_space(features, 0)
    points = space.points(features)
    num_rows, num_surface = features.surface.shape
    assert points.surface.shape == (num_rows, num_surface)
    assert points.text.shape == (num_rows, space.projection.shape[1])
    assert points.waves.shape == (num_rows, len(space.phases))
    assert points.mixed.shape[1] == points.text.shape[1] + points.waves.shape[1] + num_surface
    np.testing.assert_allclose(np.linalg.norm(points.directions, axis=1), 1.0)


def test_a_space_is_the_same_for_one_seed_and_does_not_depend_on_what_is_placed(features) -> None:
    first, again = fit_space(features, 5), fit_space(features, 5)
    whole = first.points(features)
    assert np.array_equal(whole.mixed, again.points(features).mixed)
    alone = first.points(features.rows([7]))
    np.testing.assert_allclose(alone.mixed[0], whole.mixed[7], atol=1e-12)


def test_waves_follow_distances_of_surfaces(features) -> None:
    """Random Fourier features: their products are close to a Gaussian of the distance."""
    points = fit_space(features, 0).points(features)
    apart = ((points.surface[:, None] - points.surface[None]) ** 2).sum(2)
    assert np.abs(points.waves @ points.waves.T - np.exp(-apart / 2)).mean() < 0.08


def test_directions_put_texts_of_one_task_together(tables) -> None:
    sample = tables.tasks_sample(120, seed=3)
    directions = fit_space(sample.features, 0).points(sample.features).directions
    similar = directions @ directions.T
    same = np.array(sample.outcomes.tasks)[:, None] == np.array(sample.outcomes.tasks)
    other = ~np.eye(120, dtype=bool)
    assert similar[same & other].mean() > similar[~same].mean() + 0.3


def test_what_is_far_from_all_training_rows_is_clipped(features) -> None:
    space = fit_space(features, 0)
    strange = space.points(features_of(["9" * 5_000, "?" * 4_000, ""]))
    assert np.isfinite(strange.mixed).all()
    assert np.abs(strange.surface).max() * np.sqrt(strange.surface.shape[1]) <= 3.0 + 1e-12


def test_extra_features_are_standardised_beside_the_text(features) -> None:
    rng = np.random.default_rng(0)
    extra = (5 + 100 * rng.normal(size=(len(features), 4))).astype(np.float32)
    with_extra = type(features)(features.ngrams, features.surface, extra)
    space = fit_space(with_extra, 0)
    points, plain = space.points(with_extra), fit_space(features, 0).points(features)
    assert points.text.shape[1] == plain.text.shape[1] + 4
    added = points.text[:, -4:] * 2  # divided by the root of their number
    assert np.abs(added).max() <= 3.0
    np.testing.assert_allclose(added.mean(0), 0.0, atol=0.1)
    np.testing.assert_allclose(added.std(0), 1.0, atol=0.1)


@pytest.mark.parametrize("texts", [[""] * 30, ["the same"] * 30, ["a", "b"] * 15])
def test_tables_without_texts_or_of_few_have_a_space(texts: list[str]) -> None:
    features = features_of(texts)
    points = fit_space(features, 0).points(features)
    assert np.isfinite(points.mixed).all()
    assert len(np.unique(points.mixed.round(9), axis=0)) == len(set(texts))


def test_rows_are_some_of_the_points(features) -> None:
    points = fit_space(features, 0).points(features)
    some = np.arange(len(features)) % 3 == 0
    assert np.array_equal(points.rows(some).mixed, points.mixed[some])
