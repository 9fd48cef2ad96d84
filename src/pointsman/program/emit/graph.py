"""The shape of a machine's control flow, for the emitter: dominators, natural loops, handler scopes.

Nodes that several paths share become states of their own first, so that each state's DAG is a tree and nothing is
emitted twice (leaves and other trifles are).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from pointsman.program.table.cut import cut
from pointsman.program.table.machine import Do, Goto, Machine, Node, Raise, State, nodes, successors

__all__ = ["Graph", "split_shared"]

_TRIFLE = 3  # nodes; chosen: a shared part this small is copied
_RAISE = 8  # nodes, likewise, of a part that raises


def split_shared(machine: Machine) -> tuple[State, ...]:
    """The machine's states with every shared node of some size turned into a state."""
    states, _ = cut(machine, lambda state: _shared(state.root), "join")
    return states


def _shared(root: Node) -> list[Node]:
    parents: Counter[Node] = Counter()
    for node in nodes(root):
        for child in successors(node):
            parents[child] += 1
    return [n for n, c in parents.items() if c > 1 and _weight(n, _TRIFLE + 1) > _TRIFLE and not _only_raises(n)]


def _only_raises(node: Node) -> bool:
    """Whether a shared part is some steps that make an exception: copied, ways to what follows need no selector."""
    for _ in range(_RAISE):
        if isinstance(node, Raise):
            return True
        if not isinstance(node, Do):
            return False
        node = node.next
    return False


def _weight(node: Node, limit: int) -> int:
    total = 1
    for child in successors(node):
        if total >= limit:
            break
        total += _weight(child, limit - total)
    return total


@dataclass(frozen=True, slots=True)
class Loop:
    header: int
    members: frozenset[int]
    outer: int | None  # the header of the next enclosing loop


class Graph:
    """Control flow among states. ``entries[s]``: the Goto leaves that lead to s, as (from state) repeated."""

    def __init__(self, states: tuple[State, ...]) -> None:
        self.states = states
        self.targets: list[list[int]] = []
        self.entries: list[list[int]] = [[] for _ in states]
        for state in states:
            leaves = _gotos(state.root)
            self.targets.append(leaves)
            for target in leaves:
                self.entries[target].append(state.index)
        self.handlers: list[int | None] = [s.handler for s in states]
        self.order = self._reverse_postorder()
        self.position = {index: place for place, index in enumerate(self.order)}
        self.parent = self._dominators()
        self.children: dict[int, list[int]] = {index: [] for index in self.order}
        for index in self.order[1:]:
            self.children[self.parent[index]].append(index)
        self.loop_of, self.loops = self._loops()

    def _successors(self, index: int) -> list[int]:
        handler = self.handlers[index]
        return self.targets[index] + ([handler] if handler is not None else [])

    def _reverse_postorder(self) -> list[int]:
        seen, order = {0}, []
        stack: list[tuple[int, list[int]]] = [(0, list(self._successors(0)))]
        while stack:
            index, rest = stack[-1]
            if rest:
                following = rest.pop()
                if following not in seen:
                    seen.add(following)
                    stack.append((following, list(self._successors(following))))
            else:
                order.append(index)
                stack.pop()
        return order[::-1]

    def _dominators(self) -> dict[int, int]:
        """Immediate dominators (Cooper, Harvey, Kennedy 2001)."""
        before: dict[int, set[int]] = {index: set() for index in self.order}
        for index in self.order:
            for target in self._successors(index):
                before[target].add(index)
        parent = {0: 0}
        changed = True
        while changed:
            changed = False
            for index in self.order[1:]:
                known = [p for p in before[index] if p in parent]
                best = known[0]
                for other in known[1:]:
                    best = self._common(parent, best, other)
                if parent.get(index) != best:
                    parent[index] = best
                    changed = True
        return parent

    def _common(self, parent: dict[int, int], left: int, right: int) -> int:
        while left != right:
            while self.position[left] > self.position[right]:
                left = parent[left]
            while self.position[right] > self.position[left]:
                right = parent[right]
        return left

    def dominates(self, above: int, index: int) -> bool:
        while index != above and index != 0:
            index = self.parent[index]
        return index == above

    def _loops(self) -> tuple[dict[int, int | None], dict[int, Loop]]:
        """The innermost loop of each state, and the natural loops by header."""
        members: dict[int, set[int]] = {}
        before: dict[int, list[int]] = {index: [] for index in self.order}
        for index in self.order:
            for target in self._successors(index):
                before[target].append(index)
        for index in self.order:
            for target in self._successors(index):
                if self.dominates(target, index):
                    members.setdefault(target, {target}).update(self._natural(target, index, before))
        loop_of: dict[int, int | None] = dict.fromkeys(self.order)
        for header in sorted(members, key=lambda h: -len(members[h])):
            for member in members[header]:
                loop_of[member] = header
        loops = {}
        for header, inside in members.items():
            outer = [h for h, m in members.items() if h != header and header in m]
            nearest = min(outer, key=lambda h: len(members[h])) if outer else None
            loops[header] = Loop(header, frozenset(inside), nearest)
        return loop_of, loops

    def _natural(self, header: int, tail: int, before: dict[int, list[int]]) -> set[int]:
        inside, stack = {header}, [tail]
        while stack:
            index = stack.pop()
            if index in inside:
                continue
            inside.add(index)
            stack.extend(before[index])
        return inside

    @property
    def reducible(self) -> bool:
        """Whether every edge goes forward in order or back to a dominator."""
        return all(
            self.position[t] > self.position[s] or self.dominates(t, s) for s in self.order for t in self._successors(s)
        )


def _gotos(root: Node) -> list[int]:
    """Targets of the tree's Goto leaves, one for each path occurrence."""
    found: list[int] = []
    stack = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, Goto):
            found.append(node.state)
        stack.extend(successors(node))
    return found
