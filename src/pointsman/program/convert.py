"""JSON values to a program's arguments, by the types that its parameters declare. Results: ``results.py``.

What a parameter's annotation does not say is passed as JSON gives it: objects as dict, arrays as list. So is a value
whose annotation is not one of those read here, or does not parse.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from pointsman.core import BadRequest
from pointsman.program.ir import Param, Record
from pointsman.program.table.machine import Machine

__all__ = ["bind_inputs", "read_inputs"]

_MAX_SHOWN = 8  # alternatives that a message lists; chosen
_INT_KEY: Final = re.compile(r"-?(0|[1-9][0-9]*)")
_FLOAT_KEY: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_NOT_LITERAL: Final = object()


def read_inputs(text: str) -> Any:
    """JSON text of inputs. Raises BadRequest ``bad_inputs``, also for an object that has a key twice."""
    try:
        return json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as exc:
        raise _bad(f"inputs are not JSON: {exc}") from exc
    except ValueError as exc:
        raise _bad("inputs hold an integer of more than 4,300 digits") from exc
    except RecursionError as exc:
        raise _bad("inputs are nested too deeply") from exc


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _bad(f"inputs have the key {twice!r} twice in one object")
    return found


def bind_inputs(
    machine: Machine, records: Mapping[str, Record], classes: Mapping[str, type], inputs: dict[str, Any] | list[Any]
) -> tuple[list[Any], dict[str, Any]]:
    """Positional and keyword arguments. Raises BadRequest ``bad_inputs`` that names the parameter and what it takes."""
    try:
        return _bound(machine, _Converter(records, classes), inputs)
    except RecursionError as exc:
        raise _bad(f"an annotation of {machine.qualname} is nested too deeply to check inputs by") from exc


def _bound(
    machine: Machine, convert: _Converter, inputs: dict[str, Any] | list[Any]
) -> tuple[list[Any], dict[str, Any]]:
    if isinstance(inputs, list):
        return _positional(machine, inputs, convert), {}
    if not isinstance(inputs, dict):
        raise _bad(f"inputs must be a JSON object {_signature(machine)} or an array of positional values")
    known = {p.name: p for p in machine.params if p.kind not in {"star", "double_star"}}
    extra = [name for name in inputs if name not in known]
    rest = next((p for p in machine.params if p.kind == "double_star"), None)
    if extra and rest is None:
        raise _bad(f"unknown input {extra[0]!r}; {machine.qualname} takes {_signature(machine)}", extra[0])
    missing = [p.name for p in known.values() if p.default is None and p.name not in inputs]
    if missing:
        raise _bad(f"missing input {missing[0]!r}; {machine.qualname} takes {_signature(machine)}", missing[0])
    kwargs: dict[str, Any] = {}
    for name, value in inputs.items():
        param = known.get(name, rest)
        kwargs[name] = value if param is None else convert.param(param, value)
    return _leading(machine, kwargs), kwargs


def _leading(machine: Machine, kwargs: dict[str, Any]) -> list[Any]:
    """The positional-only arguments, taken out of ``kwargs``; one cannot be given without those before it."""
    names = [p.name for p in machine.params if p.kind == "positional_only"]
    given = [name in kwargs for name in names]
    if False in given and any(given[given.index(False) :]):
        absent = names[given.index(False)]
        raise _bad(f"missing input {absent!r}: an input after it is given, and they go by position", absent)
    return [kwargs.pop(name) for name in names if name in kwargs]


def _positional(machine: Machine, inputs: list[Any], convert: _Converter) -> list[Any]:
    params = [p for p in machine.params if p.kind in {"positional_only", "plain"}]
    if len(inputs) > len(params) and not any(p.kind == "star" for p in machine.params):
        raise _bad(f"{len(inputs)} inputs; {machine.qualname} takes {_signature(machine)}")
    by_name = [p for p in machine.params if p.kind == "keyword_only"]
    missing = [p.name for p in [*params[len(inputs) :], *by_name] if p.default is None]
    if missing:
        raise _bad(f"missing input {missing[0]!r}; {machine.qualname} takes {_signature(machine)}", missing[0])
    converted = [convert.param(p, v) for p, v in zip(params, inputs, strict=False)]
    rest = next((p for p in machine.params if p.kind == "star"), None)
    return converted + [v if rest is None else convert.param(rest, v) for v in inputs[len(params) :]]


def _bad(message: str, param: str | None = None) -> BadRequest:
    return BadRequest(message, code="bad_inputs", param=param)


def _signature(machine: Machine) -> str:
    shown = (f"{p.name}: {p.annotation}" if p.annotation else p.name for p in machine.params)
    return "{" + ", ".join(shown) + "}"


@lru_cache(1024)
def _parsed(annotation: str) -> ast.expr | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the annotation's text, which is not the caller's
            return ast.parse(annotation, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _last_name(node: ast.expr) -> str:
    """``dict`` of ``dict`` and ``typing.Dict``, else the empty text; not by unparsing, which recurses."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Constant(value=None):
            return "None"
    return ""


