"""Looks: what is seen, what is adopted, what is billed."""

import math
from dataclasses import replace

import numpy as np
import pytest

from pointsman.query.frontier import curve_of, gap_closed, prices_of
from pointsman.query.outcomes import Outcomes
from pointsman.query.sequences import Look, Sequences, fit_sequences

COSTS = [1.0, 3.0, 30.0]
"""Of one sample of the cheap arm, three of it, and the dear arm."""


def voting(tables, num_rows: int, seed: int, is_telling: bool) -> Outcomes:
    """A cheap arm, right half of the time, its vote of three, and an arm that is nearly always right.

    Where agreement tells, the samples agree exactly if they are right; elsewhere they agree by a coin.
    """
    rng = np.random.default_rng(seed)
    easy = rng.random(num_rows) < 0.5
    right = np.column_stack([easy, easy, rng.random(num_rows) < 0.97]).astype(float)
    agrees = easy if is_telling else rng.random(num_rows) < 0.5
    agreement = np.full(right.shape, math.nan)
    agreement[:, 1] = np.where(agrees, 1.0, 1 / 3)
    return tables.outcomes_of(right, COSTS, agreement=agreement)


def pairing(tables, num_rows: int, seed: int) -> Outcomes:
    """Two cheap arms that give the same answer exactly if both are right."""
    rng = np.random.default_rng(seed)
    easy = rng.random(num_rows) < 0.5
    right = np.column_stack([easy, easy, rng.random(num_rows) < 0.97]).astype(float)
    answers = np.column_stack([np.zeros(num_rows), np.where(easy, 0, 1), np.where(right[:, 2], 0, 2)])
    return tables.outcomes_of(right, [1.0, 1.5, 30.0], answers=answers.astype(np.int64))


def mean_forecasts(tables, outcomes: Outcomes):
    """What is known without reading: the means."""
    return tables.forecasts_of(np.tile(outcomes.right.mean(0), (len(outcomes), 1)), outcomes.nano_usd.mean(0))


def gaps(tables, train: Outcomes, test: Outcomes) -> tuple[Sequences, float, float]:
    """What was fitted, and the gap closed with it and without."""
    fitted = fit_sequences(mean_forecasts(tables, train), train)
    forecasts = mean_forecasts(tables, train).rows(np.zeros(len(test), dtype=np.int64))
    return (
        fitted,
        gap_closed(fitted.play(forecasts, test), test),
        gap_closed(curve_of(forecasts, test), test),
    )


def test_where_agreement_tells_everything_a_look_is_adopted_and_gains(tables) -> None:
    fitted, with_looks, without = gaps(tables, voting(tables, 400, 0, True), voting(tables, 400, 1, True))
    assert fitted.looks == (Look((1,)),)
    assert with_looks > without + 0.5


def test_where_two_answers_tell_everything_the_pair_is_adopted(tables) -> None:
    fitted, with_looks, without = gaps(tables, pairing(tables, 400, 0), pairing(tables, 400, 1))
    assert Look((0, 1)) in fitted.looks
    assert with_looks > without + 0.5


@pytest.mark.parametrize("seed", range(5))
def test_where_agreement_tells_nothing_no_look_is_adopted(seed: int, tables) -> None:
    fitted, with_looks, without = gaps(tables, voting(tables, 400, seed, False), voting(tables, 400, 9, False))
    assert fitted.looks == ()
    assert with_looks == pytest.approx(without)


def test_where_nothing_can_be_seen_no_look_is_adopted(tables) -> None:
    table = replace(voting(tables, 300, 0, True), agreement=np.full((300, 3), math.nan))
    assert fit_sequences(mean_forecasts(tables, table), table).looks == ()


def test_without_looks_sequences_are_routing(tables) -> None:
    table = voting(tables, 200, 0, True)
    rng = np.random.default_rng(0)
    forecasts = tables.forecasts_of(rng.random((200, 3)), COSTS)
    none = Sequences((), np.zeros((0, 2)), np.zeros((0, 2, 3, 2)))
    prices = prices_of(forecasts)
    played, routed = none.play(forecasts, table, prices), curve_of(forecasts, table, prices)
    np.testing.assert_allclose(played.right, routed.right)
    np.testing.assert_allclose(played.nano_usd, routed.nano_usd)


