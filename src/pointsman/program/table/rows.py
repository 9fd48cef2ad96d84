"""The row view of a state's DAG, and its text: each path from the root to a leaf as one rule, made for people to read.

A guard is a conjunction in a normal form: all that a row asks of one int is one interval (with holes), all that it asks
of one string is one set or the complement of one, other atoms are true or false. What the state's own bounds imply is
left out, and rows that cannot hold are dropped. Rows stay disjoint and complete; ``rows_of(..., merge=True)`` joins
rows of the same outcome that differ in one of these facts, where the union is a fact again.

The text is for reading and never compiled: steps used once are written inside their use, names lose ``%`` and ``#``.
Rows repeat what the DAG shares, so their number can grow exponentially; past ``limit`` OverBudget is raised.
"""

from __future__ import annotations

import re
import shutil
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from pointsman.core import NotFound, OverBudget
from pointsman.program import catalogue
from pointsman.program.emit.text import Piece, operation
from pointsman.program.explore.kinds import kind_of
from pointsman.program.ir import UNBOUND, Const, Ref
from pointsman.program.table.machine import (
    App,
    Decide,
    Do,
    Goto,
    Leaf,
    Machine,
    Node,
    Pick,
    Program,
    Raise,
    Range,
    Return,
    State,
    Switch,
    Sym,
    Take,
    Term,
    made_by,
    symbols,
    terms_of,
)

__all__ = [
    "Among",
    "Cells",
    "Fact",
    "Row",
    "Span",
    "Step",
    "both",
    "condition",
    "describe",
    "fact_of",
    "join",
    "name_of",
    "rows_of",
    "show_table",
    "shown",
    "signature",
    "state_name",
    "ways",
]


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
_Guard: TypeAlias = tuple[tuple[Term, Fact], ...]


# -- facts -------------------------------------------------------------------------------------------------------------


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


def _learn(guard: _Guard, term: Term, fact: Fact, known: dict[Term, Span]) -> _Guard | None:
    """The guard with one more fact; None where it cannot hold."""
    facts = dict(guard)
    before = facts.get(term, known.get(term))
    now = fact if before is None else both(before, fact)
    if now is None:
        return None
    if now != known.get(term):
        facts[term] = now
    return tuple(facts.items())


def _atoms(term: Term, fact: Fact, known: Span | None) -> Iterator[tuple[Term, bool]]:
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


def _facts(guard: Iterable[tuple[Term, bool]]) -> _Guard:
    facts: _Guard = ()
    for atom, truth in guard:
        learnt = _learn(facts, *fact_of(atom, truth), {})
        assert learnt is not None
        facts = learnt
    return facts


# -- rows --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Draft:
    """A row whose guard is facts; each step has the number of facts before it."""

    guard: _Guard = ()
    steps: tuple[Step, ...] = ()
    leaf: Leaf | None = None

    def outcome(self) -> tuple[Any, ...]:
        """Equal where rows do the same (a ``Do`` node itself also holds what follows it)."""
        nodes = [s.node for s in self.steps]
        steps = [(n.result, n.op, n.args, n.attrs) if isinstance(n, Do) else (n.result, n.iterator) for n in nodes]
        return (*steps, self.leaf)


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
            guard: _Guard | None = draft.guard
            for term, fact in facts:
                guard = None if guard is None else _learn(guard, term, fact, known)
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
    atoms = [list(_atoms(term, fact, known.get(term))) for term, fact in draft.guard]
    steps = tuple(Step(s.node, sum(map(len, atoms[: s.at]))) for s in draft.steps)
    return Row(tuple(atom for group in atoms for atom in group), steps, draft.leaf)


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
        for term, fact in rows[number].guard:
            bucket = seen.setdefault((term, frozenset(rows[number].guard) - {(term, fact)}), [])
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


# -- text of terms -----------------------------------------------------------------------------------------------------

_LEVEL: Final = {"|": 5, "^": 6, "&": 7, "<<": 8, ">>": 8, "+": 9, "-": 9, "**": 12}  # 10 for the multiplicative ones
_PRODUCTS: Final = frozenset({"*", "/", "//", "%", "@"})
_NOT, _COMPARE, _UNARY, _ATOM = 3, 4, 11, 15
_OPPOSITE: Final = {"in": "not in", "not in": "in", "is": "is not", "is not": "is", "==": "!=", "!=": "==", "<": ">="}
_ORDERED: Final = frozenset({"int", "bool", "str", "none"})


