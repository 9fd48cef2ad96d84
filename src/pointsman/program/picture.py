"""Pictures of a program: SVG with a small layered layout of its own, and Graphviz text.

A machine with several states is drawn as its states, joined by what must hold and what changes; one with a single state
as its decisions, top down, where tests of one value in a row become one box with several ways out. Wide decisions are
drawn from left to right. Labels are nodes of the layout, so nothing overlaps; long texts are cut, whole in the tooltip.
Layers are longest paths, order is by barycentres, places are a least-squares fit with distances kept (pool adjacent
violators): quadratic in the edges between two layers, so past ``_MAX_BOXES`` one box says so instead. DOT has no limit.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final
from xml.sax.saxutils import escape

from pointsman.core import OverBudget
from pointsman.program.table.machine import (
    App,
    Decide,
    Do,
    Goto,
    Machine,
    Node,
    Pick,
    Program,
    Raise,
    Return,
    State,
    Switch,
    Sym,
    Take,
    Term,
    made_by,
    nodes,
    symbols,
    terms_of,
)
from pointsman.program.table.rows import (
    Among,
    Cells,
    Fact,
    Row,
    Span,
    Step,
    both,
    condition,
    describe,
    join,
    name_of,
    rows_of,
    shown,
    signature,
    state_name,
    ways,
)

__all__ = ["to_dot", "to_svg"]

_MAX_BOXES: Final = 300
_MAX_WAYS: Final = 40
_MAX_ROWS: Final = 500  # of one state, in the picture of a machine with several
_WIDE: Final = 1400  # px; wider decisions are drawn from left to right

# px; the advance is that of the widest usual monospace font (0.62 em) at 12 px
_ADVANCE, _LINE, _PAD_X, _PAD_Y = 7.4, 16.0, 11.0, 7.0
_GAP, _LAYER_GAP, _MARGIN, _LOOP = 18.0, 20.0, 24.0, 30.0

_INDENT: Final = "\u00a0\u00a0"
_PAPER, _INK, _EDGE = "#fcfcfa", "#1f2933", "#7b8794"
_COLOURS: Final = {  # kind -> fill, stroke
    "state": ("#e7effa", "#4a78b5"),
    "test": ("#f3f4f6", "#8a97a8"),
    "return": ("#e4f3e8", "#3f8f5a"),
    "raise": ("#fbe8e5", "#c0564a"),
    "goto": ("#e7effa", "#4a78b5"),
}


@dataclass(frozen=True, slots=True)
class _Box:
    lines: tuple[str, ...]
    title: str
    kind: str

    def size(self) -> tuple[float, float]:
        return _text_size(self.lines)


@dataclass(frozen=True, slots=True)
class _Link:
    source: int
    target: int
    lines: tuple[str, ...] = ()
    title: str = ""
    dashed: bool = False


@dataclass(slots=True)
class _Graph:
    heading: str
    boxes: list[_Box] = field(default_factory=list)
    links: list[_Link] = field(default_factory=list)

    def add(self, box: _Box) -> int:
        self.boxes.append(box)
        return len(self.boxes) - 1


def _text_size(lines: Sequence[str]) -> tuple[float, float]:
    return max(map(len, lines), default=0) * _ADVANCE + 2 * _PAD_X, len(lines) * _LINE + 2 * _PAD_Y


def _cut(text: str, width: int, lines: int = 1) -> tuple[str, ...]:
    """The text in at most so many lines, the last one shortened."""
    wrapped = textwrap.wrap(text, width) or [text]
    if len(wrapped) > lines:
        wrapped = [*wrapped[: lines - 1], wrapped[lines - 1][: width - 1] + "…"]
    return tuple(wrapped)


# -- what to draw ------------------------------------------------------------------------------------------------------


def _graphs(program: Program) -> list[_Graph]:
    """The entry's first; parts of comprehensions are left out, as the tables write them ``…``."""
    names = sorted(program.machines, key=lambda name: name != program.entry)
    parts = {"element", "condition", "iterable"}
    return [_graph(program.machines[n]) for n in names if n.rpartition(".")[2].rstrip("0123456789") not in parts]


