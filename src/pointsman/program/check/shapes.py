"""What kind of values a parameter takes: read off its annotation, example arguments, or its use in the body."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Final

from pointsman.program.ir import Record

__all__ = ["ANY", "SIMPLE", "Shape", "constants_of", "shape_of_annotation", "shape_of_values", "shapes_of_use"]

_MAX_SEEN = 12
_MAX_DEPTH = 4


@dataclass(frozen=True, slots=True)
class Shape:
    """A set of values.

    ``kind`` is a type's name, ``union``, ``record``, ``literal``, ``tuple`` (of its parts), ``tuple*`` (of any
    length), ``like`` (copies) or ``any``. ``seen``: example values, for a literal its choices, for a record its name.
    """

    kind: str
    parts: tuple[Shape, ...] = ()
    seen: tuple[Any, ...] = ()


ANY: Final = Shape("any")
_INT, _STR = Shape("int"), Shape("str")
_INTS, _STRS = Shape("list", (_INT,)), Shape("list", (_STR,))
_ROWS, _WORDS = Shape("list", (_INTS,)), Shape("dict", (_STR, _INT))
_PAIRS = Shape("list", (Shape("tuple", (_INT, _INT)),))

# Tried in this order for a parameter of which nothing is known.
SIMPLE: Final = (_INT, _INTS, _STR, Shape("float"), _STRS, _ROWS, _WORDS, Shape("tuple*", (_INT,)), _PAIRS)

_NAMES: Final = {
    "int": "int", "bool": "bool", "str": "str", "float": "float", "bytes": "bytes", "complex": "complex",
    "None": "None", "list": "list", "List": "list", "Sequence": "list", "MutableSequence": "list",
    "Iterable": "list", "Collection": "list", "Container": "list", "Iterator": "iterator", "Generator": "iterator",
    "deque": "deque", "Deque": "deque", "dict": "dict", "Dict": "dict", "Mapping": "dict", "MutableMapping": "dict",
    "OrderedDict": "dict", "DefaultDict": "defaultdict", "defaultdict": "defaultdict", "Counter": "counter",
    "set": "set", "Set": "set", "AbstractSet": "set", "MutableSet": "set", "frozenset": "frozenset",
    "FrozenSet": "frozenset", "tuple": "tuple*", "Tuple": "tuple*", "Callable": "function", "Fraction": "fraction",
    "Decimal": "decimal", "bytearray": "bytearray", "SupportsInt": "int", "SupportsIndex": "int",
    "SupportsFloat": "float", "Number": "float", "Real": "float",
}  # fmt: skip
_ELEMENTS: Final = {
    "list": 1, "iterator": 1, "deque": 1, "set": 1, "frozenset": 1, "dict": 2, "defaultdict": 2, "counter": 1,
}  # fmt: skip


def shape_of_annotation(text: str | None, records: Mapping[str, Record]) -> Shape:
    """ANY where the text says nothing that is known here."""
    if text is None:
        return ANY
    try:
        return _annotated(ast.parse(text, mode="eval").body, records, 0)
    except SyntaxError:
        return ANY


def _annotated(node: ast.expr, records: Mapping[str, Record], depth: int) -> Shape:
    match node:
        case ast.Constant(value=None):
            return Shape("None")
        case ast.Constant(value=str(text)):
            return shape_of_annotation(text, records)
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return _named(name, records)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _union([_annotated(left, records, depth), _annotated(right, records, depth)])
        case ast.Subscript(value=ast.Attribute(attr=name) | ast.Name(id=name), slice=index) if depth < _MAX_DEPTH:
            items = index.elts if isinstance(index, ast.Tuple) else [index]
            return _generic(name, items, records, depth + 1)
    return ANY


def _named(name: str, records: Mapping[str, Record]) -> Shape:
    if name in records:
        return Shape("record", (), (name,))
    kind = _NAMES.get(name, "any")
    return Shape(kind, _filled(kind, ()))


def _filled(kind: str, parts: tuple[Shape, ...]) -> tuple[Shape, ...]:
    """As many parts as the kind has; what an annotation leaves open is a str key or an int."""
    count = _ELEMENTS.get(kind, 1 if kind == "tuple*" else 0)
    return (*parts, *((_STR, _INT) if count == 2 else (_INT,))[len(parts) :])[:count]


def _generic(name: str, items: list[ast.expr], records: Mapping[str, Record], depth: int) -> Shape:
    if name in {"Optional", "Union"}:
        extra = [Shape("None")] if name == "Optional" else []
        return _union([_annotated(item, records, depth) for item in items] + extra)
    if name == "Literal":
        return Shape("literal", (), tuple(item.value for item in items if isinstance(item, ast.Constant)))
    if name in {"Annotated", "Final", "ClassVar", "Required", "NotRequired"}:
        return _annotated(items[0], records, depth)
    kind = _NAMES.get(name, "any")
    if kind == "tuple*" and not (items and isinstance(items[-1], ast.Constant) and items[-1].value is Ellipsis):
        return Shape("tuple", tuple(_annotated(item, records, depth) for item in items))
    parts = tuple(_annotated(item, records, depth) for item in items)
    return Shape(kind, _filled(kind, parts))


def _union(shapes: Iterable[Shape]) -> Shape:
    parts = tuple(dict.fromkeys(shapes))
    return parts[0] if len(parts) == 1 else Shape("union", parts)


def shape_of_values(values: Iterable[Any]) -> Shape:
    """The shape that all the examples have; elements of all of them are taken together."""
    return _of_values(list(values), 0)


def _of_values(values: list[Any], depth: int) -> Shape:
    kinds: dict[str, list[Any]] = {}
    for value in values[:200]:
        kinds.setdefault(type(value).__name__, []).append(value)
    if not kinds or depth > _MAX_DEPTH:
        return ANY if depth > _MAX_DEPTH else _INT
    return _union([_of_kind(kind, group, depth + 1) for kind, group in kinds.items()])


def _of_kind(kind: str, values: list[Any], depth: int) -> Shape:
    if kind in {"int", "str", "float", "bytes", "complex"}:
        distinct = {repr(value): value for value in values if len(repr(value)) < 200}
        return Shape(kind, (), tuple(distinct.values())[:_MAX_SEEN])
    if kind in {"bool", "NoneType"}:
        return Shape("bool" if kind == "bool" else "None")
    if kind in {"dict", "defaultdict", "OrderedDict"}:
        keys = [key for value in values for key in value]
        items = [item for value in values for item in value.values()]
        return Shape("dict", (_of_values(keys, depth), _of_values(items, depth)))
    if kind == "tuple":
        return _of_tuples(values, depth)
    if kind in {"list", "set", "frozenset", "deque"}:
        return Shape(kind, (_of_values([item for value in values for item in value], depth),))
    if is_dataclass(values[0]):
        return Shape("like", (), tuple(v for v in values[:_MAX_SEEN] if fields(v)))
    return Shape("literal", (), tuple(values[:_MAX_SEEN]))


def _of_tuples(values: list[tuple[Any, ...]], depth: int) -> Shape:
    lengths = {len(value) for value in values}
    if len(lengths) == 1 and (length := lengths.pop()) <= 4:
        return Shape("tuple", tuple(_of_values([value[i] for value in values], depth) for i in range(length)))
    return Shape("tuple*", (_of_values([item for value in values for item in value], depth),))


_METHODS: Final = {
    method: kind
    for kind, methods in {
        "str": "split lower upper strip isdigit isalpha join replace startswith endswith title encode",
        "list": "append sort pop extend insert reverse remove",
        "dict": "items keys values get setdefault",
        "set": "union intersection difference issubset",
    }.items()
    for method in methods.split()
}
_SEQUENCE_CALLS: Final = frozenset(
    {"len", "sorted", "sum", "min", "max", "enumerate", "zip", "list", "tuple", "set", "reversed", "map", "any", "all"}
)
_BY_USE: Final = {
    "str": (_STR,),
    "list": (_INTS, _STRS, _ROWS),
    "dict": (_WORDS, Shape("dict", (_INT, _INT)), Shape("dict", (_STR, _INTS))),
    "set": (Shape("set", (_INT,)), Shape("set", (_STR,))),
    "rows": (_ROWS, Shape("list", (_STRS,)), _STRS, _PAIRS),
    "sequence": (_INTS, _STR, _STRS, _ROWS, Shape("tuple*", (_INT,)), _PAIRS, _WORDS),
    "number": (_INT, Shape("float")),
}


def shapes_of_use(function: ast.AST, name: str) -> tuple[Shape, ...]:
    """Candidate shapes of an unannotated parameter, likeliest first."""
    parents = {child: parent for parent in ast.walk(function) for child in ast.iter_child_nodes(parent)}
    uses = [_use(node, parents) for node in parents if isinstance(node, ast.Name) and node.id == name]
    for kind in ("str", "dict", "set", "rows", "list", "sequence", "number"):
        if kind in uses:
            return _BY_USE[kind]
    return SIMPLE


def _use(node: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> str | None:
    parent = parents[node]
    match parent:
        case ast.Attribute(attr=method):
            return _METHODS.get(method)
        case ast.Subscript(value=value) if value is node:
            outer = parents[parent]
            return "rows" if isinstance(outer, ast.Subscript) and outer.value is parent else "sequence"
        case ast.For(iter=value) | ast.comprehension(iter=value) if value is node:
            return "sequence"
        case ast.Call(func=ast.Name(id=called)) if called in _SEQUENCE_CALLS:
            return "sequence"
        case ast.Call(func=ast.Name(id="range" | "abs" | "round" | "chr" | "bin" | "hex" | "int" | "float")):
            return "number"
        case ast.BinOp() | ast.UnaryOp(op=ast.USub() | ast.Invert()):
            return "number"
        case ast.Compare(comparators=[ast.Constant(value=int() | float())]):
            return "number"
    return None


def constants_of(function: ast.AST) -> dict[str, tuple[Any, ...]]:
    """The constants in a body by type name: values around which a function may decide."""
    found: dict[str, dict[Any, None]] = {"int": {}, "float": {}, "str": {}}
    for node in ast.walk(function):
        if isinstance(node, ast.Constant) and type(node.value).__name__ in found and len(repr(node.value)) < 60:
            found[type(node.value).__name__][node.value] = None
    return {kind: tuple(values)[:_MAX_SEEN] for kind, values in found.items()}
