"""Generated arguments: Hypothesis strategies for shapes, and rows (positional, keyword arguments) for a whole signature.

Sizes are small: most functions decide on small values, and a check has a few tens of milliseconds. A twelfth of the rows
has one argument of another type than the parameter's, since compiled functions treat those on a path of their own.
"""

from __future__ import annotations

import collections
import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any, Final

from hypothesis import strategies as st

from pointsman.program.check.behaviour import Row
from pointsman.program.check.shapes import Shape, shape_of_annotation
from pointsman.program.ir import Param, Record

__all__ = ["Inputs", "rows"]

Strategy = st.SearchStrategy[Any]

_INTEGERS: Final = (0, 1, -1, 2, 3, 7, 10, -10, 100, -100, 1000, 12345, 2**31, -(2**63), 10**18)
_FLOATS: Final = (0.0, 1.0, -1.0, 0.5, 2.0, -2.5, 0.1, 100.0, -0.0, 1e10, 1e-9, float("inf"), float("nan"))
_STRINGS: Final = ("", "a", "ab", "Hello World", "aba", "42", "-7", " x ", "a,b", "éa", "AbC", "zz top")
_LETTERS: Final = "abcxyzABC019 ,.-_()é"
_OTHERS: Final = (None, True, 2.5, "5", "", (1, 2), -1, [], {}, 0, [1.5, "a"])
_MAX_DEPTH: Final = 3


def identity(value: Any = None, *rest: Any) -> Any:
    """A function to pass where a parameter is one."""
    return value


def negated(value: Any = 0, *rest: Any) -> Any:
    """Another."""
    return not value


