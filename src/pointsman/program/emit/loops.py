"""Recognising loops that Python writes as `for`: counted ones, and ones whose iterator nothing else touches."""

from __future__ import annotations

from dataclasses import dataclass

from pointsman.program.emit.graph import Graph
from pointsman.program.ir import Const
from pointsman.program.table.machine import App, Decide, Goto, Node, Sym, Term, nodes, symbols, terms_of

__all__ = ["Counted", "counted_loop", "is_invariant", "leaves_loop"]


@dataclass(frozen=True)
class Counted:
    """``for variable in range(its value at entry, stop, step)`` around ``body``; then ``exit``."""

    variable: str
    stop: Term
    step: int
    body: Node
    exit: Node


def leaves_loop(root: Node, members: frozenset[int]) -> bool:
    return not any(isinstance(n, Goto) and n.state in members for n in nodes(root))


def is_invariant(graph: Graph, header: int, variable: str) -> bool:
    """Whether a variable of the loop keeps its value in it and is read by the head's own test alone."""
    members = graph.loops[header].members
    for index in members:
        state = graph.states[index]
        for node in nodes(state.root):
            if isinstance(node, Goto):
                if not _carries(node, variable, members):
                    return False
            elif not (index == header and node is state.root):
                if any(s.name == variable for t in terms_of(node) for s in symbols(t)):
                    return False
    handlers = {graph.states[index].handler for index in members} - {None} - members
    # a handler inside the loop carries the iterator on; one outside must not see it
    return not any(name == variable for h in handlers if h is not None for name, _ in graph.states[h].variables)


def _carries(node: Goto, variable: str, members: frozenset[int]) -> bool:
    """A leaf passes the variable on unchanged inside the loop, and not at all outside."""
    for name, term in node.updates:
        reads = [s for s in symbols(term) if s.name == variable]
        if name == variable:
            if node.state not in members or not (isinstance(term, Sym) and term.name == variable):
                return False
        elif reads:
            return False
    return True


def counted_loop(graph: Graph, header: int) -> Counted | None:
    state = graph.states[header]
    if not isinstance(state.root, Decide):
        return None
    found = _test(state.root)
    if found is None:
        return None
    variable, stop, up, body, leave = found
    members = graph.loops[header].members
    if "#" not in variable or not leaves_loop(leave, members) or leaves_loop(body, members):
        return None
    steps = set()
    for index in members:
        for node in nodes(graph.states[index].root):
            if isinstance(node, Goto):
                step = _step(node, variable, members, index == header)
                if step is None:
                    return None
                steps.add(step)
            elif index != header and any(s.name == variable for t in terms_of(node) for s in symbols(t)):
                return None
    steps.discard(0)
    if len(steps) != 1:
        return None
    step = steps.pop()
    if (step > 0) != up or not _stays(graph, header, stop):
        return None
    if any(s.name == variable for n in nodes(leave) for t in terms_of(n) for s in symbols(t)):
        return None
    return Counted(variable, stop, step, body, leave)


def _test(root: Decide) -> tuple[str, Term, bool, Node, Node] | None:
    """(counter, stop, whether it counts up, body, exit) of the head's test."""
    atom = root.atom
    if not isinstance(atom, App) or atom.op != "lt":
        return None
    left, right = atom.args
    if isinstance(left, Sym) and "#" in left.name and isinstance(right, Const | Sym):
        down = isinstance(right, Const) and _counts_down(root.no, left.name)
        if down and isinstance(right, Const):
            return left.name, Const(right.value - 1), False, root.no, root.yes
        return left.name, right, True, root.yes, root.no
    if isinstance(right, Sym) and "#" in right.name and isinstance(left, Sym):
        return right.name, left, False, root.yes, root.no
    return None


def _counts_down(body: Node, variable: str) -> bool:
    return any(
        isinstance(n, Goto) and any(k == variable and isinstance(t, App) and t.op == "sub" for k, t in n.updates)
        for n in nodes(body)
    )


def _step(node: Goto, variable: str, members: frozenset[int], at_header: bool) -> int | None:
    """By how much a leaf moves the counter: its step at the head, 0 elsewhere; None when it does anything else."""
    updates = dict(node.updates)
    if node.state not in members:
        return None if variable in updates else 0
    term = updates.get(variable)
    if not at_header:
        carried = isinstance(term, Sym) and term.name == variable
        others = any(s.name == variable for k, t in node.updates if k != variable for s in symbols(t))
        return 0 if carried and not others else None
    if (
        isinstance(term, App)
        and term.op in {"add", "sub"}
        and isinstance(term.args[0], Sym)
        and term.args[0].name == variable
    ):
        constant = term.args[1]
        if isinstance(constant, Const) and type(constant.value) is int:
            return constant.value if term.op == "add" else -constant.value
    return None


def _stays(graph: Graph, header: int, stop: Term) -> bool:
    """Whether the bound keeps its value inside the loop."""
    if isinstance(stop, Const):
        return True
    if not isinstance(stop, Sym):
        return False
    members = graph.loops[header].members
    for index in members:
        for node in nodes(graph.states[index].root):
            if isinstance(node, Goto) and node.state in members:
                term = dict(node.updates).get(stop.name)
                if node.state == header and not (isinstance(term, Sym) and term.name == stop.name):
                    return False
                if term is not None and not (isinstance(term, Sym) and term.name == stop.name):
                    return False
    return any(name == stop.name for name, _ in graph.states[header].variables)
