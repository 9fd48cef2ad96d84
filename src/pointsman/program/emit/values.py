"""Where values are while a state's tree is emitted: in locals, or pending as text that the next use takes over.

A step used once is not given a local; its text waits in ``pending`` and goes into the expression that uses it, if that
keeps the steps' order. Anything else flushes the pending steps into locals first, oldest first.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from pointsman.program.emit.text import Piece
from pointsman.program.explore.kinds import kind_of
from pointsman.program.ir import Const, Ref
from pointsman.program.table.machine import App, Do, Goto, Node, Pick, Switch, Sym, Term, successors, symbols, terms_of

__all__ = ["Pending", "Uses", "Values", "pending_order"]


_TYPES: Final[dict[str, type]] = {
    "int": int, "bool": bool, "float": float, "str": str, "bytes": bytes, "list": list, "dict": dict, "set": set,
    "tuple": tuple, "frozenset": frozenset, "range": range,
}  # fmt: skip


@dataclass(frozen=True)
class Pending:
    symbol: Sym
    piece: Piece


@dataclass
class Values:
    """``held``: terms that a local holds, by the local's name. Copied at branches.

    ``own``: values that belong to the program or its caller, and not to the library, so that fields may be written.
    """

    held: dict[Term, str] = field(default_factory=dict)
    pending: list[Pending] = field(default_factory=list)
    own: set[Term] = field(default_factory=set)

    def copy(self) -> Values:
        return Values(dict(self.held), list(self.pending), set(self.own))

    def lookup(self, term: Term) -> Piece | None:
        name = self.held.get(term)
        if name is not None:
            return Piece(name, frozenset((name,)))
        for entry in self.pending:
            if entry.symbol == term:
                return entry.piece
        return None

    def assign(self, local: str, term: Term) -> None:
        """``local`` now holds ``term``; whatever it held, and what was computed from that name, is forgotten."""
        for other in [t for t, name in self.held.items() if name == local]:
            del self.held[other]
        self.held[term] = local


class _Index:
    """Where terms occur in a tree, by preorder position, so that a question about a subtree is a search in a list."""

    def __init__(self) -> None:
        self.uses: dict[Term, list[int]] = {}
        self.names: dict[str, list[int]] = {}
        self.captured: dict[Term, list[int]] = {}  # inside a comprehension, closure or switch: not a place for text
        self.assigned: dict[Term, list[tuple[int, str]]] = {}  # what leaves give to variables


class Uses:
    """How terms are used at a node and below, in all branches together. Each tree is read once."""

    def __init__(self) -> None:
        self._spans: dict[int, tuple[_Index, int, int]] = {}
        self._keep: list[Node] = []  # ids stay valid

    def count(self, node: Node, term: Term) -> int:
        """How often a symbol or composite term occurs."""
        index, start, end = self._span(node)
        return _between(index.uses.get(term), start, end)

    def reads_name(self, node: Node, name: str) -> bool:
        """Whether a symbol of this name occurs."""
        index, start, end = self._span(node)
        return _between(index.names.get(name), start, end) > 0

    def captures(self, node: Node, symbol: Sym) -> bool:
        """Whether a comprehension, closure or switch takes the symbol."""
        index, start, end = self._span(node)
        return _between(index.captured.get(symbol), start, end) > 0

    def variable_of(self, node: Node, term: Term) -> str | None:
        """The first variable that takes the term's value at some leaf, if any: the local it would best live in."""
        index, start, end = self._span(node)
        places = index.assigned.get(term, [])
        at = bisect_left(places, (start, ""))
        return places[at][1] if at < len(places) and places[at][0] < end else None

    def _span(self, node: Node) -> tuple[_Index, int, int]:
        found = self._spans.get(id(node))
        if found is None:
            self._read(node)
            found = self._spans[id(node)]
        return found

    def _read(self, root: Node) -> None:
        index = _Index()
        self._keep.append(root)
        position = 0
        stack: list[tuple[Node, int]] = [(root, -1)]  # a node, and its position once its children are done
        while stack:
            node, start = stack.pop()
            if start >= 0:
                self._spans[id(node)] = (index, start, position)
                continue
            _note(node, position, index)
            stack.append((node, position))
            position += 1
            stack.extend((child, -1) for child in reversed(successors(node)))


def _note(node: Node, position: int, index: _Index) -> None:
    for term in terms_of(node):
        _note_term(term, position, index)
    if isinstance(node, Goto):
        for name, term in node.updates:
            index.assigned.setdefault(term, []).append((position, name))
    for symbol in _captured_symbols(node):
        index.captured.setdefault(symbol, []).append(position)


def _note_term(term: Term, position: int, index: _Index) -> None:
    if isinstance(term, Sym | App):
        index.uses.setdefault(term, []).append(position)
    if isinstance(term, Sym):
        index.names.setdefault(term.name, []).append(position)
    elif isinstance(term, App):
        for arg in term.args:
            _note_term(arg, position, index)


def _captured_symbols(node: Node) -> Iterator[Sym]:
    if isinstance(node, Do) and node.op in {"comprehension", "closure"}:
        for term in node.args[1:] if node.op == "comprehension" else node.args:
            yield from symbols(term)
    elif isinstance(node, Switch | Pick):
        yield from symbols(node.term)


def _between(places: list[int] | None, start: int, end: int) -> int:
    return 0 if places is None else bisect_left(places, end) - bisect_left(places, start)


def pending_order(node: Node) -> list[Sym]:
    """The symbols of a node's own terms in the order in which its Python text evaluates them."""
    terms = list(terms_of(node))
    if isinstance(node, Do) and node.op == "set_item":
        terms = [terms[2], terms[0], terms[1]]  # a[i] = v evaluates v, a, i
    elif isinstance(node, Do) and node.op in {"set_attribute", "cell_set"}:
        terms = [terms[1], terms[0]]
    return [s for term in terms for s in symbols(term)]


def looks_up_first(node: Node) -> bool:
    """Whether the text looks a method up before it evaluates the arguments, and that look-up might raise."""
    if not isinstance(node, Do) or node.op != "call_method":
        return False
    owner = _TYPES.get(kind_of(node.args[0]))
    return owner is None or not hasattr(owner, node.attrs[0])


def is_simple(term: Term) -> bool:
    """A term whose text costs no more than reading a local."""
    return isinstance(term, Sym | Const | Ref)