@dataclass
class Inputs:
    """What is known when arguments are made: the program's records, their classes, and constants to be near to."""

    records: Mapping[str, Record] = field(default_factory=dict)
    classes: Mapping[str, type] = field(default_factory=dict)
    constants: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    def strategy(self, shape: Shape, depth: int = 0) -> Strategy:
        """Values of a shape. Containers are new for each draw; anything from ``seen`` is copied."""
        if depth > _MAX_DEPTH and shape.kind not in _SCALARS:
            return st.none()
        scalar = _SCALARS.get(shape.kind)
        if scalar is not None:
            return scalar(shape.seen, self.constants.get(shape.kind, ()))
        if shape.kind in _CONTAINERS:
            return self._container(shape, depth + 1)
        return self._special(shape, depth + 1)

    def _container(self, shape: Shape, depth: int) -> Strategy:
        parts = [self.strategy(part, depth) for part in shape.parts] or [_integers((), ())] * 2
        size = 8 if depth == 1 else 4
        if shape.kind in {"dict", "defaultdict"}:
            keys, values = (parts * 2)[:2]
            made = st.lists(st.tuples(keys, values), max_size=4).map(_dict)
            return made.map(_defaultdict) if shape.kind == "defaultdict" else made
        return st.lists(parts[0], max_size=size).map(_CONTAINERS[shape.kind])

    def _special(self, shape: Shape, depth: int) -> Strategy:
        match shape.kind:
            case "tuple":
                return st.tuples(*(self.strategy(part, depth) for part in shape.parts))
            case "union":
                return st.one_of([self.strategy(part, depth) for part in shape.parts])
            case "literal":
                return st.sampled_from(shape.seen).map(_copied) if shape.seen else st.none()
            case "record":
                return self._record(shape.seen[0], depth)
            case "like":
                return st.sampled_from(shape.seen).map(_copied)
            case "function":
                return st.sampled_from((identity, abs, len, negated))
        return _anything()

    def _record(self, name: str, depth: int) -> Strategy:
        record, made = self.records[name], self.classes.get(name)
        if record.kind == "enum" and made is not None:
            return st.sampled_from(list(made))  # type: ignore[call-overload,no-any-return]  # an enum's class
        parts = {
            key: self.strategy(shape_of_annotation(text, self.records), depth)
            for key, text, default in record.fields
            if default is None or depth <= 2
        }
        if record.kind == "typeddict" or made is None:
            return st.fixed_dictionaries(parts)
        return st.fixed_dictionaries(parts).map(partial(_construct, made))

    def like(self, value: Any, budget: int = 40) -> Strategy:
        """Values of the same structure and lengths, with other values at the leaves."""
        if isinstance(value, list | tuple) and type(value) in {list, tuple} and 0 < len(value) <= budget:
            parts = [self.like(item, budget // len(value)) for item in value]
            return st.tuples(*parts).map(type(value))
        kind = type(value).__name__
        if kind in _SCALARS and value is not None:
            return _SCALARS[kind]((value,), self.constants.get(kind, ()))
        return st.builds(_copied, st.just(value))


def _copied(value: Any) -> Any:
    return copy.deepcopy(value)


def _construct(made: Callable[..., Any], values: dict[str, Any]) -> Any:
    return made(**values)


def _dict(items: Sequence[tuple[Any, Any]]) -> dict[Any, Any]:
    return {key: value for key, value in items if _hashable(key)}


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _hashables(kind: Callable[[Any], Any], items: list[Any]) -> Any:
    return kind(item for item in items if _hashable(item))


def _defaultdict(value: dict[Any, Any]) -> Any:
    return collections.defaultdict(int, value)


def _integers(seen: tuple[Any, ...], constants: tuple[Any, ...]) -> Strategy:
    near = [value + step for value in (*seen, *constants) for step in (0, 1, -1)]
    pools = [st.integers(-10, 100), st.integers(-10, 20), st.sampled_from(_INTEGERS)]
    return st.one_of([*pools, *([st.sampled_from(near)] if near else [])])


def _floats(seen: tuple[Any, ...], constants: tuple[Any, ...]) -> Strategy:
    near = [float(value) for value in (*seen, *constants)]
    return st.one_of(st.integers(-80, 800).map(_eighths), st.sampled_from((*near, *_FLOATS)))


def _eighths(value: int) -> float:
    return value / 8


def _strings(seen: tuple[Any, ...], constants: tuple[Any, ...]) -> Strategy:
    letters = "".join(dict.fromkeys("".join([*seen, *constants])))[:40]
    made = [st.lists(st.sampled_from(letters or _LETTERS), max_size=8).map("".join)]
    if letters:
        made.append(st.lists(st.sampled_from(letters + _LETTERS), max_size=8).map("".join))
    return st.one_of([*made, st.sampled_from((*seen, *constants, *_STRINGS))])


def _constant(value: Any, seen: tuple[Any, ...], constants: tuple[Any, ...]) -> Strategy:
    return st.just(value)


def _choice(values: tuple[Any, ...], seen: tuple[Any, ...], constants: tuple[Any, ...]) -> Strategy:
    return st.sampled_from((*seen, *values))


def _anything() -> Strategy:
    return st.one_of(_integers((), ()), _strings((), ()), st.lists(st.integers(-10, 20), max_size=6))


_SCALARS: Final[dict[str, Callable[[tuple[Any, ...], tuple[Any, ...]], Strategy]]] = {
    "int": _integers,
    "float": _floats,
    "str": _strings,
    "bool": partial(_choice, (False, True)),
    "None": partial(_constant, None),
    "NoneType": partial(_constant, None),
    "bytes": partial(_choice, (b"", b"a", b"abc", b"\x00\xff", b"12 3")),
    "complex": partial(_choice, (0j, 1 + 2j, -1.5j, complex(3, -0.0))),
    "fraction": partial(_choice, tuple(Fraction(a, b) for a, b in ((0, 1), (1, 3), (-7, 2), (22, 7)))),
    "decimal": partial(_choice, tuple(map(Decimal, ("0", "1.10", "-2.5", "1E+3", "0.333")))),
}
_CONTAINERS: Final[dict[str, Callable[[list[Any]], Any]]] = {
    "list": list, "tuple*": tuple, "iterator": list, "deque": collections.deque, "dict": list, "defaultdict": list,
    "set": partial(_hashables, set), "frozenset": partial(_hashables, frozenset),
    "counter": partial(_hashables, collections.Counter), "bytearray": lambda items: bytearray(b"ab" * len(items)),
}  # fmt: skip


def rows(
    params: Sequence[Param], choices: Sequence[Sequence[Shape]], inputs: Inputs, examples: Sequence[Row] = ()
) -> Strategy:
    """Argument rows. Each of ``choices`` gives every parameter a shape; rows near the examples are mixed in."""
    parameters = [param for param in params if param.kind not in {"star", "double_star"}]
    typed = [[inputs.strategy(shape) for shape in shapes] for shapes in choices]
    rest = any(param.kind == "star" for param in params)
    near = [[inputs.like(arg) for arg in args] for args, kwargs in examples[:4] if args and not kwargs]

    @st.composite
    def row(draw: Callable[[Strategy], Any]) -> Row:
        route = draw(st.integers(0, 11))
        if near and route >= 7:
            return tuple(draw(value) for value in draw(st.sampled_from(near))), {}
        values = [draw(value) for value in typed[draw(st.integers(0, len(typed) - 1))]]
        if route == 6 and values:
            values[draw(st.integers(0, len(values) - 1))] = _copied(draw(st.sampled_from(_OTHERS)))
        omitted = _num_optional(parameters) if route % 3 == 2 else 0
        extra = draw(st.lists(_anything(), max_size=3)) if rest and not omitted else []
        return _arranged(parameters, values, draw(st.integers(0, omitted)) if omitted else 0, extra)

    return row()


def _num_optional(params: Sequence[Param]) -> int:
    """How many parameters at the end have defaults."""
    required = [position for position, param in enumerate(params) if param.default is None]
    return len(params) - 1 - (required[-1] if required else -1)


def _arranged(params: Sequence[Param], values: Sequence[Any], omitted: int, rest: Sequence[Any]) -> Row:
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for param, value in list(zip(params, values, strict=True))[: len(params) - omitted]:
        if param.kind == "keyword_only":
            kwargs[param.name] = value
        else:
            args.append(value)
    return (*args, *rest), kwargs