def _graph(machine: Machine) -> _Graph:
    graph = _Graph(signature(machine))
    if len(machine.states) == 1:
        _Decisions(graph, machine).draw()
    else:
        _draw_states(graph, machine)
    return graph


def _draw_states(graph: _Graph, machine: Machine) -> None:
    for state in machine.states:
        names = ", ".join(name_of(name) for name, _ in state.variables)
        known = "\n".join(f"{name_of(name)}: {r.kind} {_bounds(r.low, r.high)}".rstrip() for name, r in state.variables)
        graph.add(_Box((state_name(state), *_cut(names, 36, 2)), f"{state_name(state)}\n{known}", "state"))
    for state in machine.states:
        _draw_rows(graph, machine, state)
        if state.handler is not None:
            text = f"exception as {name_of(state.caught or '')}"
            graph.links.append(_Link(state.index, state.handler, (text,), text, dashed=True))


def _bounds(low: int | None, high: int | None) -> str:
    return "" if low is None and high is None else f"[{'' if low is None else low}..{'' if high is None else high}]"


def _draw_rows(graph: _Graph, machine: Machine, state: State) -> None:
    """One link to each state that rows go to, and to each outcome of its own."""
    try:
        rows = rows_of(state, _MAX_ROWS, merge=True)
    except OverBudget as error:
        graph.links.append(_Link(state.index, graph.add(_Box((f"more than {_MAX_ROWS} rows",), error.message, "goto"))))
        return
    targets: dict[int | str, list[Cells]] = {}
    for row in rows:
        cells = describe(row, machine.states)
        targets.setdefault(row.leaf.state if isinstance(row.leaf, Goto) else cells.then, []).append(cells)
    for target, group in targets.items():
        place = target if isinstance(target, int) else graph.add(_leaf(group[0].then))
        lines = [line for cells in group[:3] for line in ("", *_label(cells, isinstance(target, int)))][1:]
        more = ("", f"+ {len(group) - 3} more rows") if len(group) > 3 else ()
        title = "\n\n".join("\n".join((" and ".join(c.when) or "always", *c.do, c.then)) for c in group)
        graph.links.append(_Link(state.index, place, (*lines, *more), title))


def _label(cells: Cells, goes_on: bool) -> Iterable[str]:
    """What must hold, then what happens, each such line marked."""
    yield from _cut(" and ".join(cells.when), 36, 2) if cells.when else ()
    for step in cells.do[:3]:
        yield f"▸ {_cut(step, 36)[0]}"
    if len(cells.do) > 3:
        yield "▸ …"
    updates = cells.then.partition(": ")[2]
    if goes_on and updates:
        first, *rest = _cut(updates, 36, 2)
        yield f"▸ {first}"
        yield from (f"{_INDENT}{line}" for line in rest)


def _leaf(text: str, steps: Sequence[str] = ()) -> _Box:
    """A return, raise or goto, with the steps just before it."""
    lines = [line for step in steps[:3] for line in _cut(step, 34)] + (["…"] if len(steps) > 3 else [])
    kind = text.partition(" ")[0]
    return _Box((*lines, *_cut(text, 34, 3)), "\n".join((*steps, text)), kind)


class _Decisions:
    """The decisions of a machine's one state; outcomes with the same text are one box."""

    def __init__(self, graph: _Graph, machine: Machine) -> None:
        self.graph = graph
        self.machine = machine
        self.places: dict[Node, int] = {}
        self.leaves: dict[str, int] = {}

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
                self.graph.links.append(_Link(self.places[node], place, _cut(label, 28, 2), title))
                waiting += [child] if new else []

    def _place(self, node: Node) -> int:
        if node not in self.places:
            box = self._box(node)
            shared = self.leaves.get(box.title) if box.kind != "test" else None
            self.places[node] = self.graph.add(box) if shared is None else shared
            self.leaves.setdefault(box.title, self.places[node])
        return self.places[node]

    def _box(self, node: Node) -> _Box:
        tail, steps = _after_steps(node)
        done = tuple(Step(s, 0) for s in steps)
        if isinstance(tail, Goto | Return | Raise):
            cells = describe(Row((), done, tail), self.machine.states)
            return _leaf(cells.then, cells.do)
        own = {s.name for step in steps for s in made_by(step)}
        # named twice, so that the value keeps a name for the boxes below
        later = 2 * _used_in([n for top in _children(tail) for n in nodes(top)], own)
        test, asked = _question(tail)
        if asked is not None:
            cells = describe(Row((asked,), done, Return(App("build_tuple", later))))
            test = cells.when[0] if cells.when else "always"
        else:
            cells = describe(Row((), done, Return(App("build_tuple", (*later, *2 * _used_in([tail], own))))))
        lines = [line for step in cells.do for line in _cut(step, 34)]
        return _Box((*lines, *_cut(f"{test}?" if asked else test, 34, 3)), "\n".join((*cells.do, test)), "test")


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


