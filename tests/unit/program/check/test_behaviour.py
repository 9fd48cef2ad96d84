"""Comparing behaviours: what is the same and what is not."""

import collections
import dataclasses
import enum
import math

import pytest

from pointsman.program.check.behaviour import Behaviour, observe, same, show


def _returned(value, args=()):
    return Behaviour("returned", value, (args, {}), 0.0)


class Colour(enum.Enum):
    RED = 1
    BLUE = 1.0 + 1


@dataclasses.dataclass
class Point:
    x: object
    y: object = 0


Pair = collections.namedtuple("Pair", "a b")


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, True),
        (1, 1.0),
        (0.0, -0.0),
        ("a", b"a"),
        ([1], (1,)),
        ([1], [True]),
        ({1: 2, 3: 4}, {3: 4, 1: 2}),
        ({1}, {True}),
        ({1}, {1, 2}),
        (frozenset({1}), {1}),
        (Point(1), Point(True)),
        (Pair(1, 2), (1, 2)),
        (Colour.RED, Colour.BLUE),
        (len, 3),
        (1 + 0j, complex(1, -0.0)),
        (None, 0),
        (collections.Counter("a"), {"a": 1}),
    ],
)
def test_different(left, right):
    assert not same(_returned(left), _returned(right))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (math.nan, -math.nan),
        ([math.nan], [math.nan]),
        ({math.nan}, {float("nan")}),
        ({3, 1, 2}, {2, 1, 3}),
        (Point([1]), Point([1])),
        (Pair(1, 2), Pair(1, 2)),
        (Colour.RED, Colour.RED),
        (lambda: 1, lambda: 2),
        (len, lambda: 2),
        (iter([1, 2]), iter([1, 2])),
        (range(3), range(3)),
        ({"a": [1.5]}, {"a": [1.5]}),
    ],
)
def test_alike(left, right):
    assert same(_returned(left), _returned(right))


def test_exceptions_by_type_and_arguments():
    def behaviour(error):
        return Behaviour("raised", error, ((), {}), 0.0)

    assert same(behaviour(ValueError("at 0x7f00aa")), behaviour(ValueError("at 0x7f00bb")))
    assert not same(behaviour(ValueError("a")), behaviour(ValueError("b")))
    assert not same(behaviour(ValueError("a")), behaviour(KeyError("a")))
    assert not same(behaviour(ValueError("a")), _returned("a"))


def test_sharing_matters():
    items, others = [1], [1]
    assert not same(_returned(items, (items,)), _returned([1], (others,)))
    assert same(_returned(items, (items,)), _returned(others, (others,)))
    assert not same(_returned([items, items]), _returned([[1], [1]]))
    assert not same(_returned([[1], [1]]), _returned([items, items]))


def test_cycles_end():
    left, right = [1], [1]
    left.append(left)
    right.append(right)
    assert same(_returned(left), _returned(right))


def test_observes_generators_and_their_errors():
    def numbers(stop):
        yield from range(stop)
        raise ValueError(stop)

    assert same(observe(numbers, ((3,), {}), 1, 1000), observe(numbers, ((3,), {}), 1, 1000))
    assert not same(observe(numbers, ((3,), {}), 1, 1000), observe(numbers, ((4,), {}), 1, 1000))
    assert "then raises ValueError" in show(observe(numbers, ((2,), {}), 1, 1000))


def test_observes_exhaustion():
    def deep(n):
        return deep(n + 1)

    def slow():
        while True:
            pass

    assert show(observe(deep, ((0,), {}), 5, 300)) == "recurses too deeply"
    assert show(observe(slow, ((), {}), 0.05, 1000)) == "does not finish in time"
