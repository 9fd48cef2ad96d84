"""Every method is made by its name from its dials, and from nothing else."""

import pytest
import torch

from pointsman.core import BadRequest
from pointsman.engine import Sampling
from pointsman.token.batch import generate_pair
from pointsman.token.fitting import KINDS, gate_shape
from pointsman.token.gate import Gate
from pointsman.token.lineup import METHODS, dials_of, grid, make, path
from pointsman.token.method import Method, Outlook
from pointsman.token.pair import Pair
from pointsman.token.stops import After, Below, Hazard, Unlikely


@pytest.fixture(scope="module")
def gates(pair: Pair) -> dict[str, Gate]:
    torch.manual_seed(0)
    return {kind: Gate(gate_shape(kind, 32), pair.small).eval() for kind in KINDS} | {
        "citer-1": Gate(gate_shape("citer", 32), pair.small).eval()
    }


@pytest.mark.parametrize("name", METHODS)
def test_every_setting_of_every_method_writes(pair: Pair, gates: dict[str, Gate], name: str) -> None:
    settings = grid(name)
    assert len(settings) == len({tuple(dials.items()) for dials in settings}) > 4
    for dials in settings[:: max(1, len(settings) // 4)]:
        method = make(name, gates, dials)
        (text,) = generate_pair(pair, method, [[5, 6, 7]], Sampling(max_tokens=6))
        assert 1 <= len(text.tokens) <= 6
        assert text.method == method.name == name


def test_our_path_goes_from_strict_to_the_small_model_alone(gates: dict[str, Gate]) -> None:
    settings = path(0.25, 0.2, 0.9)
    assert settings[0] == {"least_survival": 0.25, "tolerance": 0.0, "risk": 0.0, "lookup": 0.9}
    assert settings[1] == {**settings[0], "tolerance": 0.2}
    risks = [(dials["tolerance"], dials["risk"]) for dials in settings]
    assert risks == sorted(risks)
    assert make("pointsman", gates, settings[-1]).role(Outlook(0.0, 1.0)) == "small"
    assert make("pointsman", gates, settings[1]).role(Outlook(1.0, 9.0)) == "both"
    assert make("pointsman", gates, {**settings[1], "risk": 0.1}).role(Outlook(0.55, 5.0)) == "small"
    assert make("pointsman", gates, {**settings[1], "risk": 0.1}).role(Outlook(0.55, 4.0)) == "both"
    assert make("query", gates, {"threshold": 0.6}).role(Outlook(0.55, 5.0)) == "large"
    assert make("query", gates, {"threshold": 0.5}).role(Outlook(0.55, 5.0)) == "small"
    assert grid("pointsman", 0.25, 0.2, 0.9)[: len(settings)] == settings


@pytest.mark.parametrize(
    ("name", "dials", "told"),
    [
        ("best", {}, "there is no method 'best'; there is random, speculative"),
        ("citer", {"rate": 0.5}, "the dials of citer are threshold; found rate"),
        ("citer", {"threshold": 1.5}, "threshold is 1.5; expected 0 to 1"),
        ("speculative", {"num_tokens": 0.0}, "num_tokens is 0; expected 1 or more"),
        ("cascade", {"num_tokens": 2.0, "tolerance": -1.0}, "tolerance is -1.0; expected 0 to 1"),
        ("pointsman", {**grid("pointsman")[0], "risk": 2.0}, "risk is 2.0; expected 0 to 1"),
        ("random", {"rate": float("nan")}, "is nan; expected 0 to 1"),
    ],
)
def test_what_is_no_setting_is_refused(gates: dict[str, Gate], name: str, dials: dict[str, float], told: str) -> None:
    with pytest.raises(BadRequest, match=told):
        make(name, gates, dials)


def test_a_gate_that_is_missing_is_said() -> None:
    with pytest.raises(BadRequest, match="needs the gate citer; there is none") as caught:
        make("citer", {}, {"threshold": 0.5})
    assert caught.value.code == "gate_missing"
    assert dials_of("citer") == ("threshold",)


@pytest.mark.parametrize("parts", [{"keeps_last": True}, {"end_safety": 0.5}])
def test_without_a_judge_nothing_can_be_checked(parts: dict[str, float]) -> None:
    with pytest.raises(BadRequest, match="nothing to check"):
        Method("odd", After(3), **parts)  # type: ignore[arg-type]
    with pytest.raises(BadRequest, match="most_pending is 0"):
        Method("odd", After(3), most_pending=0)


def test_stop_rules() -> None:
    assert Below(0.5).hands_over(0.4, 0.1, 1)
    assert not Below(0.5).hands_over(0.5, 0.1, 1)
    assert [After(2).hands_over(1.0, 1.0, n) for n in (1, 2, 3)] == [False, True, True]
    assert Unlikely(0.3).hands_over(0.9, 0.29, 4)
    assert not Unlikely(0.3).hands_over(0.1, 0.31, 4)
    hazard = Hazard(0.6)
    assert not hazard.hands_over(0.1, 0.1, 1)  # two tokens at least
    assert hazard.hands_over(0.1, 0.3, 2)
    assert not hazard.hands_over(0.9, 0.5, 19)
    assert hazard.hands_over(0.9, 0.5, 20)
