"""The forecaster as a whole: it learns what texts tell, and only from training rows."""

from dataclasses import replace

import numpy as np
import pytest

from pointsman.query.adopting import fit_sequences
from pointsman.query.certifying import Setting, choose
from pointsman.query.difficulty.joint import Joint
from pointsman.query.features import features_of
from pointsman.query.forecasting import Sample
from pointsman.query.frontier import choices, curve_of, gap_closed, prices_of


def test_what_texts_tell_is_forecast_and_closes_the_gap(learned, tables) -> None:
    _, fitted, _ = learned
    test = tables.tasks_sample(200, seed=1)
    found = fitted.forecast(test.features, test.outcomes.prompt_tokens)
    is_even = np.array([int(task[-1]) % 2 == 0 for task in test.outcomes.tasks])
    assert found.right[is_even, 0].mean() > found.right[~is_even, 0].mean() + 0.5
    assert gap_closed(curve_of(found, test.outcomes), test.outcomes) > 0.5
    assert found.nano_usd.mean(0) == pytest.approx(test.outcomes.nano_usd.mean(0), rel=0.15)


def test_outcomes_of_test_rows_change_no_forecast_and_no_choice(tables) -> None:
    """Split first, as the bench does; then every outcome of the test rows is another."""
    whole = tables.tasks_sample(300, seed=2)
    outcomes, test_rows = whole.outcomes, np.arange(200, 300)
    right, cost, written = (each.copy() for each in (outcomes.right, outcomes.nano_usd, outcomes.completion_tokens))
    right[test_rows], cost[test_rows], written[test_rows] = 1 - right[test_rows], cost[test_rows][::-1], 9_999.0
    changed = replace(outcomes, right=right, nano_usd=cost, completion_tokens=written)
    found = []
    for each in (outcomes, changed):
        sample = Sample(each, whole.features)
        train, test = sample.rows(range(200)), sample.rows(test_rows)
        fitted, held_out = Joint().fit_held_out(train, 0)
        forecasts = fitted.forecast(test.features, test.outcomes.prompt_tokens)
        looks = fit_sequences(held_out, train.outcomes)
        taken = [choices(forecasts, price) for price in prices_of(forecasts)]
        cautious = choose(forecasts, 1, Setting(1e-5, 0.1))
        found.append((forecasts.right, forecasts.nano_usd, forecasts.novelty, taken, cautious, looks.looks))
    for before, after in zip(*found, strict=True):
        assert np.array_equal(before, after)


def test_the_order_of_training_rows_changes_forecasts_little(learned, tables) -> None:
    """Not nothing: folds and bags are drawn by place."""
    train, fitted, _ = learned
    test = tables.tasks_sample(100, seed=1)
    turned = Joint().fit(train.rows(np.random.default_rng(5).permutation(len(train))), 0)
    first, other = (each.forecast(test.features, test.outcomes.prompt_tokens) for each in (fitted, turned))
    assert np.abs(first.right - other.right).mean() < 0.03
    assert np.abs(first.right - other.right).max() < 0.2
    assert np.corrcoef(first.right[:, 0], other.right[:, 0])[0, 1] > 0.99
    np.testing.assert_allclose(first.nano_usd, other.nano_usd, rtol=0.3)


def test_one_seed_gives_one_forecaster_and_fits_mutate_nothing(tables) -> None:
    train = tables.tasks_sample(120, seed=4)
    before = [train.outcomes.right.copy(), train.features.ngrams.toarray(), train.features.surface.copy()]
    first, again = (Joint().fit(train, 3).forecast(train.features, train.outcomes.prompt_tokens) for _ in range(2))
    assert np.array_equal(first.right, again.right)
    assert np.array_equal(first.nano_usd, again.nano_usd)
    after = [train.outcomes.right, train.features.ngrams.toarray(), train.features.surface]
    assert all(map(np.array_equal, before, after))


@pytest.mark.parametrize("shares_difficulty", [True, False])
def test_held_out_forecasts_of_noise_have_no_skill(shares_difficulty: bool, tables) -> None:
    """Stacked too: were rows forecast by what had seen them, settings would be picked on luck."""
    train = tables.noise_sample(200, seed=0)
    method = Joint(shares_difficulty=shares_difficulty)
    fitted, held_out = method.fit_held_out(train, 0)
    targets = train.outcomes.right
    skill = 1 - ((held_out.right - targets) ** 2).mean() / targets.var(0).mean()
    assert skill < 0.05
    other = tables.noise_sample(200, seed=1)
    found = fitted.forecast(other.features, other.outcomes.prompt_tokens)
    assert ((found.right - other.outcomes.right) ** 2).mean() < 1.05 * other.outcomes.right.var(0).mean()


def test_requests_are_forecast_alone_as_together(learned) -> None:
    train, fitted, _ = learned
    together = fitted.forecast(train.features, train.outcomes.prompt_tokens)
    one = fitted.forecast(train.features.rows([9]), train.outcomes.prompt_tokens[[9]])
    np.testing.assert_allclose(one.right[0], together.right[9], atol=1e-6)
    np.testing.assert_allclose(one.nano_usd[0], together.nano_usd[9], rtol=1e-5)


@pytest.mark.parametrize("tasks", ["none", "six"])
@pytest.mark.parametrize("texts", [("",), ("the same",), ("a b c d", "1 2 3 4")])
def test_tables_without_texts_or_of_few_are_learned_from(texts: tuple[str, ...], tasks: str, tables) -> None:
    """Arms then differ by their means."""
    rng = np.random.default_rng(0)
    right = (rng.random((90, 3)) < [0.2, 0.5, 0.9]).astype(float)
    named = tuple(f"t{row % 6}" if tasks == "six" else "" for row in range(90))
    train = tables.sample_of((texts * 90)[:90], right, [1.0, 2.0, 4.0], tasks=named)
    found = Joint().fit(train, 0).forecast(features_of(["", "new", texts[0]]), np.full((3, 3), np.nan))
    np.testing.assert_allclose(found.right, np.tile(right.mean(0), (3, 1)), atol=0.12)
    np.testing.assert_allclose(found.nano_usd, np.tile([1.0, 2.0, 4.0], (3, 1)), rtol=0.01)
    assert ((found.novelty >= 0) & (found.novelty <= 1)).all()
