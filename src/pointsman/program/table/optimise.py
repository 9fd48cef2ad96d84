"""Decision DAGs made smaller and faster: tests of one int term merge into switches, equality tests into picks.

    if x < 10: A else: if x < 20: B else: C     ->   switch x [10, 20]: A, B, C
    if s == "a": A else: if s == "b": B else: C ->   pick s {"a": A, "b": B} else C

Only decisions that follow one another without a step between are touched; atoms are pure and total, so their order is
free. When two or more terms alternate, orders by term are tried until one makes the DAG smaller: first the term whose
tests repeat most (a zone that every rule names), then the one with most different tests. Each result is compared with
what it replaces by ``proof`` (a table is never trusted because this file is right).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from pointsman.program.deep import deep_recursion
from pointsman.program.explore.kinds import kind_of
from pointsman.program.ir import Const
from pointsman.program.table.asking import questions_of
from pointsman.program.table.machine import (
    App,
    Decide,
    Do,
    Machine,
    Node,
    Pick,
    Switch,
    Take,
    Term,
    postorder,
    successors,
)
from pointsman.program.table.priced import PricedOrder

__all__ = ["Optimiser", "decisions", "optimise", "optimise_machine", "string_key", "threshold"]

_MIN_CHILDREN = 3  # a switch of two is a decision
_MAX_WORK = 20_000  # restricted nodes while reordering one state's regions; chosen: some 50 ms
_WORK_A_PRICED_DECISION = 4_000  # likewise, where questions are asked; chosen: a reading costs far more
_WORK_A_DECISION = 60  # likewise, for a region of many decisions; chosen


def optimise_machine(machine: Machine) -> Machine:
    """The machine, and its generic one, with each state's DAG optimised."""
    with deep_recursion():
        return _optimise_machine(machine)


def _optimise_machine(machine: Machine) -> Machine:
    states = tuple(replace(state, root=optimise(state.root)) for state in machine.states)
    generic = _optimise_machine(machine.generic) if machine.generic is not None else None
    return replace(machine, states=states, generic=generic)


def optimise(root: Node) -> Node:
    """The same decisions in a smaller DAG."""
    return Optimiser().dag(root)


def threshold(atom: Term) -> tuple[Term, int, int] | None:
    """(term, cut, width): an atom true below ``cut`` (width 0) or exactly at ``cut`` (width 1)."""
    if not isinstance(atom, App) or atom.op not in {"lt", "eq"}:
        return None
    term, bound = atom.args
    if isinstance(bound, Const) and type(bound.value) is int and kind_of(term) == "int":
        return term, bound.value, 1 if atom.op == "eq" else 0
    return None


_Rank = Callable[[Counter[Any]], tuple[float, int]]  # of the tests of a term: higher is asked first


class _OverWork(Exception):
    """Reordering would cost more than it can give."""


