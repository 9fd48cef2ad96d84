"""Native kinds: what a value is in machine code. One kind a variable, fixed when the code is made.

Scalars are the strings of ``SCALARS``: ``int`` is 64 bits and abandons on overflow, ``char`` is a str of length one,
``str`` any str. Lists are references with one kind of element; ``Cell`` finds out which, by unification, since what is
put into a list may be known only later than where the list is made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

__all__ = [
    "INT_MAX",
    "INT_MIN",
    "NUMBERS",
    "SCALARS",
    "Cell",
    "Iterator",
    "Kind",
    "ListOf",
    "Method",
    "NotNumeric",
    "RangeOf",
    "TupleOf",
    "join",
    "learn",
    "llvm_type",
    "made",
    "names",
    "show",
    "write",
]

SCALARS: Final = {"int": "i64", "float": "double", "bool": "i1", "char": "i32", "str": "ptr", "none": "i1"}
INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1
NUMBERS: Final = frozenset({"int", "float", "bool"})


class NotNumeric(Exception):
    """The program is outside the numeric subset. ``code`` is stable; the text says what was met.

    ``where``: the function and the line from which its part runs that holds it (0: from the function's start).
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.where: tuple[str, int] | None = None


@dataclass(eq=False)
class Cell:
    """The kind of a list's elements, shared by every list that may be the same one.

    ``local``: the program makes such a list itself. ``written``: it changes one. A list argument that is neither is
    read in place, element by element; any other is copied in, and copied back when it was written.
    """

    elem: Kind | None = None
    local: bool = False
    written: bool = False
    parent: Cell | None = None

    def find(self) -> Cell:
        """The cell that stands for all that were found to be one."""
        cell = self
        while cell.parent is not None:
            cell = cell.parent
        return cell

    @property
    def lazy(self) -> bool:
        """Whether such a list stays a Python list."""
        root = self.find()
        return not (root.local or root.written)


@dataclass(frozen=True, eq=False)
class ListOf:
    """A list; lists that may be the same one share a cell."""

    cell: Cell = field(default_factory=Cell)

    @property
    def elem(self) -> Kind | None:
        """The kind of its elements, where it is known."""
        return self.cell.find().elem


@dataclass(frozen=True)
class TupleOf:
    """A tuple of a fixed length."""

    items: tuple[Kind, ...]


@dataclass(frozen=True)
class RangeOf:
    """A ``range`` object: start, stop and step, which is 1 where it is not ``stepped``."""

    stepped: bool = False


@dataclass(frozen=True, eq=False)
class Iterator:
    """Over a list, str or range; ``counted``: with its index, as ``enumerate`` gives it."""

    source: Kind
    counted: bool = False
    ready: bool = False  # iter() was applied


@dataclass(frozen=True, eq=False)
class Method:
    """A bound method of a list, between its look-up and its call."""

    owner: ListOf
    name: str


Kind: TypeAlias = str | ListOf | TupleOf | RangeOf | Iterator | Method


def show(kind: Kind | None) -> str:
    """A kind for people."""
    match kind:
        case None:
            return "unknown"
        case str():
            return kind
        case ListOf():
            return f"list[{show(kind.elem)}]"
        case TupleOf(items=items):
            return f"tuple[{', '.join(map(show, items))}]"
    return {RangeOf: "range", Iterator: "iterator", Method: "method"}[type(kind)]


def join(left: Kind | None, right: Kind | None) -> tuple[Kind | None, bool]:
    """(the kind of a place that holds both, whether anything was learnt); raises NotNumeric where there is none."""
    if right is None or left is right:
        return left, False
    if left is None:
        return right, True
    match left, right:
        case (str(), str()) if left == right:
            return left, False
        case (ListOf(), ListOf()):
            return left, _unify(left.cell, right.cell)
        case (TupleOf(items=mine), TupleOf(items=theirs)) if len(mine) == len(theirs):
            pairs = [join(a, b) for a, b in zip(mine, theirs, strict=True)]
            return left, any(changed for _, changed in pairs)
        case (Iterator(), Iterator()) if (left.counted, left.ready) == (right.counted, right.ready):
            return left, join(left.source, right.source)[1]
        case (Method(), Method()) if left.name == right.name:
            return left, join(left.owner, right.owner)[1]
        case (RangeOf(), RangeOf()) if left == right:
            return left, False
    raise NotNumeric("mixed_kinds", f"a value is {show(left)} on one path and {show(right)} on another")


def _unify(left: Cell, right: Cell) -> bool:
    a, b = left.find(), right.find()
    if a is b:
        return False
    elem, _ = join(a.elem, b.elem)
    b.parent = a
    a.elem, a.local, a.written = elem, a.local or b.local, a.written or b.written
    return True


def made(site: ListOf, kinds: Sequence[Kind | None], changed: Callable[[], None]) -> ListOf:
    """The program makes this list, of values of these kinds."""
    cell = site.cell.find()
    if not cell.local:
        cell.local = True
        changed()
    for kind in kinds:
        learn(site, kind, changed)
    return site


def learn(owner: ListOf, kind: Kind | None, changed: Callable[[], None]) -> None:
    """A value of this kind is in the list; ``changed`` is called when that is news."""
    if kind is not None and kind not in NUMBERS:
        raise NotNumeric("list_elements", f"a list holds {show(kind)}")
    cell = owner.cell.find()
    cell.elem, news = join(cell.elem, kind)
    if news:
        changed()


def write(owner: ListOf, changed: Callable[[], None]) -> None:
    """The program changes the list."""
    cell = owner.cell.find()
    if not cell.written:
        cell.written = True
        changed()


def names(kinds: Sequence[Kind]) -> list[str]:
    """The kinds as hashable names; a list, tuple or such is ``other``."""
    return [k if isinstance(k, str) else "other" for k in kinds]


def llvm_type(kind: Kind) -> str:
    """The machine type that holds a value of this kind."""
    match kind:
        case str():
            return SCALARS[kind]
        case TupleOf(items=items):
            return "{ " + ", ".join(map(llvm_type, items)) + " }" if items else "i1"
        case RangeOf():
            return "{ i64, i64, i64 }"
    return "ptr"
