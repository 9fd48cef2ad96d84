"""A function for one tuple of argument kinds, what is known of each of its values, and which paths only raise."""

from __future__ import annotations

from dataclasses import dataclass, field

from pointsman.program.ir import UNBOUND, Const, Ref
from pointsman.program.native.kinds import Kind, ListOf
from pointsman.program.table.machine import Do, Goto, Machine, Node, Raise, State, nodes, successors

__all__ = ["Instance", "callee_name", "doomed_nodes"]


@dataclass(eq=False)
class Instance:
    """One machine for one tuple of argument kinds. ``variables[state][name]``, ``made[state][name]``: kinds."""

    number: int
    machine: Machine
    states: tuple[State, ...]
    params: tuple[Kind, ...]
    variables: list[dict[str, Kind | None]]
    made: list[dict[str, Kind | None]]
    result: Kind | None = None
    doomed: set[int] = field(default_factory=set)  # ids of nodes below which every path raises
    sites: dict[tuple[int, int], ListOf] = field(
        default_factory=dict
    )  # by state and id of the step that makes the list
    calls: dict[tuple[int, int], Instance] = field(default_factory=dict)  # by state and id of the step
    maybe: set[tuple[int, str]] = field(default_factory=set)  # variables that may be unassigned

    def site(self, state: int, node: Do) -> ListOf:
        """The list that a step makes, if it makes one (states may share the step's object)."""
        return self.sites.setdefault((state, id(node)), ListOf())


def callee_name(node: Do) -> str | None:
    """The program's function that a step calls, if it calls one."""
    if node.op == "call" and isinstance(node.args[0], Ref) and node.args[0].path.startswith("function:"):
        return node.args[0].path[9:]
    return None


def doomed_nodes(states: tuple[State, ...]) -> set[int]:
    """Ids of the nodes below which every path ends in an exception."""
    every = [n for s in states for n in nodes(s.root)][::-1]
    doomed: set[int] = set()
    size = -1
    while size != len(doomed):
        size = len(doomed)
        for node in every:
            if isinstance(node, Goto):
                falls = id(states[node.state].root) in doomed
            else:
                falls = isinstance(node, Raise) or _unbound_step(node)
                falls = falls or (bool(successors(node)) and all(id(c) in doomed for c in successors(node)))
            if falls:
                doomed.add(id(node))
    return doomed


def _unbound_step(node: Node) -> bool:
    return isinstance(node, Do) and node.op == "check_bound" and node.args[0] == Const(UNBOUND)