def _question(tail: Node) -> tuple[str, tuple[Term, bool] | None]:
    """The text of a test; with two ways out also the atom that leads to the first."""
    if isinstance(tail, Take):
        return f"next item of {shown(tail.iterator)}", None
    term, found = _branches(tail)
    if len(found) != 2:
        return shown(term), None
    fact = found[0][1]
    if isinstance(fact, bool):
        return condition(term, True), (term, fact)
    simple = isinstance(fact, Span) and (fact.low is None) != (fact.high is None) and not fact.holes
    if isinstance(tail, Decide) and (simple or isinstance(fact, Among)):
        return "", _atom(term, fact)
    return shown(term), None


def _atom(term: Term, fact: Fact) -> tuple[Term, bool] | None:
    from pointsman.program.ir import Const

    if isinstance(fact, Among) and len(fact.values) == 1:
        return App("eq", (term, Const(next(iter(fact.values)))), (), "bool"), fact.inside
    if isinstance(fact, Among):
        return App("in", (term, Const(tuple(sorted(fact.values)))), (), "bool"), fact.inside
    if isinstance(fact, Span) and fact.high is not None:
        return App("lt", (term, Const(fact.high + 1)), (), "bool"), True
    return None


def _ways_out(tail: Node) -> list[tuple[Node, str, str]]:
    """(node, label, full text) of each way out of a test."""
    if isinstance(tail, Take):
        name = name_of(tail.result.name)
        return [(tail.then, name, f"its next item is {name}"), (tail.exhausted, "none", "it is exhausted")]
    term, found = _branches(tail)
    texts = [condition(term, fact) for _, fact in found]
    if _question(tail)[1] is not None:
        return [(child, word, text) for (child, _), word, text in zip(found, ("yes", "no"), texts, strict=True)]
    return [(child, _short(fact), text) for (child, fact), text in zip(found, texts, strict=True)]


def _short(fact: Fact) -> str:
    if isinstance(fact, Among):
        return ", ".join(map(repr, sorted(fact.values))) if fact.inside else "other"
    if isinstance(fact, Span) and not fact.holes:
        return condition(Sym("x"), fact).removeprefix("x ").removeprefix("== ").replace("x", "…")
    return "other" if isinstance(fact, Span) else ("yes" if fact else "no")


# -- layout ------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Item:
    """A thing in a layer: a box, a label, or a link passing by. ``across`` is its extent along the layer."""

    layer: int
    across: float
    depth: float
    at: float = 0.0
    up: list[int] = field(default_factory=list)
    down: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Route:
    """A link's items from the upper layer to the lower one; ``label`` is the item that shows its text."""

    link: _Link
    items: tuple[int, ...]
    reversed: bool
    label: int | None


