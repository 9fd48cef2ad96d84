"""Derivatives against differences, and rankings against a fit for each request."""

import numpy as np
import pytest
from scipy.optimize import minimize

from pointsman.query.rivals.routellm import MatrixFactorisation, SimilarityRanking, _slopes, _wins, bradley_terry


def loss(weights: list, vectors: np.ndarray, wins: np.ndarray) -> float:
    projection, bias, arms, mix = weights
    normed = arms / np.linalg.norm(arms, axis=1, keepdims=True)
    terms = []
    for vector, table in zip(vectors, wins, strict=True):
        scores = [mix @ (arm * (projection.T @ vector + bias)) for arm in normed]
        terms += [np.log1p(np.exp(scores[b] - scores[a])) for a, b in np.argwhere(table)]
    return float(np.mean(terms))


def test_slopes_are_those_of_the_loss() -> None:
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=shape) for shape in ((5, 4), (4,), (3, 4), (4,))]
    vectors, right = rng.normal(size=(6, 5)), rng.integers(0, 2, (6, 3))
    wins = right[:, :, None] > right[:, None, :]
    for number, slopes in enumerate(_slopes(weights, vectors, wins)):
        for at in np.ndindex(slopes.shape):
            values = []
            for step in (1e-5, -1e-5):
                moved = [each.copy() for each in weights]
                moved[number][at] += step
                values.append(loss(moved, vectors, wins))
            assert slopes[at] == pytest.approx((values[0] - values[1]) / 2e-5, abs=1e-5)


def test_ranking_is_a_weighted_fit_for_each_request(made) -> None:
    train, test = made(80), made(5, seed=1)
    fitted = SimilarityRanking().fit(train, 0)
    found = fitted.forecast(test.features, test.outcomes.prompt_tokens).right
    known = fitted.embedding.vectors(train.features)
    right, reference = train.outcomes.right, train.outcomes.strongest
    for row, vector in enumerate(fitted.embedding.vectors(test.features)):
        cosines = known @ vector
        weights = 10 ** (1 + cosines / cosines.max())
        weights /= weights.mean()

        def negative(scores: np.ndarray, weights: np.ndarray = weights) -> float:
            total = 0.5 * (scores @ np.ones(3)) ** 2
            for a in range(3):
                for b in range(3):
                    if a == b:
                        continue
                    won = np.where(right[:, a] > right[:, b], 1.0, np.where(right[:, a] == right[:, b], 0.5, 0.0))
                    total += (1 + weights @ won) * np.log1p(np.exp(scores[b] - scores[a]))
            return float(total)

        slow = minimize(negative, np.zeros(3), tol=1e-12).x
        expected = right[:, reference].mean() + 2 / (1 + np.exp(slow[reference] - slow)) - 1
        np.testing.assert_allclose(found[row], expected, atol=1e-5)


def test_scores_of_an_arm_that_always_wins_are_finite() -> None:
    wins = np.zeros((1, 2, 2))
    wins[0, 0, 1] = 1e4
    scores = bradley_terry(wins)
    assert np.isfinite(scores).all()
    assert scores[0, 0] - scores[0, 1] == pytest.approx(np.log(1e4 + 1))


def test_an_arm_beats_one_that_is_right_less_often(made) -> None:
    outcomes = made(40).outcomes
    wins = _wins(outcomes)
    assert wins.any()
    for row, first, second in np.argwhere(wins):
        assert outcomes.right[row, first] > outcomes.right[row, second]
    assert not (wins & wins.transpose(0, 2, 1)).any()


def test_two_arms_keep_the_order_of_the_papers_chance_to_win(made) -> None:
    train = made(200).columns([0, 2])
    fitted = MatrixFactorisation().fit(train, 0)
    test = made(60, seed=1)
    found = fitted.forecast(test.features, test.outcomes.prompt_tokens[:, :2]).right
    hidden = fitted.embedding.vectors(test.features) @ fitted.projection + fitted.bias
    scores = (hidden * fitted.mix) @ fitted.arms.T
    assert np.array_equal(np.argsort(found[:, 1] - found[:, 0]), np.argsort(scores[:, 1] - scores[:, 0]))