@dataclass(frozen=True, slots=True)
class _Text:
    """An expression: how tightly it binds, what a test of it says, and the opposite test (None: ``not ...``)."""

    text: str
    level: int = _ATOM
    test: str | None = None
    opposite: str | None = None
    parts: tuple[str, ...] = ()  # of a slice

    def at(self, level: int) -> str:
        return self.text if self.level >= level else f"({self.text})"


_Held: TypeAlias = Mapping[str, _Text]  # symbol name -> the text that stands for it


def name_of(name: str) -> str:
    """A machine's variable or temporary as an identifier: ``%5.1`` -> ``t5_1``, ``count#1`` -> ``count1``."""
    return re.sub(r"\W", "", name.replace("%", "t").replace(".", "_"))


def _constant(value: Any) -> str:
    if value is UNBOUND:
        return "unbound"
    if isinstance(value, frozenset):
        return "{" + ", ".join(sorted(map(_constant, value))) + "}" if value else "frozenset()"
    return repr(value)


def _reference(ref: Ref) -> str:
    return ref.path.partition(":")[2] or ref.path.removeprefix("builtins.")


def _term(term: Term, held: _Held) -> _Text:
    match term:
        case Const(value=value):
            text = _constant(value)
            return _Text(text, _UNARY if text.startswith("-") else _ATOM)
        case Ref():
            return _Text(_reference(term))
        case Sym(name=name):
            return held.get(name) or _Text(name_of(name))
        case App(op=op, args=args, attrs=attrs):
            return _operation(op, args, attrs, held)


def shown(term: Term) -> str:
    """A term as Python text."""
    return _term(term, {}).text


def _operation(op: str, args: tuple[Term, ...], attrs: tuple[Any, ...], held: _Held) -> _Text:
    texts = [_term(a, held) for a in args]
    if op in _RULES:
        return _Text(_RULES[op](texts, attrs, args), parts=tuple(t.text for t in texts) if op == "slice" else ())
    template = getattr(catalogue.OPERATIONS.get(op), "template", None)
    if op == "truth":
        inner = texts[0]
        return _Text(f"bool({inner.text})", _ATOM, inner.test or inner.text, inner.opposite)
    if op in {"neg", "pos", "invert", "not"}:
        level = _NOT if op == "not" else _UNARY
        operand = texts[0].at(level)
        return _Text(str(template).format(operand), level, opposite=operand if op == "not" else None)
    if template is not None and template.startswith("{0} ") and template.endswith(" {1}"):
        return _infix(template[4:-4], texts, args)
    if template is not None:
        return texts[0] if template == "{0}" else _Text(template.format(*(t.text for t in texts)))
    pieces = [Piece(t.text, atomic=t.level >= _ATOM) for t in texts]
    return _Text(operation(op, pieces, attrs, args, _reference).text)


def _infix(symbol: str, texts: Sequence[_Text], args: Sequence[Term]) -> _Text:
    level = _LEVEL.get(symbol, 10 if symbol in _PRODUCTS else _COMPARE)
    left = texts[0].at(level + (level in {_COMPARE, 12}))
    right = texts[1].at(level + (symbol != "**"))
    exact = symbol in {"in", "not in", "is", "is not"} or {kind_of(a) for a in args} <= _ORDERED
    opposite = f"{left} {_OPPOSITE[symbol]} {right}" if exact and symbol in _OPPOSITE else None
    return _Text(f"{left} {symbol} {right}", level, opposite=opposite)


def _format(texts: Sequence[_Text], attrs: tuple[Any, ...], args: Sequence[Term]) -> str:
    conversion = {-1: "", 114: "!r", 115: "!s", 97: "!a"}[attrs[0]]
    spec = ":" + _inside(texts[1], args[1]) if args[1] != Const("") else ""
    return _quoted("{" + texts[0].text + conversion + spec + "}")


def _inside(text: _Text, term: Term) -> str:
    """A part of an f-string."""
    if isinstance(term, Const):
        return repr(str(term.value) + '"')[1:-2].replace("\\'", "'").replace("{", "{{").replace("}", "}}")
    return text.text[2:-1] if text.text.startswith(("f'", 'f"')) else "{" + text.text + "}"


def _quoted(parts: str) -> str:
    return f"f'{parts}'" if '"' in parts else f'f"{parts}"'


def _item(texts: Sequence[_Text]) -> str:
    if texts[1].parts:
        low, high, step = tuple("" if text == "None" else text for text in texts[1].parts)
        return f"{texts[0].at(_ATOM)}[{low}:{high}{':' + step if step else ''}]"
    return f"{texts[0].at(_ATOM)}[{texts[1].text}]"


def _items(texts: Sequence[_Text], attrs: tuple[Any, ...]) -> list[str]:
    starred = attrs[0] if attrs else ()
    return ["*" * (i in starred) + t.text for i, t in enumerate(texts)]


