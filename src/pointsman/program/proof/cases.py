"""Two forms of a decision region compared case by case, in time that grows with the table and not with its square.

The explored form leads: each of its tests splits the case, and what a case knows decides tests further down in both
forms. Where a case comes to a leaf, every way of the optimised form that the case leaves open must come to that leaf.

Sound: a case never knows more than the tests on its way say (bounds and gaps of int terms, equality of string terms
with constants, truth of any other atom). Not complete: cases that cannot happen for other reasons (``x < y < x``)
are compared too. So an answer other than "the same" is None, and the solver decides.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import TypeAlias, TypeVar

from pointsman.program.ir import Const
from pointsman.program.table.machine import App, Decide, Node, Pick, Range, Switch, Sym, Term
from pointsman.program.table.optimise import string_key, threshold

__all__ = ["same_by_cases"]

Bounds: TypeAlias = tuple[int | None, int | None]  # low <= value < high; None: no bound
Literals: TypeAlias = tuple[tuple[Term, bool], ...]  # atoms and their truth
_Undo: TypeAlias = Callable[[], None]
_K = TypeVar("_K")
_V = TypeVar("_V")
_OPEN: Bounds = (None, None)
_ABSENT = object()


def same_by_cases(
    explored: Node, optimised: Node, leaf_of: Callable[[Node], Node], known: dict[Sym, Range], max_visits: int
) -> bool | None:
    """True when both regions come to the same leaf for all values; None when that was not shown.

    ``leaf_of`` gives the optimised form of an explored leaf; ``known`` is what holds for the state's variables.
    """
    case = _Case(known)
    work: list[tuple[Node, Node, Literals] | _Undo] = [(explored, optimised, ())]
    while work:
        item = work.pop()
        if callable(item):
            item()
            continue
        if max_visits <= 0:
            return None
        max_visits -= 1
        first, second, literals = item
        if literals:
            work.append(case.assume(literals))  # taken back when all that is pushed from here on is done
        left, right = case.follow(first), case.follow(second)
        if isinstance(left, Decide):
            work.append((left.no, right, ((left.atom, False),)))
            work.append((left.yes, right, ((left.atom, True),)))
            continue
        leaf = leaf_of(left)
        for way, assumed in case.open_ways(right):
            max_visits -= 1
            if isinstance(way, Decide | Switch | Pick):
                work.append((left, way, assumed))
            elif way != leaf:
                return None
    return True


class _Case:
    """What the tests on the way to a pair of nodes say."""

    def __init__(self, known: dict[Sym, Range]) -> None:
        self.bounds: dict[Term, Bounds] = {
            symbol: (r.low, None if r.high is None else r.high + 1) for symbol, r in known.items() if r.kind == "int"
        }
        self.truths: dict[Term, bool] = {}
        self.gaps: dict[Term, dict[int, None]] = {}  # values that an int term does not have
        self.keys: dict[Term, str] = {}  # string terms that equal a constant
        self.not_keys: dict[Term, dict[str, None]] = {}
        self.children: dict[int, dict[object, Node]] = {}  # of each Pick, by key

    def assume(self, literals: Literals) -> _Undo:
        """Learns atoms; the result forgets them again."""
        undo = [self._learn(atom, truth) for atom, truth in literals]

        def forget() -> None:
            for step in reversed(undo):
                step()

        return forget

    def _learn(self, atom: Term, truth: bool) -> _Undo:
        test = threshold(atom)
        if test is not None:
            term, value, width = test
            if width and not truth:
                return _put(self.gaps.setdefault(term, {}), value, None)
            low, high = self.bounds.get(term, _OPEN)
            if not truth or width:
                low = value if low is None else max(low, value)
            if truth:
                high = value + width if high is None else min(high, value + width)
            return _put(self.bounds, term, (low, high))
        key = string_key(atom)
        if key is not None:
            value_text = key[1].value
            if not truth:
                return _put(self.not_keys.setdefault(key[0], {}), value_text, None)
            return _put(self.keys, key[0], value_text)
        return _put(self.truths, atom, truth)

    def _decide(self, atom: Term) -> bool | None:
        if isinstance(atom, Const):
            return bool(atom.value)
        test = threshold(atom)
        if test is not None:
            term, value, width = test
            low, high = self.bounds.get(term, _OPEN)
            if high is not None and high <= value:
                return not width
            if low is not None and low >= value + width:
                return False
            if width and low == value and high == value + 1:
                return True
            return False if width and value in self.gaps.get(term, ()) else None
        key = string_key(atom)
        if key is None:
            return self.truths.get(atom)
        if key[0] in self.keys:
            return bool(self.keys[key[0]] == key[1].value)
        return False if key[1].value in self.not_keys.get(key[0], ()) else None

    def follow(self, node: Node) -> Node:
        """The first node from here whose way the case leaves open, or that does not decide."""
        while True:
            match node:
                case Decide(atom=atom, yes=yes, no=no):
                    truth = self._decide(atom)
                    if truth is None:
                        return node
                    node = yes if truth else no
                case Switch(children=children):
                    first, last = self._span(node)
                    if first != last:
                        return node
                    node = children[first]
                case Pick(term=term, default=default) if term in self.keys:
                    node = self._children_of(node).get(self.keys[term], default)
                case _:
                    return node

    def _children_of(self, node: Pick) -> dict[object, Node]:
        found = self.children.get(id(node))
        if found is None:
            found = {key.value: child for key, child in zip(node.keys, node.children, strict=True)}
            self.children[id(node)] = found
        return found

    def _span(self, node: Switch) -> tuple[int, int]:
        """The first and last child that the term's bounds leave open."""
        low, high = self.bounds.get(node.term, _OPEN)
        first = 0 if low is None else bisect_right(node.cuts, low)
        last = len(node.cuts) if high is None else bisect_right(node.cuts, high - 1)
        return first, max(first, last)

    def open_ways(self, node: Node) -> Iterator[tuple[Node, Literals]]:
        """The node itself where it does not decide; else its children that can be reached, and what leads there."""
        match node:
            case Decide(atom=atom, yes=yes, no=no):
                yield yes, ((atom, True),)
                yield no, ((atom, False),)
            case Switch(term=term, cuts=cuts, children=children):
                first, last = self._span(node)
                for position in range(first, last + 1):
                    low = cuts[position - 1] if position else None
                    high = cuts[position] if position < len(cuts) else None
                    if not self._is_gap(term, low, high):
                        yield children[position], _between(term, low, high)
            case Pick(term=term, keys=keys, children=children, default=default):
                out = self.not_keys.get(term, {})
                for key, child in zip(keys, children, strict=True):
                    if key.value not in out:
                        yield child, ((App("eq", (term, key), (), "bool"), True),)
                yield default, ()
            case _:
                yield node, ()

    def _is_gap(self, term: Term, low: int | None, high: int | None) -> bool:
        gaps = self.gaps.get(term)
        if not gaps or low is None or high is None or high - low > len(gaps):
            return False
        return all(value in gaps for value in range(low, high))


def _between(term: Term, low: int | None, high: int | None) -> Literals:
    above = () if low is None else ((App("lt", (term, Const(low)), (), "bool"), False),)
    below = () if high is None else ((App("lt", (term, Const(high)), (), "bool"), True),)
    return (*above, *below)


def _put(entries: dict[_K, _V], key: _K, value: _V) -> _Undo:
    """Sets an entry; the result sets it back."""
    before = entries.get(key, _ABSENT)
    entries[key] = value

    def undo() -> None:
        if before is _ABSENT:
            del entries[key]
        else:
            entries[key] = before  # type: ignore[assignment]  # it came from there

    return undo
