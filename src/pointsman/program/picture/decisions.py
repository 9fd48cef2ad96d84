"""The decisions of one state as a graph, top down; tests of one value in a row become one box with several ways out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from pointsman.program.picture.graph import Box, Graph, Link, cut, leaf
from pointsman.program.rows import (
    Among,
    Fact,
    Held,
    Row,
    Span,
    Step,
    atoms,
    both,
    condition,
    describe,
    join,
    name_of,
    text_of,
    ways,
)
from pointsman.program.table.asking import Asked, asked_at, asked_before
from pointsman.program.table.machine import (
    App,
    Decide,
    Do,
    Goto,
    Machine,
    Node,
    Pick,
    Raise,
    Return,
    Switch,
    Sym,
    Take,
    Term,
    made_by,
    nodes,
    symbols,
    terms_of,
)

__all__ = ["Decisions"]


_MAX_WAYS: Final = 40


class Decisions:
    """The decisions of a machine's one state; outcomes with the same text are one box.

    ``named``: short names of questions, which boxes and links show; their tooltips write them out.
    """

    def __init__(self, graph: Graph, machine: Machine, named: Held) -> None:
        self.graph = graph
        self.machine = machine
        self.named = named
        self.names = {text.text for text in named.values()}  # each a question already
        self.asked = _asked_before(machine.states[0].root)
        self.places: dict[Node, int] = {}
        self.leaves: dict[tuple[str, bool], int] = {}

    def draw(self) -> None:
        root = self.machine.states[0].root
        waiting = [root]
        self._place(root)
        while waiting:
            node = waiting.pop()
            tail, _ = _after_steps(node)
            if isinstance(tail, Goto | Return | Raise):
                continue
            for child, label, title in _ways_out(tail):
                new = child not in self.places
                place = self._place(child)
                self.graph.links.append(Link(self.places[node], place, cut(label, 28, 2), title))
                waiting += [child] if new else []

    def _place(self, node: Node) -> int:
        if node not in self.places:
            box = self._box(node)
            shared = None if box.decides() else self.leaves.get((box.title, box.asks))
            self.places[node] = self.graph.add(box) if shared is None else shared
            self.leaves.setdefault((box.title, box.asks), self.places[node])
        return self.places[node]

    def _box(self, node: Node) -> Box:
        tail, steps = _after_steps(node)
        done, text = self._texts(tail, steps, self.named)
        whole, whole_text = self._texts(tail, steps, {})
        title = "\n".join((*whole, whole_text))
        used = frozenset[Asked]().union(*map(asked_at, (tail, *steps)))
        asks = not used <= self.asked[node]
        if isinstance(tail, Goto | Return | Raise):
            return leaf(text, done, title=title, asks=asks)
        lines = [line for step in done for line in cut(step, 34)]
        return Box((*lines, *cut(text, 34, 3)), title, "question" if used else "test", asks)

    def _texts(self, tail: Node, steps: Sequence[Do], named: Held) -> tuple[tuple[str, ...], str]:
        """The steps that are written out, and the test or outcome after them."""
        done = tuple(Step(s, 0) for s in steps)
        if isinstance(tail, Goto | Return | Raise):
            cells = describe(Row((), done, tail), self.machine.states, named)
            return cells.do, cells.then
        own = {s.name for step in steps for s in made_by(step)}
        # named twice, so that the value keeps a name for the boxes below
        later = 2 * _used_in([n for top in _children(tail) for n in nodes(top)], own)
        test, atom = _question(tail, named)
        if atom is None:
            cells = describe(Row((), done, Return(App("build_tuple", (*later, *2 * _used_in([tail], own))))), (), named)
            return cells.do, test
        cells = describe(Row((atom,), done, Return(App("build_tuple", later))), (), named)
        text = cells.when[0] if cells.when else "always"
        return cells.do, text if text in self.names else f"{text}?"


def _asked_before(root: Node) -> dict[Node, frozenset[Asked]]:
    """What has been asked on every way to a node, wherever it stands in the DAG."""
    before, found = asked_before(root), dict[Node, frozenset[Asked]]()
    for node in nodes(root):
        found[node] = found.get(node, before[id(node)]) & before[id(node)]
    return found


def _children(tail: Node) -> list[Node]:
    return [child for child, _, _ in _ways_out(tail)]


def _used_in(found: Iterable[Node], names: set[str]) -> tuple[Term, ...]:
    if not names:
        return ()
    used = {s for node in found for term in terms_of(node) for s in symbols(term) if s.name in names}
    return tuple(sorted(used, key=lambda s: s.name))


def _after_steps(node: Node) -> tuple[Node, list[Do]]:
    steps = []
    while isinstance(node, Do):
        steps.append(node)
        node = node.next
    return node, steps


def _branches(node: Node) -> tuple[Term, list[tuple[Node, Fact]]]:
    """The term that a node and the tests just below it ask about, and its ways out."""
    found: list[tuple[Node, Fact]] = []
    term = next(iter(ways(node)))[1][0][0]
    waiting = [_only(term, node)]
    while waiting:
        options = waiting.pop(0)
        for child, fact in options:
            deeper = _only(term, child) if len(found) + len(waiting) < _MAX_WAYS else []
            narrowed = [(n, both(fact, f)) for n, f in deeper]
            if narrowed and not isinstance(fact, bool):
                waiting.append([(n, f) for n, f in narrowed if f is not None])
            else:
                found.append((child, fact))
    return term, sorted(_joined(found), key=lambda way: _place_of(way[1]))


def _only(term: Term, node: Node) -> list[tuple[Node, Fact]]:
    """The ways out of a test of this term, none for anything else."""
    if not isinstance(node, Decide | Switch | Pick | Take):
        return []
    options = []
    for child, facts in ways(node):
        if any(t != term for t, _ in facts):
            return []
        fact: Fact | None = facts[0][1]
        for _, more in facts[1:]:
            fact = None if fact is None else both(fact, more)
        if fact is not None:
            options.append((child, fact))
    return options


def _joined(found: list[tuple[Node, Fact]]) -> list[tuple[Node, Fact]]:
    """Ways to one node as one way, where that is a fact."""
    result: list[tuple[Node, Fact]] = []
    for child, fact in sorted(found, key=lambda way: _place_of(way[1])):
        for i, (other, before) in enumerate(result):
            union = join(before, fact) if other == child else None
            if union is not None and union is not True:
                result[i] = (child, union)
                break
        else:
            result.append((child, fact))
    return result


def _place_of(fact: Fact) -> tuple[float, str]:
    """Rising numbers; sets before everything else; yes before no."""
    if isinstance(fact, Span):
        return (float("-inf") if fact.low is None else fact.low, "") if not fact.holes else (float("inf"), "")
    if isinstance(fact, Among):
        return (0 if fact.inside else 1), min(fact.values, default="")
    return (0 if fact else 1), ""


def _question(tail: Node, named: Held) -> tuple[str, tuple[Term, bool] | None]:
    """The text of a test; with two ways out also the atom that leads to the first."""
    if isinstance(tail, Take):
        return f"next item of {text_of(tail.iterator, named).text}", None
    term, found = _branches(tail)
    if len(found) != 2:
        return text_of(term, named).text, None
    fact = found[0][1]
    if isinstance(fact, bool):
        return "", (term, fact)
    simple = isinstance(fact, Span) and (fact.low is None) != (fact.high is None) and not fact.holes
    if isinstance(tail, Decide) and (simple or isinstance(fact, Among)):
        return "", next(atoms(term, fact, None))
    return text_of(term, named).text, None


def _ways_out(tail: Node) -> list[tuple[Node, str, str]]:
    """(node, label, full text) of each way out of a test."""
    if isinstance(tail, Take):
        name = name_of(tail.result.name)
        return [(tail.then, name, f"its next item is {name}"), (tail.exhausted, "none", "it is exhausted")]
    term, found = _branches(tail)
    texts = [condition(term, fact) for _, fact in found]
    if _question(tail, {})[1] is not None:
        return [(child, word, text) for (child, _), word, text in zip(found, ("yes", "no"), texts, strict=True)]
    return [(child, _short(term, fact), text) for (child, fact), text in zip(found, texts, strict=True)]


def _short(term: Term, fact: Fact) -> str:
    if isinstance(fact, Among):
        if not fact.inside and isinstance(term, App) and term.op == "choose":  # one of its other options
            fact = Among(frozenset(term.attrs[2]) - fact.values, inside=True)
        return ", ".join(map(repr, sorted(fact.values))) if fact.inside else "other"
    if isinstance(fact, Span) and not fact.holes:
        return condition(Sym("x"), fact).removeprefix("x ").removeprefix("== ").replace("x", "…")
    return "other" if isinstance(fact, Span) else ("yes" if fact else "no")
