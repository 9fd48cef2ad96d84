"""Inputs by the annotations of parameters, and results as JSON: what is accepted, what is refused, and how."""

import json
import math
import sys
from datetime import date
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Any

import pytest

from pointsman.core import BadRequest
from pointsman.program.convert import bind_inputs, read_inputs
from pointsman.program.ir import Const, Param
from pointsman.program.results import MAX_DIGITS, MAX_ITEMS, Unserialisable, exception_text, to_json
from pointsman.program.table.machine import Machine


def bound(annotation: str, value: Any) -> Any:
    """The argument that one parameter ``x`` gets."""
    machine = Machine("f", "f", (Param("x", annotation=annotation),), (), ())
    args, kwargs = bind_inputs(machine, {}, {}, {"x": value})
    assert args == []
    return kwargs["x"]


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        ("int", 10**30, 10**30),
        ("set[int]", [1, 2], {1, 2}),
        ("frozenset", [1], frozenset({1})),
        ("bytes", "é", "é".encode()),
        ("list[()]", [1], [1]),
        ("tuple[()]", [], ()),
        ("dict[()]", {"a": 1}, {"a": 1}),
        ("dict[int]", {"a": 1}, {"a": 1}),
        ("Optional[()]", 5, 5),
        ("typing.Optional[int]", None, None),
        ("Union[int, str]", "a", "a"),
        ("int | str | None", None, None),
        (" | ".join(["int"] * 400), 5, 5),
        ("a" + ".b" * 5000, 5, 5),
        ("(" * 1000, 5, 5),
        ("\0", 5, 5),
        ('"\\d"', 5, 5),
        ('Literal["a", "b"]', "b", "b"),
        ("typing.Literal[1, -1, None]", -1, -1),
        ("Literal[Color.RED]", "x", "x"),
        ("dict[int, str]", {"-5": "a", "0": "b"}, {-5: "a", 0: "b"}),
        ("Dict[float, int]", {"1.5e3": 1}, {1500.0: 1}),
        ("complex", 2, 2),
    ],
)
def test_values_become_arguments(annotation: str, value: Any, expected: Any) -> None:
    found = bound(annotation, value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("annotation", "value", "says"),
    [
        ("set", [[1]], "cannot hold arrays"),
        ("set[list[int]]", [[1]], "cannot hold arrays"),
        ("frozenset[dict]", [{}], "cannot hold arrays"),
        ("bytes", "\ud800", "UTF-8"),
        (" | ".join(["int"] * 400), "a", "or others"),
        ('Literal["a", "b"]', "c", 'one of "a", "b", got a string'),
        ("Literal[1]", True, "one of 1"),
        ("Literal[True]", 1, "one of true"),
        ("tuple[()]", [1], "0 items"),
        ("dict[int, str]", {"1_0": "a"}, "'1_0', expected int"),
        ("dict[int, str]", {" 5 ": "a"}, "expected int"),
        ("dict[int, str]", {"+5": "a"}, "expected int"),
        ("dict[int, str]", {"\uff19": "a"}, "expected int"),
        ("dict[int, str]", {"9" * 5000: "a"}, "expected int"),
        ("dict[float, str]", {"1_0.0": "a"}, "expected float"),
        ("dict[float, str]", {"1": "a", "1.0": "b"}, "two keys of one value"),
        ("complex", {"re": 1}, "a number"),
    ],
)
def test_a_wrong_value_is_a_bad_input_that_names_the_parameter(annotation: str, value: Any, says: str) -> None:
    with pytest.raises(BadRequest) as caught:
        bound(annotation, value)
    assert caught.value.code == "bad_inputs"
    assert "'x" in caught.value.message
    assert says in caught.value.message


def test_further_arguments_are_checked_too() -> None:
    params = (Param("xs", "star", annotation="int"), Param("kw", "double_star", annotation="set[int]"))
    machine = Machine("f", "f", params, ())
    assert bind_inputs(machine, {}, {}, [1, 2]) == ([1, 2], {})
    assert bind_inputs(machine, {}, {}, {"a": [1]}) == ([], {"a": {1}})
    for inputs in ([1, "a"], {"a": ["a"]}):
        with pytest.raises(BadRequest, match="an integer"):
            bind_inputs(machine, {}, {}, inputs)


def test_positional_only_arguments_keep_their_places() -> None:
    one = Const(1)
    params = (Param("a", "positional_only", default=one), Param("b", "positional_only", default=one), Param("c"))
    machine = Machine("f", "f", params, ())
    assert bind_inputs(machine, {}, {}, {"c": 3, "b": 2, "a": 1}) == ([1, 2], {"c": 3})
    assert bind_inputs(machine, {}, {}, {"c": 3, "a": 1}) == ([1], {"c": 3})
    with pytest.raises(BadRequest, match="missing input 'a'") as caught:
        bind_inputs(machine, {}, {}, {"c": 3, "b": 2})
    assert caught.value.param == "a"