class _Layout:
    """Places of a graph's boxes and labels. ``sideways``: layers are columns, the first one on the left."""

    def __init__(self, graph: _Graph, sideways: bool) -> None:
        self.graph = graph
        self.sideways = sideways
        self.loops = [link for link in graph.links if link.source == link.target]
        links = [link for link in graph.links if link.source != link.target]
        back = _back_links(len(graph.boxes), links)
        ranks = _ranks(len(graph.boxes), [_ends(link, link in back) for link in links])
        self.items: list[_Item] = []
        for i, box in enumerate(graph.boxes):
            width, height = self._sizes(box.size())
            wide, high = self._beside(i)
            self.items.append(_Item(2 * ranks[i], width + wide, max(height, high)))
        self.routes = [self._route(link, link in back) for link in links]
        self.layers = self._layers()
        self._order()
        self._spread()
        self.starts = self._depths()

    def _sizes(self, size: tuple[float, float]) -> tuple[float, float]:
        return (size[1], size[0]) if self.sideways else size

    def _beside(self, box: int) -> tuple[float, float]:
        """Room for what is written at the links from a box to itself."""
        sizes = [_text_size(link.lines) for link in self.loops if link.source == box]
        return (_LOOP + max(w for w, _ in sizes), sum(h for _, h in sizes)) if sizes else (0.0, 0.0)

    def _route(self, link: _Link, turned: bool) -> _Route:
        top, bottom = _ends(link, turned)
        chain, label = [top], None
        for layer in range(self.items[top].layer + 1, self.items[bottom].layer):
            across, depth = 6.0, 0.0
            if link.lines and label is None:
                wide, high = _text_size(link.lines)
                across, depth = self._sizes((wide, high - 2 * _PAD_Y + 4))
                label = len(self.items)
            chain.append(len(self.items))
            self.items.append(_Item(layer, across, depth))
        chain.append(bottom)
        for upper, lower in pairwise(chain):
            self.items[upper].down.append(lower)
            self.items[lower].up.append(upper)
        return _Route(link, tuple(chain), turned, label)

    def _layers(self) -> list[list[int]]:
        """Items by layer, in the order of a walk down from the first box."""
        layers: list[list[int]] = [[] for _ in range(max(item.layer for item in self.items) + 1)]
        seen: set[int] = set()
        for root in range(len(self.graph.boxes)):
            stack = [root]
            while stack:
                item = stack.pop()
                if item not in seen:
                    seen.add(item)
                    layers[self.items[item].layer].append(item)
                    stack.extend(reversed(self.items[item].down))
        return layers

    def _order(self) -> None:
        """Sweeps of barycentres down and up; the order with the fewest crossings stays."""
        best, fewest = [list(layer) for layer in self.layers], self._crossings()
        for sweep in range(10):
            downwards = sweep % 2 == 0
            for layer in self.layers if downwards else reversed(self.layers):
                places = {item: i for items in self.layers for i, item in enumerate(items)}
                keys = {}
                for item in layer:
                    near = self.items[item].up if downwards else self.items[item].down
                    keys[item] = sum(places[n] for n in near) / len(near) if near else float(places[item])
                layer.sort(key=keys.__getitem__)
            crossings = self._crossings()
            if crossings < fewest:
                best, fewest = [list(layer) for layer in self.layers], crossings
        self.layers = best

    def _crossings(self) -> int:
        places = {item: i for items in self.layers for i, item in enumerate(items)}
        total = 0
        for layer in self.layers:
            ends = [places[n] for item in layer for n in sorted(self.items[item].down, key=places.__getitem__)]
            total += sum(a > b for i, a in enumerate(ends) for b in ends[i + 1 :])
        return total

    def _spread(self) -> None:
        """Places along the layers: near the neighbours, in order, at a distance."""
        for layer in self.layers:
            self._fit(layer, [(0.0, 1.0)] * len(layer))
        for sweep in range(30):
            for layer in self.layers if sweep % 2 == 0 else reversed(self.layers):
                wanted = []
                for index in layer:
                    item = self.items[index]
                    near = (item.up + item.down) if sweep >= 20 else (item.up if sweep % 2 == 0 else item.down)
                    pulls = [self._pull(index, n) for n in near]
                    total = sum(pull * self.items[n].at for pull, n in zip(pulls, near, strict=True))
                    wanted.append((total / sum(pulls), sum(pulls)) if near else (item.at, 0.1))
                self._fit(layer, wanted)
        left = min(one.at - one.across / 2 for one in self.items)
        for one in self.items:
            one.at -= left

    def _pull(self, item: int, other: int) -> float:
        """How straight a piece of a link should be: most where it passes boxes by."""
        passing = sum(i >= len(self.graph.boxes) for i in (item, other))
        return (1.0, 1.5, 8.0)[passing]

    def _fit(self, layer: list[int], wanted: Sequence[tuple[float, float]]) -> None:
        """The places nearest to those wanted (each with its weight), in order and apart."""
        offsets, total = [0.0], 0.0
        for before, after in pairwise(self.items[i] for i in layer):
            total += (before.across + after.across) / 2 + _GAP
            offsets.append(total)
        pools: list[tuple[float, float, int]] = []  # (mean, weight, number of items)
        for (want, weight), offset in zip(wanted, offsets, strict=False):
            mean, count = want - offset, 1
            while pools and pools[-1][0] > mean:
                other, its_weight, its_count = pools.pop()
                mean = (mean * weight + other * its_weight) / (weight + its_weight)
                weight, count = weight + its_weight, count + its_count
            pools.append((mean, weight, count))
        means = [mean for mean, _, count in pools for _ in range(count)]
        for item, mean, offset in zip(layer, means, offsets, strict=False):
            self.items[item].at = mean + offset

    def _depths(self) -> list[tuple[float, float]]:
        """(start, end) of each layer."""
        starts, here = [], 0.0
        for layer in self.layers:
            depth = max((self.items[i].depth for i in layer), default=0.0)
            starts.append((here, here + depth))
            here += depth + _LAYER_GAP
        return starts

    def extent(self) -> tuple[float, float]:
        return self.turned(max(i.at + i.across / 2 for i in self.items), self.starts[-1][1])

    def turned(self, across: float, depth: float) -> tuple[float, float]:
        """(x, y) of a place in the layers."""
        return (depth, across) if self.sideways else (across, depth)

    def corner(self, item: int) -> tuple[float, float]:
        one = self.items[item]
        return self.turned(one.at - one.across / 2, self.starts[one.layer][0])

    def line(self, route: _Route) -> tuple[str, tuple[float, float], bool]:
        """(SVG path, arrow's tip, whether it points back) of a link."""
        top, bottom = self.items[route.items[0]], self.items[route.items[-1]]
        first = self._port(route.items[0], route.items[1], top.down)
        last = self._port(route.items[-1], route.items[-2], bottom.up)
        places = [first, *(self.items[i].at for i in route.items[1:-1]), last]
        depth = self.starts[top.layer][0] + self._own_depth(route.items[0])
        text = f"M{self._point(first, depth)} L{self._point(first, self.starts[top.layer][1])}"
        for place, upper, lower in zip(places[1:], route.items, route.items[1:], strict=False):
            end, start = self.starts[self.items[upper].layer][1], self.starts[self.items[lower].layer][0]
            before = places[route.items.index(upper)]
            middle = (end + start) / 2
            text += f" C{self._point(before, middle)} {self._point(place, middle)} {self._point(place, start)}"
            if lower != route.items[-1]:
                text += f" L{self._point(place, self.starts[self.items[lower].layer][1])}"
        tip = self.turned(first, depth) if route.reversed else self.turned(last, self.starts[bottom.layer][0])
        return text, tip, route.reversed

    def _own_depth(self, box: int) -> float:
        return self._sizes(self.graph.boxes[box].size())[1]

    def _port(self, box: int, neighbour: int, neighbours: list[int]) -> float:
        """Where a link meets a box: links in the order of where they go."""
        width = self._sizes(self.graph.boxes[box].size())[0]
        order = sorted(range(len(neighbours)), key=lambda i: self.items[neighbours[i]].at)
        rank = order.index(neighbours.index(neighbour))
        # many ways out of a test leave as one trunk
        trunk = len(neighbours) > 3 and neighbours is self.items[box].down and self.graph.boxes[box].kind == "test"
        step = 0.0 if trunk else min(26.0, (width - 14) / max(len(neighbours), 1))
        middle = self.items[box].at - self.items[box].across / 2 + width / 2
        return middle + (rank - (len(neighbours) - 1) / 2) * step

    def _point(self, across: float, depth: float) -> str:
        x, y = self.turned(across, depth)
        return f"{x:.1f},{y:.1f}"


