"""The structured IR: what a Python function means, in eleven statements and one table of operations.

``GRAMMAR`` is the whole language, as data: the verifier, the hash and the JSON form are all read from it.
Values are Python values and every operation has Python's meaning, so nothing is approximated here; what makes
the IR simpler than Python is that each operation is a step of its own (``Let``), in evaluation order, that every
jump names the block it leaves or the loop it repeats, and that scopes, exceptions and closures are explicit.

Names: a *variable* is a name of the source (or ``name#k``, one the lowering made that is assigned repeatedly);
a *temporary* ``%k`` is assigned by exactly one statement.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, TypeAlias

__all__ = [
    "GRAMMAR",
    "NOWHERE",
    "Block",
    "Body",
    "Const",
    "Function",
    "If",
    "Jump",
    "Let",
    "Loc",
    "Loop",
    "Next",
    "Operand",
    "Param",
    "Raise",
    "Record",
    "Ref",
    "Return",
    "Statement",
    "Try",
    "Unbound",
    "Var",
    "children",
    "content_hash",
    "dump",
    "walk",
]

# node -> its fields, in order. `operand` is Var | Const | Ref, `body` a tuple of statements, `name` a str,
# `label` a str that an enclosing Block or Loop declares; `*` means a tuple of them.
GRAMMAR: Final[dict[str, dict[str, str]]] = {
    "Let": {"target": "name", "op": "operation", "args": "operand*", "attrs": "data"},
    "If": {"test": "operand", "then": "body", "orelse": "body"},  # test is a bool, made by `truth` or a comparison
    "Next": {"target": "name", "iterator": "operand", "then": "body", "exhausted": "body"},
    "Block": {"label": "name", "body": "body"},  # Jump(label) goes to its end
    "Loop": {"label": "name", "body": "body"},  # Jump(label), or the end of body, goes to its start
    "Jump": {"target": "label"},
    "Try": {"body": "body", "caught": "name", "handler": "body"},  # any exception of body binds caught
    "Return": {"value": "operand"},
    "Raise": {"exception": "operand"},
}


class Unbound:
    """The value of a local variable that has not been assigned (one instance, ``UNBOUND``)."""

    def __repr__(self) -> str:
        return "UNBOUND"


UNBOUND: Final = Unbound()


@dataclass(frozen=True, slots=True)
class Loc:
    """A source position: 1-based lines, 0-based columns, end exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


