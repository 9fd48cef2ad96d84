"""Decisions in an order in which few questions are asked, and no larger than that takes.

An atom that holds a question costs a model's reading of a text, and every other atom costs nothing to speak of: it is
*free*, and so is one whose questions were asked before. A question is *needed* at a node if, whatever the free atoms
below are, asking it next belongs to an order of least expected price. So at each node

- a free atom that stands first stays first;
- else a question that is needed is asked: of several the one with the least expected price until the region's end,
  taking each truth to be as likely as the other;
- else the first free atom that tells something of what is needed is brought forward.

Bringing all free atoms forward would ask as few, but each one doubles what follows (`examples/airline.py`: 2,243 rows
that way, 2026-11-26). Atoms are pure and total, so any order is right; ``proof`` compares the result with what it
replaces.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol, TypeAlias

from pointsman.program.table.asking import Asked, price_tokens, questions_of
from pointsman.program.table.machine import Decide, Node, Term

__all__ = ["PricedOrder", "Region"]

_NOTHING: Final = 1e-9  # tokens

Answered: TypeAlias = frozenset[Asked]


class Region(Protocol):
    """What a region is taken apart with; see ``optimise``."""

    def atoms(self, node: Node) -> Sequence[Term]:
        """The atoms of the decisions from a node on, from the top."""
        ...

    def assume(self, node: Node, atom: Term, truth: bool) -> Node:
        """The region where an atom has a truth, with all that follows from it."""
        ...

    def decide(self, atom: Term, yes: Node, no: Node) -> Node:
        """A decision, or what both of its ways are."""
        ...


class PricedOrder:
    """Orders one region; what is found of its parts is kept."""

    def __init__(self, region: Region) -> None:
        self._region = region
        self._atoms: dict[Node, Sequence[Term]] = {}
        self._assumed: dict[tuple[Node, Term], tuple[Node, Node]] = {}
        self._ordered: dict[tuple[Node, Answered], Node] = {}
        self._prices: dict[tuple[Node, Answered], float] = {}
        self._needlessly: dict[tuple[Node, Term, Answered], float] = {}

    def order(self, node: Node, answered: Answered = frozenset()) -> Node:
        """The region in its new order. ``answered``: questions that were asked before."""
        if not isinstance(node, Decide):
            return node
        key = node, self._relevant(node, answered)
        if key not in self._ordered:
            atom = self._first(node, answered)
            yes, no = (self.order(way, answered | questions_of(atom)) for way in self._ways(node, atom))
            self._ordered[key] = self._region.decide(atom, yes, no)
        return self._ordered[key]

    def _first(self, node: Decide, answered: Answered) -> Term:
        """The atom that is decided first."""
        if questions_of(node.atom) <= answered:
            return node.atom
        needed = [atom for atom in self._asking(node, answered) if self._needless(node, atom, answered) <= _NOTHING]
        if needed:
            return min(needed, key=lambda atom: self._price_with(node, atom, answered))
        free = [atom for atom in self._of(node) if questions_of(atom) <= answered]
        return next((atom for atom in free if self._tells(node, atom, answered)), free[0])  # none: as of `a == b`

    def _asking(self, node: Node, answered: Answered) -> list[Term]:
        return [atom for atom in self._of(node) if not questions_of(atom) <= answered]

    def _tells(self, node: Node, free: Term, answered: Answered) -> bool:
        """Whether a free atom tells something of what is needed: with it known, another number of tokens is lost."""
        before = self._least_needless(node, answered)
        return any(abs(self._least_needless(way, answered) - before) > _NOTHING for way in self._ways(node, free))

    def _least_needless(self, node: Node, answered: Answered) -> float:
        return min((self._needless(node, atom, answered) for atom in self._asking(node, answered)), default=0.0)

    def _needless(self, node: Node, asked: Term, answered: Answered) -> float:
        """Tokens above the least that it costs to ask this next, on average over the free atoms."""
        key = node, asked, self._relevant(node, answered)
        if key not in self._needlessly:
            free = self._free(node, answered)
            if not questions_of(asked) & self._questions(node):
                self._needlessly[key] = _price_tokens(asked, answered)
            elif free is None:
                self._needlessly[key] = self._price_with(node, asked, answered) - self._price(node, answered)
            else:
                self._needlessly[key] = sum(self._needless(way, asked, answered) for way in self._ways(node, free)) / 2
        return self._needlessly[key]

    def _price_with(self, node: Node, asked: Term, answered: Answered) -> float:
        """The expected tokens from a node on if this is asked next."""
        known = answered | questions_of(asked)
        return _price_tokens(asked, answered) + sum(self._price(way, known) for way in self._ways(node, asked)) / 2

    def _price(self, node: Node, answered: Answered) -> float:
        """The least expected tokens from a node to what follows the region."""
        if not isinstance(node, Decide):
            return 0.0
        key = node, self._relevant(node, answered)
        if key not in self._prices:
            free = self._free(node, answered)
            if free is not None:
                self._prices[key] = sum(self._price(way, answered) for way in self._ways(node, free)) / 2
            else:
                self._prices[key] = min(self._price_with(node, atom, answered) for atom in self._of(node))
        return self._prices[key]

    def _free(self, node: Node, answered: Answered) -> Term | None:
        return next((atom for atom in self._of(node) if questions_of(atom) <= answered), None)

    def _questions(self, node: Node) -> Answered:
        return Answered().union(*map(questions_of, self._of(node)))

    def _relevant(self, node: Node, answered: Answered) -> Answered:
        return answered & self._questions(node)

    def _of(self, node: Node) -> Sequence[Term]:
        if node not in self._atoms:
            self._atoms[node] = self._region.atoms(node)
        return self._atoms[node]

    def _ways(self, node: Node, atom: Term) -> tuple[Node, Node]:
        """The region where the atom is true, and where it is false."""
        key = node, atom
        if key not in self._assumed:
            self._assumed[key] = self._region.assume(node, atom, True), self._region.assume(node, atom, False)
        return self._assumed[key]


def _price_tokens(atom: Term, answered: Answered) -> int:
    return sum(map(price_tokens, questions_of(atom) - answered))