def _ends(link: _Link, turned: bool) -> tuple[int, int]:
    return (link.target, link.source) if turned else (link.source, link.target)


def _back_links(count: int, links: Sequence[_Link]) -> set[_Link]:
    """The links that close a cycle in a walk from the first box."""
    out: dict[int, list[_Link]] = {}
    for link in links:
        out.setdefault(link.source, []).append(link)
    state = [0] * count  # 1: on the way from the root, 2: done
    back: set[_Link] = set()
    for root in range(count):
        stack = [(root, iter(out.get(root, ())))] if state[root] == 0 else []
        state[root] = max(state[root], 1)
        while stack:
            box, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                state[box] = 2
                stack.pop()
            elif state[following.target] == 1:
                back.add(following)
            elif state[following.target] == 0:
                state[following.target] = 1
                stack.append((following.target, iter(out.get(following.target, ()))))
    return back


def _ranks(count: int, pairs: Sequence[tuple[int, int]]) -> list[int]:
    """The longest path to each box."""
    ranks, waiting = [0] * count, [0] * count
    out: dict[int, list[int]] = {}
    for source, target in pairs:
        out.setdefault(source, []).append(target)
        waiting[target] += 1
    ready = [i for i in range(count) if waiting[i] == 0]
    while ready:
        box = ready.pop()
        for target in out.get(box, ()):
            ranks[target] = max(ranks[target], ranks[box] + 1)
            waiting[target] -= 1
            if waiting[target] == 0:
                ready.append(target)
    return ranks


