"""Definite assignment: reads of variables that may be unbound get a check that raises what Python raises.

    y = x + 1   ->   check_bound x ("x", "local"); y = x + 1        where some path to here has not assigned x

Such variables start as UNBOUND. A closure that captures a variable which may be unbound checks it inside.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from pointsman.program import ir
from pointsman.program.ir import UNBOUND, Body, Const, Function, Let, Var

__all__ = ["check_bound"]

Assigned = frozenset[str] | None  # None: not reachable


def check_bound(functions: Mapping[str, Function], name: str) -> dict[str, Function]:
    """The function ``name`` and the closures inside it, with checks inserted where they are needed."""
    changed: dict[str, Function] = {}
    pending: list[tuple[str, frozenset[str]]] = [(name, frozenset())]
    while pending:
        current, doubtful = pending.pop()
        done = _Pass(functions[current], doubtful)
        changed[current] = done.run()
        pending.extend((inner, names) for inner, names in done.inner.items())
    return changed


class _Pass:
    def __init__(self, function: Function, doubtful: frozenset[str]) -> None:
        self.function = function
        self.doubtful = doubtful  # captured names that may hold UNBOUND
        self.at_label: dict[str, Assigned] = {}
        self.inner: dict[str, frozenset[str]] = {}
        self.unsafe: set[str] = set()

    def run(self) -> Function:
        start = frozenset({p.name for p in self.function.params} | (set(self.function.captures) - self.doubtful))
        body, _ = self.body(self.function.body, start)
        given = {p.name for p in self.function.params} | set(self.function.captures)
        initial = tuple(Let(name, "copy", (Const(UNBOUND),)) for name in sorted(self.unsafe - given))
        return dataclasses.replace(self.function, body=(*initial, *body))

    def body(self, body: Body, assigned: Assigned) -> tuple[Body, Assigned]:
        result: list[ir.Statement] = []
        for statement in body:
            if assigned is None:
                break  # unreachable: dropped
            checks, statement, assigned = self.statement(statement, assigned)
            result.extend(checks)
            result.append(statement)
        return tuple(result), assigned

    def statement(
        self, statement: ir.Statement, assigned: frozenset[str]
    ) -> tuple[list[ir.Statement], ir.Statement, Assigned]:
        checks: list[ir.Statement] = []
        closure = isinstance(statement, Let) and statement.op in {"closure", "comprehension"}
        for operand in ir.operands(statement):
            if isinstance(operand, ir.Ref) and operand.path.startswith("function:") and "." in operand.path:
                self.inner.setdefault(operand.path.partition(":")[2], frozenset())  # a closure without captures
            if isinstance(operand, Var) and operand.name not in assigned and not operand.name.startswith("%"):
                self.unsafe.add(operand.name)
                if not closure:
                    kind = "free" if operand.name in self.function.captures else "local"
                    where = getattr(statement, "loc", ir.NOWHERE)
                    checks.append(Let("%_", "check_bound", (operand,), (operand.name, kind), where))
                    assigned = assigned | {operand.name}
        after: Assigned = assigned
        match statement:
            case Let(target=target, op=op, args=args):
                if closure:
                    self._note_inner(statement, assigned)
                unbinds = op == "copy" and args == (Const(UNBOUND),)
                if unbinds:
                    after = assigned - {target}
                    self.unsafe.add(target)
                elif not target.startswith("%"):  # temporaries are assigned where they are used
                    after = assigned | {target}
            case ir.If(then=then, orelse=orelse):
                first, left = self.body(then, assigned)
                second, right = self.body(orelse, assigned)
                statement = dataclasses.replace(statement, then=first, orelse=second)
                after = _meet(left, right)
            case ir.Next(target=target, then=then, exhausted=exhausted):
                first, left = self.body(then, assigned)
                second, right = self.body(exhausted, assigned)
                statement = dataclasses.replace(statement, then=first, exhausted=second)
                after = _meet(left, right)
            case ir.Block(label=label, body=inner):
                self.at_label[label] = None
                first, left = self.body(inner, assigned)
                statement = dataclasses.replace(statement, body=first)
                after = _meet(left, self.at_label[label])
            case ir.Loop(body=inner):
                assigned -= _unbound_in(inner)  # a `del` in the body reaches its start again
                first, _ = self.body(inner, assigned)
                statement = dataclasses.replace(statement, body=first)
                after = None
            case ir.Try(body=inner, handler=handler):
                first, left = self.body(inner, assigned)
                second, right = self.body(handler, assigned - _unbound_in(inner))
                statement = dataclasses.replace(statement, body=first, handler=second)
                after = _meet(left, right)
            case ir.Jump(target=label):
                if label in self.at_label:
                    self.at_label[label] = _meet(self.at_label[label], assigned)
                after = None
            case ir.Return() | ir.Raise():
                after = None
        return checks, statement, after

    def _note_inner(self, statement: Let, assigned: frozenset[str]) -> None:
        """Remembers which captures of a closure may be unbound when it is made."""
        if statement.op == "closure":
            names = [statement.attrs[0]]
            doubtful = frozenset(
                _capture_name(statement, i)
                for i, a in enumerate(statement.args)
                if isinstance(a, Var) and a.name not in assigned and not a.name.startswith("%")
            )
        else:
            _, captured, clauses, results, _ = statement.attrs
            names = [f for clause in clauses for f in clause[1:] if isinstance(f, str) and "." in f] + list(results)
            args = dict(zip(captured, statement.args[1:], strict=True))
            doubtful = frozenset(n for n, a in args.items() if isinstance(a, Var) and a.name not in assigned)
        for name in names:
            self.inner[name] = self.inner.get(name, frozenset()) | doubtful


def _capture_name(statement: Let, position: int) -> str:
    operand = statement.args[position]
    return operand.name if isinstance(operand, Var) else ""


def _meet(left: Assigned, right: Assigned) -> Assigned:
    if left is None or right is None:
        return right if left is None else left
    return left & right


def _unbound_in(body: Body) -> set[str]:
    return {s.target for s in ir.walk(body) if isinstance(s, Let) and s.op == "copy" and s.args == (Const(UNBOUND),)}
