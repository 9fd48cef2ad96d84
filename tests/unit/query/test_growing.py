"""A new arm joins with tens of outcomes."""

from dataclasses import replace

import numpy as np
import pytest

from pointsman.core import BadRequest
from pointsman.query.difficulty.growing import coordinates_of, with_arm
from pointsman.query.difficulty.joint import Joint, JointForecaster
from pointsman.query.difficulty.recalibrating import Recalibration, unchanged
from pointsman.query.features import features_of
from pointsman.query.forecasting import Forecasts, Sample
from pointsman.query.outcomes import Floats, Outcomes, TableArm

_WORDS = "amber birch cedar delta ember fjord grove heron islet jetty knoll larch maple noble ocean pearl".split()
_SKILL = np.array([-1.0, 0.0, 0.5, 1.0, 1.5, 0.3])
_LEAN = np.array([0.8, -0.8, 0.8, 0.0, -0.8, 0.4])  # to sums rather than words
_READ, _WRITTEN = np.array([10, 20, 30, 40, 80, 25.0]), np.array([20, 40, 60, 80, 200, 50.0])


def table(num_rows: int, seed: int) -> tuple[Sample, Floats]:
    """Six arms; longer texts are harder for all, and sums suit some arms. And the (N, 6) true chances."""
    rng = np.random.default_rng(seed)
    hard, is_sum = rng.uniform(-2.5, 2.5, num_rows), rng.random(num_rows) < 0.5
    sizes = np.round((hard + 2.5) * 3).astype(int) + 1
    texts = [
        f"What is {' + '.join(map(str, rng.integers(100, size=n)))} ?"
        if sums
        else "Put in order: " + ", ".join(rng.choice(_WORDS, n))
        for n, sums in zip(sizes, is_sum, strict=True)
    ]
    lean = np.where(is_sum, 1, -1)[:, None] * _LEAN
    chance = 1 / (1 + np.exp(-1.5 * (_SKILL - hard[:, None]) - lean))
    right = (rng.random(chance.shape) < chance).astype(np.float64)
    read = np.repeat(np.array([[len(text) / 4] for text in texts]), 6, axis=1)
    written = rng.integers(5, 15, chance.shape) * (hard[:, None] + 3.5)
    arms = tuple(TableArm(f"arm{a}", f"arm{a}") for a in range(6))
    unknown = np.full(right.shape, np.nan)
    ids = tuple(f"{seed}-{i}" for i in range(num_rows))
    billed = read * _READ + written * _WRITTEN
    kinds, answers = ("",) * num_rows, np.full(right.shape, -1)
    outcomes = Outcomes(ids, tuple(texts), kinds, arms, right, billed, read, written, answers, unknown)
    return Sample(outcomes, features_of(texts)), chance


@pytest.fixture(scope="module")
def train() -> Sample:
    return table(400, 0)[0]


@pytest.fixture(scope="module")
def test() -> tuple[Sample, Floats]:
    return table(500, 1)


def without(new: int) -> list[int]:
    return [arm for arm in range(6) if arm != new]


@pytest.fixture(scope="module")
def base(train: Sample) -> JointForecaster:
    return Joint().fit(train.columns(without(5)), 0)


def forecast(fitted: JointForecaster, sample: Sample, arms: list[int]) -> Forecasts:
    return fitted.forecast(sample.features, sample.outcomes.prompt_tokens[:, arms])


def error(right: Floats, chance: Floats) -> float:
    return float(((np.clip(right, 0, 1) - chance) ** 2).mean())


@pytest.mark.parametrize("new", [0, 2, 5])
def test_thirty_outcomes_are_nearly_a_full_fit(train: Sample, test: tuple[Sample, Floats], new: int) -> None:
    sample, chance = test
    full = forecast(Joint().fit(train, 0), sample, list(range(6)))
    base = Joint().fit(train.columns(without(new)), 0)
    gone = []
    for seed in range(100, 105):
        few = table(30, seed)[0].columns([new])
        found = forecast(with_arm(base, few), sample, [*without(new), new])
        worst = error(np.full(500, few.outcomes.right.mean()), chance[:, new])
        best = error(full.right[:, new], chance[:, new])
        gone.append((worst - error(found.right[:, -1], chance[:, new])) / (worst - best))
    assert min(gone) > 0.5, "of the way from the mean alone to a fit of 400 rows"
    assert np.mean(gone) > 0.7


