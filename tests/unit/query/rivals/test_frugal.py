"""A cascade against a slow one, one row at a time."""

from dataclasses import replace

import numpy as np
import pytest

from pointsman.query.forecasting import Sample
from pointsman.query.rivals import Frugal
from pointsman.query.rivals.frugal import FrugalCascade


@pytest.fixture(scope="module")
def agreeing(plain) -> tuple[Sample, Sample]:
    """Text tells nothing; samples of the two cheap arms agree where they are right, and wrong answers all differ."""

    def make(seed: int) -> Sample:
        rng = np.random.default_rng(seed)
        right = (rng.random((500, 3)) < [0.6, 0.7, 0.95]).astype(float)
        agreement = np.where((right > 0) ^ (rng.random((500, 3)) < 0.05), 1.0, 1 / 3)
        agreement[:, 2] = np.nan
        answers = np.where(right > 0, 0, rng.integers(1, 1000, (500, 3)))
        cost = np.tile([100.0, 300.0, 2000.0], (500, 1)) * rng.uniform(0.9, 1.1, (500, 3))
        return plain(["?"] * 500, right, cost, agreement=agreement, answers=answers)

    return make(0), make(1)


def slow(cascade: FrugalCascade, number: int, test: Sample) -> tuple[float, float]:
    plan, outcomes = cascade.plans[number], test.outcomes
    alone = cascade.scorers.scores(test)
    cost = right = 0.0
    for row in range(len(test)):
        for place, arm in enumerate(plan.arms):
            cost += outcomes.nano_usd[row, arm]
            if place == 0:
                score = alone[row, arm]
            else:
                before = plan.arms[place - 1]
                score = cascade.scorers.scores_after(before, arm, alone, outcomes)[row]
            if place == len(plan.arms) - 1 or score >= plan.thresholds[place]:
                right += outcomes.right[row, arm]
                break
    return cost / len(test), right / len(test)


def test_every_called_arm_is_paid_for(agreeing) -> None:
    train, test = agreeing
    cascade = Frugal().fit(train, 0)
    played = cascade.play(test)
    assert {len(plan.arms) for plan in cascade.plans} == {1, 2, 3}
    for number in range(0, len(cascade.plans), 6):
        cost, right = slow(cascade, number, test)
        assert played.nano_usd[number] == pytest.approx(cost)
        assert played.right[number] == pytest.approx(right)


def test_agreement_is_put_to_use(agreeing) -> None:
    train, test = agreeing
    played = Frugal().fit(train, 0).play(test)
    strongest = test.outcomes.right[:, 2].mean()
    assert played.nano_usd[played.right >= strongest - 0.01].min() < 0.6 * test.outcomes.nano_usd[:, 2].mean()


def test_plans_keep_within_their_budgets_in_training(agreeing) -> None:
    train, _ = agreeing
    cascade = Frugal().fit(train, 0)
    played = cascade.play(train)  # texts are equal here, so that held-out scores are those of the fit
    assert (played.nano_usd <= 1.02 * cascade.nano_usd).all()
    assert np.diff(played.right).min() > -0.01


def test_what_is_right_is_not_looked_at(agreeing) -> None:
    train, test = agreeing
    cascade = Frugal().fit(train, 0)
    turned = Sample(replace(test.outcomes, right=1 - test.outcomes.right), test.features)
    first, second = cascade.play(test), cascade.play(turned)
    assert np.array_equal(first.nano_usd, second.nano_usd)
    np.testing.assert_allclose(first.right, 1 - second.right)


def test_order_of_rows_does_not_matter(made) -> None:
    train, test = made(120), made(50, seed=1)
    turned = train.rows(np.random.default_rng(5).permutation(120))
    first, second = (Frugal().fit(each, 0).play(test) for each in (train, turned))
    assert np.array_equal(first.nano_usd, second.nano_usd)
    assert np.array_equal(first.right, second.right)
