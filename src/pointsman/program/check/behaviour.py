"""What a call does, as a record, and whether two calls did the same.

A behaviour is the returned value or the exception, and the arguments afterwards. Two are the same when all parts have
the same types and values: 1, True and 1.0 differ, floats are compared by bits (all NaN are one), dictionaries in order,
sets without; and when the same mutable objects are shared in the same places, so returning an argument differs from
returning a copy of it. Iterators are compared by their first 1,000 items; functions only by being functions.

Not compared: an exception's cause and traceback, names and bodies of returned functions, identity of immutable objects.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import math
import re
import sys
import time
import types
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, TypeAlias

from pointsman.program.check.sandbox import TimeUp, time_limit

__all__ = ["Behaviour", "Row", "observe", "same", "show"]

Row: TypeAlias = tuple[tuple[Any, ...], dict[str, Any]]  # positional and keyword arguments

_MAX_ITEMS = 1_000
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{4,}")
_FUNCTIONS = (
    types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.MethodWrapperType,
    types.MethodDescriptorType,
)  # fmt: skip
_EXHAUSTED = {TimeUp: "does not finish in time", MemoryError: "exhausts the memory"}
_SCALARS = (int, str, bytes, bool, type(None), type(Ellipsis))


@dataclass(frozen=True, slots=True)
class Behaviour:
    """``value`` is what was returned, or the exception. ``exhausted``: no verdict, a resource ran out."""

    kind: Literal["returned", "raised", "exhausted"]
    value: Any
    args: Row
    seconds: float


@dataclass(frozen=True, slots=True)
class _Items:
    """The first items of an iterator, and how it ended."""

    type_name: str
    items: list[Any]
    error: BaseException | None


def observe(function: Callable[..., Any], row: Row, seconds: float, max_depth: int) -> Behaviour:
    """Calls the function; ``row`` is changed if the function changes its arguments."""
    args, kwargs = row
    depth = sys.getrecursionlimit()
    start = time.perf_counter()
    kind: Literal["returned", "raised", "exhausted"] = "returned"
    try:
        with time_limit(seconds):
            sys.setrecursionlimit(max_depth)
            value = function(*args, **kwargs)
            if isinstance(value, Iterator):
                value = _items(value)
    except (TimeUp, MemoryError, RecursionError) as exc:
        kind, value = "exhausted", exc
    except BaseException as exc:  # noqa: BLE001  any exception is a behaviour
        kind, value = "raised", exc
    finally:
        sys.setrecursionlimit(depth)
    return Behaviour(kind, value, row, time.perf_counter() - start)


def _items(iterator: Iterator[Any]) -> _Items:
    items: list[Any] = []
    error = None
    try:
        items.extend(islice(iterator, _MAX_ITEMS))
    except Exception as exc:  # noqa: BLE001  part of the behaviour
        error = exc
    return _Items(type(iterator).__name__, items, error)


def same(left: Behaviour, right: Behaviour) -> bool:
    """Whether both did the same, arguments and sharing included."""
    if left.kind != right.kind:
        return False
    return _Comparison().same([left.args, left.value], [right.args, right.value])


def show(behaviour: Behaviour, limit: int = 2_000) -> str:
    """What happened, for a person: the value's repr, or ``raises ...``."""
    value = behaviour.value
    if behaviour.kind == "exhausted":
        return _EXHAUSTED.get(type(value), "recurses too deeply")
    if isinstance(value, _Items):
        ending = "" if value.error is None else f", then raises {value.error!r}"
        text = f"{value.type_name} of {value.items!r}{ending}"
    else:
        text = repr(value) if behaviour.kind == "returned" else f"raises {value!r}"
    return _ADDRESS.sub("0x...", text)[:limit]


class _Comparison:
    """Pairs of mutable objects met so far: each must always meet the same partner, which also ends cycles."""

    def __init__(self) -> None:
        self.partners: dict[int, int] = {}
        self.backwards: dict[int, int] = {}
        self.alive: list[Any] = []  # ids stay valid while the objects live

    def same(self, left: Any, right: Any) -> bool:
        if type(left) is not type(right) and not _same_class(type(left), type(right)):
            return isinstance(left, _FUNCTIONS) and isinstance(right, _FUNCTIONS)
        if isinstance(left, float):
            return self._same_float(left, right)
        if type(left) in _SCALARS:
            return bool(left == right)
        if isinstance(left, complex):
            return self._same_float(left.real, right.real) and self._same_float(left.imag, right.imag)
        if isinstance(left, _FUNCTIONS):
            return True
        met = self._meet(left, right)
        return self._same_content(left, right) if met is None else met

    @staticmethod
    def _same_float(left: float, right: float) -> bool:
        if math.isnan(left) or math.isnan(right):
            return math.isnan(left) and math.isnan(right)
        return left == right and math.copysign(1.0, left) == math.copysign(1.0, right)

    def _meet(self, left: Any, right: Any) -> bool | None:
        """None for a new pair; else whether it is the pair that was met before."""
        if isinstance(left, tuple | frozenset | enum.Enum | type):
            return None
        if id(left) not in self.partners and id(right) not in self.backwards:
            self.partners[id(left)], self.backwards[id(right)] = id(right), id(left)
            self.alive.append((left, right))
            return None
        return self.partners.get(id(left)) == id(right)

    def _same_content(self, left: Any, right: Any) -> bool:
        if isinstance(left, enum.Enum):
            return bool(left.name == right.name)
        if isinstance(left, type | types.ModuleType):
            return bool(left.__name__ == right.__name__)
        if isinstance(left, list | tuple | deque):
            return len(left) == len(right) and all(map(self.same, left, right))
        if isinstance(left, dict):
            return len(left) == len(right) and all(map(self.same, left.items(), right.items()))
        if isinstance(left, set | frozenset):
            return self._same_set(left, right)
        if isinstance(left, BaseException):
            return self.same([_cleaned(a) for a in left.args], [_cleaned(a) for a in right.args])
        if dataclasses.is_dataclass(left):
            names = [f.name for f in dataclasses.fields(left)]
            return all(self.same(getattr(left, name, None), getattr(right, name, None)) for name in names)
        return self._same_object(left, right)

    def _same_set(self, left: Any, right: Any) -> bool:
        if len(left) != len(right):
            return False
        by_value = {item: item for item in right}
        return all(self._has_partner(item, by_value) for item in left)

    @staticmethod
    def _has_partner(item: Any, others: dict[Any, Any]) -> bool:
        if item in others:
            return _Comparison().same(item, others[item])
        return any(_Comparison().same(item, other) for other in others)  # NaN, or classes that stand for one another

    def _same_object(self, left: Any, right: Any) -> bool:
        if isinstance(left, Iterator):
            return self.same(_items(left), _items(right))
        attributes = getattr(left, "__dict__", None)
        has_equality = any("__eq__" in vars(kind) for kind in type(left).__mro__[:-1])
        if attributes is not None and not has_equality:
            return self.same(attributes, right.__dict__)
        with contextlib.suppress(Exception):  # an object that cannot be compared is compared by its text
            if left == right:
                return True
        return _ADDRESS.sub("", repr(left)) == _ADDRESS.sub("", repr(right))


def _same_class(left: type, right: type) -> bool:
    """Classes of the two modules that stand for one declaration."""
    builtin = left.__module__ == "builtins" or right.__module__ == "builtins"
    return not builtin and left.__name__ == right.__name__


def _cleaned(argument: Any) -> Any:
    return _ADDRESS.sub("", argument) if isinstance(argument, str) else argument
