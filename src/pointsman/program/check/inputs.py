"""Generated arguments: random values of shapes, and rows (positional, keyword arguments) for a whole signature.

Sizes are small: most functions decide on small values, and a check has a few tens of milliseconds. A twelfth of the
rows has one argument of another type than the parameter's, since compiled functions treat those on a path of their own.

Values are drawn from `random.Random`. Hypothesis strategies of the same shapes take 1.5 ms a row (measured with
Hypothesis 6.170, 60 rows of two integers), which would be most of the time of compiling a function; counterexamples are
made smaller by `shrink` instead.
"""

from __future__ import annotations

import collections
import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import partial
from random import Random
from typing import Any, Final, TypeAlias

from pointsman.program.check.behaviour import Row
from pointsman.program.check.shapes import Shape, shape_of_annotation
from pointsman.program.ir import Param, Record

__all__ = ["Draw", "Inputs", "rows"]

Draw: TypeAlias = Callable[[Random], Any]  # makes a new value at each call

_INTEGERS: Final = (0, 1, -1, 2, 3, 7, 10, -10, 100, -100, 1000, 12345, 2**31, -(2**63), 10**18)
_FLOATS: Final = (0.0, 1.0, -1.0, 0.5, 2.0, -2.5, 0.1, 100.0, -0.0, 1e10, 1e-9, float("inf"), float("nan"))
_STRINGS: Final = ("", "a", "ab", "Hello World", "aba", "42", "-7", " x ", "a,b", "éa", "AbC", "zz top")
_LETTERS: Final = "abcxyzABC019 ,.-_()é"
_OTHERS: Final[tuple[Any, ...]] = (None, True, False, 2.5, "5", "", (1, 2), -1, [], {}, 0, [1.5, "a"])
_SIZES: Final = (0, 1, 1, 2, 2, 3, 3, 4, 5, 8)
_MAX_DEPTH: Final = 3


def identity(value: Any = None, *_: Any) -> Any:
    """A function to pass where a parameter is one."""
    return value


def negated(value: Any = 0, *_: Any) -> Any:
    """Another."""
    return not value