def test_what_is_seen_by_hand(tables) -> None:
    agreement = np.full((4, 2), math.nan)
    agreement[:3, 1] = [1.0, 2 / 3, 1 / 3]
    answers = np.array([[0, 0], [0, 1], [-1, 0], [0, -1]])
    table = tables.outcomes_of(np.zeros((4, 2)), [1.0, 2.0], agreement=agreement, answers=answers)
    assert Look((1,)).seen(table).tolist() == [1, 0, 0, -1]
    assert Look((0,)).seen(table).tolist() == [-1] * 4
    assert Look((0, 1)).seen(table).tolist() == [1, 0, -1, -1]


def certain(look: Look, num_arms: int, agreed: list[float], differed: list[float]) -> Sequences:
    """One look that is expected to agree half of the time, after which chances are these."""
    moved = np.zeros((1, 2, num_arms, 2))
    moved[0, 0, :, 0], moved[0, 1, :, 0] = differed, agreed
    return Sequences((look,), np.array([[0.5, 0.0]]), moved)


def test_every_arm_that_is_called_is_billed_and_none_twice(tables) -> None:
    """Two cheap arms, then the dear one where they differ; bills differ by row."""
    rng = np.random.default_rng(0)
    bills = rng.uniform(0.5, 1.5, (60, 3)) * [1.0, 2.0, 30.0]
    equal = np.arange(60) % 3 > 0
    answers = np.column_stack([np.zeros(60), np.where(equal, 0, 1), np.full(60, 5)]).astype(np.int64)
    right = np.column_stack([equal, equal, np.ones(60)]).astype(float)
    table = tables.outcomes_of(right, bills, answers=answers)
    forecasts = tables.forecasts_of(np.tile([0.5, 0.5, 0.95], (60, 1)), [1.0, 2.0, 30.0])
    looks = certain(Look((0, 1)), 3, agreed=[1.0, 0.9, 1.0], differed=[0.0, 0.0, 1.0])
    curve = looks.play(forecasts, table, np.array([0.01]))
    wanted = bills[:, 0] + bills[:, 1] + np.where(equal, 0.0, bills[:, 2])
    assert curve.nano_usd[0] == pytest.approx(wanted.mean())
    assert curve.right[0] == 1.0


def test_a_look_that_is_not_worth_its_price_is_not_taken(tables) -> None:
    table = pairing(tables, 60, 0)
    forecasts = mean_forecasts(tables, table)
    looks = certain(Look((0, 1)), 3, agreed=[1.0, 0.9, 1.0], differed=[0.0, 0.0, 1.0])
    dear = looks.play(forecasts, table, np.array([10.0]))
    assert dear.nano_usd[0] == pytest.approx(1.0)  # the cheapest arm alone
    free = looks.play(forecasts, table, np.array([0.0]))
    assert free.right[0] >= table.right[:, 2].mean()


def test_rows_that_do_not_tell_are_routed(tables) -> None:
    table = pairing(tables, 60, 0)
    table = replace(table, answers=np.full_like(table.answers, -1))
    forecasts = mean_forecasts(tables, table)
    looks = certain(Look((0, 1)), 3, agreed=[1.0, 0.9, 1.0], differed=[0.0, 0.0, 1.0])
    for price in (0.0, 0.01, 1.0):
        played = looks.play(forecasts, table, np.array([price]))
        routed = curve_of(forecasts, table, np.array([price]))
        assert played.nano_usd == pytest.approx(routed.nano_usd)
        assert played.right == pytest.approx(routed.right)


def test_what_is_right_changes_no_bill(tables) -> None:
    """Outcomes of test rows decide nothing: only what a look shows does."""
    train, test = voting(tables, 400, 0, True), voting(tables, 300, 1, True)
    fitted = fit_sequences(mean_forecasts(tables, train), train)
    forecasts = mean_forecasts(tables, train).rows(np.zeros(300, dtype=np.int64))
    prices = prices_of(forecasts)
    turned = replace(test, right=1 - test.right)
    bills = [fitted.play(forecasts, each, prices).nano_usd for each in (test, turned)]
    assert np.array_equal(*bills)
    rights = [fitted.play(forecasts, each, prices).right for each in (test, turned)]
    np.testing.assert_allclose(rights[0], 1 - rights[1])


def test_a_table_where_hardly_anything_is_right_is_fitted(tables) -> None:
    """Parts of it have curves without any area."""
    rng = np.random.default_rng(0)
    right = np.zeros((60, 3))
    right[:3, 2] = 1.0
    answers = rng.integers(0, 2, (60, 3))
    table = tables.outcomes_of(right, [1.0, 2.0, 9.0], answers=answers)
    never = tables.forecasts_of(np.tile([0.5, 0.2, 0.1], (60, 1)), [1.0, 2.0, 9.0])
    assert fit_sequences(never, table).looks == ()
