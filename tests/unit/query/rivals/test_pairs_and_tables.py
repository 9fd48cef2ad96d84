"""Hybrid LLM, Avengers-Pro and R2-Router against their definitions."""

import numpy as np
import pytest

from pointsman.query.rivals import Clusters, Hybrid, R2Ridge
from pointsman.query.rivals.hybrid import best_margin
from pointsman.query.rivals.r2 import recovered_prices

KINDS = ("deterministic", "probabilistic", "transformed")


def test_kinds_are_one_where_every_share_is_0_or_1(made) -> None:
    train, test = made(100), made(30, seed=1)
    found = [Hybrid(kind).fit(train, 0).forecast(test.features, test.outcomes.prompt_tokens).right for kind in KINDS]
    np.testing.assert_allclose(found[0], found[1])
    np.testing.assert_allclose(found[0], found[2])


def test_the_margin_separates_labels_best() -> None:
    rng = np.random.default_rng(0)
    gaps = np.round(rng.normal(0.5, 0.5, 60), 1)

    def spread(margin: float) -> float:
        labels = (gaps <= margin).astype(float)
        return float(np.abs(labels[:, None] - labels).mean())

    margins = np.unique(np.maximum(gaps, 0.0))
    assert best_margin(gaps) > 0
    assert spread(best_margin(gaps)) == pytest.approx(max(map(spread, margins)))


@pytest.mark.parametrize("kind", KINDS)
def test_arms_outside_the_pair_are_never_chosen(kind, made) -> None:
    test = made(40, seed=1)
    found = Hybrid(kind).fit(made(100), 0).forecast(test.features, test.outcomes.prompt_tokens)
    chosen = {
        int(arm) for price in (0, 1e-6, 1e-4, 1e-2, 1e9) for arm in (found.right - price * found.nano_usd).argmax(1)
    }
    assert chosen == {0, 2}


@pytest.mark.parametrize("alpha", [0.2, 0.5, 0.8])
def test_a_price_sweeps_the_published_score(alpha: float, made) -> None:
    train, test = made(300), made(80, seed=1)
    fitted = Clusters().fit(train, 0)
    vectors, known = fitted.embedding.vectors(test.features), fitted.embedding.vectors(train.features)
    label = ((known[:, None] - fitted.centers) ** 2).sum(2).argmin(1)
    outcomes, expected, unit = train.outcomes, [], []
    tables = []
    for cluster in range(len(fitted.centers)):
        right, cost = outcomes.right[label == cluster].mean(0), outcomes.nano_usd[label == cluster].mean(0)
        spread = right.max() - right.min()
        performance = (right - right.min()) / spread if spread else np.ones(3)
        tables.append(alpha * performance + (1 - alpha) * (1 - cost / cost.max()))
        unit.append(cost.max())
    for vector in vectors:
        near = ((vector - fitted.centers) ** 2).sum(1).argsort()[:3]
        expected.append(np.sum([tables[cluster] for cluster in near], axis=0).argmax())
    found = fitted.forecast(test.features, test.outcomes.prompt_tokens)
    price = (1 - alpha) / alpha / np.mean(unit)
    assert len(set(expected)) > 1
    assert np.array_equal((found.right - price * found.nano_usd).argmax(1), expected)


def test_prices_are_recovered_from_costs(made) -> None:
    np.testing.assert_allclose(recovered_prices(made(100).outcomes)[:, :2], [[10, 20], [20, 60], [100, 400]], rtol=1e-6)


def test_cost_is_predicted_length_at_its_price(made) -> None:
    test = made(200, seed=1)
    found = R2Ridge().fit(made(), 0).forecast(test.features, test.outcomes.prompt_tokens).nano_usd
    flat = made().outcomes.nano_usd.mean(0)
    actual = test.outcomes.nano_usd
    assert (((found - actual) ** 2).mean(0) < 0.5 * ((flat - actual) ** 2).mean(0)).all()


def test_cost_is_regressed_where_tokens_are_not_counted(made, plain) -> None:
    train, test = made().outcomes, made(200, seed=1)
    unknown = plain(train.texts, train.right, train.nano_usd)
    found = R2Ridge().fit(unknown, 0).forecast(test.features, np.full((200, 3), np.nan)).nano_usd
    actual = test.outcomes.nano_usd
    assert (((found - actual) ** 2).mean(0) < 0.5 * ((train.nano_usd.mean(0) - actual) ** 2).mean(0)).all()
