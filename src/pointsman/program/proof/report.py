"""``prove``: what is proved of a table, what is only tested, and an input that shows each way it can raise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from pointsman.program.proof.certificate import StateCertificate, rows_unique_and_complete
from pointsman.program.proof.models import model_inputs, solvable
from pointsman.program.proof.smt import Formulas
from pointsman.program.rows import Row, describe, rows_of
from pointsman.program.runtime import Table
from pointsman.program.table.asking import questions_of
from pointsman.program.table.machine import Do, Machine, Node, Raise, State, Take, nodes, successors

__all__ = ["Claim", "Proof", "prove"]

_MAX_ROWS = 400
_SAFE_STEPS = frozenset({"build_list", "closure", "cell", "cell_set"})


@dataclass(frozen=True, slots=True)
class Claim:
    """A way to raise. ``inputs``: a call that takes it, confirmed by running; None where none was found.

    ``status``: ``raises`` (confirmed), ``not reached`` (proved: no input takes the row), ``judged`` (it depends on the
    answer to a question) or ``open``.
    """

    function: str
    state: int
    outcome: str
    when: str
    status: str
    inputs: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Proof:
    """What ``prove`` found.

    ``steps_that_may_raise``: (function, state, number) of steps on rows that do not raise by themselves. In ``states``
    ``unique_complete`` is proved here; the rest is as ``compile`` recorded it. ``domain_*``: as in ``Certificate``.
    """

    states: tuple[StateCertificate, ...]
    claims: tuple[Claim, ...]
    inputs_tested: int
    steps_that_may_raise: tuple[tuple[str, int, int], ...] = ()
    domain_size: int | None = None
    domain_bound: int | None = None

    @property
    def raises(self) -> tuple[Claim, ...]:
        return tuple(c for c in self.claims if c.status == "raises")


def prove(table: Table) -> Proof:
    """Proves the rows of every state anew (more of them than ``compile`` does) and looks for inputs that raise."""
    states = []
    for certificate in table.certificate.states:
        machine = table.program.machines.get(certificate.function)
        if machine is None:
            continue
        unique = rows_unique_and_complete(machine.states[certificate.state], _MAX_ROWS)
        states.append(replace(certificate, level=certificate.level if unique else "tested", unique_complete=unique))
    claims = [claim for name, machine in table.program.machines.items() for claim in _claims(table, name, machine)]
    steps = [
        (name, state.index, count)
        for name, machine in table.program.machines.items()
        for state in machine.states
        if (count := _may_raise(state))
    ]
    recorded = table.certificate
    return Proof(
        tuple(states), tuple(claims), recorded.inputs_tested, tuple(steps), recorded.domain_size, recorded.domain_bound
    )


def _may_raise(state: State) -> int:
    """Steps of a state, without those that cannot raise and those that only lead to a raise."""
    return sum(
        isinstance(n, Take) or (isinstance(n, Do) and n.op not in _SAFE_STEPS and not _only_raises(n))
        for n in nodes(state.root)
    )


def _only_raises(node: Node) -> bool:
    return all(isinstance(n, Raise) for n in nodes(node) if not successors(n))


def _claims(table: Table, name: str, machine: Machine) -> list[Claim]:
    found: list[Claim] = []
    for state in machine.states:
        if not any(isinstance(n, Raise) for n in nodes(state.root)):
            continue
        for row in rows_of(state, _MAX_ROWS):
            if isinstance(row.leaf, Raise):
                cells = describe(row, machine.states)
                entry = name == table.name and state.index == 0
                status, inputs = _witness(table, machine, row) if entry else ("open", None)
                found.append(Claim(name, state.index, cells.then, " and ".join(cells.when), status, inputs))
    return found


def _witness(table: Table, machine: Machine, row: Row) -> tuple[str, dict[str, Any] | None]:
    """An input that takes a raising row of the entry state."""
    if any(questions_of(atom) for atom, _ in row.guard):
        return "judged", None
    if not solvable(machine, table.program.records):
        return "open", None
    early = [atom for position, atom in enumerate(row.guard) if all(step.at > position for step in row.steps)]
    f = Formulas()
    formulas = [f.boolean(atom) if truth else f.z3.Not(f.boolean(atom)) for atom, truth in early]
    inputs = model_inputs(machine, table.program.records, f, formulas)
    if inputs is None:
        return "not reached", None
    answer = table.answer(inputs)
    return ("raises", inputs) if answer.kind == "exception" else ("open", None)
