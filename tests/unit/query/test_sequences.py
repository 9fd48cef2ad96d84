"""Looks: what is seen, what is adopted, what is billed."""

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from pointsman.query.adopting import fit_sequences
from pointsman.query.certifying import Setting, choose, courses_of, losses_of
from pointsman.query.forecasting import Forecasts
from pointsman.query.frontier import cautious, curve_of, gap_closed, prices_of
from pointsman.query.outcomes import Outcomes
from pointsman.query.policy import Certificate, Policy, Wish
from pointsman.query.promise import Promise
from pointsman.query.sequences import Courses, Look, Sequences

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
def test_where_answers_of_many_arms_tell_nothing_few_looks_are_adopted_and_little_is_lost(seed: int, tables) -> None:
    """Twelve arms, from a coin to nine of ten right, that answer at random: 66 pairs to be fooled by."""

    def guessing(seed: int, num_rows: int) -> Outcomes:
        rng = np.random.default_rng(seed)
        right = (rng.random((num_rows, 12)) < np.linspace(0.5, 0.9, 12)).astype(float)
        return tables.outcomes_of(right, np.geomspace(1, 60, 12), answers=rng.integers(0, 2, (num_rows, 12)))

    _, with_looks, without = gaps(tables, guessing(seed, 400), guessing(seed + 100, 2_000))
    assert with_looks > without - 0.05


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
    none = Sequences.none(3)
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


def test_what_is_more_unknown_than_known_is_routed(tables) -> None:
    table = pairing(tables, 60, 0)
    forecasts = replace(mean_forecasts(tables, table), novelty=np.repeat([0.5, 0.7], 30))
    looks = certain(Look((0, 1)), 3, agreed=[1.0, 0.9, 1.0], differed=[0.0, 0.0, 1.0])
    assert looks.courses(forecasts, 0.01).look.tolist() == [0] * 30 + [-1] * 30


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


# courses: the rule that a server follows request by request, and that is played on tables all at once

LOOKS = (Look((1,)), Look((0, 2)), Look((0, 1)))


def drawn(tables, num_rows: int, seed: int) -> tuple[Sequences, Forecasts, Outcomes]:
    """Anything may be: forecasts, bills, answers and what looks teach, of four arms."""
    rng = np.random.default_rng(seed)
    bills = rng.uniform(0.5, 1.5, (num_rows, 4)) * [1.0, 3.0, 4.0, 20.0]
    agreement = np.full((num_rows, 4), math.nan)
    agreement[:, 1] = rng.choice([1 / 3, 2 / 3, 1.0], num_rows)
    answers = rng.integers(0, 2, (num_rows, 4))
    right = rng.integers(0, 2, (num_rows, 4)).astype(float)
    table = tables.outcomes_of(right, bills, answers=answers, agreement=agreement)
    forecasts = tables.forecasts_of(rng.random((num_rows, 4)), bills * rng.uniform(0.8, 1.2, bills.shape))
    moved = np.stack([rng.uniform(-0.3, 0.5, (3, 2, 4)), rng.uniform(0.5, 1.5, (3, 2, 4))], -1)
    agreeing = np.column_stack([rng.uniform(0.2, 0.4, 3), rng.uniform(0, 0.4, 3)])
    return Sequences(LOOKS, agreeing, moved), forecasts, table


def worth_of(
    sequences: Sequences, forecasts: Forecasts, row: int, setting: Setting, course: tuple[int, int, int], most: float
) -> float:
    """The slow twin: the value of one course of one request, a look or -1 and who answers then."""
    number, differ, agreed = course
    right, cost = forecasts.right[row], forecasts.nano_usd[row]
    if number < 0:
        value = cautious(right[None, :], 3, setting.caution)[0, agreed] - setting.price * cost[agreed]
        return float(value) if cost[agreed] <= most else -math.inf
    arms, total = sequences.looks[number].arms, 0.0
    level, slope = sequences.agreeing[number]
    agree = min(max(level + slope * np.mean([right[arm] for arm in arms]), 0.01), 0.99)
    for what, arm, chance in ((0, differ, 1 - agree), (1, agreed, agree)):
        moved = np.array([a + b * each for (a, b), each in zip(sequences.moved[number, what], right, strict=True)])
        paid = sum(cost[each] for each in {*arms, arm})
        if paid > most:
            return -math.inf
        total += chance * (cautious(moved[None, :], 3, setting.caution)[0, arm] - setting.price * paid)
    return total


@pytest.mark.parametrize("most", [math.inf, 12.0])
@pytest.mark.parametrize("caution", [0.0, 0.2])
@pytest.mark.parametrize("price", [0.0, 0.005, 0.05, 1.0])
def test_a_course_is_the_best_of_all_there_are(tables, price: float, caution: float, most: float) -> None:
    sequences, forecasts, _ = drawn(tables, 25, 3)
    found = sequences.courses(forecasts, price, 3, caution, most=most)
    setting, arms = Setting(price, caution), range(4)
    for row in range(25):
        every = [(-1, arm, arm) for arm in arms] + list(product(range(3), arms, arms))
        best = max(worth_of(sequences, forecasts, row, setting, each, most) for each in every)
        taken = (int(found.look[row]), *(int(arm) for arm in found.after[row]))
        assert worth_of(sequences, forecasts, row, setting, taken, most) == pytest.approx(best)


class _Rows:
    """A server that forecasts the row that a text names."""

    def __init__(self, forecasts: Forecasts) -> None:
        self.forecasts = forecasts

    def forecast(self, text: str, prompt_tokens: object, extra: object = None) -> Forecasts:
        return self.forecasts.rows([int(text)])


