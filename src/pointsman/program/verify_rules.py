"""What IR and machines share for the verifier: which names, constants, references, operations and attrs are right.

``World`` says what may be referred to; its checks raise InternalError("invalid_ir") with the place. The lists of what
is covered and what is not are in ``verify``.
"""

from __future__ import annotations

import keyword
import re
import string
import sys
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, NoReturn, TypeAlias

from pointsman.core import InternalError
from pointsman.core.asking import VALUE_TYPES
from pointsman.program import catalogue, ir
from pointsman.program.ir import Const, Param, Record, Ref, Var
from pointsman.program.records import make_record
from pointsman.program.support import RESERVED
from pointsman.program.table.machine import Machine

__all__ = ["GUARD_KINDS", "World", "is_by_name"]

_Callable: TypeAlias = ir.Function | Machine
_SCALARS = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis), ir.Unbound)
_PARAM_KINDS = ("positional_only", "plain", "star", "keyword_only", "double_star")
GUARD_KINDS = frozenset({"int", "bool", "str", "float", "list", "dict", "set", "tuple", "bytes"})
_RECORD_KINDS = frozenset({"dataclass", "namedtuple", "typeddict", "enum"})
_CLASS_ATTRIBUTES = frozenset({"__name__", "_make", "_fields", "__members__"})  # of a record type itself
# a variable, `name#k`, `%k`, a part `%k.i`, or `%_name` for a check
_SYMBOL: Final = re.compile(r"%(?:\d+(?:\.\d+)?|_\w*)|[^\W\d]\w*(?:#\w+)?")
_FORMATTERS: Final = frozenset({"format", "format_map"})


