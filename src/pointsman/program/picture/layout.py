"""A small layered layout: labels are nodes of it, so nothing overlaps.

Layers are longest paths, order is by barycentres, places are a least-squares fit with distances kept (pool adjacent
violators): quadratic in the edges between two layers. Everything is pulled a little to the middle, since a narrow
picture reads better than the straightest one (examples/airline.py: 1,477 px wide, and 2,118 px without). Then links
that pass layers by are made straight where there is room.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from pointsman.program.picture.graph import PAD_Y, Graph, Link, text_size

__all__ = ["LOOP", "Layout", "Route"]

# px; between items of a layer, between layers, beside a box for its own links
_GAP, _LAYER_GAP, LOOP = 18.0, 20.0, 30.0
# sweeps; those that look at one side only; the pull to the middle, where that of a link is 1: chosen by looking
_SWEEPS, _ONE_SIDED, _INWARD = 120, 20, 0.05


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
class Route:
    """A link's items from the upper layer to the lower one; ``label`` is the item that shows its text."""

    link: Link
    items: tuple[int, ...]
    reversed: bool
    label: int | None


class Layout:
    """Places of a graph's boxes and labels. ``sideways``: layers are columns, the first one on the left."""

    def __init__(self, graph: Graph, sideways: bool) -> None:
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
        for _ in range(4):  # what one link gives up, another can use
            self._straighten()
        left = min(item.at - item.across / 2 for item in self.items)
        for item in self.items:
            item.at -= left
        self.starts = self._depths()

    def _sizes(self, size: tuple[float, float]) -> tuple[float, float]:
        return (size[1], size[0]) if self.sideways else size

    def _beside(self, box: int) -> tuple[float, float]:
        """Room for what is written at the links from a box to itself."""
        sizes = [text_size(link.lines) for link in self.loops if link.source == box]
        return (LOOP + max(w for w, _ in sizes), sum(h for _, h in sizes)) if sizes else (0.0, 0.0)

    def _route(self, link: Link, turned: bool) -> Route:
        top, bottom = _ends(link, turned)
        chain, label = [top], None
        for layer in range(self.items[top].layer + 1, self.items[bottom].layer):
            across, depth = 6.0, 0.0
            if link.lines and label is None:
                wide, high = text_size(link.lines)
                across, depth = self._sizes((wide, high - 2 * PAD_Y + 4))
                label = len(self.items)
            chain.append(len(self.items))
            self.items.append(_Item(layer, across, depth))
        chain.append(bottom)
        for upper, lower in pairwise(chain):
            self.items[upper].down.append(lower)
            self.items[lower].up.append(upper)
        return Route(link, tuple(chain), turned, label)

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
        """Places along the layers: near the neighbours and a little to the middle, in order, at a distance."""
        for layer in self.layers:
            self._fit(layer, [(0.0, 1.0)] * len(layer))
        for sweep in range(_SWEEPS):
            middle = sum(item.at for item in self.items) / len(self.items)
            for layer in self.layers if sweep % 2 == 0 else reversed(self.layers):
                wanted = []
                for index in layer:
                    item = self.items[index]
                    near = (item.up + item.down) if sweep >= _ONE_SIDED else (item.up if sweep % 2 == 0 else item.down)
                    pulls = [self._pull(index, n) for n in near]
                    total = sum(pull * self.items[n].at for pull, n in zip(pulls, near, strict=True))
                    weight = sum(pulls) + _INWARD
                    wanted.append(((total + _INWARD * middle) / weight, weight))
                self._fit(layer, wanted)

    def _straighten(self) -> None:
        """Links that pass layers by bend only where they must: pieces of them move to one place each."""
        for route in self.routes:
            piece: list[int] = []
            low, high = float("-inf"), float("inf")
            for item in route.items[1:-1]:
                left, right = self._room(item)
                if max(low, left) > min(high, right):
                    self._align(piece, low, high)
                    piece, low, high = [], float("-inf"), float("inf")
                piece, low, high = [*piece, item], max(low, left), min(high, right)
            self._align(piece, low, high)

    def _room(self, item: int) -> tuple[float, float]:
        """From where to where an item can move without a change of order."""
        layer, half = self.layers[self.items[item].layer], self.items[item].across / 2 + _GAP
        place = layer.index(item)
        before = [self.items[i].at + self.items[i].across / 2 + half for i in layer[place - 1 : place]]
        after = [self.items[i].at - self.items[i].across / 2 - half for i in layer[place + 1 : place + 2]]
        low, high = max(before, default=float("-inf")), min(after, default=float("inf"))
        return min(low, self.items[item].at), max(high, self.items[item].at)  # rounding must not exclude where it is

    def _align(self, piece: list[int], low: float, high: float) -> None:
        if piece:
            mean = sum(self.items[i].at for i in piece) / len(piece)
            for item in piece:
                self.items[item].at = min(max(mean, low), high)

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

    def line(self, route: Route) -> tuple[str, tuple[float, float], bool]:
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
        trunk = len(neighbours) > 3 and neighbours is self.items[box].down and self.graph.boxes[box].decides()
        step = 0.0 if trunk else min(26.0, (width - 14) / max(len(neighbours), 1))
        middle = self.items[box].at - self.items[box].across / 2 + width / 2
        return middle + (rank - (len(neighbours) - 1) / 2) * step

    def _point(self, across: float, depth: float) -> str:
        x, y = self.turned(across, depth)
        return f"{x:.1f},{y:.1f}"


def _ends(link: Link, turned: bool) -> tuple[int, int]:
    return (link.target, link.source) if turned else (link.source, link.target)


def _back_links(count: int, links: Sequence[Link]) -> set[Link]:
    """The links that close a cycle in a walk from the first box."""
    out: dict[int, list[Link]] = {}
    for link in links:
        out.setdefault(link.source, []).append(link)
    state = [0] * count  # 1: on the way from the root, 2: done
    back: set[Link] = set()
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