def _tuple(items: list[str]) -> str:
    return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"


def _comprehension(texts: Sequence[_Text], attrs: tuple[Any, ...]) -> str:
    kind, _, clauses, results, _ = attrs
    brackets = {"list": "[]", "generator": "()"}.get(kind, "{}")
    parts = [": ".join("…" for _ in results)]
    for clause in clauses:
        if clause[0] == "if":
            parts.append("if …")
        else:
            parts.append(f"for {_pattern(clause[1])} in {texts[0].text if clause[2] is None else '…'}")
    return brackets[0] + " ".join(parts) + brackets[1]


def _pattern(pattern: Any) -> str:
    return name_of(pattern) if isinstance(pattern, str) else f"({', '.join(map(_pattern, pattern))})"


def _call_of(name: str, texts: Sequence[_Text]) -> str:
    return f"{name}({', '.join(t.text for t in texts)})"


_Rule: TypeAlias = Callable[[Sequence[_Text], tuple[Any, ...], Sequence[Term]], str]
_RULES: Final[dict[str, _Rule]] = {
    "assertion": lambda t, _a, _: _call_of("AssertionError", t),
    "build_set": lambda t, a, _: "{" + ", ".join(_items(t, a)) + "}" if t else "set()",
    "build_tuple": lambda t, _a, _: _tuple(_items(t, ())),
    "build_tuple_star": lambda t, a, _: _tuple(_items(t, a)),
    "caught_is": lambda t, _a, _: _call_of("isinstance", t),
    "cell": lambda t, _a, _: _call_of("cell", t),
    "cell_get": lambda t, _a, _: f"{t[0].at(_ATOM)}.value",
    "check_bound": lambda t, _a, _: t[0].at(_ATOM),
    "closure": lambda _t, a, _: str(a[0]),
    "comprehension": lambda t, a, _: _comprehension(t, a),
    "exception": lambda t, _a, args: t[0].text + "()" * isinstance(args[0], Ref),
    "format": _format,
    "get_item": lambda t, _a, _: _item(t),
    "global_get": lambda _t, a, _: str(a[0]),
    "index": lambda t, _a, _: t[0].at(_ATOM),
    "join_strings": lambda t, _a, args: _quoted("".join(map(_inside, t, args))),
    "match_class": lambda t, _a, _: _call_of("isinstance", t),
    "match_shape": lambda t, a, _: _call_of(f"is_{a[0]}", t),
    "next": lambda t, a, _: f"{t[0].at(_ATOM)} gives {name_of(a[0])}",
    "slice": lambda t, _a, _: _call_of("slice", t),
}
_STATEMENTS: Final[dict[str, Callable[[Sequence[_Text], tuple[Any, ...]], str]]] = {
    "set_item": lambda t, _: f"{t[0].at(_ATOM)}[{t[1].text}] = {t[2].text}",
    "delete_item": lambda t, _: f"del {t[0].at(_ATOM)}[{t[1].text}]",
    "set_attribute": lambda t, a: f"{t[0].at(_ATOM)}.{a[0]} = {t[1].text}",
    "cell_set": lambda t, _: f"{t[0].at(_ATOM)}.value = {t[1].text}",
    "set_cause": lambda t, _: f"{t[0].at(_ATOM)}.__cause__ = {t[1].text}",
}


# -- text of rows ------------------------------------------------------------------------------------------------------


def condition(term: Term, fact: Fact, held: _Held | None = None) -> str:
    """A fact as a Python test: ``15 <= days <= 30``, ``not opened``, ``status in ('head', 'joint')``."""
    text = _term(term, held or {})
    match fact:
        case Span():
            return _span_text(text.at(_COMPARE + 1), fact)
        case Among(values=values, inside=inside):
            right = ", ".join(repr(v) for v in sorted(values))
            sign = ("==" if inside else "!=") if len(values) == 1 else ("in" if inside else "not in")
            return f"{text.at(_COMPARE + 1)} {sign} {right if len(values) == 1 else f'({right})'}"
        case True:
            return text.test or text.text
    if isinstance(term, App) and term.op == "next":
        return f"{shown(term.args[0])} is exhausted"
    return text.opposite or (f"not {text.test}" if text.test else f"not {text.at(_NOT)}")


