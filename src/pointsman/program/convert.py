"""JSON values to a program's arguments and results back, by the types that its parameters declare.

What a parameter's annotation does not say is passed as JSON gives it: objects as dict, arrays as list.
"""

from __future__ import annotations

import ast
import dataclasses
import enum
import json
import math
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

from pointsman.core import BadRequest
from pointsman.program.ir import Param, Record
from pointsman.program.table.machine import Machine

__all__ = ["bind_inputs", "to_json"]

_MAX_ITEMS = 100_000  # of an iterator in a result; chosen


def bind_inputs(
    machine: Machine, records: Mapping[str, Record], classes: Mapping[str, type], inputs: dict[str, Any] | list[Any]
) -> tuple[list[Any], dict[str, Any]]:
    """Positional and keyword arguments. Raises BadRequest ``bad_inputs`` that names the parameter and what it takes."""
    convert = _Converter(records, classes)
    if isinstance(inputs, list):
        return _positional(machine, inputs, convert), {}
    if not isinstance(inputs, dict):
        raise _bad(f"inputs must be a JSON object {_signature(machine)} or an array of positional values")
    known = {p.name: p for p in machine.params if p.kind not in {"star", "double_star"}}
    extra = [name for name in inputs if name not in known]
    if extra and not any(p.kind == "double_star" for p in machine.params):
        raise _bad(f"unknown input {extra[0]!r}; {machine.qualname} takes {_signature(machine)}", extra[0])
    missing = [p.name for p in known.values() if p.default is None and p.name not in inputs]
    if missing:
        raise _bad(f"missing input {missing[0]!r}; {machine.qualname} takes {_signature(machine)}", missing[0])
    kwargs: dict[str, Any] = {}
    for name, value in inputs.items():
        kwargs[name] = convert.param(known[name], value) if name in known else value
    args = [kwargs.pop(p.name) for p in machine.params if p.kind == "positional_only" and p.name in kwargs]
    return args, kwargs


def _positional(machine: Machine, inputs: list[Any], convert: _Converter) -> list[Any]:
    params = [p for p in machine.params if p.kind in {"positional_only", "plain"}]
    if len(inputs) > len(params) and not any(p.kind == "star" for p in machine.params):
        raise _bad(f"{len(inputs)} inputs; {machine.qualname} takes {_signature(machine)}")
    missing = [p.name for p in params[len(inputs) :] if p.default is None]
    if missing:
        raise _bad(f"missing input {missing[0]!r}; {machine.qualname} takes {_signature(machine)}", missing[0])
    converted = [convert.param(p, v) for p, v in zip(params, inputs, strict=False)]
    return converted + inputs[len(params) :]


def _bad(message: str, param: str | None = None) -> BadRequest:
    return BadRequest(message, code="bad_inputs", param=param)


def _signature(machine: Machine) -> str:
    shown = (f"{p.name}: {p.annotation}" if p.annotation else p.name for p in machine.params)
    return "{" + ", ".join(shown) + "}"


@lru_cache(1024)
def _parsed(annotation: str) -> ast.expr | None:
    try:
        return ast.parse(annotation, mode="eval").body
    except SyntaxError:
        return None


