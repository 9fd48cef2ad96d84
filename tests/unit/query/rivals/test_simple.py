"""Baselines against slow twins."""

import numpy as np
import pytest

from pointsman.query.rivals import (
    AllocationOnly,
    BestSingle,
    NearestNeighbours,
    R2Ridge,
    RandomMixture,
    RouteThenAllocate,
    RoutingOnly,
    single_axes,
)

PRICES = (0.0, 1e-6, 1e-5, 1e-4, 3e-4, 1e-3, 1e3)


def chosen(method, sample, price: float) -> np.ndarray:
    found = method.fit(sample, 0).forecast(sample.features, sample.outcomes.prompt_tokens)
    return (found.right - price * found.nano_usd).argmax(1)


def test_best_single_takes_the_strongest_when_cost_is_nothing(made) -> None:
    assert set(chosen(BestSingle(), made(), 0.0)) == {2}


def test_a_mixture_mixes_neighbours_on_the_hull_only(plain) -> None:
    rng = np.random.default_rng(0)
    right = (rng.random((500, 4)) < [0.3, 0.6, 0.5, 0.8]).astype(float)
    sample = plain([""] * 500, right, np.tile([1e3, 2e3, 3e3, 9e3], (500, 1)))
    mixed = [set(chosen(RandomMixture(), sample, price).tolist()) for price in np.geomspace(1e-6, 1e-2, 4000)]
    assert {frozenset(each) for each in mixed} == {frozenset(each) for each in ({0}, {0, 1}, {1}, {1, 3}, {3})}


def test_neighbours_are_the_nearest_by_cosine(made) -> None:
    train, test = made(90), made(10, seed=1)
    fitted = NearestNeighbours().fit(train, 0)
    found = fitted.forecast(test.features, test.outcomes.prompt_tokens)
    known, asked = (fitted.embedding.tfidf(each.features).toarray() for each in (train, test))
    for row, vector in enumerate(asked):
        near = np.argsort([-float(vector @ other) for other in known], kind="stable")[: fitted.count]
        np.testing.assert_allclose(found.right[row], train.outcomes.right[near].mean(0))
        np.testing.assert_allclose(found.nano_usd[row], train.outcomes.nano_usd[near].mean(0))


def test_many_neighbours_are_taken_where_text_tells_nothing(plain) -> None:
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(list("abcdefghijklmnop"), 12)) for _ in range(300)]
    noise = plain(texts, rng.integers(0, 2, (300, 2)).astype(float), np.ones((300, 2)))
    assert NearestNeighbours().fit(noise, 0).count >= 80


@pytest.mark.parametrize(("budget", "arms"), [(0, {0, 3, 5}), (1, {1, 4, 5}), (-1, {2, 4, 5}), (9, {2, 4, 5})])
def test_routing_only_keeps_one_budget_of_each_model(budget: int, arms: set[int], budgeted) -> None:
    taken = {int(arm) for price in PRICES for arm in chosen(RoutingOnly(R2Ridge(), budget), budgeted, price)}
    assert taken <= arms
    assert len(taken) > 1


@pytest.mark.parametrize(("model", "arms"), [("a", {0, 1, 2}), ("b", {3, 4}), ("c", {5}), (None, {0, 1, 2})])
def test_allocation_only_keeps_one_model(model: str | None, arms: set[int], budgeted) -> None:
    means = budgeted.outcomes.right.mean(0)
    strongest = {0, 1, 2} if means[:3].max() > means[3:].max() else {3, 4}
    taken = {int(arm) for price in PRICES for arm in chosen(AllocationOnly(R2Ridge(), model), budgeted, price)}
    assert taken <= (arms if model else strongest)


@pytest.mark.parametrize("price", PRICES)
def test_the_model_is_chosen_before_its_budget(price: float, budgeted) -> None:
    found = R2Ridge().fit(budgeted, 0).forecast(budgeted.features, budgeted.outcomes.prompt_tokens)
    value = found.right - price * found.nano_usd
    groups = [[0, 1, 2], [3, 4], [5]]
    expected = []
    for row in value:
        group = groups[int(np.argmax([row[arms].mean() for arms in groups]))]
        expected.append(group[int(np.argmax(row[group]))])
    assert (
        chosen(RouteThenAllocate(R2Ridge()), budgeted, price) == expected
    ).mean() > 0.99  # near ties of models differ


def test_split_choices_have_names_of_their_own() -> None:
    assert all(method.name == name and "r2-router" in name for name, method in single_axes(R2Ridge()).items())
    assert len(single_axes(R2Ridge())) == 4
