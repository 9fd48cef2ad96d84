"""What a guard says of one term, in a normal form.

All that is asked of one int is one interval (with holes), all that is asked of one string is one set or the complement
of one, other atoms are true or false.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from pointsman.program.explore.kinds import kind_of
from pointsman.program.ir import Const
from pointsman.program.table.machine import App, Term

__all__ = ["Among", "Fact", "Guard", "Span", "atoms", "both", "fact_of", "facts_of", "join", "learn"]


@dataclass(frozen=True, slots=True)
class Span:
    """An int from ``low`` to ``high`` (both may be it; None: no bound), but none of ``holes``."""

    low: int | None = None
    high: int | None = None
    holes: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Among:
    """A string that is one of ``values``, or (not ``inside``) none of them."""

    values: frozenset[str]
    inside: bool


Fact: TypeAlias = Span | Among | bool
Guard: TypeAlias = tuple[tuple[Term, Fact], ...]


def fact_of(atom: Term, truth: bool) -> tuple[Term, Fact]:
    """What an atom's value says, and of which term."""
    if isinstance(atom, App) and atom.op == "not":
        return fact_of(atom.args[0], not truth)
    if not isinstance(atom, App) or len(atom.args) != 2 or atom.op not in {"lt", "eq", "in"}:
        return atom, truth
    left, right = atom.args
    if isinstance(left, Const) or not isinstance(right, Const):
        if isinstance(left, Const) and type(left.value) is int and atom.op == "lt" and kind_of(right) == "int":
            return right, Span(low=left.value + 1) if truth else Span(high=left.value)
        return atom, truth
    value = right.value
    if type(value) is int and kind_of(left) == "int" and atom.op != "in":
        if atom.op == "lt":
            return left, Span(high=value - 1) if truth else Span(low=value)
        return left, Span(value, value) if truth else Span(holes=frozenset({value}))
    if kind_of(left) == "str" and atom.op == "eq" and type(value) is str:
        return left, Among(frozenset({value}), truth)
    if kind_of(left) == "str" and isinstance(value, tuple | frozenset) and all(type(v) is str for v in value):
        return left, Among(frozenset(value), truth)
    if kind_of(left) == "bool" and atom.op == "eq" and type(value) is bool:
        return fact_of(left, truth == value)
    return atom, truth


def _span(low: int | None, high: int | None, holes: Iterable[int]) -> Span | None:
    """None where nothing is left; holes at an end move it."""
    rest = set(holes)
    while low is not None and low in rest:
        low += 1
    while high is not None and high in rest:
        high -= 1
    if low is not None and high is not None and low > high:
        return None
    return Span(low, high, frozenset(h for h in rest if (low is None or h > low) and (high is None or h < high)))


def both(left: Fact, right: Fact) -> Fact | None:
    """The conjunction; None where it is impossible."""
    if isinstance(left, Span) and isinstance(right, Span):
        lows = [v for v in (left.low, right.low) if v is not None]
        highs = [v for v in (left.high, right.high) if v is not None]
        return _span(max(lows, default=None), min(highs, default=None), left.holes | right.holes)
    if isinstance(left, Among) and isinstance(right, Among):
        if not left.inside and not right.inside:
            return Among(left.values | right.values, inside=False)
        if left.inside and right.inside:
            values = left.values & right.values
        else:
            values = left.values - right.values if left.inside else right.values - left.values
        return Among(values, inside=True) if values else None
    return left if left == right else None


def join(left: Fact, right: Fact) -> Fact | None:
    """The disjunction; True where it always holds, None where it is no fact."""
    if isinstance(left, Span) and isinstance(right, Span):
        return _union(left, right)
    if isinstance(left, Among) and isinstance(right, Among):
        if left.inside and right.inside:
            return Among(left.values | right.values, inside=True)
        if not left.inside and not right.inside:
            outside = left.values & right.values
        else:
            outside = right.values - left.values if left.inside else left.values - right.values
        return Among(outside, inside=False) if outside else True
    return True if left is not right else None


def _union(left: Span, right: Span) -> Fact | None:
    first, second = sorted((left, right), key=lambda s: (s.low is not None, s.low or 0))
    between: set[int] = set()
    if first.high is not None and second.low is not None:
        if second.low - first.high > 2:
            return None
        between = set(range(first.high + 1, second.low))  # at most one value, which becomes a hole
    high = None if first.high is None or second.high is None else max(first.high, second.high)
    holes = {h for h in left.holes | right.holes | between if not _holds(left, h) and not _holds(right, h)}
    if holes and (first.low is not None or high is not None):
        return None  # `5 <= x < 9 and x != 7` reads worse than two rows
    return True if first.low is high is None and not holes else Span(first.low, high, frozenset(holes))


def _holds(span: Span, value: int) -> bool:
    above = span.low is None or span.low <= value
    return above and (span.high is None or value <= span.high) and value not in span.holes


def learn(guard: Guard, term: Term, fact: Fact, known: dict[Term, Span]) -> Guard | None:
    """The guard with one more fact; None where it cannot hold."""
    facts = dict(guard)
    before = facts.get(term, known.get(term))
    now = fact if before is None else both(before, fact)
    if now is None:
        return None
    if now != known.get(term):
        facts[term] = now
    return tuple(facts.items())


def atoms(term: Term, fact: Fact, known: Span | None) -> Iterator[tuple[Term, bool]]:
    """A fact as atoms with their values; bounds that ``known`` has too are left out."""
    match fact:
        case Span(low=low, high=high) if low is not None and low == high:
            yield App("eq", (term, Const(low)), (), "bool"), True
        case Span(low=low, high=high, holes=holes):
            if low is not None and (known is None or low != known.low):
                yield App("lt", (term, Const(low)), (), "bool"), False
            if high is not None and (known is None or high != known.high):
                yield App("lt", (term, Const(high + 1)), (), "bool"), True
            for hole in sorted(holes):
                yield App("eq", (term, Const(hole)), (), "bool"), False
        case Among(values=values, inside=inside):
            one = len(values) == 1
            right = Const(next(iter(values)) if one else tuple(sorted(values)))
            yield App("eq" if one else "in", (term, right), (), "bool"), inside
        case bool():
            yield term, fact


def facts_of(guard: Iterable[tuple[Term, bool]]) -> Guard:
    """The normal form of a row's guard."""
    facts: Guard = ()
    for atom, truth in guard:
        learnt = learn(facts, *fact_of(atom, truth), {})
        assert learnt is not None
        facts = learnt
    return facts
