"""Traffic by hand: what is paid, what is lost, and who answers once the guard has spoken."""

from dataclasses import replace

import numpy as np
import pytest

from pointsman.bench.query_latency import synthetic_sample
from pointsman.bench.query_traffic import play
from pointsman.query.certifying import Setting
from pointsman.query.forecasting import Forecasts
from pointsman.query.outcomes import Outcomes
from pointsman.query.policy import Certificate, Policy
from pointsman.query.promise import Promise
from pointsman.query.sequences import Look, Sequences

ARMS = ("small", "large")
COST = (1_000.0, 10_000.0)
TAKES_SMALL = Setting(float("inf"), 0.0)


class Told:
    """Forecasts what bills are."""

    def __init__(self, costs: tuple[float, ...] = COST) -> None:
        self.costs = costs

    def forecast(self, text: str, prompt_tokens: np.ndarray, extra: object = None) -> Forecasts:
        return Forecasts(np.full((1, len(self.costs)), 0.8), np.array([self.costs]), np.zeros(1))


def forecasts_of(num_rows: int, novelty: float = 0.0) -> Forecasts:
    return Forecasts(np.full((num_rows, 2), 0.8), np.tile(COST, (num_rows, 1)), np.full(num_rows, novelty))


def policy(setting: Setting | None = TAKES_SMALL, **changes: float) -> Policy:
    certificate = None
    if setting is not None:
        certificate = replace(Certificate(Promise(), setting, 1.0, 0.1, 500, 0.9, ARMS, "sha"), **changes)
    return Policy(ARMS, "large", "nano_usd", Told(), certificate, "test")  # type: ignore[arg-type]


def table(small: float, large: float, num_rows: int = 400) -> Outcomes:
    made = synthetic_sample(num_rows, 2, 0).outcomes
    return replace(made, right=np.tile([small, large], (num_rows, 1)), nano_usd=np.tile(COST, (num_rows, 1)))


def test_without_audits_and_alarms_the_small_arm_answers_all() -> None:
    found = play(policy(), table(0.5, 0.5), forecasts_of(400), 0, audit_share=0.0)
    assert (found.saving, found.loss, found.noise) == (pytest.approx(0.9), 0.0, 0.0)
    assert (found.off_after, found.reason) == (None, None)


def test_audits_are_paid_for() -> None:
    found = play(policy(), table(1.0, 1.0), forecasts_of(400), 0, audit_share=1.0)
    assert found.saving == pytest.approx(-0.1)
    some = play(policy(), table(1.0, 1.0), forecasts_of(400), 0, audit_share=0.1)
    assert -0.1 < some.saving < 0.9


def test_the_reference_is_its_own_audit() -> None:
    found = play(policy(None), table(0.0, 1.0), forecasts_of(400), 0, audit_share=1.0)
    assert (found.saving, found.loss, found.off_after) == (0.0, 0.0, None)


def test_audits_of_answers_that_are_lost_switch_routing_off() -> None:
    found = play(policy(), table(0.0, 1.0), forecasts_of(400), 0, audit_share=1.0)
    assert found.reason == "quality_below"
    assert found.off_after is not None
    assert found.loss == pytest.approx(found.off_after / 400)
    assert found.saving == pytest.approx(-0.1 * found.off_after / 400)
    assert play(policy(), table(0.0, 1.0), forecasts_of(400), 0, audit_share=0.0).loss == 1.0


def test_novel_requests_switch_routing_off_before_they_are_answered() -> None:
    found = play(policy(), table(0.0, 1.0), forecasts_of(400, 0.8), 0, audit_share=0.0)
    assert found.reason == "shift"
    assert found.off_after is not None
    assert 10 < found.off_after < 30
    assert found.loss == pytest.approx(found.off_after / 400)
    assert found.saving == pytest.approx(0.9 * found.off_after / 400)


def test_novel_requests_that_the_certificate_leaves_to_the_reference_are_no_shift() -> None:
    found = play(policy(most_novel=0.5), table(0.0, 1.0), forecasts_of(400, 0.8), 0)
    assert (found.saving, found.loss, found.off_after) == (0.0, 0.0, None)


def test_bills_above_their_forecasts_switch_routing_off() -> None:
    dear = replace(table(0.5, 0.5), nano_usd=np.tile([3_000.0, 10_000.0], (400, 1)))
    assert play(policy(), dear, forecasts_of(400), 0, audit_share=0.0).reason == "drift_cost_up"


def test_a_look_is_paid_and_its_answer_stands_where_answers_agree() -> None:
    agree = np.arange(400) % 2 == 0
    answers = np.column_stack([np.zeros(400), np.where(agree, 0, 1), np.full(400, 2)]).astype(np.int64)
    right = np.column_stack([agree, agree, np.ones(400)]).astype(float)
    costs = (1_000.0, 2_000.0, 10_000.0)
    made = synthetic_sample(400, 3, 0).outcomes
    test = replace(made, right=right, answers=answers, nano_usd=np.tile(costs, (400, 1)))
    forecasts = Forecasts(np.tile([0.5, 0.5, 1.0], (400, 1)), np.tile(costs, (400, 1)), np.zeros(400))
    moved = np.zeros((1, 2, 3, 2))
    moved[0, 0, :, 0], moved[0, 1, :, 0] = [0.0, 0.0, 1.0], [1.0, 1.0, 1.0]
    looks = Sequences((Look((0, 1)),), np.array([[0.5, 0.0]]), moved)
    names = made.names
    promised = Certificate(Promise(), Setting(1e-5, 0.0, looks=True), 1.0, 0.1, 400, 0.3, names, "sha")
    looking = Policy(names, names[2], "nano_usd", Told(costs), promised, "test", looks)  # type: ignore[arg-type]
    found = play(looking, test, forecasts, 0, audit_share=0.0)
    assert (found.saving, found.loss) == (pytest.approx(1 - 8_000 / 10_000), 0.0)
    assert found.off_after is None  # what the whole sequence costs on average is what was forecast
    dear = replace(test, nano_usd=2 * test.nano_usd)
    assert play(looking, dear, forecasts, 0, audit_share=0.0).reason == "drift_cost_up"


def test_the_order_is_by_seed() -> None:
    outcomes = table(0.0, 1.0)
    rng = np.random.default_rng(0)
    mixed = replace(outcomes, right=np.column_stack([rng.random(400), np.ones(400)]))
    one, same, other = (play(policy(), mixed, forecasts_of(400), seed, 0.5) for seed in (1, 1, 2))
    assert one == same != other