class Optimiser:
    """Optimises nodes, each once; ``node`` gives the form that a node has after it."""

    def __init__(self) -> None:
        self.done: dict[Node, Node] = {}
        self.merged: dict[Node, Node] = {}
        self.interned: dict[Node, Node] = {}
        self.work = _MAX_WORK

    def intern(self, node: Node) -> Node:
        return self.interned.setdefault(node, node)

    def dag(self, root: Node) -> Node:
        """A whole DAG, from its last steps up: chains of steps are long."""
        for node in postorder(root):
            if isinstance(node, Do | Take):
                self.node(node)
        return self.node(root)

    def node(self, node: Node) -> Node:
        found = self.done.get(node)
        if found is None:
            found = self.intern(self._node(node))
            self.done[node] = found
        return found

    def _node(self, node: Node) -> Node:
        match node:
            case Do(next=following):
                return replace(node, next=self.node(following))
            case Take(then=then, exhausted=exhausted):
                return replace(node, then=self.node(then), exhausted=self.node(exhausted))
            case Decide():
                return self._region(node)
        return node

    def _region(self, node: Decide) -> Node:
        best = self._plain(node)
        if any(questions_of(atom) for atom in _atoms(node)):
            return self._priced(node, best)
        num_decisions = decisions(best)
        if num_decisions < 2 or len(_tests_by_term(node)) < 2:
            return best
        for rank in (_repetition, _variety):
            self.work = max(self.work, _WORK_A_DECISION * decisions(node))
            try:
                ordered = self._ordered(node, rank, {})
            except (_OverWork, RecursionError):
                continue
            if decisions(ordered) < num_decisions:
                return ordered
        return best

    # -- by price ----------------------------------------------------------------------------------------------------

    def _priced(self, node: Decide, plain: Node) -> Node:
        """A region that asks questions, in an order that asks few; in the source's where that is too much work."""
        self.work = max(self.work, _WORK_A_PRICED_DECISION * decisions(node))
        try:
            return self._plain(PricedOrder(self).order(node))
        except (_OverWork, RecursionError):
            return plain

    def atoms(self, node: Node) -> list[Term]:
        """See ``priced.Region``."""
        self._spend(20)
        return _atoms(node)

    def assume(self, node: Node, atom: Term, truth: bool) -> Node:
        """See ``priced.Region``."""
        return self._restrict(node, partial(_truth_where, known=atom, truth=truth))

    def decide(self, atom: Term, yes: Node, no: Node) -> Node:
        """See ``priced.Region``."""
        return yes if yes == no else self.intern(Decide(atom, yes, no))

    # -- in the order of the source ----------------------------------------------------------------------------------

    def _plain(self, node: Node) -> Node:
        """A node of a region with its tests merged, in their order."""
        if not isinstance(node, Decide):
            return self.node(node)
        found = self.merged.get(node)
        if found is None:
            found = self.merged[node] = self.intern(self._merge(node))
        return found

    def _merge(self, node: Decide) -> Node:
        found = threshold(node.atom)
        if found is not None:
            return self._switch(found[0], _segments(node, found[0]))
        key = string_key(node.atom)
        if key is not None:
            return self._pick(node, key[0])
        yes, no = self._plain(node.yes), self._plain(node.no)
        return yes if yes == no else Decide(node.atom, yes, no)

    def _switch(self, term: Term, segments: list[tuple[int | None, Node]]) -> Node:
        cuts: list[int] = []
        children: list[Node] = []
        for start, target in segments:
            child = self._plain(target)
            if children and children[-1] == child:
                continue
            if start is not None and children:
                cuts.append(start)
            children.append(child)
        return _make_switch(term, cuts, children)

    def _pick(self, node: Decide, term: Term) -> Node:
        keys: list[Const] = []
        children: list[Node] = []
        rest: Node = node
        while isinstance(rest, Decide):
            key = string_key(rest.atom)
            if key is None or key[0] != term:
                break
            if key[1] not in keys:
                keys.append(key[1])
                children.append(self._plain(rest.yes))
            rest = rest.no
        return _make_pick(term, tuple(keys), tuple(children), self._plain(rest))

    # -- by the term with most tests ---------------------------------------------------------------------------------

    def _ordered(self, node: Node, rank: _Rank, memo: dict[Node, Node]) -> Node:
        found = memo.get(node)
        if found is not None:
            return found
        if not isinstance(node, Decide):
            return self.node(node)
        self._spend(20)  # the scan for tests
        tests = _tests_by_term(node)
        if not tests:
            yes, no = self._ordered(node.yes, rank, memo), self._ordered(node.no, rank, memo)
            result = yes if yes == no else self.intern(Decide(node.atom, yes, no))
        else:
            term = max(tests, key=lambda t: (*rank(tests[t]), -_cost(t)))
            split = self._split_by_key if kind_of(term) == "str" else self._split_by_cut
            result = split(node, term, sorted(tests[term]), lambda part: self._ordered(part, rank, memo))
        memo[node] = result
        return result

    def _spend(self, work: int) -> None:
        self.work -= work
        if self.work < 0:
            raise _OverWork

    def _split_by_cut(self, node: Node, term: Term, cuts: list[int], ordered: Callable[[Node], Node]) -> Node:
        kept: list[int] = []
        children: list[Node] = []
        edges: list[int | None] = [None, *cuts]
        for position, low in enumerate(edges):
            high = edges[position + 1] if position + 1 < len(edges) else None
            child = ordered(self._restrict(node, partial(_truth_between, term=term, low=low, high=high)))
            if children and children[-1] == child:
                continue
            if low is not None and children:
                kept.append(low)
            children.append(child)
        return self.intern(_make_switch(term, kept, children))

    def _split_by_key(self, node: Node, term: Term, keys: list[str], ordered: Callable[[Node], Node]) -> Node:
        default = ordered(self._restrict(node, partial(_truth_of_key, term=term, key=None)))
        children: dict[str, Node] = {}
        for key in keys:
            child = ordered(self._restrict(node, partial(_truth_of_key, term=term, key=key)))
            if child != default:
                children[key] = child
        return self.intern(_make_pick(term, tuple(map(Const, children)), tuple(children.values()), default))

    def _restrict(self, root: Node, truth_of: Callable[[Term], bool | None]) -> Node:
        """``root`` where some atoms are decided; not recursive, since chains are long."""
        done: dict[Node, Node] = {}
        stack = [root]
        while stack:
            node = stack[-1]
            if node in done or not isinstance(node, Decide):
                stack.pop()
                continue
            truth = truth_of(node.atom)
            wanted = (node.yes, node.no) if truth is None else (node.yes,) if truth else (node.no,)
            missing = [n for n in wanted if isinstance(n, Decide) and n not in done]
            if missing:
                stack.extend(missing)
                continue
            self._spend(1)
            ways = [done.get(n, n) for n in wanted]
            done[node] = ways[0] if ways[0] == ways[-1] else self.intern(Decide(node.atom, ways[0], ways[1]))
            stack.pop()
        return done.get(root, root)


