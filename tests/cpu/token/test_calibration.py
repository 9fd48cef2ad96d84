"""Dials are certified on tasks, from the strictest on, and never beyond what the tasks show."""

from dataclasses import replace

import pytest
import torch

from pointsman.core import BadRequest
from pointsman.engine import Sampling, generate
from pointsman.token import calibration
from pointsman.token.calibration import Promise, calibrate, certified_dials
from pointsman.token.evaluation import Measured, measure, measure_alone
from pointsman.token.gate import Gate, GateCard, GateShape
from pointsman.token.lineup import path
from pointsman.token.method import cascade, speculative
from pointsman.token.pair import Pair
from pointsman.token.tasks import Task


@pytest.fixture(scope="module")
def ending(pair: Pair) -> Pair:
    """The pair, whose texts end often."""
    return replace(pair, large=replace(pair.large, config=replace(pair.large.config, eos_tokens=(1, 24, 36, 58, 4))))


def tasks_of(pair: Pair, count: int) -> list[Task]:
    """Tasks whose right answer is the large model's own text."""
    prompts = [[2 + index % 50, 3 + index // 50, 6] for index in range(count)]
    texts = generate(pair.large, prompts, Sampling(max_tokens=300), num_rows=16)
    assert sum(text.finish_reason == "stop" for text in texts) > count // 2

    def check(expected: str) -> object:
        return lambda output: output == expected

    return [
        Task(tuple(prompt), (), check(text.text))  # type: ignore[arg-type]
        for prompt, text in zip(prompts, texts, strict=True)
    ]


def card(pair: Pair, gate: Gate) -> GateCard:
    return GateCard("pointsman", gate.shape, "", "", "", {"least_survival": 0.3, "taught_tolerance": 0.9})


def test_measures_are_those_of_the_texts(ending: Pair) -> None:
    tasks = tasks_of(ending, 40)
    large, small = measure_alone(ending.large, tasks, 8), measure_alone(ending.small, tasks, 8)
    strict = measure(ending, speculative(3), {"num_tokens": 3}, tasks, 8)
    assert strict.right == large.right
    assert strict.name == "speculative"
    assert small.accuracy < large.accuracy > 0.5
    assert strict.losses_against(large) == 0
    assert small.losses_against(large) == sum(b and not s for s, b in zip(small.right, large.right, strict=True)) > 0
    assert strict.calls > 0
    assert 0 < strict.large_share < 1
    assert large.large_share == large.calls == 0
    assert strict.total_flops > large.total_flops  # it reads every token, and some in vain
    assert min(strict.moved_bytes) > 0
    assert strict.seconds > 0
    loose = measure(ending, cascade(3, 1.0), {}, tasks, 8)
    assert loose.rolled_back == 0
    assert loose.accuracy < strict.accuracy


def test_the_cheapest_setting_that_keeps_the_promise_is_certified(ending: Pair) -> None:
    torch.manual_seed(0)
    gate = Gate(GateShape(("hidden",), ()), ending.small).eval()
    tasks, told = tasks_of(ending, 60), []
    tasks += tasks[:30]  # which count once
    found = calibrate(ending, {"pointsman": gate}, card(ending, gate), tasks, Promise(0.2, 0.9), 16, told.append)
    assert found.figures["certified"] == 1
    dials = certified_dials(found)
    assert dials in path(0.3, 0.9)
    assert found.figures["calibration_losses"] <= 0.2 * 60
    assert found.figures["calibration_tasks"] == 60
    assert len(told) >= path(0.3, 0.9).index(dials) + 1
    assert "of 60 lost" in told[0]


def test_few_tasks_certify_nothing(ending: Pair) -> None:
    gate = Gate(GateShape(("hidden",), ()), ending.small).eval()
    found = calibrate(ending, {"pointsman": gate}, card(ending, gate), tasks_of(ending, 20), Promise(), 16)
    assert found.figures["certified"] == 0
    assert certified_dials(found)["tolerance"] == 0
    assert certified_dials(found)["risk"] == 0


def test_settings_behind_the_first_failure_are_not_looked_at(ending: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[float] = []

    def pretended(_pair: object, _method: object, dials: dict[str, float], tasks: list[Task], _rows: int) -> Measured:
        tried.append(dials["risk"])
        lost = 30 if len(tried) == 3 else 0
        right = (False,) * lost + (True,) * (len(tasks) - lost)
        return Measured("pointsman", dials, right, (1,) * len(tasks), (1,) * len(tasks), 1.0, 1, 0.0, 0.0, 0.0, 0.0)

    monkeypatch.setattr(calibration, "measure", pretended)
    monkeypatch.setattr(
        calibration, "measure_alone", lambda _model, tasks, _rows: pretended(0, 0, {"risk": 0}, tasks, 0)
    )
    gate = Gate(GateShape(("hidden",), ()), ending.small).eval()
    tasks = [Task((5, number), (), lambda _: True) for number in range(400)]
    found = calibrate(ending, {"pointsman": gate}, card(ending, gate), tasks, Promise())
    assert len(tried) == 1 + 2  # the large model alone, and two settings, of which the second fails
    assert certified_dials(found) == path(0.3, 0.9)[0]


def test_a_promise_needs_numbers_that_mean_something() -> None:
    with pytest.raises(BadRequest, match="limit is 0; expected a number between 0 and 1"):
        Promise(most_losses=0)
    with pytest.raises(BadRequest, match="confidence is 1"):
        Promise(confidence=1)