@dataclass
class World:
    """What may be referred to, and the checks that IR and machines share. ``where`` is the place for messages."""

    functions: Mapping[str, _Callable]
    records: Mapping[str, Record]
    opaque: Collection[str]
    globals_: Mapping[str, str] | None
    where: str = "program"
    attributes: Collection[str] = ()
    fields: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        declared = {name for record in self.records.values() for name, _, _ in record.fields}
        self.fields = frozenset(declared.union(self.attributes))
        if bad := {name for name in self.fields if not isinstance(name, str) or not catalogue.is_field_name(name)}:
            self.fail(f"a class declares {min(bad)!r}, an attribute of the interpreter's own")
        for name in self.attributes:
            self.identifier(name, "an attribute")
            if name.startswith("_"):
                self.fail(f"a class declares {name!r}, which is private")

    def fail(self, what: str) -> NoReturn:
        """Raises InternalError: ``what`` is wrong at the present place."""
        raise InternalError(f"{self.where}: {what}", code="invalid_ir")

    def identifier(self, name: Any, what: str) -> None:
        """A name that becomes text as it is, and that Python reads as what it says."""
        if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
            self.fail(f"{what} must be an identifier, not {name!r}")
        if not _is_stable(name) or (name.startswith("__") and name.endswith("__")):
            self.fail(f"{what} must be a name that Python keeps as it is and has no use for, not {name!r}")

    def symbol(self, name: Any) -> None:
        """A variable's or temporary's name."""
        if not isinstance(name, str) or not _SYMBOL.fullmatch(name) or keyword.iskeyword(name):
            self.fail(f"{name!r} is not the name of a variable or temporary")
        if not _is_stable(name):
            self.fail(f"the variable {name!r} is one that Python reads as another")

    def callable_(self, function: _Callable) -> None:
        """The parts that IR functions and machines have in common."""
        for name in (function.name, function.qualname):
            if not isinstance(name, str) or not _is_stable(name):
                self.fail(f"the function's name {name!r} is one that Python reads as another")
        kinds = [p.kind for p in function.params]
        if not set(kinds) <= set(_PARAM_KINDS) or kinds != sorted(kinds, key=_PARAM_KINDS.index):
            self.fail(f"parameter kinds {kinds} are not those of a signature")
        if kinds.count("star") > 1 or kinds.count("double_star") > 1:
            self.fail("more than one starred parameter of a kind")
        names = [p.name for p in function.params] + list(function.captures)
        if len(set(names)) != len(names):
            self.fail(f"parameters and captures {names} are not distinct")
        optional = False
        for param in function.params:
            self._param(param, function)
            if param.kind in {"star", "double_star"} and param.default is not None:
                self.fail(f"the starred parameter {param.name!r} has a default")
            if param.kind in {"positional_only", "plain"}:
                if optional and param.default is None:
                    self.fail(f"the parameter {param.name!r} without a default follows one with a default")
                optional = param.default is not None
        for name in function.captures:
            self.symbol(name)
        if type(function.memo) is not int or not isinstance(function.generator, bool):
            self.fail("`memo` must be an int and `generator` a bool")
        if not -1 <= function.memo <= sys.maxsize:
            self.fail(f"`memo` must be -1, 0 or a size, not {str(function.memo)[:30]}")

    def _param(self, param: Param, function: _Callable) -> None:
        self.identifier(param.name, "a parameter")
        if param.name in RESERVED:
            self.fail(f"a parameter cannot be named {param.name!r}: emitted code uses that name for itself")
        match param.default:
            case None:
                return
            case Var(name=name):
                if name not in function.captures:
                    self.fail(f"the default {name!r} is not captured")
            case _:
                self.operand(param.default)

    def record(self, name: str, record: Record) -> None:
        """A record's declaration."""
        self.where = f"record {name!r}"
        self.identifier(record.name, "a record's name")
        if record.name != name or record.kind not in _RECORD_KINDS or record.base not in {"", "int", "str"}:
            self.fail(f"{record.kind!r} named {record.name!r} on {record.base!r} is not a record")
        names = [field_name for field_name, _, _ in record.fields]
        if len(set(names)) != len(names):
            self.fail(f"its fields {names} are not distinct")
        for field_name, text, default in record.fields:
            self.identifier(field_name, "a field")
            if not isinstance(text, str) or field_name.startswith("__"):
                self.fail(f"{field_name!r} is not a field")
            if default is None and record.kind == "enum":
                self.fail(f"the member {field_name!r} has no value")
            if default is not None and not isinstance(default, Const):
                self.fail(f"the default of {field_name!r} is not a constant")
            if default is not None:
                self.operand(default)
        given = [default is not None for _, _, default in record.fields]
        if record.kind in {"dataclass", "namedtuple"} and given != sorted(given):
            self.fail("a field without a default follows one with a default")
        try:
            make_record(record)  # what dataclasses, namedtuple and enum say of names, defaults and values
        except Exception as exc:  # noqa: BLE001  whatever they raise
            self.fail(f"no class can be made of it: {type(exc).__name__}: {exc}")

    # -- operands --------------------------------------------------------------------------------------------------

    def operand(self, operand: Any) -> None:
        """A constant or a reference that may stand anywhere."""
        if isinstance(operand, Const):
            self.constant(operand.value)
        elif isinstance(operand, Ref):
            if operand.path in catalogue.BY_NAME:
                self.fail(f"{operand.path!r} must be called at once with constant names")
            self.reference(operand.path)
        else:
            self.fail(f"{operand!r} is not an operand")

    def constant(self, value: Any) -> None:
        """An immutable value of builtin types, all the way down."""
        if type(value) in {tuple, frozenset}:
            for item in value:
                self.constant(item)
        elif type(value) not in _SCALARS:
            self.fail(f"{value!r} is not an immutable constant")

    def reference(self, path: Any) -> None:
        """Something declared, or listed in the catalogue."""
        if not isinstance(path, str):
            self.fail(f"the reference {path!r} is not a path")
        kind, _, rest = path.partition(":")
        if kind == "function" and rest:
            self._function_reference(rest)
        elif kind == "record" and rest:
            name, _, member = rest.partition(".")
            record = self.records.get(name)
            if record is None:
                self.fail(f"no record {name!r}; declared are {sorted(self.records)}")
            if member and (record.kind != "enum" or member not in {n for n, _, _ in record.fields}):
                self.fail(f"{name!r} has no member {member!r}")
        elif not _resolves(path):
            self.fail(f"the reference {path!r} is not in the catalogue")

    def _function_reference(self, name: str) -> None:
        function = self.functions.get(name)
        if function is None and name not in self.opaque:
            self.fail(f"no function {name!r}")
        if function is not None and function.captures:
            self.fail(f"{name!r} captures {list(function.captures)}: it must be made by `closure`")

    def attribute(self, name: Any, allowed: frozenset[str], receiver: Any) -> None:
        """A listed or declared name; ``format`` only on a constant text that looks up listed names."""
        path = receiver.path if isinstance(receiver, Ref) else ""
        own_class = path.startswith("record:") and "." not in path
        if name not in allowed and not (own_class and name in _CLASS_ATTRIBUTES):
            if name not in self.fields:
                self.fail(f"the attribute {name!r} is neither in the catalogue nor a declared field")
            if path and not (path.startswith("record:") and not own_class):  # an enum's member is an instance
                self.fail(f"{path!r} is no instance, so it has no field {name!r}")
        if name in _FORMATTERS and not (isinstance(receiver, Const) and self._formats_safely(receiver.value)):
            self.fail(f"`{name}` needs a constant text that looks up no attribute outside the catalogue")

    def _formats_safely(self, text: Any, depth: int = 0) -> bool:
        if not isinstance(text, str) or depth > 2:
            return False
        try:
            parts = list(string.Formatter().parse(text))
            names = {n for _, name, _, _ in parts if name for n in re.findall(r"\.([^.\[]*)", name)}
        except ValueError:
            return True  # not a format: raises when it is called
        inner = [spec for _, _, spec, _ in parts if spec]
        fields = self.fields - catalogue.library_names()
        return names <= catalogue.ATTRIBUTES | fields and all(self._formats_safely(s, depth + 1) for s in inner)

    # -- operations ------------------------------------------------------------------------------------------------

    def operation(self, op: Any, args: tuple[Any, ...], attrs: Any) -> None:
        """A known operation, with its number of arguments and its attrs. The arguments themselves are not looked at."""
        known = catalogue.OPERATIONS.get(op) if isinstance(op, str) else None
        if known is None:
            self.fail(f"no operation {op!r}")
        if type(args) is not tuple or (known.arity is not None and len(args) != known.arity):
            self.fail(f"{op!r} takes {known.arity} arguments, not {len(args)}")
        if type(attrs) is not tuple or not (_ATTRS[op](self, args, attrs) if op in _ATTRS else attrs == ()):
            self.fail(f"{op!r} cannot have attrs {attrs!r} and {len(args)} arguments")

    def call(self, args: tuple[Any, ...], shape: Any) -> bool:
        """Whether a call's shape fits its arguments; callee first."""
        if type(shape) is not tuple or len(shape) != len(args) - 1:
            return False
        keywords = [mark for mark in shape if mark not in {"", "*", "**"}]
        for mark in keywords:
            self.identifier(mark, "a keyword")
        named = [mark not in {"", "*"} for mark in shape]
        if len(set(keywords)) != len(keywords) or named != sorted(named):
            self.fail(f"the arguments {shape!r} are not in an order that Python takes, or repeat a keyword")
        callee = args[0]
        if isinstance(callee, Ref) and callee.path in catalogue.BY_NAME:
            self._call_by_name(callee.path, args[1:], shape)
        if callee == Ref("builtins.type") and shape != ("",):
            self.fail("`type` takes one argument: with three it would make a class")
        return True

    def _call_by_name(self, path: str, args: tuple[Any, ...], shape: tuple[str, ...]) -> None:
        names = args if path == "operator.attrgetter" else args[:1]
        listed = catalogue.ATTRIBUTES if path == "operator.attrgetter" else catalogue.METHODS
        allowed = (listed | self.fields - catalogue.library_names()) - _FORMATTERS - {"__class__"}
        if any(shape[: len(names)]) or not names:
            self.fail(f"{path!r} takes constant names by position")
        for name in names:
            parts = name.value.split(".") if isinstance(name, Const) and type(name.value) is str else [""]
            if not all(part in allowed for part in parts):
                self.fail(f"{path!r} cannot look up {name!r}")

    def closure(self, args: tuple[Any, ...], attrs: tuple[Any, ...]) -> bool:
        """Whether the function exists and takes these captures."""
        function = self.functions.get(attrs[0]) if len(attrs) == 1 else None
        return function is not None and len(function.captures) == len(args)

    def comprehension(self, args: tuple[Any, ...], attrs: tuple[Any, ...]) -> bool:
        """Whether attrs are as frontend/comprehensions.py has them; raises for what is wrong with its parts."""
        if len(attrs) != 5 or not all(type(part) is tuple for part in attrs[1:4]) or type(attrs[4]) is not bool:
            return False
        kind, captured, clauses, results, _ = attrs
        wanted = {"list": 1, "set": 1, "dict": 2, "generator": 1}.get(kind) if isinstance(kind, str) else None
        if len(args) != 1 + len(captured) or len(results) != wanted or not clauses or clauses[0][::2] != ("for", None):
            return False
        known = set(captured)
        for name in known:
            self.symbol(name)
        for position, clause in enumerate(clauses):
            match clause:
                case ("if", str(test)):
                    self._part(test, known)
                case ("for", pattern, source):
                    if (source is None) != (position == 0):
                        return False
                    if source is not None:
                        self._part(source, known)
                    known |= set(self._pattern(pattern))
                case _:
                    return False
        for result in results:
            self._part(result, known)
        return True

    def _part(self, name: Any, known: set[str]) -> None:
        part = self.functions.get(name) if isinstance(name, str) else None
        if part is None or part.generator or part.memo:
            self.fail(f"no part {name!r} of a comprehension")
        missing = {p.name for p in part.params if p.kind == "plain"} | set(part.captures)
        if any(p.kind != "plain" for p in part.params) or not missing <= known:
            self.fail(f"the part {name!r} needs {sorted(missing - known)}, which the comprehension does not have")

    def _pattern(self, pattern: Any, nested: bool = False) -> Iterator[str]:
        if type(pattern) is tuple and sum(isinstance(p, str) and p.startswith("*") for p in pattern) <= 1:
            for inner in pattern:
                yield from self._pattern(inner, True)
            return
        name = pattern.removeprefix("*") if nested and isinstance(pattern, str) else pattern
        self.identifier(name, "a comprehension's variable")
        yield name