@dataclass
class Inputs:
    """What is known when arguments are made: the program's records, their classes, and constants to be near to."""

    records: Mapping[str, Record] = field(default_factory=dict)
    classes: Mapping[str, type] = field(default_factory=dict)
    constants: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    def draw(self, shape: Shape, depth: int = 0) -> Draw:
        """Draws values of a shape. Containers are new each time; anything from ``seen`` is copied."""
        if depth > _MAX_DEPTH and shape.kind not in _SCALARS:
            return _constantly(None)
        if shape.kind in _SCALARS:
            return _SCALARS[shape.kind](shape.seen, self.constants.get(shape.kind, ()))
        if shape.kind in _CONTAINERS:
            return self._container(shape, depth + 1)
        return self._special(shape, depth + 1)

    def _container(self, shape: Shape, depth: int) -> Draw:
        parts = [self.draw(part, depth) for part in shape.parts] or [_integers((), ())]
        sizes = _SIZES if depth == 1 else _SIZES[:-2]
        make = _CONTAINERS[shape.kind]
        if shape.kind in {"dict", "defaultdict"}:
            return lambda rng: make([(parts[0](rng), parts[-1](rng)) for _ in range(rng.choice(sizes[:-2]))])
        return lambda rng: make([parts[0](rng) for _ in range(rng.choice(sizes))])

    def _special(self, shape: Shape, depth: int) -> Draw:
        match shape.kind:
            case "tuple":
                parts = [self.draw(part, depth) for part in shape.parts]
                return lambda rng: tuple([part(rng) for part in parts])
            case "union":
                parts = [self.draw(part, depth) for part in shape.parts]
                return lambda rng: rng.choice(parts)(rng)
            case "literal" | "like" if shape.seen:
                return lambda rng: copy.deepcopy(rng.choice(shape.seen))
            case "record":
                return self._record(shape.seen[0], depth)
            case "function":
                return lambda rng: rng.choice((identity, abs, len, negated))
        return _anything

    def _record(self, name: str, depth: int) -> Draw:
        record, made = self.records[name], self.classes.get(name)
        if record.kind == "enum" and made is not None:
            members = list(made)  # type: ignore[call-overload]  # an enum's class
            return lambda rng: rng.choice(members)
        parts = {
            key: self.draw(shape_of_annotation(text, self.records), depth)
            for key, text, default in record.fields
            if default is None or depth <= 2
        }
        construct: Callable[..., Any] = dict if record.kind == "typeddict" or made is None else made
        return lambda rng: construct(**{key: part(rng) for key, part in parts.items()})

    def like(self, value: Any, budget: int = 40) -> Draw:
        """Values of the same structure and lengths, about half of the leaves with other values."""
        kind = type(value).__name__
        if kind in {"list", "tuple"} and 0 < len(value) <= budget:
            parts = [self.like(item, budget // len(value)) for item in value]
            return lambda rng: type(value)([part(rng) for part in parts])
        if kind not in _SCALARS:
            return lambda _: copy.deepcopy(value)
        other = _SCALARS[kind]((value,), self.constants.get(kind, ()))
        return lambda rng: value if rng.random() < 0.5 else other(rng)


def _constantly(value: Any) -> Draw:
    return lambda _: value


def _hashables(kind: Callable[[Any], Any], items: list[Any]) -> Any:
    """Without the items that cannot be in a set, or be keys (the first of each pair)."""
    kept = []
    for item in items:
        try:
            hash(item[0] if kind is dict else item)
        except TypeError:
            continue
        kept.append(item)
    return kind(kept)


def _defaultdict(items: list[Any]) -> Any:
    return collections.defaultdict(int, _hashables(dict, items))


def _bytearray(items: list[Any]) -> bytearray:
    return bytearray(b"ab" * len(items))


def _integers(seen: tuple[Any, ...], constants: tuple[Any, ...]) -> Draw:
    near = [value + step for value in (*seen, *constants) for step in (0, 1, -1)]
    pool = (*_INTEGERS, *near * (1 + len(_INTEGERS) // (len(near) or 1)))  # near values as often as the others

    def draw(rng: Random) -> int:
        route = rng.random()
        if route < 0.35:
            return rng.randint(-3, 12)
        return rng.randint(-10, 100) if route < 0.65 else int(rng.choice(pool))

    return draw


def _floats(seen: tuple[Any, ...], constants: tuple[Any, ...]) -> Draw:
    pool = (*(float(value) for value in (*seen, *constants)), *_FLOATS)
    return lambda rng: rng.choice(pool) if rng.random() < 0.5 else rng.randint(-80, 800) / 8


def _strings(seen: tuple[Any, ...], constants: tuple[Any, ...]) -> Draw:
    pool = (*seen, *constants, *_STRINGS)
    own = "".join(dict.fromkeys("".join([*seen, *constants])))[:40]

    def draw(rng: Random) -> str:
        if rng.random() < 0.4:
            return str(rng.choice(pool))
        letters = own if own and rng.random() < 0.6 else own + _LETTERS
        return "".join(rng.choices(letters, k=rng.choice(_SIZES)))

    return draw


def _choice(values: tuple[Any, ...], seen: tuple[Any, ...], constants: tuple[Any, ...]) -> Draw:
    pool = (*seen, *constants, *values)
    return lambda rng: rng.choice(pool)


def _anything(rng: Random) -> Any:
    route = rng.randrange(3)
    if route == 0:
        return rng.choice(_INTEGERS)
    return rng.choice(_STRINGS) if route == 1 else [rng.randint(-10, 20) for _ in range(rng.randint(0, 5))]


_SCALARS: Final[dict[str, Callable[[tuple[Any, ...], tuple[Any, ...]], Draw]]] = {
    "int": _integers,
    "float": _floats,
    "str": _strings,
    "bool": partial(_choice, (False, True)),
    "None": partial(_choice, (None,)),
    "NoneType": partial(_choice, (None,)),
    "bytes": partial(_choice, (b"", b"a", b"abc", b"\x00\xff", b"12 3")),
    "complex": partial(_choice, (0j, 1 + 2j, -1.5j, complex(3, -0.0))),
    "fraction": partial(_choice, tuple(Fraction(a, b) for a, b in ((0, 1), (1, 3), (-7, 2), (22, 7)))),
    "decimal": partial(_choice, tuple(map(Decimal, ("0", "1.10", "-2.5", "1E+3", "0.333")))),
}
_CONTAINERS: Final[dict[str, Callable[[list[Any]], Any]]] = {
    "list": list, "tuple*": tuple, "iterator": list, "deque": collections.deque, "dict": partial(_hashables, dict),
    "defaultdict": _defaultdict, "set": partial(_hashables, set), "frozenset": partial(_hashables, frozenset),
    "counter": partial(_hashables, collections.Counter), "bytearray": _bytearray,
}  # fmt: skip


def rows(
    params: Sequence[Param], choices: Sequence[Sequence[Shape]], inputs: Inputs, examples: Sequence[Row], seed: int
) -> Iterator[Row]:
    """Endless argument rows. Each of ``choices`` gives every parameter a shape; rows near the examples are mixed in."""
    rng = Random(seed)  # noqa: S311  reproducible tests, no secrets
    parameters = [param for param in params if param.kind not in {"star", "double_star"}]
    typed = [[inputs.draw(shape) for shape in shapes] for shapes in choices]
    near = [[inputs.like(arg) for arg in args] for args, kwargs in examples[:8] if args and not kwargs]
    starred = any(param.kind == "star" for param in params)
    optional = _num_optional(parameters)
    while True:
        if near and rng.random() < 0.4:
            yield tuple([draw(rng) for draw in rng.choice(near)]), {}
            continue
        values = [draw(rng) for draw in rng.choice(typed)]
        if values and rng.random() < 1 / 12:
            values[rng.randrange(len(values))] = copy.deepcopy(rng.choice(_OTHERS))
        omitted = rng.randint(0, optional)
        rest = [_anything(rng) for _ in range(rng.randint(0, 3))] if starred and not omitted else []
        yield _arranged(parameters, values, omitted, rest)


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