# -- SVG ---------------------------------------------------------------------------------------------------------------


def to_svg(program: Program) -> str:
    """All functions of a program as one picture, the entry's first."""
    parts, top, width = [], _MARGIN, 0.0
    for graph in _graphs(program):
        text, (wide, high) = _drawn(_small(graph))
        heading = max(wide, len(graph.heading) * _ADVANCE * 1.1)
        parts.append(_text(_MARGIN, top + 14, graph.heading, 'font-size="13" font-weight="600"'))
        parts.append(f'<g transform="translate({_MARGIN},{top + 30:.1f})">{text}</g>')
        top, width = top + 30 + high + 2 * _MARGIN, max(width, heading)
    size = f'width="{width + 2 * _MARGIN:.0f}" height="{top:.0f}"'
    view = f'viewBox="0 0 {width + 2 * _MARGIN:.0f} {top:.0f}"'
    font = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {view} role="img" '
        f'font-family="{font}" font-size="12" fill="{_INK}">'
        f"<title>{escape(program.entry)}</title>"
        f'<rect class="paper" width="100%" height="100%" rx="8" fill="{_PAPER}"/>{"".join(parts)}</svg>\n'
    )


def _small(graph: _Graph) -> _Graph:
    if len(graph.boxes) <= _MAX_BOXES:
        return graph
    text = f"{len(graph.boxes)} boxes: too many to draw"
    return _Graph(graph.heading, [_Box((text,), text, "goto")])


def _drawn(graph: _Graph) -> tuple[str, tuple[float, float]]:
    layout = _Layout(graph, sideways=False)
    if layout.extent()[0] > _WIDE and not layout.loops:
        layout = _Layout(graph, sideways=True)
    lines = [_svg_route(layout, route) for route in layout.routes]
    labels = [_svg_label(layout, route) for route in layout.routes if route.label is not None]
    boxes = [_svg_box(layout, i) for i in range(len(graph.boxes))]
    return "".join([*lines, *labels, *boxes]), layout.extent()


def _svg_route(layout: _Layout, route: _Route) -> str:
    path, (x, y), back = layout.line(route)
    dash = ' stroke-dasharray="4 3"' if route.link.dashed else ""
    line = f'<path d="{path}" fill="none" stroke="{_EDGE}" stroke-width="1.2"{dash}/>'
    step = 7 if back else -7
    corners = [(step, -3.5), (step, 3.5)] if layout.sideways else [(-3.5, step), (3.5, step)]
    return line + _arrow(x, y, corners)


def _arrow(x: float, y: float, corners: Sequence[tuple[float, float]]) -> str:
    points = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in ((0.0, 0.0), *corners))
    return f'<polygon points="{points}" fill="{_EDGE}"/>'


