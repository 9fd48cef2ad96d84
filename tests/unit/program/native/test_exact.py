"""Where machine code could be wrong without a word: the ends of 64 bits, and which list is which."""

from collections.abc import Callable
from typing import Any

import pytest

from pointsman.program.native.engine import available

pytestmark = pytest.mark.skipif(available() is not None, reason=f"no native code: {available()}")
LOW, HIGH = -(2**63), 2**63 - 1
EDGES = (LOW - 1, LOW, LOW + 1, -5, -1, 0, 1, 2, 3, 4, 5, 6, 99, 100, 101, 2**53, HIGH - 1, HIGH, HIGH + 1, 2**70)

# a cut is the first int of the next range: these lie beyond 64 bits, at either end and at both
CUTS = (
    f"if b < 3: return 0\n if b <= {HIGH}: return 1\n return 2",
    f"if b < 0 or b > {HIGH}: return -1\n return b % 10",
    f"if b == {HIGH}: return 1\n if b < 5: return 2\n if b > 100: return 4\n return 3",
    f"if b < {LOW}: return 1\n if b < 5: return 2\n if b > 100: return 4\n return 3",
    f"if b < {LOW - 5}: return 1\n if b < {2**70}: return 2\n if b > {2**80}: return 4\n return 3",
    f"if b == {LOW}: return 1\n if b < {2**70}: return 2\n if b > {2**80}: return 4\n return 3",
    f"if b < {LOW} or b > {HIGH}: return 0\n return 1",
    f"if b == {2**64 + 5}: return 0\n if b < 4: return 1\n if b > 5: return 2\n return 3",
    f"if b <= {LOW}: return 0\n if b < {LOW + 2}: return 1\n if b >= {HIGH}: return 2\n return 3",
)


@pytest.mark.parametrize("body", CUTS)
def test_cuts_beyond_64_bits(twin: Callable[..., Any], body: str) -> None:
    made = twin(f"def f(b: int):\n {body}\n")
    for b in EDGES:
        assert made.agree(b) == (LOW <= b <= HIGH)


POWERS = (
    "x ** 9007199254740993",
    "x ** 9007199254740993.0",
    "x ** 1e400",
    "x ** 3",
    "x ** 2.0",
    "x ** True",
    "x ** -0.0",
)


@pytest.mark.parametrize("power", POWERS)
def test_float_to_a_constant_power(twin: Callable[..., Any], power: str) -> None:
    made = twin(f"def f(x: float):\n    return {power}\n")
    for x in (-1.0, 1.0, 0.0, -0.0, 0.5, -2.0, float("inf"), float("-inf"), float("nan")):
        made.agree(x)


ALIASES = """
def keep(x):
    return x
def choose(x, y, first):
    return x if first else y
def pair(x):
    x.append(9)
    return x, x
def plain(n: int):
    a = [n]
    b = a
    b.append(1)
    return a, b
def chained(n: int):
    a = b = []
    b.append(n)
    return a, b
def nested(n: int):
    a = [n]
    return (a, (a, n)), [n], a
def helped(n: int):
    a = [n]
    b = keep(a)
    b.append(1)
    return a, b
def chosen(n: int):
    a, b = [n], [n]
    c = choose(a, b, n > 3)
    c.append(2)
    return a, b, c
def paired(n: int):
    a = [n]
    return pair(a), a
def given(items: list[int], others: list[int], n: int):
    a = items if n > 3 else others
    a.append(n)
    return a, items, (others, a[:])
def read(items: list[int], others: list[int], n: int):
    return items, others, items
def empty(n: int):
    a = []
    b = []
    return a, a, b
"""


@pytest.mark.parametrize("name", ["plain", "chained", "nested", "helped", "chosen", "paired", "empty"])
def test_one_list_is_returned_as_one_object(twin: Callable[..., Any], name: str) -> None:
    made = twin(ALIASES, name)
    assert made.agree(1)
    assert made.agree(5)


@pytest.mark.parametrize("name", ["given", "read"])
def test_list_arguments_are_returned_as_themselves(twin: Callable[..., Any], name: str) -> None:
    made = twin(ALIASES, name)
    for n in (1, 5):
        assert made.agree([1, 2], [1, 2], n)
        both = [1, 2]
        made.agree(both, both, n)