@cache
def _resolves(path: str) -> bool:
    # str.format reached as a function would take any text
    if path.rpartition(".")[0] == "builtins.str" and path.rpartition(".")[2] in _FORMATTERS:
        return False
    try:
        catalogue.resolve_ref(path)
    except (KeyError, AttributeError, ImportError):
        return False
    return True


def _is_stable(name: str) -> bool:
    """Whether Python reads the name's letters as they stand: it normalises identifiers (``ｇ`` is ``g``)."""
    if name.isascii():
        return True
    letters = re.sub(r"\W", "", name)
    return all(unicodedata.normalize("NFKC", text) == text for text in (name, letters))


def _natural(value: Any) -> bool:
    return type(value) is int and value >= 0


def _read(_world: World, _args: tuple[Any, ...], attrs: tuple[Any, ...]) -> bool:
    return len(attrs) == 2 and isinstance(attrs[0], str) and attrs[1] in {"local", "free"}


def _starred(_world: World, args: tuple[Any, ...], attrs: tuple[Any, ...]) -> bool:
    return len(attrs) == 1 and type(attrs[0]) is tuple and all(_natural(i) and i < len(args) for i in attrs[0])


def _unpack(_world: World, _args: tuple[Any, ...], attrs: tuple[Any, ...]) -> bool:
    return len(attrs) == 2 and _natural(attrs[0]) and (attrs[1] is None or _natural(attrs[1])) and attrs[0] < 10_000