def test_an_array_cannot_give_what_goes_by_name_only() -> None:
    machine = Machine("f", "f", (Param("xs", "star"), Param("k", "keyword_only")), ())
    with pytest.raises(BadRequest, match="missing input 'k'"):
        bind_inputs(machine, {}, {}, [1, 2])


@pytest.mark.parametrize("annotation", ["-" * 3000 + "x", "x" + "[0]" * 3000])
def test_a_very_deep_annotation_that_says_nothing_passes_the_value(annotation: str) -> None:
    assert bound(annotation, [7]) == [7]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 50_000, "nested too deeply"),
        ('{"a": 1, "a": 2}', "key 'a' twice"),
        ('[{"a": {"b": 1, "b": 1}}]', "key 'b' twice"),
        ("9" * 5000, "4,300 digits"),
    ],
)
def test_text_that_holds_no_inputs_is_refused(text: str, says: str) -> None:
    with pytest.raises(BadRequest, match=says) as caught:
        read_inputs(text)
    assert caught.value.code == "bad_inputs"


class Color(Enum):
    RED = "r"


class Word(StrEnum):
    YES = "yes"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        ("é", '"é"'),
        ("\ud800é", '"\\ud800\\u00e9"'),
        ((1, [2.5]), "[1, [2.5]]"),
        (math.nan, '"nan"'),
        ({10, 9}, "[10, 9]"),
        ({1: 2}, '{"1": 2}'),
        ({1: 2, "1": 3}, '[[1, 2], ["1", 3]]'),
        ({Color.RED: Word.YES}, '{"\\"r\\"": "yes"}'),
        ({(1, 2): 3}, '{"[1, 2]": 3}'),
        (b"a\xff", '"a\ufffd"'),
        (range(3), "[0, 1, 2]"),
        (iter("ab"), '["a", "b"]'),
        ({}.keys(), "[]"),
        (Decimal("1.50"), '"1.50"'),
        ([date(2024, 2, 29), 1j, int], '["2024-02-29", "1j", "<class \'int\'>"]'),
    ],
)
def test_results_are_json(value: Any, text: str) -> None:
    found = to_json(value)
    assert found == text
    json.loads(found.encode())


def test_long_integers_are_written_wherever_they_are() -> None:
    digits = "1" + "0" * 5000
    assert to_json(10**5000) == digits
    assert to_json([10**5000, {10**5000}, {10**5000: 1}]) == f'[{digits}, [{digits}], {{"{digits}": 1}}]'


def deep(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def cyclic() -> list[Any]:
    value: list[Any] = [{}]
    value[0]["again"] = value
    return value


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (cyclic(), "contains itself"),
        (deep(100_000), "nested too deeply"),
        (range(10**9), f"{MAX_ITEMS:,} items"),
        (iter(range(MAX_ITEMS + 1)), "items"),
        ([10 ** (MAX_DIGITS + 1)], "digits"),
        ({10 ** (MAX_DIGITS + 1): 1}, "digits"),
        ([len], "without a JSON form: builtin_function"),
        (object(), "without a JSON form: object"),
    ],
    ids=["cyclic", "deep", "range", "iterator", "digits", "key", "function", "object"],
)
def test_what_json_cannot_hold_is_an_error_of_its_own(value: Any, says: str) -> None:
    with pytest.raises(Unserialisable, match=says) as caught:
        to_json(value)
    assert caught.value.code == "unserialisable"


def test_the_limits_themselves_are_written() -> None:
    assert json.loads(to_json(iter(range(MAX_ITEMS))))[-1] == MAX_ITEMS - 1
    assert len(to_json(10 ** (MAX_DIGITS - 1))) == MAX_DIGITS


def test_the_process_s_limit_of_digits_is_put_back() -> None:
    before = sys.get_int_max_str_digits()
    to_json([10**5000])
    with pytest.raises(Unserialisable):
        to_json(10 ** (MAX_DIGITS + 1))
    assert sys.get_int_max_str_digits() == before


def test_what_an_iterator_raises_is_passed_on() -> None:
    with pytest.raises(ZeroDivisionError):
        to_json(1 // n for n in [1, 0])


def test_an_exception_s_text_is_found_where_it_can_be() -> None:
    assert exception_text(ValueError(10**5000)) == "1" + "0" * 5000
    assert exception_text(ValueError("a")) == "a"
    assert "cannot be written" in exception_text(ValueError(10 ** (MAX_DIGITS + 1)))
