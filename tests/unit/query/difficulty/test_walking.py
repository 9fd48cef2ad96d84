"""Compiled loops over one request against what numpy makes of all."""

import numpy as np
import pytest

from pointsman.query.compiling import compiled
from pointsman.query.difficulty.learners import Neighbours, directions_view
from pointsman.query.difficulty.space import unit
from pointsman.query.difficulty.walking import Layout, nearest, place, project
from pointsman.query.features import NUM_NGRAMS, Features, features_of, hashed_ngrams
from pointsman.query.surface import surface_of

pytest.importorskip("numba")
TEXTS = ("", "river bridge 12?", "violin chord", "nothing that is known", "water " * 300)


def fast(loop):
    found = compiled(loop)
    assert found is not None
    return found


def column_of(space) -> np.ndarray:
    column = np.full(NUM_NGRAMS, -1, dtype=np.int64)
    column[space.buckets] = np.arange(len(space.buckets))
    return column


@pytest.mark.parametrize("text", TEXTS)
def test_a_place_holds_the_points_of_a_request(text: str, learned) -> None:
    space = learned[1].space
    text_part = fast(project)(*hashed_ngrams(text), column_of(space), space.rarity, space.projection)
    plain = surface_of(text)
    surface, extra = space.standardised(plain, len(plain))
    row = fast(place)(text_part, surface, space.frequencies, space.phases)
    points = space.points(features_of([text]))
    wanted = points.text, unit(points.text), points.surface, points.waves, points.directions
    assert extra.shape == (0,)
    np.testing.assert_allclose(row, np.hstack(wanted)[0], atol=2e-6)  # texts are projected in float32, in another order
    layout = Layout(points.text.shape[1], len(surface), len(space.phases))
    again = layout.points(row)
    for name in ("text", "surface", "waves"):
        np.testing.assert_allclose(getattr(again, name), getattr(points, name), atol=2e-6)


def test_extra_features_are_standardised_as_those_of_many(learned) -> None:
    space = learned[1].space
    wide = type(space)(
        *(getattr(space, name) for name in ("buckets", "rarity", "projection")),
        np.append(space.center, [1.0, 2.0]),
        np.append(space.scale, [0.5, 0.1]),
        space.frequencies,
        space.phases,
    )
    features = features_of(["river"])
    extra = np.array([[1.2, 9.0]], dtype=np.float32)
    text = wide.points(Features(features.ngrams, features.surface, extra)).text
    np.testing.assert_allclose(text[0, -2:], [0.4 / np.sqrt(2), 3.0 / np.sqrt(2)], atol=1e-6)  # clipped at 3
    found = wide.standardised(np.concatenate([features.surface[0], extra[0]]), features.surface.shape[1])[1]
    assert np.array_equal(found, text[0, -2:])


@pytest.mark.parametrize("num_nearest", [1, 3, 30, 500])
@pytest.mark.parametrize("has_ties", [False, True])
def test_the_nearest_are_those_of_the_learner(num_nearest: int, has_ties: bool) -> None:
    rng = np.random.default_rng(num_nearest)
    directions = unit(rng.normal(size=(200, 4)))
    if has_ties:
        directions = np.tile(directions[:5], (40, 1))
    targets = rng.normal(size=(200, 3))
    learner = Neighbours(directions_view, num_nearest, directions.astype(np.float32), targets)
    asked = unit(rng.normal(size=(1, 4)))
    similar = (asked.astype(np.float32) @ learner.directions.T)[0]
    found, values = fast(nearest)(similar, num_nearest, targets, 0.1)
    wanted, ranks = learner.predict_with(asked)
    np.testing.assert_allclose(found, wanted[0], rtol=1e-5)
    assert values.tolist() == sorted(similar.tolist(), reverse=True)[:num_nearest]
    assert values[[0, min(9, len(values) - 1)]].tolist() == ranks[0].tolist()