def _truth_where(atom: Term, known: Term, truth: bool) -> bool | None:
    """The truth of an atom where another one has a truth, as far as it follows."""
    if atom == known:
        return truth
    (test, other), (key, named) = (threshold(atom), threshold(known)), (string_key(atom), string_key(known))
    if key is not None and named is not None and key[0] == named[0]:
        return False if truth else None
    if test is None or other is None or test[0] != other[0] or (other[2] and not truth):
        return None
    low, high = (other[1], other[1] + 1) if other[2] else (None, other[1]) if truth else (other[1], None)
    if _holds(test[1], test[2], low, high):
        return True
    apart = low is not None and low >= test[1] + test[2]
    return False if apart or (test[2] and high is not None and high <= test[1]) else None


def _truth_between(atom: Term, term: Term, low: int | None, high: int | None) -> bool | None:
    """The truth of a test of ``term`` throughout ``[low, high)``, which lies on one side of it."""
    test = threshold(atom)
    return _holds(test[1], test[2], low, high) if test is not None and test[0] == term else None


def _truth_of_key(atom: Term, term: Term, key: str | None) -> bool | None:
    """The truth of an equality test of ``term`` where it equals ``key`` (None: none of the constants)."""
    test = string_key(atom)
    return test[1].value == key if test is not None and test[0] == term else None


def _holds(cut: int, width: int, low: int | None, high: int | None) -> bool:
    """Whether the test is true throughout ``[low, high)``, which lies on one side of it."""
    if width:
        return low == cut and high == cut + 1
    return high is not None and high <= cut