def step_by_step(policy: Policy, wish: Wish, outcomes: Outcomes) -> tuple[list[float], list[float]]:
    """Right and paid of each row, as a server goes: decide, call, look, decide who answers."""
    rights, bills = [], []
    for row in range(len(outcomes)):
        choice = policy.decide(str(row), np.zeros(4), wish)
        called, arm = [choice.arm], choice.arm
        if choice.steps is not None:
            called = list(choice.steps.first)
            at = [policy.arms.index(name) for name in called]
            agrees = outcomes.agreement[row, at[0]] == 1.0 if len(at) == 1 else len(set(outcomes.answers[row, at])) == 1
            arm = choice.steps.answers(agrees=bool(agrees))
        rights.append(float(outcomes.right[row, policy.arms.index(arm)]))
        bills.append(sum(float(outcomes.nano_usd[row, policy.arms.index(name)]) for name in {*called, arm}))
    return rights, bills


@pytest.mark.parametrize("setting", [Setting(0.01, 0.0, True), Setting(0.01, 0.2, True), Setting(0.05, 0.03, True)])
def test_playing_a_table_is_going_step_by_step_under_a_certificate(tables, setting: Setting) -> None:
    sequences, forecasts, table = drawn(tables, 120, 5)
    forecasts = replace(forecasts, novelty=np.linspace(0, 1, 120))
    courses = courses_of(forecasts, 3, setting, 0.8, sequences)
    right, paid = sequences.played(courses, table, sequences.seen(table))
    made = Certificate(Promise.of_quality(0.9), setting, 0.8, 0.9, 100, 0.5, table.names, "sha")
    policy = Policy(table.names, "arm3", "nano_usd", _Rows(forecasts), made, "v", sequences)  # type: ignore[arg-type]
    rights, bills = step_by_step(policy, Wish(), table)
    assert rights == right.tolist()
    np.testing.assert_allclose(bills, paid, rtol=1e-12)
    assert {-1, 0, 1, 2} >= set(courses.look.tolist()) >= {-1, 0}, "looks are taken, and not always"


@pytest.mark.parametrize("price", [0.0, 0.01, 0.1])
def test_playing_a_table_is_going_step_by_step_at_a_price(tables, price: float) -> None:
    sequences, forecasts, table = drawn(tables, 120, 6)
    played = sequences.play(forecasts, table, np.array([price]))
    policy = Policy(table.names, "arm3", "nano_usd", _Rows(forecasts), None, "v", sequences)  # type: ignore[arg-type]
    rights, bills = step_by_step(policy, Wish(price=1 / price) if price else Wish(max_cost=1e9), table)
    assert np.mean(rights) == pytest.approx(played.right[0])
    assert np.mean(bills) == pytest.approx(played.nano_usd[0])


def test_a_setting_without_looks_routes(tables) -> None:
    sequences, forecasts, table = drawn(tables, 60, 7)
    for setting in (Setting(0.01, 0.1), Setting(math.inf, 0.0, True)):
        courses = courses_of(forecasts, 3, setting, 1.0, sequences)
        assert courses.arm.tolist() == choose(forecasts, 3, setting).tolist()
        assert set(courses.look.tolist()) == {-1}
        right, paid = sequences.played(courses, table, sequences.seen(table))
        assert (table.right[:, 3] - right).tolist() == losses_of(table, 3, courses.arm).tolist()
        assert paid.tolist() == table.nano_usd[np.arange(60), courses.arm].tolist()


def test_without_looks_courses_are_what_is_chosen(tables) -> None:
    _, forecasts, _ = drawn(tables, 200, 8)
    none = Sequences.none(4)
    for setting in (Setting(0.0, 0.0), Setting(0.01, 0.1), Setting(0.3, 0.4)):
        found = none.courses(forecasts, setting.price, 3, setting.caution)
        assert found.arm.tolist() == choose(forecasts, 3, setting).tolist()


def test_arms_that_do_not_run_are_neither_called_nor_looked_at(tables) -> None:
    sequences, forecasts, _ = drawn(tables, 100, 9)
    assert {0, 2} & set(sequences.courses(forecasts, 0.03, 3, 0.1).look.tolist())
    found = sequences.courses(forecasts, 0.03, 3, 0.1, runs=np.array([True, False, True, True]))
    assert set(found.look.tolist()) == {-1, 1}, "the look at arm 1 and the one at arms 0 and 1 are left out"
    assert 1 not in found.arm
    assert 1 not in found.after


def test_what_is_expected_by_hand(tables) -> None:
    forecasts = tables.forecasts_of([[0.5, 0.5, 0.9]], [1.0, 2.0, 30.0])
    looks = certain(Look((0, 1)), 3, agreed=[1.0, 0.9, 1.0], differed=[0.0, 0.0, 0.8])
    courses = looks.courses(forecasts, 0.01)
    assert (courses.look.tolist(), courses.after.tolist(), courses.agree.tolist()) == ([0], [[2, 0]], [0.5])
    assert looks.expected(courses, forecasts) == pytest.approx((0.9, 3 + 0.5 * 30))


def test_some_requests_may_be_kept_from_looks() -> None:
    courses = Courses(np.array([0, 0]), np.array([1, 1]), np.array([[3, 0], [3, 0]]), np.array([0.5, 0.5]))
    kept = courses.without(np.array([False, True]), 2)
    assert (kept.arm.tolist(), kept.look.tolist(), kept.after.tolist()) == ([0, 2], [1, -1], [[3, 0], [2, 2]])
    assert kept.agree.tolist() == [0.5, 0.0]
