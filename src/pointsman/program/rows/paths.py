"""The row view of a state's DAG: each path from the root to a leaf as one rule.

What the state's own bounds imply is left out, and rows that cannot hold are dropped. Rows stay disjoint and complete;
``rows_of(..., merge=True)`` joins rows of the same outcome that differ in one fact, where the union is a fact again.
Rows repeat what the DAG shares, so their number can grow exponentially; past ``limit`` OverBudget is raised.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pointsman.core import OverBudget
from pointsman.program.rows.facts import Fact, Guard, Span, atoms, fact_of, join, learn
from pointsman.program.table.machine import (
    App,
    Decide,
    Do,
    Goto,
    Leaf,
    Node,
    Pick,
    Raise,
    Return,
    State,
    Switch,
    Sym,
    Take,
    Term,
)

__all__ = ["Row", "Step", "rows_of", "state_name", "ways"]


@dataclass(frozen=True, slots=True)
class Step:
    """A ``Do`` or ``Take`` of a row; ``at`` of its guard's atoms are decided before it."""

    node: Do | Take
    at: int


@dataclass(frozen=True, slots=True)
class Row:
    """One rule: when the atoms of ``guard`` have these values, the steps happen and the leaf follows.

    Whether an iterator had an item is the atom ``next(iterator)``, with the item's name as its attribute.
    """

    guard: tuple[tuple[Term, bool], ...]
    steps: tuple[Step, ...]
    leaf: Leaf


@dataclass(frozen=True, slots=True)
class _Draft:
    """A row whose guard is facts; each step has the number of facts before it."""

    guard: Guard = ()
    steps: tuple[Step, ...] = ()
    leaf: Leaf | None = None

    def outcome(self) -> tuple[Any, ...]:
        """Equal where rows do the same (a ``Do`` node itself also holds what follows it)."""
        nodes = [s.node for s in self.steps]
        steps = [(n.result, n.op, n.args, n.attrs) if isinstance(n, Do) else (n.result, n.iterator) for n in nodes]
        return (*steps, self.leaf)


def state_name(state: State) -> str:
    """``entry``, ``loop 2``, ``join 5``."""
    return state.label if state.index == 0 else f"{state.label} {state.index}"


def rows_of(state: State, limit: int = 10_000, *, merge: bool = False) -> tuple[Row, ...]:
    """The rows of a state, in the DAG's order. Raises OverBudget when there are more than ``limit``."""
    known: dict[Term, Span] = {Sym(name, r.kind): Span(r.low, r.high) for name, r in state.variables if r.kind == "int"}
    drafts: list[_Draft] = []
    for draft in _paths(state.root, known):
        if len(drafts) == limit:
            raise OverBudget(f"state {state_name(state)!r} has more than {limit} rows", code="too_many_rows")
        drafts.append(draft)
    return tuple(_row(d, known) for d in (_merged(drafts, known) if merge else drafts))


def _paths(root: Node, known: dict[Term, Span]) -> Iterator[_Draft]:
    stack: list[tuple[Node, _Draft]] = [(root, _Draft())]
    while stack:
        node, draft = stack.pop()
        if isinstance(node, Goto | Return | Raise):
            yield replace(draft, leaf=node)
            continue
        if isinstance(node, Do | Take):
            draft = replace(draft, steps=(*draft.steps, Step(node, len(draft.guard))))
        for child, facts in reversed(list(ways(node))):
            guard: Guard | None = draft.guard
            for term, fact in facts:
                guard = None if guard is None else learn(guard, term, fact, known)
            if guard is not None:
                stack.append((child, replace(draft, guard=guard)))


def ways(node: Node) -> Iterator[tuple[Node, list[tuple[Term, Fact]]]]:
    """The successors of a node, each with what choosing it says."""
    match node:
        case Decide(atom=atom, yes=yes, no=no):
            yield yes, [fact_of(atom, True)]
            yield no, [fact_of(atom, False)]
        case Switch(term=term, cuts=cuts, children=children):
            for low, high, child in zip((None, *cuts), (*cuts, None), children, strict=True):
                yield child, [(term, Span(low, None if high is None else high - 1))]
        case Pick(term=term, keys=keys, children=children, default=default):
            tests = [App("eq", (term, key), (), "bool") for key in keys]
            for test, child in zip(tests, children, strict=True):
                yield child, [fact_of(test, True)]
            yield default, [fact_of(test, False) for test in tests]
        case Do(next=following):
            yield following, []
        case Take(result=result, iterator=iterator, then=then, exhausted=exhausted):
            atom = App("next", (iterator,), (result.name,), "bool")
            yield then, [(atom, True)]
            yield exhausted, [(atom, False)]


def _row(draft: _Draft, known: dict[Term, Span]) -> Row:
    assert draft.leaf is not None
    groups = [list(atoms(term, fact, known.get(term))) for term, fact in draft.guard]
    steps = tuple(Step(s.node, sum(map(len, groups[: s.at]))) for s in draft.steps)
    return Row(tuple(atom for group in groups for atom in group), steps, draft.leaf)


def _merged(drafts: list[_Draft], known: dict[Term, Span]) -> list[_Draft]:
    """Joins two rows that do the same and differ in one fact, until none are left."""
    rows = dict(enumerate(drafts))
    groups: dict[tuple[Any, ...], list[int]] = {}
    for number, draft in rows.items():
        groups.setdefault(draft.outcome(), []).append(number)
    for numbers in groups.values():
        while _merge_pairs(rows, numbers, known):
            pass
    return list(rows.values())


def _merge_pairs(rows: dict[int, _Draft], numbers: list[int], known: dict[Term, Span]) -> bool:
    """One pass over rows of one outcome, each joined at most once; whether any was."""
    seen: dict[tuple[Term, frozenset[tuple[Term, Fact]]], list[int]] = {}
    before = len(numbers)
    for number in tuple(numbers):
        facts = frozenset(rows[number].guard)
        for term, fact in rows[number].guard:
            bucket = seen.setdefault((term, facts - {(term, fact)}), [])
            partners = ((other, join(dict(rows[other].guard)[term], fact)) for other in bucket if other in numbers)
            found = next(((other, union) for other, union in partners if union is not None), None)
            if found is not None:
                rows[found[0]] = _with(rows[found[0]], term, found[1], known)
                del rows[number]
                numbers.remove(number)
                seen = {key: [n for n in others if n != found[0]] for key, others in seen.items()}
                break
            bucket.append(number)
    return len(numbers) < before


def _with(draft: _Draft, term: Term, fact: Fact, known: dict[Term, Span]) -> _Draft:
    place = [t for t, _ in draft.guard].index(term)
    if fact is not True and fact != known.get(term):
        return replace(draft, guard=tuple((t, fact if t == term else f) for t, f in draft.guard))
    steps = tuple(Step(s.node, s.at - (s.at > place)) for s in draft.steps)
    return replace(draft, guard=draft.guard[:place] + draft.guard[place + 1 :], steps=steps)
