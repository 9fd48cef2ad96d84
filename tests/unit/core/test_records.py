import dataclasses
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core import BadRequest, Cost, Decision, Forecast, Outcome

counts = st.integers(min_value=0, max_value=2**60)
costs = st.builds(Cost, counts, counts, counts, counts, st.integers(0, 2**40).map(float))


@given(costs, costs, costs)
def test_costs_add_like_numbers(a: Cost, b: Cost, c: Cost) -> None:
    assert a + Cost.zero() == a
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)


def test_each_kind_of_cost_is_added_to_its_own_kind() -> None:
    assert Cost(1, 2, 3, 4, 5.0) + Cost(10, 20, 30, 40, 50.0) == Cost(11, 22, 33, 44, 55.0)


def test_a_cost_is_not_added_to_anything_else() -> None:
    with pytest.raises(TypeError):
        Cost.zero() + 1  # type: ignore[operator]


@pytest.mark.parametrize(
    "record",
    [Cost.zero(), Forecast("a", 0.5, Cost.zero()), Decision("a", "r", "v"), Outcome("text", Cost.zero(), None)],
)
def test_records_cannot_be_changed(record: object) -> None:
    for field in dataclasses.fields(record):  # type: ignore[arg-type]
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(record, field.name, None)
    assert not hasattr(record, "__dict__")


def test_records_are_values() -> None:
    dials = {"threshold": 0.5}
    forecasts = (Forecast("a", 0.9, Cost.zero(), 0.8, 1.0),)
    one, two = (Decision("a", "r", "v", dict(dials), forecasts, 0.5, "c/1", True) for _ in range(2))
    assert one == two
    assert hash(one) == hash(two)
    assert one != dataclasses.replace(one, dials={"threshold": 0.6})
    assert one.forecast_of("a") is forecasts[0]
    assert one.forecast_of("b") is None
    assert pickle.loads(pickle.dumps(one)) == one
    dials_of = {"threshold": 0.5}
    kept = Decision("a", "r", "v", dials_of)
    dials_of["threshold"] = 9.0
    assert kept.dials == {"threshold": 0.5}


@pytest.mark.parametrize(
    ("right", "low", "high"),
    [(-0.1, None, None), (1.1, None, None), (0.5, 0.6, 1.0), (0.5, 0.0, 0.4), (0.5, -1.0, 1.0)],
)
def test_chances_outside_their_range_are_refused(right: float, low: float | None, high: float | None) -> None:
    with pytest.raises(BadRequest, match="expected 0 <= low <= right <= high <= 1") as caught:
        Forecast("a", right, Cost.zero(), low, high)
    assert caught.value.code == "invalid_forecast"


@pytest.mark.parametrize("more", [{"propensity": 0.0}, {"propensity": 1.1}, {"dials": {"x": float("nan")}}])
def test_impossible_decisions_are_refused(more: dict[str, object]) -> None:
    with pytest.raises(BadRequest, match="expected a") as caught:
        Decision("a", "r", "v", **more)
    assert caught.value.code == "invalid_decision"
