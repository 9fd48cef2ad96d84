"""Source -> program: front end, exploration of every function, optimisation. The differential test is ``check``'s."""

from __future__ import annotations

from dataclasses import replace

from pointsman.program import frontend
from pointsman.program.deep import deep_recursion
from pointsman.program.emit.module import guarded_fields
from pointsman.program.explore.explorer import Settle, explore_function
from pointsman.program.explore.points import Points
from pointsman.program.frontend.builder import Program as LoweredProgram
from pointsman.program.ir import Function, Record
from pointsman.program.proof.smt import Settler
from pointsman.program.table.asking import deciding_returns
from pointsman.program.table.cut import bound_depth
from pointsman.program.table.machine import Machine, Program
from pointsman.program.table.optimise import optimise_machine

__all__ = ["build_program", "compile_source", "explore_machine", "guards_of"]

_GUARDED = frozenset({"int", "bool", "str", "float", "list", "dict", "set", "tuple", "bytes"})


def guards_of(function: Function, records: dict[str, Record]) -> tuple[tuple[str, str], ...]:
    """The parameters whose kind is checked when the function is entered, and that kind."""
    guards = []
    for param in function.params:
        if param.kind in {"star", "double_star"}:
            continue
        if param.type in _GUARDED:
            guards.append((param.name, param.type))
        elif param.annotation in records and guarded_fields(records[param.annotation]):
            guards.append((param.name, f"record:{param.annotation}"))
    return tuple(guards)


def explore_machine(function: Function, records: dict[str, Record], settle: Settle | None = None) -> Machine:
    """The machine of one function, not optimised; where parameters are annotated, also one for any other kinds."""
    guards = guards_of(function, records)
    fields = {name: guarded_fields(record) for name, record in records.items()}
    points = Points(function)
    generic = explore_function(function, settle=settle, field_kinds=fields, points=points)
    if not guards:
        return generic
    typed = deciding_returns(
        explore_function(function, guards=guards, settle=settle, field_kinds=fields, points=points)
    )
    return replace(typed, generic=generic)


def build_program(lowered: LoweredProgram, entry: str, settle: Settle | None = None) -> Program:
    settle = settle or Settler()
    machines = {}
    for name, function in lowered.functions.items():
        machines[name], _ = bound_depth(optimise_machine(explore_machine(function, lowered.records, settle)))
    return Program(entry, machines, lowered.records, lowered.globals, tuple(sorted(lowered.opaque)), lowered.attributes)


def compile_source(source: str, entry: str, filename: str = "<source>", *, allow_opaque: bool = False) -> Program:
    """Raises frontend.Refusal where the source is outside the subset."""
    with deep_recursion():
        module = frontend.Module.parse(source, filename)
        return build_program(frontend.lower_program(module, entry, allow_opaque=allow_opaque), entry)