NOWHERE: Final = Loc(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Var:
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Const:
    """An immutable constant. Equal when type and value are: ``1``, ``True`` and ``1.0`` differ, so do the zeros."""

    value: Any
    _key: str = dataclasses.field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_key", repr(self.value))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Const) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


@dataclass(frozen=True, slots=True)
class Ref:
    """A named thing that is not data.

    ``builtins.len``, ``math.sqrt``, ``function:helper``, ``record:Order``, ``opaque:name`` (the original object,
    importable from the source module).
    """

    path: str


Operand: TypeAlias = Var | Const | Ref


@dataclass(frozen=True, slots=True)
class Let:
    target: str
    op: str
    args: tuple[Operand, ...]
    attrs: tuple[Any, ...] = ()
    loc: Loc = dataclasses.field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class If:
    test: Operand
    then: Body
    orelse: Body
    loc: Loc = dataclasses.field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Next:
    """Take the iterator's next item into ``target`` and run ``then``; when there is none, run ``exhausted``."""

    target: str
    iterator: Operand
    then: Body
    exhausted: Body
    loc: Loc = dataclasses.field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Block:
    label: str
    body: Body
    loc: Loc = dataclasses.field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Loop:
    label: str
    body: Body
    loc: Loc = dataclasses.field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Jump:
    target: str
    loc: Loc = dataclasses.field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Try:
    body: Body
    caught: str
    handler: Body
    loc: Loc = dataclasses.field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Return:
    value: Operand
    loc: Loc = dataclasses.field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Raise:
    exception: Operand
    loc: Loc = dataclasses.field(default=NOWHERE, compare=False)


Statement: TypeAlias = Let | If | Next | Block | Loop | Jump | Try | Return | Raise
Body: TypeAlias = tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Param:
    """kind: ``positional_only``, ``plain``, ``star``, ``keyword_only`` or ``double_star``.

    ``type`` is the checked scalar or container kind that the annotation names (``int``, ``list``, ...), or None;
    ``annotation`` is the annotation's text. ``default`` is a constant operand, or None where the caller must give it.
    """

    name: str
    kind: str = "plain"
    type: str | None = None
    annotation: str | None = None
    default: Operand | None = None


@dataclass(frozen=True, slots=True)
class Function:
    """One function.

    ``captures`` are closed-over names, passed when the closure is made; ``memo`` is the ``lru_cache`` size (0: none,
    -1: unbounded); ``qualname`` is what Python shows in its messages.
    """

    name: str
    qualname: str
    params: tuple[Param, ...]
    body: Body
    captures: tuple[str, ...] = ()
    memo: int = 0
    generator: bool = False
    loc: Loc = dataclasses.field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Record:
    """A record type of the source. kind: ``dataclass``, ``namedtuple``, ``typeddict`` or ``enum``.

    ``fields`` are (name, annotation text, default operand or None); for an enum (name, "", value).
    ``frozen``, ``order`` are those of the dataclass; ``base`` is the mixed-in type of an enum, if any.
    """

    name: str
    kind: str
    fields: tuple[tuple[str, str, Operand | None], ...]
    frozen: bool = False
    order: bool = False
    base: str = ""


@cache
def _body_fields(kind: str) -> tuple[str, ...]:
    return tuple(name for name, role in GRAMMAR[kind].items() if role == "body")


def children(statement: Statement) -> tuple[Body, ...]:
    """The bodies inside a statement, in the grammar's order."""
    return tuple(getattr(statement, name) for name in _body_fields(type(statement).__name__))


def walk(body: Body) -> Iterator[Statement]:
    """Every statement of a body, outermost first, in source order."""
    for statement in body:
        yield statement
        for inner in children(statement):
            yield from walk(inner)


def operands(statement: Statement) -> tuple[Operand, ...]:
    """The operands that a statement itself reads (not those of the bodies inside it)."""
    match statement:
        case Let(args=args):
            return args
        case If(test=test):
            return (test,)
        case Next(iterator=iterator):
            return (iterator,)
        case Return(value=value):
            return (value,)
        case Raise(exception=exception):
            return (exception,)
    return ()


def dump(function: Function) -> str:
    """The IR as text, one statement a line; golden tests compare it."""
    header = ", ".join(p.name + (f": {p.type}" if p.type else "") for p in function.params)
    lines = [
        f"function {function.name}({header})"
        + (f" captures {', '.join(function.captures)}" if function.captures else "")
    ]
    _dump_body(function.body, 1, lines)
    return "\n".join(lines) + "\n"


def show_operand(operand: Operand) -> str:
    match operand:
        case Var(name=name):
            return name
        case Const(value=value):
            return repr(value)
        case Ref(path=path):
            return f"@{path}"


def _dump_body(body: Body, depth: int, lines: list[str]) -> None:
    for statement in body:
        fields = []
        for name, role in GRAMMAR[type(statement).__name__].items():
            value = getattr(statement, name)
            if role == "operand":
                fields.append(show_operand(value))
            elif role == "operand*":
                fields.extend(show_operand(arg) for arg in value)
            elif role == "data":
                fields.extend([repr(value)] if value else [])
            elif role != "body":
                fields.append(str(value))
        lines.append("  " * depth + f"{type(statement).__name__} {' '.join(fields)}".rstrip())
        for name in _body_fields(type(statement).__name__):
            lines.append("  " * depth + f" {name}:")
            _dump_body(getattr(statement, name), depth + 1, lines)


def content_hash(*parts: Any) -> str:
    """A short stable hash of anything made of dataclasses, tuples and JSON values."""
    text = json.dumps(parts, sort_keys=True, default=_hashable)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _hashable(value: Any) -> Any:
    if isinstance(value, Const):
        return ["const", type(value.value).__name__, repr(value.value)]
    if dataclasses.is_dataclass(value):
        names = [f.name for f in dataclasses.fields(value) if f.compare]
        return [type(value).__name__, *(getattr(value, name) for name in names)]
    if isinstance(value, frozenset):
        return sorted(map(repr, value))
    return repr(value)
