"""Machines as graphs: a single state as its decisions, several as boxes joined by what must hold and what changes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pointsman.core import OverBudget
from pointsman.program.picture.decisions import Decisions
from pointsman.program.picture.graph import INDENT, Box, Graph, Link, cut, leaf
from pointsman.program.rows import (
    Cells,
    Held,
    Row,
    describe,
    entries,
    held_questions,
    name_of,
    named_questions,
    rows_of,
    signature,
    state_name,
)
from pointsman.program.table.asking import asked_at, questions_of
from pointsman.program.table.machine import Goto, Machine, Program, State

__all__ = ["graphs"]


_MAX_ROWS: Final = 500  # of one state, in the picture of a machine with several


def graphs(program: Program) -> list[Graph]:
    """The entry's first; parts of comprehensions are left out, as the tables write them ``…``."""
    names = sorted(program.machines, key=lambda name: name != program.entry)
    parts = {"element", "condition", "iterable"}
    return [_graph(program.machines[n]) for n in names if n.rpartition(".")[2].rstrip("0123456789") not in parts]


def _graph(machine: Machine) -> Graph:
    names = named_questions(machine)
    graph, named = Graph(signature(machine), entries(names)), held_questions(names)
    if len(machine.states) == 1:
        Decisions(graph, machine, named).draw()
    else:
        draw_states(graph, machine, named)
    return graph


def draw_states(graph: Graph, machine: Machine, named: Held) -> None:
    for state in machine.states:
        names = ", ".join(name_of(name) for name, _ in state.variables)
        known = "\n".join(f"{name_of(name)}: {r.kind} {_bounds(r.low, r.high)}".rstrip() for name, r in state.variables)
        graph.add(Box((state_name(state), *cut(names, 36, 2)), f"{state_name(state)}\n{known}", "state"))
    for state in machine.states:
        _draw_rows(graph, machine, state, named)
        if state.handler is not None:
            text = f"exception as {name_of(state.caught or '')}"
            graph.links.append(Link(state.index, state.handler, (text,), text, dashed=True))


def _bounds(low: int | None, high: int | None) -> str:
    return "" if low is None and high is None else f"[{'' if low is None else low}..{'' if high is None else high}]"


def _draw_rows(graph: Graph, machine: Machine, state: State, named: Held) -> None:
    """One link to each state that rows go to, and to each outcome of its own."""
    try:
        rows = rows_of(state, _MAX_ROWS, merge=True)
    except OverBudget as error:
        graph.links.append(Link(state.index, graph.add(Box((f"more than {_MAX_ROWS} rows",), error.message, "goto"))))
        return
    targets: dict[int | str, list[Row]] = {}
    for row in rows:
        target = row.leaf.state if isinstance(row.leaf, Goto) else describe(row, machine.states).then
        targets.setdefault(target, []).append(row)
    for target, group in targets.items():
        short = [describe(row, machine.states, named) for row in group[:3]]
        whole = [describe(row, machine.states) for row in group]
        place = target if isinstance(target, int) else graph.add(leaf(short[0].then, title=whole[0].then))
        lines = [line for cells in short for line in ("", *_label(cells, isinstance(target, int)))][1:]
        more = ("", f"+ {len(group) - 3} more rows") if len(group) > 3 else ()
        title = "\n\n".join("\n".join((" and ".join(c.when) or "always", *c.do, c.then)) for c in whole)
        graph.links.append(Link(state.index, place, (*lines, *more), title, asks=any(map(_asks, group))))


def _asks(row: Row) -> bool:
    steps = (step.node for step in row.steps)
    return any(questions_of(atom) for atom, _ in row.guard) or any(map(asked_at, (*steps, row.leaf)))


def _label(cells: Cells, goes_on: bool) -> Iterable[str]:
    """What must hold, then what happens, each such line marked."""
    yield from cut(" and ".join(cells.when), 36, 2) if cells.when else ()
    for step in cells.do[:3]:
        yield f"▸ {cut(step, 36)[0]}"
    if len(cells.do) > 3:
        yield "▸ …"
    updates = cells.then.partition(": ")[2]
    if goes_on and updates:
        first, *rest = cut(updates, 36, 2)
        yield f"▸ {first}"
        yield from (f"{INDENT}{line}" for line in rest)
