"""On simulated traffic: forecasts that cease to be true are found, with the arm and the size, and true ones are not."""

import json
from dataclasses import replace

import pytest

from pointsman.bench.simulated import Traffic, simulate
from pointsman.core import BadRequest, Cost, Decision
from pointsman.core.entries import Entry, Settled
from pointsman.query.drift import Drift, DriftLimits, DriftWatch

SMALL = Traffic(explored=0.0, worth_nano_usd=0.0)
EXACT = DriftLimits(cost_tolerance=0.0, right_tolerance=0.0, confidence=0.9)


def warnings(traffic: Traffic, seed: int, num_requests: int, watch: DriftWatch) -> list[Drift]:
    found = []
    for item in simulate(num_requests, seed, traffic):
        found += watch.observe(item.entry)
    return found


def test_false_warnings_are_as_rare_as_stated() -> None:
    """True forecasts, no tolerance, three arms."""
    mixed = Traffic(explored=0.3, worth_nano_usd=2_000_000.0)
    num_false = sum(bool(warnings(mixed, seed, 400, DriftWatch(EXACT))) for seed in range(100))
    assert num_false / 100 <= 0.1


@pytest.mark.parametrize(
    ("change", "kind", "size"),
    [
        ({"cost_factor": 1.5}, "cost_up", 0.5),
        ({"cost_factor": 0.5}, "cost_down", -0.5),
        ({"right_loss": 0.25}, "right_down", -0.25),
        ({"right_loss": -0.3}, "right_up", 0.3),
    ],
)
def test_a_change_is_found_with_its_arm_and_size(change: dict[str, float], kind: str, size: float) -> None:
    found = warnings(replace(SMALL, **change), 3, 1_500, DriftWatch())
    assert [(item.arm, item.kind) for item in found] == [("small", kind)]
    assert found[0].size == pytest.approx(size, abs=0.2)
    assert found[0].num_answers <= 600


def test_a_change_after_much_that_was_true_is_found() -> None:
    watch = DriftWatch()
    assert warnings(SMALL, 1, 4_000, watch) == []
    (found,) = warnings(replace(SMALL, cost_factor=1.5), 2, 1_000, watch)
    assert found.kind == "cost_up"
    assert found.num_answers - 4_000 <= 400
    assert found.size == pytest.approx(0.5, abs=0.25), "of what came last"


def test_within_the_tolerance_nothing_is_said() -> None:
    assert warnings(replace(SMALL, cost_factor=1.08, right_loss=0.02), 1, 3_000, DriftWatch()) == []


def test_a_forgotten_arm_warns_again() -> None:
    watch, changed = DriftWatch(), replace(SMALL, cost_factor=2.0)
    assert len(warnings(changed, 1, 600, watch)) == 1
    assert warnings(changed, 2, 600, watch) == []
    watch.forget("small")
    assert len(warnings(changed, 3, 600, watch)) == 1


def test_it_goes_on_from_json() -> None:
    whole, half = DriftWatch(), DriftWatch()
    found: list[list[Drift]] = [[], []]
    for number, item in enumerate(simulate(800, 1, replace(SMALL, explored=0.3, cost_factor=1.6))):
        if number % 100 == 0:
            half = DriftWatch.from_json(json.loads(json.dumps(half.to_json())))
        found[0] += whole.observe(item.entry)
        found[1] += half.observe(item.entry)
    assert found[0] == found[1] != []
    assert half.to_json() == whole.to_json()


def test_answers_that_say_nothing_are_left_out() -> None:
    watch, (item,) = DriftWatch(), simulate(1, 1, SMALL)
    entry = item.entry
    other = Settled("large", entry.billed.cost, True)
    blind = Entry("r", 1, "query", Decision("small", "r", "v"), billed=entry.billed)
    for silent in (replace(entry, billed=None), replace(entry, billed=other), blind):
        assert watch.observe(silent) == []
    assert watch.to_json()["arms"] == {}
    free = replace(entry.decision.forecasts[0], cost=Cost.zero())
    watch.observe(replace(entry, decision=replace(entry.decision, forecasts=(free,))))
    assert watch.num_skipped == 1


def test_what_cannot_be_watched_is_refused() -> None:
    for limits in ({"confidence": 0}, {"cost_tolerance": 1}, {"right_tolerance": -0.1}):
        with pytest.raises(BadRequest, match="cannot be watched"):
            DriftLimits(**limits)
    for data in ({}, {"version": 2}, {"version": 1, "num_skipped": 0, "num_arms": 1, "arms": {"a": {}}}):
        with pytest.raises(BadRequest) as caught:
            DriftWatch.from_json(data)
        assert caught.value.code == "invalid_drift"