def test_costs_of_the_new_arm(base: JointForecaster, test: tuple[Sample, Floats]) -> None:
    sample, _ = test
    few = table(30, 100)[0].columns([5])
    found = forecast(with_arm(base, few), sample, [*without(5), 5]).nano_usd[:, -1]
    billed = sample.outcomes.nano_usd[:, 5]
    off = np.abs(found - billed).mean() / billed.mean()
    assert off < 0.3
    assert off < 0.7 * np.abs(few.outcomes.nano_usd.mean() - billed).mean() / billed.mean()


def test_other_arms_stay_what_they_were(base: JointForecaster, test: tuple[Sample, Floats]) -> None:
    grown = with_arm(base, table(30, 100)[0].columns([5]))
    before, after = forecast(base, test[0], without(5)), forecast(grown, test[0], [*without(5), 5])
    np.testing.assert_allclose(after.right[:, :-1], before.right, atol=1e-6)  # neighbours weigh in float32
    np.testing.assert_allclose(after.nano_usd[:, :-1], before.nano_usd, rtol=1e-5)
    assert after.right.shape[1] == before.right.shape[1] + 1
    assert (after.novelty == before.novelty).all()


def test_a_second_arm_may_join(base: JointForecaster, test: tuple[Sample, Floats]) -> None:
    few = table(30, 100)[0]
    one = with_arm(base, few.columns([5]))
    two = with_arm(one, few.columns([5]))
    found = forecast(two, test[0], [*without(5), 5, 5]).right
    assert np.abs(found[:, -1] - found[:, -2]).mean() < 0.1


def test_coordinates_come_back_from_forecasts(base: JointForecaster, test: tuple[Sample, Floats]) -> None:
    along, _ = base.along(test[0].features)
    stacked = base.right.mean + along @ base.right.directions.T
    bent = replace(base, recalibration=Recalibration(np.tile([1.5, 0.8, 0.3], (5, 1)), np.full(5, 0.7)))
    for fitted, exact in (
        (replace(base, recalibration=unchanged(5)), 1e-9),
        (bent, 3e-4),
    ):  # in steps of 1e-3
        known = fitted.recalibration.of(stacked, np.zeros(len(along)))
        np.testing.assert_allclose(coordinates_of(fitted, known), along, atol=exact)


def test_rows_that_the_others_were_fitted_on_serve_too(
    train: Sample, base: JointForecaster, test: tuple[Sample, Floats]
) -> None:
    sample, chance = test
    found = forecast(with_arm(base, train.rows(range(40)).columns([5])), sample, [*without(5), 5]).right[:, -1]
    assert error(found, chance[:, 5]) < 0.3 * error(np.full(500, train.outcomes.right[:40, 5].mean()), chance[:, 5])


def test_what_cannot_join(base: JointForecaster) -> None:
    few = table(9, 100)[0]
    for sample in (few.columns([5]), table(30, 100)[0]):
        with pytest.raises(BadRequest) as refused:
            with_arm(base, sample)
        assert refused.value.code == "too_few_rows"
    odd = table(30, 100)[0].columns([5])
    billed = odd.outcomes.nano_usd * np.random.default_rng(0).uniform(0.1, 5, odd.outcomes.nano_usd.shape)
    with pytest.raises(BadRequest) as refused:
        with_arm(base, Sample(replace(odd.outcomes, nano_usd=billed), odd.features))
    assert refused.value.code == "bills_not_by_token"


def test_whole_bills_are_learned_where_the_others_are(train: Sample) -> None:
    unknown = np.full(train.outcomes.right.shape, np.nan)
    whole = Sample(replace(train.outcomes, prompt_tokens=unknown, completion_tokens=unknown), train.features)
    base = Joint().fit(whole.columns(without(5)), 0)
    few, _ = table(30, 100)
    found = forecast(with_arm(base, few.columns([5])), whole, [*without(5), 5]).nano_usd[:, -1]
    billed = train.outcomes.nano_usd[:, 5]
    assert abs(found.mean() / billed.mean() - 1) < 0.3
    assert np.corrcoef(found, billed)[0, 1] > 0.6