def _global_get(world: World, _args: tuple[Any, ...], attrs: tuple[Any, ...]) -> bool:
    return len(attrs) == 1 and isinstance(attrs[0], str) and (world.globals_ is None or attrs[0] in world.globals_)


def _method(world: World, args: tuple[Any, ...], attrs: tuple[Any, ...]) -> bool:
    if len(attrs) != 2 or not args:
        return False
    world.attribute(attrs[0], catalogue.METHODS, args[0])
    return world.call(args, attrs[1])


def _lookup(allowed: frozenset[str]) -> Callable[[World, tuple[Any, ...], tuple[Any, ...]], bool]:
    def rule(world: World, args: tuple[Any, ...], attrs: tuple[Any, ...]) -> bool:
        if len(attrs) != 1 or not isinstance(attrs[0], str):
            return False
        world.attribute(attrs[0], allowed, args[0])
        return True

    return rule


def _question(_world: World, _args: tuple[Any, ...], attrs: tuple[Any, ...]) -> bool:
    if len(attrs) != 3 or type(attrs[0]) is not str or attrs[1] not in VALUE_TYPES or type(attrs[2]) is not tuple:
        return False
    return all(type(option) is str for option in attrs[2]) and bool(attrs[2]) == (attrs[1] == "option")


def _store(world: World, args: tuple[Any, ...], attrs: tuple[Any, ...]) -> bool:
    return len(attrs) == 1 and attrs[0] in world.fields and not isinstance(args[0], Ref)


# operation -> whether its attrs are right; every other operation has none
_ATTRS: Final[dict[str, Callable[[World, tuple[Any, ...], tuple[Any, ...]], bool]]] = {
    "build_list": _starred,
    "build_set": _starred,
    "build_tuple_star": _starred,
    "build_dict": lambda _w, args, attrs: attrs == () and len(args) % 2 == 0,
    "format": lambda _w, _args, attrs: len(attrs) == 1 and attrs[0] in {-1, 97, 114, 115},
    "get_attribute": _lookup(catalogue.ATTRIBUTES),
    "get_method": _lookup(catalogue.METHODS),
    "set_attribute": _store,
    "unpack": _unpack,
    "project": lambda _w, _args, attrs: len(attrs) == 1 and _natural(attrs[0]),
    "check_bound": _read,
    "cell_get": _read,
    "global_get": _global_get,
    "call": lambda w, args, attrs: len(attrs) == 1 and bool(args) and w.call(args, attrs[0]),
    "call_method": _method,
    "closure": World.closure,
    "comprehension": World.comprehension,
    **dict.fromkeys(catalogue.QUESTIONS, _question),
    "match_shape": lambda _w, _args, attrs: attrs in {("sequence",), ("mapping",)},
}


def is_by_name(term: Any) -> bool:
    """Whether this reference looks attributes up by name, so that it may only be called at once."""
    return isinstance(term, Ref) and term.path in catalogue.BY_NAME
