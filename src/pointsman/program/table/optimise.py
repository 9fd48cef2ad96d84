"""Decision DAGs made smaller and faster: tests of one int term merge into switches, equality tests into picks.

    if x < 10: A else: if x < 20: B else: C     ->   switch x [10, 20]: A, B, C
    if s == "a": A else: if s == "b": B else: C ->   pick s {"a": A, "b": B} else C

Only decisions that follow one another without a step between are touched; atoms are pure and total, so their order is
free. When two or more int terms alternate, the one with most thresholds is asked first, if that makes the DAG no
larger. Each result is compared with what it replaces by ``proof`` (a table is never trusted because this file is
right).
"""

from __future__ import annotations

from dataclasses import replace

from pointsman.program.deep import deep_recursion
from pointsman.program.explore.kinds import kind_of
from pointsman.program.ir import Const
from pointsman.program.table.machine import App, Decide, Do, Machine, Node, Pick, Switch, Take, Term, successors

__all__ = ["Optimiser", "decisions", "optimise", "optimise_machine"]

_MIN_CHILDREN = 3  # a switch of two is a decision
_MAX_WORK = 20_000  # restricted nodes while reordering one state's regions; chosen: some 50 ms


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
    return Optimiser().node(root)


def threshold(atom: Term) -> tuple[Term, int, int] | None:
    """(term, cut, width): an atom true below ``cut`` (width 0) or exactly at ``cut`` (width 1)."""
    if not isinstance(atom, App) or atom.op not in {"lt", "eq"}:
        return None
    term, bound = atom.args
    if isinstance(bound, Const) and type(bound.value) is int and kind_of(term) == "int":
        return term, bound.value, 1 if atom.op == "eq" else 0
    return None


class _OverWork(Exception):
    """Reordering would cost more than it can give."""


class Optimiser:
    """Optimises nodes, each once; ``node`` gives the form that a node has after it."""

    def __init__(self) -> None:
        self.done: dict[Node, Node] = {}
        self.merged: dict[Node, Node] = {}
        self.interned: dict[Node, Node] = {}
        self.work = 0

    def intern(self, node: Node) -> Node:
        return self.interned.setdefault(node, node)

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
        plain = self._plain(node)
        if decisions(plain) < 2:
            return plain
        try:
            ordered = self._reorder(node)
        except (_OverWork, RecursionError):
            return plain
        return ordered if decisions(ordered) < decisions(plain) else plain

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
        key = _string_key(node.atom)
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
            key = _string_key(rest.atom)
            if key is None or key[0] != term:
                break
            if key[1] not in keys:
                keys.append(key[1])
                children.append(self._plain(rest.yes))
            rest = rest.no
        if len(keys) < _MIN_CHILDREN:
            yes, no = self._plain(node.yes), self._plain(node.no)
            return yes if yes == no else Decide(node.atom, yes, no)
        return Pick(term, tuple(keys), tuple(children), self._plain(rest))

    # -- by the term with most thresholds ----------------------------------------------------------------------------

    def _reorder(self, node: Decide) -> Node:
        return self._ordered(node, {})

    def _ordered(self, node: Node, memo: dict[Node, Node]) -> Node:
        found = memo.get(node)
        if found is not None:
            return found
        if not isinstance(node, Decide):
            return self.node(node)
        self.work += 20  # the scan for thresholds
        if self.work > _MAX_WORK:
            raise _OverWork
        cuts = _cuts_by_term(node)
        if not cuts:
            yes, no = self._ordered(node.yes, memo), self._ordered(node.no, memo)
            result = yes if yes == no else self.intern(Decide(node.atom, yes, no))
        else:
            term = max(cuts, key=lambda t: (len(cuts[t]), -_cost(t)))
            result = self._split(node, term, sorted(cuts[term]), memo)
        memo[node] = result
        return result

    def _split(self, node: Node, term: Term, cuts: list[int], memo: dict[Node, Node]) -> Node:
        kept: list[int] = []
        children: list[Node] = []
        edges: list[int | None] = [None, *cuts]
        for position, low in enumerate(edges):
            high = edges[position + 1] if position + 1 < len(edges) else None
            child = self._ordered(self._restrict(node, term, low, high, {}), memo)
            if children and children[-1] == child:
                continue
            if low is not None and children:
                kept.append(low)
            children.append(child)
        return self.intern(_make_switch(term, kept, children))

    def _restrict(self, node: Node, term: Term, low: int | None, high: int | None, done: dict[Node, Node]) -> Node:
        """``node`` where ``low <= term < high``."""
        if not isinstance(node, Decide):
            return node
        found = done.get(node)
        if found is not None:
            return found
        self.work += 1
        if self.work > _MAX_WORK:
            raise _OverWork
        test = threshold(node.atom)
        if test is not None and test[0] == term:
            result = self._restrict(node.yes if _holds(test[1], test[2], low, high) else node.no, term, low, high, done)
        else:
            yes = self._restrict(node.yes, term, low, high, done)
            no = self._restrict(node.no, term, low, high, done)
            result = yes if yes == no else self.intern(Decide(node.atom, yes, no))
        done[node] = result
        return result


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


def _string_key(atom: Term) -> tuple[Term, Const] | None:
    if isinstance(atom, App) and atom.op == "eq" and kind_of(atom.args[0]) == "str" and isinstance(atom.args[1], Const):
        return (atom.args[0], atom.args[1]) if isinstance(atom.args[1].value, str) else None
    return None


def _cuts_by_term(node: Node) -> dict[Term, set[int]]:
    """The thresholds that each int term is tested against before the next step or leaf."""
    cuts: dict[Term, set[int]] = {}
    seen: set[int] = set()
    stack = [node]
    while stack:
        current = stack.pop()
        if not isinstance(current, Decide) or id(current) in seen:
            continue
        seen.add(id(current))
        test = threshold(current.atom)
        if test is not None:
            cuts.setdefault(test[0], set()).update({test[1], test[1] + 1} if test[2] else {test[1]})
        stack.extend((current.yes, current.no))
    return cuts


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
