"""Rows as text: their conditions, the steps that are not written inside their one use, and what they come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pointsman.program import catalogue
from pointsman.program.rows.facts import Among, Fact, Span, atoms, facts_of
from pointsman.program.rows.paths import Row, state_name
from pointsman.program.rows.terms_text import (
    COMPARE,
    NOT,
    STATEMENTS,
    Held,
    Text,
    name_of,
    operation_text,
    shown,
    text_of,
)
from pointsman.program.table.machine import (
    App,
    Do,
    Goto,
    Leaf,
    Return,
    State,
    Sym,
    Take,
    Term,
    made_by,
    symbols,
    terms_of,
)

__all__ = ["Cells", "condition", "describe", "span_text"]


def condition(term: Term, fact: Fact, held: Held | None = None) -> str:
    """A fact as a Python test: ``15 <= days <= 30``, ``not opened``, ``status in ('head', 'joint')``."""
    text = text_of(term, held or {})
    match fact:
        case Span():
            return span_text(text.at(COMPARE + 1), fact)
        case Among(values=values, inside=inside):
            if not inside and isinstance(term, App) and term.op == "choose":  # one of its options it is
                values, inside = frozenset(term.attrs[2]) - values, True
            right = ", ".join(repr(v) for v in sorted(values))
            sign = ("==" if inside else "!=") if len(values) == 1 else ("in" if inside else "not in")
            return f"{text.at(COMPARE + 1)} {sign} {right if len(values) == 1 else f'({right})'}"
        case True:
            return text.test or text.text
    if isinstance(term, App) and term.op == "next":
        return f"{shown(term.args[0])} is exhausted"
    return text.opposite or (f"not {text.test}" if text.test else f"not {text.at(NOT)}")


def span_text(name: str, span: Span) -> str:
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


def describe(row: Row, states: Sequence[State] = (), named: Held | None = None) -> Cells:
    """The text of a row.

    Args:
        row: it.
        states: those of its machine, for the names of where it goes.
        named: short names of questions (`questions.held_questions`).
    """
    facts = [(term, fact, len(list(atoms(term, fact, None)))) for term, fact in facts_of(row.guard)]
    results = _results(row.leaf, [s.name for step in row.steps for s in made_by(step.node)])
    read = [t for t, _, _ in facts] + [t for s in row.steps for t in terms_of(s.node)] + [t for _, t in results]
    writer = _Writer(Counter(s.name for t in read for s in symbols(t)), named or {})
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
    texts = [f"{name} {text_of(term, writer.held).text}".strip() for name, term in results]
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

    def __init__(self, uses: Counter[str], held: Held) -> None:
        self.uses = uses
        self.held: dict[str, Text] = dict(held)
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
        texts = [text_of(a, self.held) for a in node.args]
        if node.op in STATEMENTS:
            self._line(STATEMENTS[node.op](texts, node.attrs))
        elif node.op == "unpack":
            self._line(f"{self._targets(node)} = {texts[0].text}")
        elif node.op.startswith("inplace_"):
            symbol = catalogue.OPERATIONS[node.op.removeprefix("inplace_")].template or ""
            self._line(f"{name_of(name)} = {texts[0].text}; {name_of(name)} {symbol[4:-4]}= {texts[1].text}")
        elif uses == 1:
            self.held[name] = operation_text(node.op, node.args, node.attrs, self.held)
            self.pending.append(name)
        else:
            text = operation_text(node.op, node.args, node.attrs, self.held).text
            self._line(f"{name_of(name)} = {text}" if uses else text)

    def _line(self, text: str) -> None:
        self.flush()
        self.lines.append(text)

    def _targets(self, node: Do) -> str:
        names = [name_of(s.name) if self.uses[s.name] else "_" for s in made_by(node)]
        before, after = node.attrs
        names = ["*" + n if after is not None and i == before else n for i, n in enumerate(names)]
        return ", ".join(names) + ("," if len(names) == 1 else "")
