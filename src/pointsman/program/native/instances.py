"""A function for one tuple of argument kinds, what is known of each of its values, and what its graph says of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from pointsman.program.ir import UNBOUND, Const, Param, Ref
from pointsman.program.native.kinds import Kind, ListOf, NotNumeric, TupleOf
from pointsman.program.table.machine import Do, Goto, Machine, Node, Raise, State, nodes, successors, symbols, terms_of

__all__ = ["Instance", "always_used", "callee_name", "doomed_nodes", "guard_of", "parameter_kind"]

_PARAMETERS = "int, float, bool, str and lists of numbers have a native form"
_GUARD_OF = {"char": "str"}


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


def parameter_kind(param: Param) -> Kind:
    """The kind that the annotation says; the entry checks it."""
    if param.type in {"int", "float", "bool", "str"}:
        return param.type
    text = (param.annotation or "").replace(" ", "").strip("'\"")
    if param.type == "list" and text[4:] in {"[int]", "[float]", "[bool]"}:
        made = ListOf()
        made.cell.elem = text[5:-1]
        return made
    given = f"has the annotation {param.annotation!r}" if param.annotation else "has no annotation"
    raise NotNumeric("parameter", f"the parameter {param.name!r} {given}; {_PARAMETERS}")


def guard_of(kind: Kind) -> str:
    if isinstance(kind, ListOf):
        return "list"
    if isinstance(kind, TupleOf):
        return "tuple"
    return _GUARD_OF.get(kind, kind) if isinstance(kind, str) else "other"


def always_used(root: Node, name: str) -> bool:
    """Whether every path through a state reads the variable (a path that raises needs nothing)."""
    seen: dict[int, bool] = {}

    def used(node: Node) -> bool:
        if id(node) not in seen:
            here = any(s.name == name for term in terms_of(node) for s in symbols(term))
            below = successors(node)
            seen[id(node)] = here or isinstance(node, Raise) or (bool(below) and all(map(used, below)))
        return seen[id(node)]

    return used(root)
