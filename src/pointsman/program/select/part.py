"""A region of decisions in parts that a small model can select from: a few rows, named facts, one leaf a row.

Switches and picks are taken as facts of two ways (`n >= 10`, `x == "a"`), so that every row reads alike. A region with
more rows than can be shown is cut by breadth: what is below a row is the next part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from pointsman.core.selecting import FACTS, MOST_ROWS, Row
from pointsman.program.ir import Const
from pointsman.program.stepping import Decision
from pointsman.program.table.machine import App, Decide, Node, Pick, Switch, Take, Term

__all__ = ["HAS_ITEM", "Fact", "Part", "part_of"]

HAS_ITEM = Const("an item is left")
"""The fact that a loop over items decides by; it is known, not computed."""

Fact: TypeAlias = Term


@dataclass(frozen=True, slots=True)
class Part:
    """What is shown at once.

    Attributes:
        facts: what is asked of the state, a bool each.
        rows: the facts that each row needs.
        leaves: where each row leads: a node that decides has a part of its own.
    """

    facts: tuple[Fact, ...]
    rows: tuple[Row, ...]
    leaves: tuple[Node, ...]


def part_of(node: Decision | Take) -> Part:
    """The part that begins at a node."""
    facts: dict[Fact, int] = {}
    rows: list[tuple[Row, Node]] = [((), node)]
    while len(rows) < MOST_ROWS:
        splits = [index for index, (_, leaf) in enumerate(rows) if leaf is node or _is_below(leaf, node)]
        if not splits:
            break
        index = min(splits, key=lambda place: len(rows[place][0]))
        needs, leaf = rows[index]
        fact, no, yes = _ways(leaf)
        known = dict(needs).get(facts.get(fact, -1))
        if known is not None:
            rows[index] = needs, yes if known else no
            continue
        number = facts.setdefault(fact, len(facts))
        rows[index : index + 1] = [((*needs, (number, False)), no), ((*needs, (number, True)), yes)]
    assert len(facts) <= len(FACTS)
    return Part(tuple(facts), tuple(needs for needs, _ in rows), tuple(leaf for _, leaf in rows))


def _is_below(leaf: Node, root: Node) -> bool:
    """Whether a leaf decides further. Taking an item is a step of its own: what follows has a part of its own."""
    return isinstance(leaf, Decide | Switch | Pick) and not isinstance(root, Take)


def _ways(node: Node) -> tuple[Fact, Node, Node]:
    """A fact, where the node leads without it, and where with it."""
    match node:
        case Decide(atom=atom, yes=yes, no=no):
            return atom, no, yes
        case Take(then=then, exhausted=exhausted):
            return HAS_ITEM, exhausted, then
        case Switch(term=term, cuts=cuts, children=children):
            middle = len(cuts) // 2
            below = _switch(term, cuts[:middle], children[: middle + 1])
            above = _switch(term, cuts[middle + 1 :], children[middle + 1 :])
            return App("ge", (term, Const(cuts[middle])), kind="bool"), below, above
        case Pick(term=term, keys=keys, children=children, default=default):
            rest = Pick(term, keys[1:], children[1:], default) if len(keys) > 1 else default
            return App("eq", (term, keys[0]), kind="bool"), rest, children[0]
    raise AssertionError(node)


def _switch(term: Term, cuts: tuple[int, ...], children: tuple[Node, ...]) -> Node:
    return Switch(term, cuts, children) if cuts else children[0]