class _Converter:
    def __init__(self, records: Mapping[str, Record], classes: Mapping[str, type]) -> None:
        self.records = records
        self.classes = classes

    def param(self, param: Param, value: Any) -> Any:
        if not param.annotation:
            return value
        node = _parsed(param.annotation)
        return value if node is None else self.value(node, value, param.name)

    def value(self, node: ast.expr, value: Any, where: str) -> Any:
        """``value`` as the annotation says. Raises BadRequest where it cannot be that."""
        match node:
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                return self._either([left, right], value, where)
            case ast.Subscript(value=outer, slice=inner):
                parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
                return self._generic(ast.unparse(outer).rpartition(".")[2].lower(), parts, value, where)
            case ast.Constant(value=None):
                return self._expect(value is None, value, "null", where)
        return self._plain(ast.unparse(node).rpartition(".")[2], value, where)

    def _either(self, options: list[ast.expr], value: Any, where: str) -> Any:
        for option in options:
            try:
                return self.value(option, value, where)
            except BadRequest:
                continue
        shown = " or ".join(ast.unparse(option) for option in options)
        raise _bad(f"input {where!r} must be {shown}, got {_shown(value)}", where)

    def _plain(self, name: str, value: Any, where: str) -> Any:
        match name:
            case "int":
                return self._expect(type(value) is int, value, "an integer", where)
            case "float":
                return self._expect(type(value) in {int, float}, value, "a number", where)
            case "bool":
                return self._expect(type(value) is bool, value, "true or false", where)
            case "str":
                return self._expect(type(value) is str, value, "a string", where)
            case "list" | "List" | "Sequence" | "Iterable":
                return self._expect(type(value) is list, value, "an array", where)
            case "dict" | "Dict" | "Mapping":
                return self._expect(type(value) is dict, value, "an object", where)
            case "tuple" | "Tuple" | "set" | "Set" | "frozenset":
                self._expect(type(value) is list, value, "an array", where)
                return {"t": tuple, "s": set, "f": frozenset}[name[0].lower()](value)
            case "bytes":
                return self._expect(type(value) is str, value, "a string (UTF-8)", where).encode()
            case "None":
                return self._expect(value is None, value, "null", where)
        return self._record(name, value, where) if name in self.records else value

    def _generic(self, outer: str, parts: list[ast.expr], value: Any, where: str) -> Any:
        if outer == "optional":
            return None if value is None else self.value(parts[0], value, where)
        if outer == "union":
            return self._either(parts, value, where)
        if outer in {"dict", "mapping", "defaultdict"}:
            self._expect(type(value) is dict, value, "an object", where)
            return {self._key(parts[0], k, where): self.value(parts[1], v, f"{where}.{k}") for k, v in value.items()}
        if outer not in {"list", "tuple", "set", "frozenset", "sequence", "iterable"}:
            return value
        self._expect(type(value) is list, value, "an array", where)
        fixed = outer == "tuple" and not (len(parts) == 2 and isinstance(parts[1], ast.Constant))
        if fixed and len(value) != len(parts):
            raise _bad(f"input {where!r} must be an array of {len(parts)} items, got {len(value)}", where)
        kinds = parts if fixed else [parts[0]] * len(value)
        items = [
            self.value(kind, item, f"{where}[{i}]") for i, (kind, item) in enumerate(zip(kinds, value, strict=True))
        ]
        return {"tuple": tuple, "set": set, "frozenset": frozenset}.get(outer, list)(items)

    def _key(self, node: ast.expr, key: str, where: str) -> Any:
        """JSON has string keys only: an int or float key is read from its text."""
        kind = ast.unparse(node)
        if kind not in {"int", "float"}:
            return key
        try:
            return int(key) if kind == "int" else float(key)
        except ValueError:
            raise _bad(f"input {where!r} has the key {key!r}, expected {kind}", where) from None

    def _record(self, name: str, value: Any, where: str) -> Any:
        record, made = self.records[name], self.classes[name]
        if record.kind == "enum":
            for member in made:  # type: ignore[attr-defined]  # an Enum class
                if value in {member.name} or (member.value == value and type(member.value) is type(value)):
                    return member
            names = ", ".join(field for field, _, _ in record.fields)
            raise _bad(f"input {where!r} must be one of {names}, got {_shown(value)}", where)
        self._expect(type(value) is dict, value, f"an object with the fields of {name}", where)
        texts = {field: text for field, text, _ in record.fields}
        unknown = [key for key in value if key not in texts]
        missing = [field for field, _, default in record.fields if default is None and field not in value]
        if unknown or missing:
            problem = f"has no field {unknown[0]!r}" if unknown else f"lacks the field {missing[0]!r}"
            raise _bad(f"input {where!r} {problem}; {name} has {', '.join(texts)}", where)
        fields = {k: self._field(texts[k], v, f"{where}.{k}") for k, v in value.items()}
        return fields if record.kind == "typeddict" else made(**fields)

    def _field(self, annotation: str, value: Any, where: str) -> Any:
        node = _parsed(annotation)
        return value if node is None else self.value(node, value, where)

    def _expect(self, holds: bool, value: Any, expected: str, where: str) -> Any:
        if not holds:
            raise _bad(f"input {where!r} must be {expected}, got {_shown(value)}", where)
        return value


def _shown(value: Any) -> str:
    """A value's kind for a message: values themselves may be private."""
    names = {
        dict: "an object",
        list: "an array",
        str: "a string",
        bool: "a boolean",
        int: "an integer",
        float: "a number",
    }
    return "null" if value is None else names.get(type(value), type(value).__name__)


def to_json(value: Any) -> str:
    """A result as JSON text.

    Tuples and iterators are arrays, sets sorted arrays, records objects, enums their values, nan and infinities
    strings; an object's keys are made strings, or pairs where that would merge two.
    """
    if type(value) in {str, int, bool} or value is None:
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(_plain(value), ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    match value:
        case enum.Enum():
            return _plain(value.value)
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case dict():
            keys = [key if isinstance(key, str) else json.dumps(_plain(key)) for key in value]
            if len(set(keys)) == len(keys):
                return {key: _plain(item) for key, item in zip(keys, value.values(), strict=True)}
            return [[_plain(k), _plain(v)] for k, v in value.items()]
        case set() | frozenset():
            return sorted((_plain(item) for item in value), key=lambda item: (str(type(item)), repr(item)))
        case bytes() | bytearray():
            return bytes(value).decode("utf-8", "replace")
    if hasattr(value, "_asdict"):
        return {k: _plain(v) for k, v in value._asdict().items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, list | tuple | range) or hasattr(value, "__len__"):
        return [_plain(item) for item in value]
    return [_plain(item) for item in islice(value, _MAX_ITEMS)] if isinstance(value, Iterator) else str(value)
