"""States made of parts of a state's DAG: the part stands once, and ways to it become ``Goto``.

    state 0: if a: X else: (if b: Y else: BIG)   ->   state 0: if a: X else: (if b: Y else: goto 1)
                                                       state 1: BIG

Nothing but the place of a node changes, so a cut machine does what the machine did. ``bound_depth`` uses it on DAGs
that are deeper than everything behind it should have to recurse: a list of 100,000 rules is one chain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from pointsman.program.table.machine import (
    Goto,
    Machine,
    Node,
    Range,
    State,
    Sym,
    made_by,
    postorder,
    rebuilt,
    successors,
    symbols,
    terms_of,
)

__all__ = ["REST", "bound_depth", "cut", "free_symbols"]

REST = "rest"  # the label of a state that carries a deep one on
_MAX_DEPTH = 400  # nodes; chosen: well inside of Python's own limit of 1,000 frames
_WINDOW = 6  # nodes; chosen: paths that are not cut at the same node are cut again and again if it is large


def free_symbols(root: Node) -> dict[int, frozenset[Sym]]:
    """For the id of every node: the symbols that it and what is below it read and do not make themselves."""
    free: dict[int, frozenset[Sym]] = {}
    for node in postorder(root):
        made = made_by(node)
        below = [free[id(child)] for child in successors(node)]
        if made:  # nothing is taken on the way to a Take's second successor
            below = [below[0].difference(made), *below[1:]]
        wanted = below[0] if below else frozenset[Sym]()
        for other in (*below[1:], frozenset(s for term in terms_of(node) for s in symbols(term))):
            wanted = wanted if other <= wanted else wanted | other
        free[id(node)] = wanted
    return free


def cut(machine: Machine, chosen: Callable[[State], Sequence[Node]], label: str) -> tuple[tuple[State, ...], list[int]]:
    """The machine's states with every chosen node turned into a state, and for each state the one it was part of."""
    done: list[State] = []
    extra: list[State] = []
    origins = list(range(len(machine.states)))
    for state in machine.states:
        kept = set() if state.handler is None else {n for n, _ in machine.states[state.handler].variables}
        made: dict[Node, Goto] = {}
        parts = chosen(state)
        free = free_symbols(state.root) if parts else {}
        for node in parts:
            needed = {s.name: s.kind for s in free[id(node)]}
            needed |= {n: r.kind for n, r in state.variables if n in kept}  # an exception's handler reads these
            index = len(machine.states) + len(extra) + len(made)
            made[node] = Goto(index, tuple((name, Sym(name, kind)) for name, kind in sorted(needed.items())))
        for node in parts:
            goto = made[node]
            variables = tuple((name, Range(term.kind)) for name, term in goto.updates if isinstance(term, Sym))
            root = _replaced(node, made)
            extra.append(replace(state, index=goto.state, label=label, variables=variables, root=root, loop=False))
            origins.append(state.index)
        done.append(replace(state, root=_replaced(state.root, made)))
    return (*done, *extra), origins


def _replaced(root: Node, made: dict[Node, Goto]) -> Node:
    """``root`` with each node of ``made`` below it replaced (not ``root`` itself)."""
    if not made:
        return root
    return rebuilt(root, lambda before, node: node if before is root else made.get(before, node), made)


def bound_depth(machine: Machine, max_depth: int = _MAX_DEPTH) -> tuple[Machine, list[int]]:
    """The machine, and its generic one, with no DAG much deeper than ``max_depth``; for each state its origin."""
    generic = None if machine.generic is None else bound_depth(machine.generic, max_depth)[0]
    states, origins = cut(machine, lambda state: _deep(state.root, max_depth), REST)
    return replace(machine, states=states, generic=generic), origins


def _deep(root: Node, max_depth: int) -> list[Node]:
    """Where to cut: ``max_depth`` above the last cut, or a little higher at a node that reads no step's result."""
    chosen: list[Node] = []
    height: dict[int, int] = {}
    for node in postorder(root):
        deep = 1 + max((height[id(child)] for child in successors(node)), default=0)
        if deep >= max_depth and node is not root and (deep >= max_depth + _WINDOW or not _reads_a_step(node)):
            chosen.append(node)
            deep = 0
        height[id(node)] = deep
    return chosen


def _reads_a_step(node: Node) -> bool:
    return any(symbol.name.startswith("%") for term in terms_of(node) for symbol in symbols(term))
