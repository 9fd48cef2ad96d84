import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core import Cost, Decision, Outcome

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


@pytest.mark.parametrize("record", [Cost.zero(), Decision("a", "r", "v"), Outcome("text", Cost.zero(), None)])
def test_records_cannot_be_changed(record: object) -> None:
    for field in dataclasses.fields(record):  # type: ignore[arg-type]
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(record, field.name, None)
    assert not hasattr(record, "__dict__")
