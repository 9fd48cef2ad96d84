"""Names of arms, and what they make of a request's body."""

import json
from typing import Any

import pytest

from pointsman.core import BadRequest
from pointsman.gateway.auto.spec import ArmSpec, Served, specs_of


def bodied(name: str, **fields: Any) -> Any:
    body = {"model": "auto", "messages": [], "unknown": 1.5, **fields}
    return json.loads(ArmSpec.parse(name).body(json.dumps(body).encode()))


def test_a_name_is_a_model_and_dials() -> None:
    spec = ArmSpec.parse("embedded/large?mode=direct&budget=.6&max_tokens=800")
    assert spec == ArmSpec(
        "embedded/large?mode=direct&budget=.6&max_tokens=800", "embedded/large", "direct", None, 800, 0.6
    )
    assert spec.dials == {"max_tokens": 800.0, "budget": 0.6}
    assert spec.settings == {"mode": "direct", "max_tokens": 800.0, "budget": 0.6}
    assert ArmSpec.parse("embedded/pair") == ArmSpec("embedded/pair", "embedded/pair")
    assert ArmSpec.parse("m?budget=1").budget == 1
    voted = ArmSpec.parse("m?n=3")
    assert (voted.n, voted.temperature, voted.dials) == (3, 0.7, {"n": 3.0, "temperature": 0.7})
    assert ArmSpec.parse("m?n=32&temperature=1.25").temperature == 1.25
    assert voted.alone == ArmSpec("m?n=3", "m")
    risky, strict = ArmSpec.parse("m?risk=0.005"), ArmSpec.parse("m?mode=steps&risk=0")
    assert (risky.dials, strict.dials) == ({"risk": 0.005}, {"risk": 0.0})
    assert (bodied("m?risk=0.005")["pointsman"], bodied("m?risk=0")["pointsman"]) == ({"risk": 0.005}, {"risk": 0.0})


@pytest.mark.parametrize(
    "name",
    [
        "", "?mode=direct", "m?", "m?mode", "m?mode=", "m?mode=slow", "m?colour=red", "m?mode=steps&mode=steps",
        "m?mode=steps&", "m?max_tokens=0", "m?max_tokens=-1", "m?max_tokens=1.5", "m?max_tokens=01", "m?budget=0",
        "m?budget=.0", "m?budget=1.5", "m?budget=nan", "m?budget=1e-3", "m?reasoning_effort=huge", "m x3", "m\u00e9",
        "m?mode=direct&reasoning_effort=low", "m?max_tokens=\u0661", "m?n=1", "m?n=2", "m?n=33", "m?n=3.0",
        "m?n=3&temperature=0", "m?n=3&temperature=2.5", "m?n=3&temperature=nan", "m?temperature=0.7",
        "m?risk=", "m?risk=1.5", "m?risk=-0.1", "m?risk=00",
    ],
)  # fmt: skip
def test_a_name_that_says_anything_else_is_refused(name: str) -> None:
    with pytest.raises(BadRequest) as caught:
        ArmSpec.parse(name)
    assert caught.value.code == "invalid_arm"


def test_arms_are_checked_against_the_models_that_are_there() -> None:
    served = {
        "here": Served(True),
        "units": Served(True, True),
        "two": Served(True, has_risk=True),
        "far": Served(False),
    }
    names = ("here?mode=direct", "units?budget=0.6", "two?risk=0.1", "far?reasoning_effort=low")
    assert list(specs_of(names, served)) == list(names)
    for name, told in (
        ("none", "there is no such model; there is far, here, two, units"),
        ("far?mode=direct", "expected reasoning_effort"),
        ("here?budget=0.5", "fitted units"),
        ("far?budget=0.5", "fitted units"),
        ("units?risk=0.1", "models of two"),
    ):
        with pytest.raises(BadRequest, match=told) as caught:
            specs_of([name], served)
        assert caught.value.code == "invalid_arm"


def test_dials_replace_what_the_client_sent_and_nothing_else_changes() -> None:
    wished = {"quality": 0.9}
    assert bodied("m", pointsman=wished) == {"model": "m", "messages": [], "unknown": 1.5}
    assert bodied("m?budget=0.6", pointsman=wished)["pointsman"] == {"budget": 0.6}
    assert bodied("m?reasoning_effort=low", reasoning_effort="high")["reasoning_effort"] == "low"
    given = {"documents": "x", "mode": "steps"}
    variables = bodied("m?mode=direct", chat_template_kwargs=given)["chat_template_kwargs"]
    assert variables == {"documents": "x", "mode": "direct", "enable_thinking": False}
    assert bodied("m?mode=steps")["chat_template_kwargs"]["enable_thinking"] is True


def test_each_vote_has_its_own_seed_and_the_arm_s_temperature() -> None:
    spec = ArmSpec.parse("m?n=3")
    for given, seeds in ((None, [0, 1, 2]), (5, [5, 4, 7]), (2**63 - 1, [2**63 - 1, 2**63 - 2, 2**63 - 3])):
        body = json.dumps({"seed": given, "temperature": 2}).encode()
        found = [json.loads(spec.body(body, vote=vote)) for vote in range(3)]
        assert [one["seed"] for one in found] == seeds, "different, and of 64 bits"
        assert {one["temperature"] for one in found} == {0.7}
    assert "seed" not in bodied("m")
    with pytest.raises(BadRequest) as caught:
        bodied("m?n=3", seed="many")
    assert (caught.value.code, caught.value.param) == ("invalid_type", "seed")


@pytest.mark.parametrize(
    ("fields", "capped"),
    [
        ({}, {"max_tokens": 100}),
        ({"max_tokens": None}, {"max_tokens": 100}),
        ({"max_tokens": 50}, {"max_tokens": 50}),
        ({"max_tokens": 500}, {"max_tokens": 100}),
        ({"max_completion_tokens": 500}, {"max_completion_tokens": 100}),
        ({"max_completion_tokens": 7}, {"max_completion_tokens": 7}),
        ({"max_tokens": 500, "max_completion_tokens": 500}, {"max_tokens": 100, "max_completion_tokens": 100}),
    ],
)
def test_a_cap_never_exceeds_the_client_s(fields: dict[str, Any], capped: dict[str, int]) -> None:
    found = bodied("m?max_tokens=100", **fields)
    assert {name: found[name] for name in ("max_tokens", "max_completion_tokens") if name in found} == capped


def test_a_cap_of_the_wrong_kind_is_no_way_around() -> None:
    for fields in ({"max_tokens": "500"}, {"max_completion_tokens": [1]}):
        with pytest.raises(BadRequest) as caught:
            bodied("m?max_tokens=100", **fields)
        assert (caught.value.code, caught.value.param) == ("invalid_type", next(iter(fields)))


def test_a_stream_tells_its_usage_at_the_end() -> None:
    assert bodied("m", stream=True)["stream_options"] == {"include_usage": True}
    options = {"include_usage": False, "include_obfuscation": False}
    asked = bodied("m", stream=True, stream_options=options)["stream_options"]
    assert asked == {"include_usage": True, "include_obfuscation": False}
    assert "stream_options" not in bodied("m", stream=False)
    whole = json.loads(ArmSpec.parse("m").body(b'{"stream": true, "stream_options": {}}', streams=False))
    assert whole == {"model": "m", "stream": False}
