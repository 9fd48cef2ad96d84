import json
import random

import pytest

from pointsman.core import BadRequest
from pointsman.core.evidence import Evidence


def found_at(values: list[float], error: float) -> int | None:
    evidence = Evidence(-1.0)
    for number, value in enumerate(values, 1):
        evidence.add(value)
        if evidence.value >= 1 / error:
            return number
    return None


def test_false_evidence_is_as_rare_as_stated_though_one_looks_all_the_time() -> None:
    alarms = 0
    for seed in range(400):
        rng = random.Random(seed)
        alarms += found_at([rng.choice((-1.0, 1.0)) for _ in range(1_000)], error=0.1) is not None
    assert alarms / 400 <= 0.1


def test_heavy_tails_above_do_no_harm() -> None:
    alarms = 0
    for seed in range(300):
        rng = random.Random(seed)
        alarms += found_at([rng.lognormvariate(-2, 2) - 1 for _ in range(1_000)], error=0.1) is not None  # mean 0
    assert alarms / 300 <= 0.1


def test_a_rise_is_found_also_late() -> None:
    rng = random.Random(0)
    quiet = [rng.choice((-1.0, 1.0)) for _ in range(3_000)]
    risen = [1.0 if rng.random() < 0.7 else -1.0 for _ in range(400)]
    early, late = found_at(risen, error=0.05), found_at(quiet + risen, error=0.05)
    assert early is not None
    assert early <= 150
    assert late is not None
    assert 3_000 < late <= 3_300


def test_at_the_start_there_is_none_and_the_worst_value_ruins_nobody() -> None:
    evidence = Evidence(-2.0)
    assert evidence.value == 1.0
    evidence.add(-2.0)
    assert 0 < evidence.value < 1


def test_it_goes_on_from_json() -> None:
    whole, half = Evidence(-1.0), Evidence(-1.0)
    values = [random.Random(1).uniform(-1, 1.5) for _ in range(50)]
    for value in values:
        whole.add(value)
    for value in values[:25]:
        half.add(value)
    half = Evidence.from_json(json.loads(json.dumps(half.to_json())))
    for value in values[25:]:
        half.add(value)
    assert half.value == whole.value
    assert half.to_json() == whole.to_json()


@pytest.mark.parametrize("data", [{}, {"least": -1, "num_values": 1, "wealths": [1.0]}, {"least": 1}, []])
def test_what_is_no_evidence_is_refused(data: object) -> None:
    with pytest.raises(BadRequest) as caught:
        Evidence.from_json(data)  # type: ignore[arg-type]
    assert caught.value.code == "invalid_evidence"


@pytest.mark.parametrize("value", [-1.1, float("nan")])
def test_values_below_the_least_are_refused(value: float) -> None:
    with pytest.raises(BadRequest, match="expected a number from -1 up"):
        Evidence(-1.0).add(value)
    with pytest.raises(BadRequest, match="below 0"):
        Evidence(0.0)