def _span_text(name: str, span: Span) -> str:
    low, high = span.low, span.high
    if low is not None and low == high:
        return f"{name} == {low}"
    parts = []
    if low is not None or high is not None:
        below, above = _bound(low, -1), _bound(high, 1)
        if low is None:
            parts.append(f"{name}{above}")
        elif high is None:
            parts.append(f"{name} {'>' if ' <=' not in below else '>='} {below.split()[0]}")
        else:
            parts.append(f"{below} {name}{above}")
    parts += [f"{name} != {hole}" for hole in sorted(span.holes)]
    return " and ".join(parts)


def _bound(value: int | None, outward: int) -> str:
    """``15 <=`` or ``14 <`` (below), `` <= 30`` or `` < 31`` (above), whichever number is rounder."""
    if value is None:
        return ""
    strict = _roundness(value + outward) > _roundness(value)
    number, sign = (value + outward, "<") if strict else (value, "<=")
    return f"{number} {sign}" if outward < 0 else f" {sign} {number}"


def _roundness(value: int) -> tuple[int, bool]:
    digits = str(abs(value))
    return (len(digits) - len(digits.rstrip("0")) if value else 99), value % 5 == 0


@dataclass(frozen=True, slots=True)
class Cells:
    """A row as text: its conditions, the steps that are not written inside something else, and what it comes to."""

    when: tuple[str, ...]
    do: tuple[str, ...]
    then: str


def state_name(state: State) -> str:
    """``entry``, ``loop 2``, ``join 5``."""
    return state.label if state.index == 0 else f"{state.label} {state.index}"


def describe(row: Row, states: Sequence[State] = ()) -> Cells:
    """The text of a row; ``states`` are those of its machine, for the names of where it goes."""
    facts = [(term, fact, len(list(_atoms(term, fact, None)))) for term, fact in _facts(row.guard)]
    results = _results(row.leaf, [s.name for step in row.steps for s in made_by(step.node)])
    read = [t for t, _, _ in facts] + [t for s in row.steps for t in terms_of(s.node)] + [t for _, t in results]
    writer = _Writer(Counter(s.name for t in read for s in symbols(t)))
    steps, when, place = list(row.steps), [], 0
    for term, fact, width in facts:
        while steps and steps[0].at <= place:
            writer.step(steps.pop(0).node)
        place += width
        writer.consume((term,))
        when.append(condition(term, fact, writer.held))
    for step in steps:
        writer.step(step.node)
    writer.consume(t for _, t in results)
    writer.flush()
    texts = [f"{name} {_term(term, writer.held).text}".strip() for name, term in results]
    return Cells(tuple(when), tuple(writer.lines), _outcome(row.leaf, texts, states))


def _results(leaf: Leaf, made: list[str]) -> list[tuple[str, Term]]:
    """What a leaf evaluates, with ``name =`` before it; updates in the order of the steps, unchanged ones left out."""
    if not isinstance(leaf, Goto):
        return [("", term) for term in terms_of(leaf)]
    places = {name: i for i, name in enumerate(made)}

    def place(update: tuple[str, Term]) -> int:
        return min((places.get(s.name, -1) for s in symbols(update[1])), default=-1)

    changed = [(n, t) for n, t in leaf.updates if not (isinstance(t, Sym) and t.name == n and n not in places)]
    return [(f"{name_of(name)} =", term) for name, term in sorted(changed, key=place)]


def _outcome(leaf: Leaf, texts: list[str], states: Sequence[State]) -> str:
    if isinstance(leaf, Goto):
        names = {s.index: state_name(s) for s in states}
        return f"goto {names.get(leaf.state, f'state {leaf.state}')}" + ": " * bool(texts) + ", ".join(texts)
    return f"{'return' if isinstance(leaf, Return) else 'raise'} {texts[0]}"