def _segments(node: Node, term: Term) -> list[tuple[int | None, Node]]:
    """The tests of ``term`` at the top of a DAG as rising segments (start, what then).

    Not recursive: chains are long.
    """
    segments: list[tuple[int | None, Node]] = []
    stack: list[tuple[Node, int | None, int | None]] = [(node, None, None)]
    while stack:
        current, low, high = stack.pop()
        test = threshold(current.atom) if isinstance(current, Decide) else None
        if not isinstance(current, Decide) or test is None or test[0] != term:
            segments.append((low, current))
            continue
        cut, width = test[1], test[2]
        parts = [(current.yes, None, cut), (current.no, cut, None)] if not width else [
            (current.no, None, cut), (current.yes, cut, cut + 1), (current.no, cut + 1, None)
        ]  # fmt: skip
        for target, start, end in reversed(parts):
            first = low if start is None else start if low is None else max(low, start)
            last = high if end is None else end if high is None else min(high, end)
            if first is None or last is None or first < last:
                stack.append((target, first, last))
    return segments


def _make_switch(term: Term, cuts: list[int], children: list[Node]) -> Node:
    if len(children) == 1:
        return children[0]
    if len(children) == 2:
        return Decide(App("lt", (term, Const(cuts[0])), (), "bool"), children[0], children[1])
    if len(children) == 3 and cuts[1] == cuts[0] + 1 and children[0] == children[2]:
        return Decide(App("eq", (term, Const(cuts[0])), (), "bool"), children[1], children[0])
    return Switch(term, tuple(cuts), tuple(children))


def _make_pick(term: Term, keys: tuple[Const, ...], children: tuple[Node, ...], default: Node) -> Node:
    if len(keys) >= _MIN_CHILDREN:
        return Pick(term, keys, children, default)
    node = default
    for key, child in zip(reversed(keys), reversed(children), strict=True):
        node = child if child == node else Decide(App("eq", (term, key), (), "bool"), child, node)
    return node


def string_key(atom: Term) -> tuple[Term, Const] | None:
    """(term, constant): an atom that is true where a string term equals a constant."""
    if isinstance(atom, App) and atom.op == "eq" and kind_of(atom.args[0]) == "str" and isinstance(atom.args[1], Const):
        return (atom.args[0], atom.args[1]) if isinstance(atom.args[1].value, str) else None
    return None


def _tests_by_term(node: Node) -> dict[Term, Counter[Any]]:
    """How often each int or string term is tested against what (a threshold, a constant) before a step or leaf."""
    tests: dict[Term, Counter[Any]] = {}
    seen: set[int] = set()
    stack = [node]
    while stack:
        current = stack.pop()
        if not isinstance(current, Decide) or id(current) in seen:
            continue
        seen.add(id(current))
        test, key = threshold(current.atom), string_key(current.atom)
        if test is not None:
            tests.setdefault(test[0], Counter()).update({test[1], test[1] + test[2]})
        elif key is not None:
            tests.setdefault(key[0], Counter()).update((key[1].value,))
        stack.extend((current.yes, current.no))
    return tests


def _atoms(node: Node) -> list[Term]:
    """The atoms of a region, from the top."""
    atoms: dict[Term, None] = {}
    seen: set[int] = set()
    stack = [node]
    while stack:
        current = stack.pop()
        if isinstance(current, Decide) and id(current) not in seen:
            seen.add(id(current))
            atoms[current.atom] = None
            stack.extend((current.no, current.yes))
    return list(atoms)


def _repetition(tests: Counter[Any]) -> tuple[float, int]:
    return tests.total() / len(tests), len(tests)


def _variety(tests: Counter[Any]) -> tuple[float, int]:
    return len(tests), 0


def _cost(term: Term) -> int:
    return 1 + sum(_cost(a) for a in term.args) if isinstance(term, App) else 0


def decisions(root: Node) -> int:
    """Decisions before the next step or leaf; a switch counts its cuts, since each is a place to compare."""
    total = 0
    seen: set[int] = set()
    stack = [root]
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        match node:
            case Decide():
                total += 1
            case Switch(cuts=cuts):
                total += len(cuts)
            case Pick(keys=keys):
                total += len(keys)
            case _:
                continue
        stack.extend(successors(node))
    return total
