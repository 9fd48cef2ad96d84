"""Inputs from the solver: for each row of the entry state a call that takes it, where its guard is in the theory.

They are boundary tests: beside a row's own model, its int parameters are also set just beyond each threshold.
"""

from __future__ import annotations

from typing import Any

from pointsman.program.explore.kinds import kind_of
from pointsman.program.ir import Const, Param
from pointsman.program.proof.certificate import guards_of_rows
from pointsman.program.proof.smt import Formulas
from pointsman.program.table.machine import App, Decide, Machine, Node, Switch, Sym, Term, nodes

__all__ = ["model_inputs", "row_inputs", "solvable"]

_MAX_ROWS = 80
_MAX_INPUTS = 160
_RLIMIT = 300_000
_SIMPLE: dict[str, Any] = {"int": 0, "bool": False, "str": "", "float": 0.5}


def row_inputs(machine: Machine, records: dict[str, Any]) -> list[dict[str, Any]]:
    """Calls, as arguments by name; a record argument is a dict of its fields.

    Empty where a parameter is of another kind.
    """
    if not solvable(machine, records):
        return []
    f = Formulas()
    found: list[dict[str, Any]] = []
    for guard, _ in guards_of_rows(machine.states[0].root, f)[:_MAX_ROWS]:
        made = model_inputs(machine, records, f, [guard])
        if made is not None:
            found.append(made)
    return (found + _beyond(machine, found))[:_MAX_INPUTS]


def solvable(machine: Machine, records: dict[str, Any]) -> bool:
    """Whether every parameter is a checked scalar, or a record of scalars: then a model is a call."""
    kinds = dict(machine.guards)
    scalar = [kinds.get(p.name, "") for p in machine.params]
    return (
        bool(scalar) and all(k in _SIMPLE or k.startswith("record:") for k in scalar) and _all_fields(scalar, records)
    )


def _all_fields(kinds: list[str], records: dict[str, Any]) -> bool:
    return all(text in _SIMPLE for k in kinds if k.startswith("record:") for _, text, _ in records[k[7:]].fields)


def model_inputs(machine: Machine, records: dict[str, Any], f: Formulas, formulas: list[Any]) -> dict[str, Any] | None:
    """Arguments under which all formulas hold, or None when there are none (or none within the solver's budget)."""
    solver = f.z3.Solver()
    solver.set("rlimit", _RLIMIT)
    solver.add(*formulas)
    if solver.check() != f.z3.sat:
        return None
    model = solver.model()
    kinds = dict(machine.guards)
    return {p.name: _argument(p, kinds[p.name], records, f, model) for p in machine.params}


def _argument(param: Param, kind: str, records: dict[str, Any], f: Formulas, model: Any) -> Any:
    symbol = Sym(param.name, kind)
    if kind.startswith("record:"):
        fields = records[kind[7:]].fields
        return {
            name: _value(App("get_attribute", (symbol,), (name,), text), text, f, model) for name, text, _ in fields
        }
    return _value(symbol, kind, f, model)


def _value(term: Term, kind: str, f: Formulas, model: Any) -> Any:
    if kind == "bool":
        return bool(f.z3.is_true(model.eval(f.boolean(term), model_completion=True)))
    if kind == "int":
        return int(model.eval(f.integer(term), model_completion=True).as_long())
    if kind == "str":
        number = int(model.eval(f.integer(term), model_completion=True).as_long())
        known = {n: text for text, n in f.strings.items()}
        return known.get(number, f"other{abs(number)}")
    return _SIMPLE[kind]


def _beyond(machine: Machine, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each threshold and its neighbours, put into one of the calls found."""
    cuts = sorted(_cuts(machine.states[0].root), key=lambda c: (c[0], c[1]))
    extra: list[dict[str, Any]] = []
    for position, (path, cut) in enumerate(cuts):
        if not found:
            break
        base = found[position % len(found)]
        for value in (cut - 1, cut, cut + 1):
            call = {k: dict(v) if isinstance(v, dict) else v for k, v in base.items()}
            target, *rest = path
            if rest:
                call[target][rest[0]] = value
            else:
                call[target] = value
            extra.append(call)
    return extra


def _cuts(root: Node) -> set[tuple[tuple[str, ...], int]]:
    found: set[tuple[tuple[str, ...], int]] = set()
    for node in nodes(root):
        match node:
            case Decide(atom=App(op="lt" | "eq", args=(term, Const(value=int(value))))) if kind_of(term) == "int":
                pairs = [(term, value)]
            case Switch(term=term, cuts=cuts):
                pairs = [(term, c) for c in cuts]
            case _:
                continue
        for term, value in pairs:
            path = _path(term)
            if path:
                found.add((path, int(value)))
    return found


def _path(term: Term) -> tuple[str, ...]:
    if isinstance(term, Sym) and "%" not in term.name and "#" not in term.name:
        return (term.name,)
    if isinstance(term, App) and term.op == "get_attribute" and isinstance(term.args[0], Sym):
        return (term.args[0].name, str(term.attrs[0]))
    return ()