class _Writer:
    """Steps as text, in order.

    A value used once waits in ``pending`` until its use; before that would change the order it is written out.
    """

    def __init__(self, uses: Counter[str]) -> None:
        self.uses = uses
        self.held: dict[str, _Text] = {}
        self.pending: list[str] = []
        self.lines: list[str] = []

    def flush(self) -> None:
        while self.pending:
            self._write_first()

    def _write_first(self) -> None:
        name = self.pending.pop(0)
        self.lines.append(f"{name_of(name)} = {self.held.pop(name).text}")

    def consume(self, terms: Iterable[Term]) -> None:
        """Afterwards the terms may be written with ``held``."""
        used = [s.name for t in terms for s in symbols(t) if s.name in self.pending]
        while used != self.pending[len(self.pending) - len(used) :]:
            self._write_first()
            used = [name for name in used if name in self.pending]
        del self.pending[len(self.pending) - len(used) :]

    def step(self, node: Do | Take) -> None:
        self.consume(terms_of(node))
        if isinstance(node, Take):
            return  # its condition says so
        name, uses = node.result.name, self.uses[node.result.name]
        texts = [_term(a, self.held) for a in node.args]
        if node.op in _STATEMENTS:
            self._line(_STATEMENTS[node.op](texts, node.attrs))
        elif node.op == "unpack":
            self._line(f"{self._targets(node)} = {texts[0].text}")
        elif node.op.startswith("inplace_"):
            symbol = catalogue.OPERATIONS[node.op.removeprefix("inplace_")].template or ""
            self._line(f"{name_of(name)} = {texts[0].text}; {name_of(name)} {symbol[4:-4]}= {texts[1].text}")
        elif uses == 1:
            self.held[name] = _operation(node.op, node.args, node.attrs, self.held)
            self.pending.append(name)
        else:
            text = _operation(node.op, node.args, node.attrs, self.held).text
            self._line(f"{name_of(name)} = {text}" if uses else text)

    def _line(self, text: str) -> None:
        self.flush()
        self.lines.append(text)

    def _targets(self, node: Do) -> str:
        names = [name_of(s.name) if self.uses[s.name] else "_" for s in made_by(node)]
        before, after = node.attrs
        names = ["*" + n if after is not None and i == before else n for i, n in enumerate(names)]
        return ", ".join(names) + ("," if len(names) == 1 else "")


# -- tables for a terminal ---------------------------------------------------------------------------------------------


def signature(machine: Machine) -> str:
    """``refund(days: int, opened: bool)``, with the kinds that the table relies on."""
    kinds = dict(machine.guards)
    parts = [p.name + (f": {kinds[p.name].removeprefix('record:')}" if p.name in kinds else "") for p in machine.params]
    return f"{machine.qualname}({', '.join(parts)})"


def _known(name: str, known: Range) -> str:
    text = name_of(name) + (f": {known.kind.removeprefix('record:')}" if known.kind != "any" else "")
    if known.kind != "int" or (known.low is None and known.high is None):
        return text
    return f"{text} ({_span_text(name_of(name), Span(known.low, known.high))})"


def show_table(program: Program, function: str | None = None, *, width: int | None = None) -> str:
    """Every function (or one) as plain text: its states, what is known of their variables, and their numbered rows."""
    if function is not None and function not in program.machines:
        choices = ", ".join(sorted(program.machines))
        raise NotFound(f"no function {function!r}; there are {choices}", code="unknown_function")
    chosen = [function] if function is not None else sorted(program.machines, key=lambda name: name != program.entry)
    columns = width or shutil.get_terminal_size((120, 24)).columns
    return "\n".join(line for name in chosen for line in _machine_lines(program.machines[name], max(columns, 60)))


def _machine_lines(machine: Machine, width: int) -> Iterator[str]:
    yield signature(machine)
    for state in machine.states:
        variables = ", ".join(_known(name, known) for name, known in state.variables)
        yield ""
        heading = f"{state_name(state)}   {variables}"
        yield from textwrap.wrap(heading, width, initial_indent="  ", subsequent_indent="      ")
        if state.handler is not None:
            yield f"      exceptions go to {state_name(machine.states[state.handler])} as {name_of(state.caught or '')}"
        try:
            rows = rows_of(state, merge=True)
        except OverBudget as error:
            yield f"      {error.message}"
            continue
        yield from _grid([describe(row, machine.states) for row in rows], width)
    if machine.generic is not None:
        yield ""
        yield f"  arguments of other kinds: a second table with {len(machine.generic.states)} state(s)"
    yield ""


def _grid(cells: Sequence[Cells], width: int) -> Iterator[str]:
    """Aligned columns; long texts are wrapped inside their column, and a column that says nothing is left out."""
    table = [("", "when", "do", "then")]
    for number, c in enumerate(cells, 1):
        table.append((str(number), " and ".join(c.when) or "always", "; ".join(c.do), c.then))
    if not any(row[2] for row in table[1:]):
        table = [(number, when, "", then) for number, when, _, then in table]
    widths = _widths([max(len(row[i]) for row in table) for i in range(4)], width - 8)
    for row in table:
        parts = [textwrap.wrap(text, max(w, 1)) or [""] for text, w in zip(row, widths, strict=True)]
        for i in range(max(map(len, parts))):
            texts = [(part[i] if i < len(part) else "").ljust(w) for part, w in zip(parts, widths, strict=True) if w]
            yield ("    " + "  ".join(texts)).rstrip()


def _widths(wanted: list[int], total: int) -> list[int]:
    """The widest column gives way first."""
    widths = list(wanted)
    while sum(widths) + 2 * len(widths) > total and max(widths) > 12:
        widths[widths.index(max(widths))] -= 1
    return widths
