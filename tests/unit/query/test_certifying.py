"""A promise is kept as often as it says; settings are tested in an order that calibration outcomes do not touch."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core import BadRequest
from pointsman.core.risk import mean_is_below, shuffled
from pointsman.query.adopting import fit_sequences
from pointsman.query.certifying import Certified, Setting, certify, choose, courses_of, disagreement, losses_of, settled
from pointsman.query.forecasting import Forecasts
from pointsman.query.outcomes import Outcomes, Taken
from pointsman.query.promise import Promise, Tried, surest_first

COSTS = [1.0, 4.0, 10.0]
REFERENCE = 2


class World:
    """Requests of known chances: the true loss of a setting is a mean of chances, over 20,000 requests."""

    def __init__(self, tables, chance, forecast) -> None:
        self.tables, self.chance, self.forecast = tables, chance, forecast
        hard = np.random.default_rng(99).random(20_000)
        self.known = tables.forecasts_of(forecast(hard), COSTS)
        self.chances = tables.outcomes_of(chance(hard), COSTS)  # as if they were outcomes: means are the same

    def draw(self, rng: np.random.Generator, num_rows: int) -> tuple[Forecasts, Outcomes]:
        hard = rng.random(num_rows)
        chance = self.chance(hard)
        right = (rng.random(chance.shape) < chance).astype(float)
        return self.tables.forecasts_of(self.forecast(hard), COSTS), self.tables.outcomes_of(right, COSTS)

    def loss(self, setting: Setting | None, kept: float) -> float:
        arms = choose(self.known, REFERENCE, setting)
        return float(losses_of(self.chances, REFERENCE, arms, kept).mean())


def steep(hard: np.ndarray) -> np.ndarray:
    return np.column_stack([0.95 - 0.9 * hard, 0.95 - 0.4 * hard, 0.95 - 0.1 * hard])


def flat(hard: np.ndarray) -> np.ndarray:
    """Cheap arms always lose three points: no setting that takes one often keeps a promise of one."""
    return np.column_stack([np.full(len(hard), 0.6), np.full(len(hard), 0.87), np.full(len(hard), 0.9)])


def overconfident(hard: np.ndarray) -> np.ndarray:
    """Forecasts say that the cheap arms are as good."""
    return np.column_stack([0.9 + 0.01 * hard, 0.9 - 0.005 * hard, np.full(len(hard), 0.9)])


WORLDS = {
    "honest": (steep, steep),
    "overconfident": (flat, overconfident),
    "blind": (steep, lambda hard: np.tile([0.5, 0.75, 0.9], (len(hard), 1)) + 0.05 * np.sin(997 * hard)[:, None]),
}
PROMISES = {
    "points": Promise(0.03, 0.9),
    "share": Promise.of_quality(0.97, 0.9),
}


@pytest.mark.parametrize("promise", PROMISES)
@pytest.mark.parametrize("world", WORLDS)
def test_a_promise_is_broken_no_more_often_than_it_says(world: str, promise: str, tables) -> None:
    """200 tables; with 90 % confidence at most 20 may lose more than promised, and 2 standard deviations."""
    made, promised, num = World(tables, *WORLDS[world]), PROMISES[promise], 200
    broken = saved = 0
    for seed in range(num):
        rng = np.random.default_rng(seed)
        found = certify(made.draw(rng, 200), made.draw(rng, 300), REFERENCE, promised)
        broken += made.loss(found.setting, promised.kept) > promised.loss
        saved += found.setting is not None
    assert broken <= num * 0.1 + 2 * math.sqrt(num * 0.1 * 0.9)
    assert saved > 0 or world == "overconfident"


def test_with_rows_enough_what_can_be_saved_is_saved(tables) -> None:
    made = World(tables, steep, steep)
    rng = np.random.default_rng(0)
    found = certify(made.draw(rng, 2_000), made.draw(rng, 3_000), REFERENCE, Promise(0.05))
    assert found.setting is not None
    assert found.saving > 0.1
    assert made.loss(found.setting, 1.0) <= 0.05


def test_the_order_is_fixed_before_calibration_outcomes_are_seen(tables) -> None:
    """Whatever they are, the settings tested are a prefix of the same list."""
    made = World(tables, steep, steep)
    rng = np.random.default_rng(1)
    held_out, (forecasts, outcomes) = made.draw(rng, 400), made.draw(rng, 600)
    perfect = tables.outcomes_of(np.ones((600, 3)), COSTS)
    most = certify(held_out, (forecasts, perfect), REFERENCE, Promise(0.03))
    assert most.num_passed == most.num_tested > 3
    some = certify(held_out, (forecasts, outcomes), REFERENCE, Promise(0.03))
    assert some.num_tested == some.num_passed + 1 <= most.num_tested  # the one that failed ended it
    worst = replace(outcomes, right=np.tile([0.0, 0.0, 1.0], (600, 1)))
    none = certify(held_out, (forecasts, worst), REFERENCE, Promise(0.03))
    assert none.num_tested == none.num_passed + 1 < some.num_tested
    assert none.saving < some.saving < most.saving


def test_what_was_taken_passed_and_is_cheaper_than_the_reference(tables) -> None:
    made, promise = World(tables, steep, steep), Promise(0.05)
    rng = np.random.default_rng(2)
    held_out, (forecasts, outcomes) = made.draw(rng, 500), made.draw(rng, 800)
    found = certify(held_out, (forecasts, outcomes), REFERENCE, promise)
    arms = choose(forecasts, REFERENCE, found.setting)
    losses = losses_of(outcomes, REFERENCE, arms)
    assert mean_is_below(promise.loss, shuffled(losses.tolist()), (-1.0, 1.0), promise.confidence)
    assert found.loss == pytest.approx(losses.mean())
    assert found.nano_usd == pytest.approx(outcomes.nano_usd[np.arange(800), arms].mean())
    assert found.reference_nano_usd == pytest.approx(10.0)
    assert found.saving == pytest.approx(1 - found.nano_usd / 10)
    assert found.saving > 0


def test_nothing_passes_where_every_other_arm_loses(tables) -> None:
    right = np.tile([0.0, 0.0, 1.0], (500, 1))
    table = tables.outcomes_of(right, COSTS)
    forecasts = tables.forecasts_of(np.tile([0.9, 0.9, 0.9], (500, 1)), COSTS)
    found = certify((forecasts, table), (forecasts, table), REFERENCE, Promise())
    assert (found.setting, found.loss) == (None, 0.0)  # what passed is the reference arm itself, which saves nothing
    assert found.nano_usd == found.reference_nano_usd
    assert found.saving == 0.0


def test_a_sorted_table_certifies_no_more_than_a_mixed_one(tables) -> None:
    """A tenth of the answers is lost, all of them at its end, where a bet in that order would have been won."""
    right = np.ones((1_000, 3))
    right[900:, :2] = 0.0
    table, forecasts = tables.outcomes_of(right, COSTS), tables.forecasts_of(np.full((1_000, 3), 0.9), COSTS)
    losses = losses_of(table, REFERENCE, choose(forecasts, REFERENCE, Setting(1.0, 0.0))).tolist()
    assert mean_is_below(0.03, losses, (-1.0, 1.0), 0.95)
    assert sorted(shuffled(losses)) == sorted(losses)
    held_out = forecasts, tables.outcomes_of(np.ones((1_000, 3)), COSTS)
    assert certify(held_out, (forecasts, table), REFERENCE, Promise(0.03)).setting is None


def test_too_few_rows_are_refused_with_the_number_needed(tables) -> None:
    made, promise = World(tables, steep, steep), Promise(0.02)
    rng = np.random.default_rng(0)
    held_out = made.draw(rng, 100)
    with pytest.raises(
        BadRequest, match=rf"150 calibration rows .* 0\.02 .* 0\.95; expected {promise.fewest_rows} "
    ) as e:
        certify(held_out, made.draw(rng, promise.fewest_rows - 2), REFERENCE, promise)
    assert e.value.code == "too_few_rows"
    assert isinstance(certify(held_out, made.draw(rng, promise.fewest_rows), REFERENCE, promise), Certified)


@given(st.floats(0.005, 0.2), st.floats(0.5, 0.99))
def test_fewer_rows_than_the_fewest_cannot_promise_though_nothing_is_lost(loss: float, confidence: float) -> None:
    promise = Promise(loss, confidence)
    assert not mean_is_below(loss, [0.0] * (promise.fewest_rows // 2), (-1.0, 1.0), confidence)
    assert mean_is_below(loss, [0.0] * (2 * promise.fewest_rows + 5), (-1.0, 1.0), confidence)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"loss": -0.01}, {"loss": 1.0}, {"loss": math.nan}, {"confidence": 0.4}, {"confidence": 1.0}),
        *({"confidence": math.nan}, {"kept": 0.0}, {"kept": 1.1}, {"kept": math.nan}, {"loss": 0.0}),
    ],
)
def test_promises_that_mean_nothing_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(BadRequest, match="cannot be promised; expected a loss") as caught:
        Promise(**wrong)
    assert caught.value.code == "bad_promise"


def test_a_promise_of_quality_has_slack() -> None:
    promise = Promise.of_quality(0.98, 0.9)
    assert (promise.loss, promise.kept, promise.confidence) == (0.0, 0.98, 0.9)
    assert promise.slack == pytest.approx(0.02)
    assert Promise(0.01, kept=0.99).slack == pytest.approx(0.02)


# choosing


def test_choices_by_hand(tables) -> None:
    found = tables.forecasts_of([[0.5, 0.8, 0.9]], COSTS)
    assert choose(found, REFERENCE, None).tolist() == [2]
    assert choose(found, REFERENCE, Setting(0.0, 0.0)).tolist() == [2]
    assert choose(found, REFERENCE, Setting(0.02, 0.0)).tolist() == [1]  # 0.8 - 0.08 against 0.9 - 0.2
    assert choose(found, REFERENCE, Setting(0.02, 0.2)).tolist() == [2]  # less 0.2 * (0.8 * 0.1 + 0.9 * 0.2)
    assert choose(found, REFERENCE, Setting(0.2, 0.0)).tolist() == [0]
    assert choose(found, REFERENCE, Setting(math.inf, 0.0)).tolist() == [0]


def test_caution_only_ever_sends_requests_back_to_the_reference(tables) -> None:
    rng = np.random.default_rng(0)
    found = tables.forecasts_of(rng.random((500, 3)), COSTS)
    shares = [
        (choose(found, REFERENCE, Setting(0.05, caution)) == REFERENCE).mean() for caution in (0, 0.03, 0.1, 0.2, 0.4)
    ]
    assert shares == sorted(shares)
    assert shares[0] < shares[-1]


def test_novel_requests_go_to_the_reference(tables) -> None:
    found = tables.forecasts_of(np.tile([0.9, 0.9, 0.9], (3, 1)), COSTS, novelty=[0.1, 0.5, 0.6])
    assert choose(found, REFERENCE, Setting(1.0, 0.0), most_novel=0.5).tolist() == [0, 0, 2]


def test_certificates_count_novel_requests_as_the_reference(tables) -> None:
    """Where everything is novel nothing is saved, and nothing is promised."""
    rng = np.random.default_rng(0)
    made = World(tables, steep, steep)
    held_out, (forecasts, outcomes) = made.draw(rng, 300), made.draw(rng, 500)
    novel = replace(forecasts, novelty=np.ones(500))
    found = certify(held_out, (novel, outcomes), REFERENCE, Promise(0.05), most_novel=0.5)
    assert found.setting is None
    assert found.saving == 0.0


def test_losses_are_paired_and_of_what_is_kept(tables) -> None:
    table = tables.outcomes_of([[0, 1, 1], [1, 0, 0], [1, 1, 1]], COSTS)
    assert losses_of(table, REFERENCE, np.array([0, 0, 0])).tolist() == [1, -1, 0]
    np.testing.assert_allclose(losses_of(table, REFERENCE, np.array([0, 0, 2]), 0.9), [0.9, -1, -0.1])


def test_what_is_taken_counts_with_its_answer_its_cost_and_no_credit(tables) -> None:
    """Rows: an arm answers; a program that is right where the reference is not, and where it is; one that is wrong."""
    right = [[0.0, 0.0, 1.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    taken = Taken(("", "program/a", "program/a", "program/a", "parts"), np.array([0.0, 1, 1, 0, 1]), np.arange(5.0))
    outcomes = tables.outcomes_of(right, COSTS, taken=taken)
    arms = np.zeros(5, dtype=np.int64)
    assert losses_of(outcomes, REFERENCE, arms, 0.9).tolist() == pytest.approx([0.9, 0.0, -0.1, 0.9, 0.9])
    by_arms = outcomes.right[:, 0], outcomes.nano_usd[:, 0]
    counted, cost = settled(outcomes, REFERENCE, *by_arms)
    assert counted.tolist() == [0, 0, 1, 0, 0]
    assert cost.tolist() == [1.0, 1.0, 2.0, 3.0, 4.0], "an arm's, and what was missed before"
    assert settled(tables.outcomes_of(right, COSTS), REFERENCE, *by_arms)[1].tolist() == [1.0] * 5


def test_a_certificate_is_about_all_that_answers(tables) -> None:
    """Half the requests go to a program; where it errs, nothing passes that would pass by the arms alone."""
    rng = np.random.default_rng(0)
    hard = rng.random(1_000)
    chance = np.column_stack([np.full(1_000, 0.9)] * 3)
    right = np.repeat((rng.random((1_000, 1)) < chance[:, :1]).astype(float), 3, axis=1)
    forecasts, by = tables.forecasts_of(chance, COSTS), tuple("program/a" if one < 0.5 else "" for one in hard)
    passes = {}
    for name, its in {"right": np.ones(1_000), "wrong": (rng.random(1_000) > 0.2).astype(float)}.items():
        outcomes = tables.outcomes_of(right, COSTS, taken=Taken(by, its, np.zeros(1_000)))
        held_out = forecasts, tables.outcomes_of(right, COSTS)
        passes[name] = certify(held_out, (forecasts, outcomes), REFERENCE, Promise.of_quality(0.97))
    assert passes["right"].setting is not None
    assert passes["right"].saving == pytest.approx(1 - 0.1 * (1 - np.mean([bool(one) for one in by])), abs=1e-9)
    assert passes["wrong"].setting is None


# with sequences


def voting(tables, num_rows: int, rng: np.random.Generator, telling: float) -> tuple[Forecasts, Outcomes]:
    """A cheap arm, its vote of three, and a dear one. Votes agree if they are right, with this chance, else by a coin.

    Forecasts know a little of how hard a request is, agreement may know nearly all.
    """
    chance = rng.choice([0.75, 0.5], num_rows)
    easy = rng.random(num_rows) < chance
    right = np.column_stack([easy, easy, rng.random(num_rows) < 0.95]).astype(float)
    agreement = np.full(right.shape, math.nan)
    agreement[:, 1] = np.where(rng.random(num_rows) < telling, easy, rng.random(num_rows) < 0.5)
    forecasts = tables.forecasts_of(np.column_stack([chance, chance, np.full(num_rows, 0.95)]), COSTS)
    return forecasts, tables.outcomes_of(right, COSTS, agreement=agreement)


def certified_with(tables, seed: int, telling: float, num_rows: int = 600) -> tuple[Certified, Certified, Any]:
    """With looks, without, and the sequences that were learned from the same held-out rows."""
    rng = np.random.default_rng(seed)
    held_out, calibration = voting(tables, num_rows, rng, telling), voting(tables, num_rows, rng, telling)
    sequences = fit_sequences(*held_out)
    with_looks = certify(held_out, calibration, REFERENCE, Promise(0.03, 0.9), 1.0, sequences)
    return with_looks, certify(held_out, calibration, REFERENCE, Promise(0.03, 0.9)), sequences


def test_where_agreement_tells_a_setting_with_looks_saves_more(tables) -> None:
    with_looks, without, _ = certified_with(tables, 0, 0.98)
    assert with_looks.setting is not None
    assert with_looks.setting.looks
    assert with_looks.saving > without.saving + 0.05


def test_what_looks_cost_and_lose_is_counted(tables) -> None:
    found, _, sequences = certified_with(tables, 0, 0.98)
    rng = np.random.default_rng(0)
    voting(tables, 600, rng, 0.98)
    forecasts, outcomes = voting(tables, 600, rng, 0.98)
    courses = courses_of(forecasts, REFERENCE, found.setting, 1.0, sequences)
    looked, agrees = courses.look >= 0, outcomes.agreement[:, 1] == 1
    assert looked.any()
    assert set(courses.after[looked, 0]) == {2}
    arm = np.where(looked, np.where(agrees, courses.after[:, 1], courses.after[:, 0]), courses.arm)
    paid = outcomes.nano_usd[np.arange(600), arm] + np.where(looked & (arm != 1), COSTS[1], 0.0)
    assert found.nano_usd == pytest.approx(paid.mean())
    assert found.loss == pytest.approx((outcomes.right[:, 2] - outcomes.right[np.arange(600), arm]).mean())


def test_where_agreement_tells_nothing_all_is_as_without(tables) -> None:
    with_looks, without, sequences = certified_with(tables, 1, 0.0)
    assert sequences.looks == ()
    assert (with_looks.setting, with_looks.nano_usd) == (without.setting, without.nano_usd)


def test_a_promise_with_looks_is_broken_no_more_often_than_it_says(tables) -> None:
    """60 tables; with 90 % confidence at most 6 may lose more than promised, and 2 standard deviations."""
    truth_forecasts, truth = voting(tables, 20_000, np.random.default_rng(99), 0.9)
    broken = taken = 0
    for seed in range(60):
        found, _, sequences = certified_with(tables, seed, 0.9, 300)
        if found.setting is None or not found.setting.looks:
            continue
        taken += 1
        courses = courses_of(truth_forecasts, REFERENCE, found.setting, 1.0, sequences)
        right, _ = sequences.played(courses, truth, sequences.seen(truth))
        broken += float((truth.right[:, REFERENCE] - right).mean()) > 0.03
    assert taken > 20
    assert broken <= 60 * 0.1 + 2 * math.sqrt(60 * 0.1 * 0.9)


def tried(what: str, losses: list[float], doubt: float, cost: float) -> Tried[str]:
    return Tried(what, np.array(losses), doubt, cost)


def test_settings_that_lost_nothing_are_tested_from_the_least_doubt_on() -> None:
    nothing = [-0.01] * 99 + [0.0]
    found = [
        tried("cheap", nothing, 0.3, 1.0),
        tried("middle", nothing, 0.1, 5.0),
        tried("dear", nothing, 0.01, 9.0),
        tried("dear and doubtful", nothing, 0.2, 8.0),
        tried("lost much", [0.99] * 5 + nothing[5:], 0.3, 0.5),
    ]
    assert surest_first(found, Promise.of_quality(0.99), 1_000) == ["dear", "middle", "cheap"]
    assert surest_first(found[::-1], Promise.of_quality(0.99), 1_000) == ["dear", "middle", "cheap"]


def test_what_came_counts_beside_what_was_forecast() -> None:
    """Of equal doubt the one that lost less comes first; of two that lost as much, the one that spread less."""
    promise = Promise(0.05)
    worse, better = tried("worse", [1.0, 0, 0, 0, *[0.0] * 96], 0.1, 1.0), tried("better", [0.0] * 100, 0.1, 2.0)
    assert surest_first([worse, better], promise, 100) == ["better", "worse"]
    wide = tried("wide", [1.0, -1.0, *[0.0] * 98], 0.1, 1.0)
    assert better.sureness(promise, 100) > wide.sureness(promise, 100) > 0
    assert better.sureness(promise, 400) == pytest.approx(2 * better.sureness(promise, 100))


def test_disagreement_is_the_chance_that_one_of_both_is_right(tables) -> None:
    forecasts = tables.forecasts_of([[0.5, 0.9, 1.2], [0.1, 0.5, 0.8]], COSTS)
    np.testing.assert_allclose(disagreement(forecasts, REFERENCE, np.array([0, 2])), [0.5, 0.0])
    np.testing.assert_allclose(disagreement(forecasts, REFERENCE, np.array([1, 0])), [0.1, 0.1 * 0.2 + 0.9 * 0.8])
