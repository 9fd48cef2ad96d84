"""How values are shown to a model that selects."""

import math

import pytest

from pointsman.core.selecting import short


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, "yes"),
        (None, "none"),
        (-999_999, "-999999"),
        (10**6, "large"),
        (0.0, "0"),
        (-2.5, "-2.5"),
        (1 / 3, "0.3333"),
        (9_999.4, "9999"),
        (1e-7, "small"),
        (-1e-7, "small"),
        (9_999.6, "large"),
        (50_000.0, "large"),
        (-1e300, "- large"),
        (math.inf, "large"),
        (-math.inf, "- large"),
        (math.nan, "?"),
        ("abc", '"3"'),
        ({1: 2}, "[1]"),
        (b"x", "?"),
    ],
)
def test_a_value_in_a_few_characters(value: object, shown: str) -> None:
    assert short(value) == shown


def test_an_integer_of_any_length_is_large() -> None:
    assert (short(10**5000), short(-(10**5000))) == ("large", "- large")