def _svg_label(layout: _Layout, route: _Route) -> str:
    assert route.label is not None
    item = layout.items[route.label]
    x, y = layout.corner(route.label)
    width, height = layout.turned(item.across, item.depth)
    return _lines(x, y, width, height, route.link.lines, route.link.title, "label", f'fill="{_PAPER}"')


def _svg_box(layout: _Layout, index: int) -> str:
    box = layout.graph.boxes[index]
    x, y = layout.corner(index)
    width, height = box.size()
    fill, stroke = _COLOURS[box.kind]
    radius = {"state": 5, "test": 8}.get(box.kind, min(height / 2, 14))
    style = f'rx="{radius:.0f}" fill="{fill}" stroke="{stroke}" stroke-width="1.2"'
    text = _lines(x, y, width, height, box.lines, box.title, "box", style, bold=box.kind == "state")
    for link in layout.loops:
        if link.source == index:
            text += _svg_loop(x + width, y, height, link)
            y += _text_size(link.lines)[1]
    return text


def _svg_loop(x: float, y: float, height: float, link: _Link) -> str:
    wide, high = _text_size(link.lines)
    top, bottom = y + min(height, high) * 0.25, y + min(height, high) * 0.75
    path = f"M{x:.1f},{top:.1f} C{x + _LOOP:.1f},{top - 6:.1f} {x + _LOOP:.1f},{bottom + 6:.1f} {x:.1f},{bottom:.1f}"
    line = f'<path d="{path}" fill="none" stroke="{_EDGE}" stroke-width="1.2"/>' + _arrow(x, bottom, [(7, -5), (8, 2)])
    style = f'fill="{_PAPER}"'
    return line + _lines(x + _LOOP - 4, y, wide, high, link.lines, link.title, "label", style)


def _lines(
    x: float, y: float, width: float, height: float, lines: Sequence[str], title: str, kind: str, style: str,
    *, bold: bool = False,
) -> str:  # fmt: skip
    """A rectangle with lines of text in its middle, and the whole text as its tooltip."""
    left = kind == "label" and len(lines) > 1
    first = y + (height - len(lines) * _LINE) / 2 + 12
    rect = f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" {style}/>'
    texts = []
    for i, line in enumerate(lines):
        weight = ' font-weight="600"' if bold and i == 0 else ""
        muted = ' fill="#52606d"' if (bold and i) or (kind == "label" and not line.startswith(("▸", _INDENT))) else ""
        place = x + _PAD_X if left else x + width / 2
        anchor = "start" if left else "middle"
        texts.append(_text(place, first + i * _LINE, line, f'text-anchor="{anchor}"{weight}{muted}'))
    return f"<g><title>{escape(title)}</title>{rect}{''.join(texts)}</g>"


def _text(x: float, y: float, text: str, style: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(text)}</text>'


# -- DOT ---------------------------------------------------------------------------------------------------------------


def to_dot(program: Program) -> str:
    """The same picture for Graphviz, each function a cluster."""
    out = [f"digraph {_quoted(program.entry)} {{"]
    out.append('  node [shape=box, style="rounded,filled", fontname="monospace", fontsize=11];')
    out.append('  edge [fontname="monospace", fontsize=10];')
    for number, graph in enumerate(_graphs(program)):
        out += [f"  subgraph cluster_{number} {{", f"    label={_quoted(graph.heading)};"]
        for i, box in enumerate(graph.boxes):
            fill, stroke = _COLOURS[box.kind]
            shape = f'label={_quoted(*box.lines)}, tooltip={_quoted(box.title)}, fillcolor="{fill}", color="{stroke}"'
            out.append(f"    n{number}_{i} [{shape}];")
        for link in graph.links:
            dashed = ", style=dashed" if link.dashed else ""
            text = f"label={_quoted(*link.lines)}, tooltip={_quoted(link.title)}{dashed}"
            out.append(f"    n{number}_{link.source} -> n{number}_{link.target} [{text}];")
        out.append("  }")
    return "\n".join([*out, "}", ""])


def _quoted(*lines: str) -> str:
    escaped = [line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for line in lines]
    return '"' + "\\n".join(escaped) + '"'
