"""Prices are recovered from bills, and bills are predicted where there are none."""

from dataclasses import replace

import numpy as np
import pytest

from pointsman.core import BadRequest
from pointsman.query.difficulty.prices import fit_prices


@pytest.fixture
def billed(tables):
    rng = np.random.default_rng(0)
    read, written = rng.integers(10, 500, (200, 2)).astype(float), rng.integers(0, 300, (200, 2)).astype(float)
    cost = read * [10, 50] + written * [20, 100] + [0.0, 7_000.0]
    return tables.outcomes_of(np.ones((200, 2)), cost, prompt_tokens=read, completion_tokens=written)


def test_prices_of_tokens_and_of_requests_are_recovered(billed) -> None:
    found = fit_prices(billed)
    assert found.is_by_token
    np.testing.assert_allclose(found.per_prompt_token, [10, 50], rtol=1e-6)
    np.testing.assert_allclose(found.per_completion_token, [20, 100], rtol=1e-6)
    np.testing.assert_allclose(found.per_request, [0, 7_000], atol=1e-2)


def test_costs_of_lengths_that_are_known_are_the_bills(billed) -> None:
    found = fit_prices(billed)
    np.testing.assert_allclose(found.nano_usd(found.targets(billed), billed.prompt_tokens), billed.nano_usd, rtol=1e-6)


def test_bills_that_tokens_do_not_explain_are_predicted_themselves(billed) -> None:
    noise = np.exp(np.random.default_rng(1).normal(0, 0.3, billed.nano_usd.shape))
    odd = replace(billed, nano_usd=billed.nano_usd * noise)
    found = fit_prices(odd)
    assert not found.is_by_token
    np.testing.assert_allclose(found.targets(odd), np.log(odd.nano_usd))
    unknown = np.full((200, 2), np.nan)
    np.testing.assert_allclose(found.nano_usd(found.targets(odd), unknown), odd.nano_usd)


@pytest.mark.parametrize("name", ["prompt_tokens", "completion_tokens"])
def test_one_unknown_token_count_means_bills(name: str, billed) -> None:
    tokens = getattr(billed, name).copy()
    tokens[3, 1] = np.nan
    assert not fit_prices(replace(billed, **{name: tokens})).is_by_token


def test_prompts_that_were_not_counted_are_refused_where_they_are_billed(billed) -> None:
    found = fit_prices(billed)
    with pytest.raises(BadRequest, match="prompt tokens of 1 requests are unknown"):
        found.nano_usd(np.zeros((1, 2)), np.array([[10.0, np.nan]]))


@pytest.mark.parametrize("is_by_token", [True, False])
def test_corrected_costs_are_right_on_average(is_by_token: bool, billed) -> None:
    table = billed if is_by_token else replace(billed, prompt_tokens=np.full((200, 2), np.nan))
    prices = fit_prices(table)
    mean = np.tile(prices.targets(table).mean(0), (200, 1))  # a mean of logarithms is too low
    before = prices.nano_usd(mean, table.prompt_tokens).mean(0)
    after = prices.corrected(mean, table).nano_usd(mean, table.prompt_tokens).mean(0)
    assert (before < 0.95 * table.nano_usd.mean(0)).all()
    np.testing.assert_allclose(after, table.nano_usd.mean(0), rtol=1e-6)


def test_costs_are_above_nought(billed) -> None:
    found = fit_prices(billed)
    assert (found.nano_usd(np.full((1, 2), -40.0), np.zeros((1, 2))) >= 1.0).all()
