"""Where values are while a state's tree is emitted: in locals, or pending as text that the next use takes over.

A step used once is not given a local; its text waits in ``pending`` and goes into the expression that uses it, if that
keeps the steps' order. Anything else flushes the pending steps into locals first, oldest first.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from pointsman.program.emit.text import Piece
from pointsman.program.explore.kinds import kind_of
from pointsman.program.ir import Const, Ref
from pointsman.program.table.machine import App, Do, Goto, Node, Sym, Term, nodes, successors, symbols, terms_of

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
    """``held``: terms that a local holds, by the local's name. Copied at branches."""

    held: dict[Term, str] = field(default_factory=dict)
    pending: list[Pending] = field(default_factory=list)

    def copy(self) -> Values:
        return Values(dict(self.held), list(self.pending))

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


class Uses:
    """How often symbols and terms are used in a tree, and which symbols it still needs, by node; cached."""

    def __init__(self) -> None:
        self._symbols: dict[int, frozenset[Sym]] = {}
        self._counts: dict[int, Counter[Term]] = {}
        self._keep: list[Node] = []

    def symbols(self, node: Node) -> frozenset[Sym]:
        """The symbols read at ``node`` or below."""
        found = self._symbols.get(id(node))
        if found is None:
            own = {s for term in terms_of(node) for s in symbols(term)}
            found = frozenset(own).union(*(self.symbols(child) for child in successors(node)))
            self._symbols[id(node)] = found
            self._keep.append(node)
        return found

    def counts(self, node: Node) -> Counter[Term]:
        """How often each symbol and composite term occurs at ``node`` and below (all branches together)."""
        found = self._counts.get(id(node))
        if found is None:
            found = Counter()
            for term in terms_of(node):
                _count(term, found)
            for child in successors(node):
                found.update(self.counts(child))
            self._counts[id(node)] = found
            self._keep.append(node)
        return found


def _count(term: Term, counts: Counter[Term]) -> None:
    if isinstance(term, Sym):
        counts[term] += 1
    elif isinstance(term, App):
        counts[term] += 1
        for arg in term.args:
            _count(arg, counts)


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


def coalesced_variable(node: Node, symbol: Sym) -> str | None:
    """The variable that takes ``symbol``'s value at some leaf below, if any: the local it would best live in."""
    for below in nodes(node):
        if isinstance(below, Goto):
            for name, term in below.updates:
                if term == symbol:
                    return name
    return None


def is_simple(term: Term) -> bool:
    """A term whose text costs no more than reading a local."""
    return isinstance(term, Sym | Const | Ref)