def _alternatives(node: ast.expr) -> list[ast.expr]:
    """``a | b | c`` as a list, however long."""
    found: list[ast.expr] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        found.append(node.right)
        node = node.left
    return [node, *reversed(found)]


def _literal(node: ast.expr) -> Any:
    """An item of ``Literal[...]``; ``_NOT_LITERAL`` for what is no constant, such as an enum's member."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        return _NOT_LITERAL


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
            case ast.BinOp(op=ast.BitOr()):
                return self._either(_alternatives(node), value, where)
            case ast.Subscript(value=outer, slice=inner):
                parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
                return self._generic(_last_name(outer).lower(), parts, value, where)
        return self._plain(_last_name(node), value, where)

    def _either(self, options: list[ast.expr], value: Any, where: str) -> Any:
        for option in options:
            try:
                return self.value(option, value, where)
            except BadRequest:
                continue
        more = " or others" if len(options) > _MAX_SHOWN else ""
        shown = " or ".join(ast.unparse(option) for option in options[:_MAX_SHOWN])
        raise _bad(f"input {where!r} must be {shown}{more}, got {_shown(value)}", where)

    def _plain(self, name: str, value: Any, where: str) -> Any:
        match name:
            case "int":
                return self._expect(type(value) is int, value, "an integer", where)
            case "float" | "complex":
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
                return self._collected(name.lower(), value, where)
            case "bytes":
                return self._bytes(value, where)
            case "None":
                return self._expect(value is None, value, "null", where)
        return self._record(name, value, where) if name in self.records else value

    def _bytes(self, value: Any, where: str) -> bytes:
        text: str = self._expect(type(value) is str, value, "a string (UTF-8)", where)
        try:
            return text.encode()
        except UnicodeEncodeError:
            raise _bad(f"input {where!r} must be a string (UTF-8), got one with half of a pair", where) from None

    def _collected(self, kind: str, items: list[Any], where: str) -> Any:
        made: type = {"tuple": tuple, "set": set, "frozenset": frozenset}.get(kind, list)
        try:
            return made(items)
        except TypeError:
            raise _bad(f"input {where!r} is a set, which cannot hold arrays or objects", where) from None

    def _generic(self, outer: str, parts: list[ast.expr], value: Any, where: str) -> Any:
        if outer == "optional" and len(parts) == 1:
            return None if value is None else self.value(parts[0], value, where)
        if outer == "union" and parts:
            return self._either(parts, value, where)
        if outer == "literal" and parts:
            return self._one_of(parts, value, where)
        if outer in {"dict", "mapping", "defaultdict"}:
            return self._mapping(parts, value, where)
        if outer not in {"list", "tuple", "set", "frozenset", "sequence", "iterable"}:
            return value
        self._expect(type(value) is list, value, "an array", where)
        fixed = outer == "tuple" and not (len(parts) == 2 and isinstance(parts[1], ast.Constant))
        if fixed and len(value) != len(parts):
            raise _bad(f"input {where!r} must be an array of {len(parts)} items, got {len(value)}", where)
        if not parts:
            return self._collected(outer, value, where)
        kinds = parts if fixed else [parts[0]] * len(value)
        items = [
            self.value(kind, item, f"{where}[{i}]") for i, (kind, item) in enumerate(zip(kinds, value, strict=True))
        ]
        return self._collected(outer, items, where)

    def _mapping(self, parts: list[ast.expr], value: Any, where: str) -> Any:
        self._expect(type(value) is dict, value, "an object", where)
        if len(parts) != 2:
            return value
        found = {self._key(parts[0], k, where): self.value(parts[1], v, f"{where}.{k}") for k, v in value.items()}
        if len(found) < len(value):
            raise _bad(f"input {where!r} has two keys of one value", where)
        return found

    def _one_of(self, parts: list[ast.expr], value: Any, where: str) -> Any:
        known = [_literal(part) for part in parts]
        if any(item is _NOT_LITERAL or (type(item) is type(value) and item == value) for item in known):
            return value
        listed = ", ".join(json.dumps(item, default=repr) for item in known[:_MAX_SHOWN])
        raise _bad(f"input {where!r} must be one of {listed}, got {_shown(value)} that is none of them", where)

    def _key(self, node: ast.expr, key: str, where: str) -> Any:
        """JSON has string keys only: an int or float key is read from its text, which is as JSON writes numbers."""
        kind = _last_name(node)
        if kind not in {"int", "float"}:
            return key
        try:
            if (_INT_KEY if kind == "int" else _FLOAT_KEY).fullmatch(key):
                return int(key) if kind == "int" else float(key)
        except ValueError:
            pass  # too many digits
        raise _bad(f"input {where!r} has the key {key!r}, expected {kind}", where)

    def _record(self, name: str, value: Any, where: str) -> Any:
        record, made = self.records[name], self.classes[name]
        if record.kind == "enum":
            for member in made:  # type: ignore[attr-defined]  # an Enum class
                if value == member.name or (member.value == value and type(member.value) is type(value)):
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
