"""One request at a time against all at once."""

from dataclasses import replace

import numpy as np
import pytest

from pointsman.query.difficulty import serving
from pointsman.query.difficulty.joint import Joint
from pointsman.query.difficulty.learners import LEARNERS
from pointsman.query.difficulty.serving import Server
from pointsman.query.difficulty.space import Points
from pointsman.query.features import Features, features_of
from pointsman.query.surface import surface_of

STRANGE = ("", " ", "\ud800", "Привет, мир!", "9" * 6_000, "word " * 2_000, "violin chord 12 + 7 = ?\n\nA) x")


def assert_same(one, together, row: int) -> None:
    """Texts are projected in float32, in another order; leaves are folded and kept in it."""
    np.testing.assert_allclose(one.right[0], together.right[row], atol=1e-6)
    np.testing.assert_allclose(one.nano_usd[0], together.nano_usd[row], rtol=1e-5)
    np.testing.assert_allclose(one.novelty[0], together.novelty[row], atol=1e-5)


def test_rows_are_forecast_as_by_the_forecaster(learned, tables) -> None:
    _, fitted, _ = learned
    server, test = Server.of(fitted), tables.tasks_sample(80, seed=1)
    together = fitted.forecast(test.features, test.outcomes.prompt_tokens)
    for row, text in enumerate(test.outcomes.texts):
        assert_same(server.forecast(text, test.outcomes.prompt_tokens[row]), together, row)


@pytest.mark.parametrize("text", STRANGE, ids=range(len(STRANGE)))
def test_strange_texts_are_forecast_as_by_the_forecaster(text: str, learned) -> None:
    _, fitted, _ = learned
    tokens = np.array([3.0, 4.0])
    assert_same(Server.of(fitted).forecast(text, tokens), fitted.forecast(features_of([text]), tokens[None, :]), 0)


def test_extra_features_are_used(tables) -> None:
    train = tables.tasks_sample(120, seed=0)
    extra = np.random.default_rng(0).normal(size=(120, 5)).astype(np.float32)
    features = Features(train.features.ngrams, train.features.surface, extra)
    fitted = Joint().fit(type(train)(train.outcomes, features), 0)
    together = fitted.forecast(features, train.outcomes.prompt_tokens)
    server = Server.of(fitted)
    for row in range(0, 120, 10):
        found = server.forecast(train.outcomes.texts[row], train.outcomes.prompt_tokens[row], extra[row])
        assert_same(found, together, row)


def test_a_table_without_texts_is_served(tables) -> None:
    right = (np.random.default_rng(0).random((60, 2)) < [0.3, 0.9]).astype(float)
    fitted = Joint().fit(tables.sample_of([""] * 60, right, [1.0, 3.0]), 0)
    unknown = np.full(2, np.nan)
    found = Server.of(fitted).forecast("anything", unknown)
    assert_same(found, fitted.forecast(features_of(["anything"]), unknown[None, :]), 0)


@pytest.mark.parametrize("names", [("mixed", "trees"), ("text", "text neighbours"), tuple(LEARNERS)])
def test_any_learners_are_served(names: tuple[str, ...], tables) -> None:
    """Where neighbours do not take part, some tell novelty all the same."""
    train, test = (tables.tasks_sample(count, seed=seed) for count, seed in ((120, 0), (20, 1)))
    fitted = Joint(learners=names, shares_difficulty=False).fit(train, 0)
    together = fitted.forecast(test.features, test.outcomes.prompt_tokens)
    for row, text in enumerate(test.outcomes.texts):
        assert_same(Server.of(fitted).forecast(text, test.outcomes.prompt_tokens[row]), together, row)


def test_a_server_is_warm_before_the_first_request(learned, monkeypatch: pytest.MonkeyPatch) -> None:
    _, fitted, _ = learned
    asked: list[str] = []
    monkeypatch.setattr(serving, "surface_of", lambda text: asked.append(text) or surface_of(text))
    Server.of(fitted).warm()
    assert len(asked) == 1


def test_a_learner_of_another_kind_is_asked_as_it_is(learned) -> None:
    _, fitted, _ = learned

    class Other:
        def predict(self, points: Points) -> np.ndarray:
            return np.tile(points.waves[:, :1] + points.text[:, :1] + points.surface[:, :1], (1, 4))

    other = Other()
    changed = replace(fitted, learners=(other, *fitted.learners[1:]))
    server = Server.of(changed)
    assert any(learner is other for learner, _ in server.others)
    tokens = np.array([3.0, 4.0])
    wanted = changed.forecast(features_of(["violin chord"]), tokens[None, :])
    assert_same(server.forecast("violin chord", tokens), wanted, 0)


def test_texts_of_other_rows_are_looked_at_on_their_own(learned) -> None:
    _, fitted, _ = learned
    at = list(LEARNERS).index("text neighbours")
    other = replace(fitted.learners[at], directions=fitted.learners[at].directions[::-1].copy())
    changed = replace(fitted, learners=tuple(other if i == at else each for i, each in enumerate(fitted.learners)))
    server = Server.of(changed)
    assert any(learner is other for learner, _ in server.others)
    tokens = np.array([3.0, 4.0])
    assert_same(server.forecast("river 7", tokens), changed.forecast(features_of(["river 7"]), tokens[None, :]), 0)


def test_the_loops_are_what_answers_and_the_forecaster_does_without_numba(learned, monkeypatch) -> None:
    pytest.importorskip("numba")
    _, fitted, _ = learned
    server, tokens, asked = Server.of(fitted), np.array([3.0, 4.0]), []
    monkeypatch.setattr(serving, "features_of", lambda *given: asked.append(given) or features_of(*given))
    fast = server.forecast("river 7", tokens)
    assert not asked
    monkeypatch.setattr(serving, "compiled", lambda _: None)
    assert_same(fast, server.forecast("river 7", tokens), 0)
    assert asked == [(["river 7"], None)]
