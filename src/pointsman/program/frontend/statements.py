"""Statements. Loops and joins become labelled blocks; `finally` bodies are copied to each way out."""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pointsman.program import catalogue, ir
from pointsman.program.frontend.builder import Builder, Target
from pointsman.program.frontend.expressions import BINARY, jump_unless, lower, truth
from pointsman.program.frontend.matching import lower_match
from pointsman.program.frontend.names import store_name
from pointsman.program.frontend.scopes import is_read_outside
from pointsman.program.frontend.targets import assign_target, delete_target
from pointsman.program.ir import UNBOUND, Const, Operand, Var

__all__ = ["lower_body"]


def lower_body(b: Builder, statements: Sequence[ast.stmt]) -> None:
    """Raises Refusal for a statement that is not supported. Dead code after a jump is dropped."""
    for statement in statements:
        rule = _RULES.get(type(statement))
        if rule is None:
            raise b.refuse(_CODES.get(type(statement), "PM212"), statement, type(statement).__name__)
        rule(b, statement)
        if isinstance(statement, ast.Return | ast.Raise | ast.Break | ast.Continue):
            return


_CODES: Final[dict[type, str]] = {
    ast.AsyncFor: "PM201", ast.AsyncWith: "PM201", ast.AsyncFunctionDef: "PM201", ast.With: "PM203",
    ast.ClassDef: "PM206", ast.TryStar: "PM207",
}  # fmt: skip


def _nothing(b: Builder, node: ast.stmt) -> None:
    """`pass`; `nonlocal` and `global` are read by the scope analysis."""


def _expression(b: Builder, node: ast.Expr) -> None:
    if not isinstance(node.value, ast.Constant):
        lower(b, node.value)


def _assign(b: Builder, node: ast.Assign) -> None:
    target = node.targets[0]
    if (
        len(node.targets) == 1
        and isinstance(target, ast.Tuple | ast.List)
        and isinstance(node.value, ast.Tuple | ast.List)
    ):
        plain = not any(isinstance(e, ast.Starred) for e in [*target.elts, *node.value.elts])
        if plain and len(target.elts) == len(node.value.elts):
            values = [b.snapshot(lower(b, value), node) for value in node.value.elts]
            for element, value in zip(target.elts, values, strict=True):
                assign_target(b, element, value)
            return
    value = lower(b, node.value)
    if len(node.targets) > 1:
        value = b.snapshot(value, node)
    for target in node.targets:
        assign_target(b, target, value)


def _annotated(b: Builder, node: ast.AnnAssign) -> None:
    if node.value is not None:
        assign_target(b, node.target, lower(b, node.value))


def _augmented(b: Builder, node: ast.AugAssign) -> None:
    op = f"inplace_{BINARY[type(node.op)]}"
    match node.target:
        case ast.Name(id=name):
            left = lower(b, ast.copy_location(ast.Name(name, ast.Load()), node.target))
            store_name(b, name, b.let(op, left, lower(b, node.value), node=node), node)
        case ast.Subscript(value=value, slice=index):
            items = b.snapshot(lower(b, value), node)
            key = b.snapshot(lower(b, index), node)
            left = b.let("get_item", items, key, node=node.target)
            result = b.let(op, left, lower(b, node.value), node=node)
            b.let("set_item", items, key, result, node=node)
        case ast.Attribute(value=value, attr=attr):
            if attr not in b.program.fields:
                raise b.refuse("PM108", node.target, f".{attr}")
            owner = b.snapshot(lower(b, value), node)
            if isinstance(owner, ir.Ref):
                raise b.refuse("PM108", node.target, f".{attr} of {ast.unparse(value)}, which is no instance")
            left = b.let("get_attribute", owner, attrs=(attr,), node=node.target)
            result = b.let(op, left, lower(b, node.value), node=node)
            b.let("set_attribute", owner, result, attrs=(attr,), node=node)


def _delete(b: Builder, node: ast.Delete) -> None:
    for target in node.targets:
        delete_target(b, target)


def _if(b: Builder, node: ast.If) -> None:
    if not isinstance(node.test, ast.BoolOp | ast.Compare | ast.UnaryOp | ast.Constant) or _simple_compare(node.test):
        condition = truth(b, lower(b, node.test), node.test)
        with b.nested() as then:
            lower_body(b, node.body)
        with b.nested() as orelse:
            lower_body(b, node.orelse)
        b.add(ir.If(condition, tuple(then), tuple(orelse), _loc(node)))
        return
    end, otherwise = b.label("end"), b.label("else")
    with b.nested() as outer:
        with b.nested() as body:
            jump_unless(b, node.test, otherwise)
            lower_body(b, node.body)
            b.jump(end, node)
        b.add(ir.Block(otherwise, tuple(body)))
        lower_body(b, node.orelse)
    b.add(ir.Block(end, tuple(outer)))


def _simple_compare(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and len(test.ops) == 1


def _loc(node: ast.AST) -> ir.Loc:
    from pointsman.program.frontend.builder import loc_of

    return loc_of(node)


def _loop(b: Builder, node: ast.While | ast.For, enter: Callable[[str, str], None]) -> None:
    """``enter(head, exhausted)`` lowers the loop's test and body into the open body of the loop."""
    broken, exhausted, head = b.label("break"), b.label("exhausted"), b.label("head")
    depth = len(b.finals)
    b.breaks.append(Target(broken, depth))
    b.continues.append(Target(head, depth))
    with b.nested() as outer:
        with b.nested() as middle:
            with b.nested() as body:
                enter(head, exhausted)
            # `while True: pass`: a body without a statement would be no way back, but the function's end
            b.add(ir.Loop(head, tuple(body) or (ir.Jump(head, _loc(node)),), _loc(node)))
        b.breaks.pop()
        b.continues.pop()
        b.body.append(ir.Block(exhausted, tuple(middle)))
        lower_body(b, node.orelse)
    b.add(ir.Block(broken, tuple(outer)))


def _while(b: Builder, node: ast.While) -> None:
    def enter(head: str, exhausted: str) -> None:
        jump_unless(b, node.test, exhausted)
        lower_body(b, node.body)

    _loop(b, node, enter)


def _for(b: Builder, node: ast.For) -> None:
    counted = _counted(b, node)
    if counted is not None:
        _loop(b, node, counted)
        return
    iterator = b.let("iterate", lower(b, node.iter), node=node.iter)

    def enter(head: str, exhausted: str) -> None:
        item = b.temp()
        with b.nested() as then:
            assign_target(b, node.target, Var(item))
            lower_body(b, node.body)
        b.add(ir.Next(item, iterator, tuple(then), (ir.Jump(exhausted),), _loc(node)))

    _loop(b, node, enter)


def _counted(b: Builder, node: ast.For) -> Callable[[str, str], None] | None:
    """``for i in range(...)`` with a constant step counts a hidden variable, so that its bounds can be reasoned about.

    for i in range(a, z, s): body
    ->  k = index(a); stop = index(z); loop { if not k < stop: exit; i = k; k = k + s; body }
    """
    call = node.iter
    if not isinstance(call, ast.Call) or call.keywords or not 1 <= len(call.args) <= 3:
        return None
    if any(isinstance(a, ast.Starred) for a in call.args) or not isinstance(call.func, ast.Name):
        return None
    if lower_is_not_range(b, call.func):
        return None
    step = 1 if len(call.args) < 3 else _constant_step(call.args[2])
    if step is None:
        return None
    bounds = [lower(b, a) for a in call.args[:2]]
    bounds = [Const(0), *bounds] if len(bounds) == 1 else [b.snapshot(bounds[0], node), bounds[1]]
    start, stop = (
        bound if isinstance(bound, Const) and type(bound.value) is int else b.let("index", bound, node=call)
        for bound in bounds
    )
    counter = b.hidden("count")
    b.assign(counter, start, call)

    def enter(head: str, exhausted: str) -> None:
        more = b.let("lt" if step > 0 else "gt", Var(counter), stop, node=call)
        b.add(ir.If(b.let("truth", more, node=call), (), (ir.Jump(exhausted),), _loc(node)))
        item = b.let("copy", Var(counter), node=node.target)
        b.assign(counter, b.let("add", Var(counter), Const(step), node=call), call)
        assign_target(b, node.target, item)
        lower_body(b, node.body)

    return enter


def lower_is_not_range(b: Builder, func: ast.Name) -> bool:
    from pointsman.program.frontend.names import dotted_path

    return dotted_path(b, func) != "builtins.range"


def _constant_step(node: ast.expr) -> int | None:
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return None
    return value if type(value) is int and value != 0 else None


def _jump_out(b: Builder, target: Target, node: ast.AST) -> None:
    """Jumps to a target, by way of the finally blocks between."""
    if len(b.finals) > target.depth:
        b.jump(b.finals[-1].exit_for(b, target), node)
    else:
        b.jump(target.label, node)


def _break(b: Builder, node: ast.Break) -> None:
    _jump_out(b, b.breaks[-1], node)


def _continue(b: Builder, node: ast.Continue) -> None:
    _jump_out(b, b.continues[-1], node)


def _return(b: Builder, node: ast.Return) -> None:
    value: Operand = Const(None) if node.value is None else lower(b, node.value)
    _return_value(b, value, node)


def _return_value(b: Builder, value: Operand, node: ast.AST) -> None:
    if not b.finals:
        b.add(ir.Return(value, _loc(node)))
        return
    final = b.finals[-1]
    b.assign(final.result(b), value, node)
    b.jump(final.exit_for(b, None), node)


def _raise(b: Builder, node: ast.Raise) -> None:
    if node.exc is None:
        if not b.caught:
            raise b.refuse("PM212", node, "`raise` without an exception outside a handler")
        b.add(ir.Raise(b.caught[-1], _loc(node)))
        return
    raised = lower(b, node.exc)
    exception = b.let("exception", raised, node=node)
    if node.cause is not None:
        b.let("set_cause", exception, lower(b, node.cause), node=node)
    b.add(ir.Raise(exception, _loc(node)))


def _assert(b: Builder, node: ast.Assert) -> None:
    end = b.label("holds")
    failing = ast.UnaryOp(ast.Not(), node.test)
    ast.copy_location(failing, node)
    with b.nested() as body:
        jump_unless(b, failing, end)
        parts = [] if node.msg is None else [lower(b, node.msg)]
        b.add(ir.Raise(b.let("assertion", *parts, node=node), _loc(node)))
    b.add(ir.Block(end, tuple(body)))


@dataclass
class _Final:
    """One enclosing `finally`: the ways out that its body must be copied to, each with a label."""

    exits: dict[Target | None, str] = field(default_factory=dict)  # None: return
    result_name: str | None = None

    def exit_for(self, b: Builder, target: Target | None) -> str:
        return self.exits.setdefault(target, b.label("finally"))

    def result(self, b: Builder) -> str:
        if self.result_name is None:
            self.result_name = b.hidden("result")
        return self.result_name


def _try(b: Builder, node: ast.Try) -> None:
    if not node.finalbody:
        _try_except(b, node)
        return
    final, normal, done = _Final(), b.label("finally"), b.label("done")
    b.finals.append(final)
    with b.nested() as guarded:
        _try_except(b, node) if node.handlers else lower_body(b, [*node.body, *node.orelse])
        b.jump(normal, node)
    b.finals.pop()
    caught = b.temp()
    with b.nested() as handler:
        b.caught.append(Var(caught))
        lower_body(b, node.finalbody)
        b.caught.pop()
        b.add(ir.Raise(Var(caught), _loc(node)))
    inner: tuple[ir.Statement, ...] = (ir.Try(tuple(guarded), caught, tuple(handler), _loc(node)),)
    for target, label in [*final.exits.items(), ("normal", normal)]:
        with b.nested() as way_out:
            b.add(ir.Block(label, inner))
            lower_body(b, node.finalbody)
            if target is None:
                _return_value(b, Var(final.result(b)), node)
            elif isinstance(target, Target):
                _jump_out(b, target, node)
            else:
                b.jump(done, node)
        inner = tuple(way_out)
    b.add(ir.Block(done, inner))


def _try_except(b: Builder, node: ast.Try) -> None:
    if not node.handlers:
        lower_body(b, [*node.body, *node.orelse])
        return
    done, otherwise, caught = b.label("done"), b.label("noexcept"), b.temp()
    with b.nested() as outer:
        with b.nested() as block:
            with b.nested() as body:
                lower_body(b, node.body)
                b.jump(otherwise, node)
            with b.nested() as handler:
                for clause in node.handlers:
                    _except_clause(b, clause, caught, done)
                b.add(ir.Raise(Var(caught), _loc(node)))
            b.add(ir.Try(tuple(body), caught, tuple(handler), _loc(node)))
        b.add(ir.Block(otherwise, tuple(block)))
        lower_body(b, node.orelse)
    b.add(ir.Block(done, tuple(outer)))


def _except_clause(b: Builder, clause: ast.ExceptHandler, caught: str, done: str) -> None:
    with b.nested() as body:
        if clause.name:
            store_name(b, clause.name, Var(caught), clause)
        b.caught.append(Var(caught))
        lower_body(b, _unbinding(clause) if clause.name and _outlives(b, clause.name) else clause.body)
        b.caught.pop()
        if clause.name:
            store_name(b, clause.name, Const(UNBOUND), clause)
        b.jump(done, clause)
    if clause.type is None:
        b.body.extend(body)
        return
    kinds = clause.type.elts if isinstance(clause.type, ast.Tuple) else [clause.type]
    for kind in kinds:
        path = kind.id if isinstance(kind, ast.Name) else ""
        if path not in catalogue.EXCEPTIONS and path != "BaseException":
            raise b.refuse("PM110", kind, ast.unparse(kind))
    operands = [lower(b, kind) for kind in kinds]
    named: Operand = operands[0] if len(operands) == 1 else b.let("build_tuple", *operands, node=clause)
    matches = b.let("caught_is", Var(caught), named, node=clause)
    b.add(ir.If(matches, tuple(body), (), _loc(clause)))


def _outlives(b: Builder, name: str) -> bool:
    """Whether the name is read outside of such clauses: then leaving this one in any way must unbind it."""
    binding = [n for n in ast.walk(b.node) if isinstance(n, ast.ExceptHandler) and n.name == name]
    return is_read_outside(b.node, name, binding)


def _unbinding(clause: ast.ExceptHandler) -> list[ast.stmt]:
    """``except E as e: BODY`` -> ``except E as e: try: BODY finally: e = None; del e``, as Python defines it."""
    assert clause.name is not None
    final: list[ast.stmt] = [
        ast.Assign([ast.Name(clause.name, ast.Store())], ast.Constant(None)),
        ast.Delete([ast.Name(clause.name, ast.Del())]),
    ]
    guarded = ast.Try(clause.body, [], [], final)
    return [ast.fix_missing_locations(ast.copy_location(guarded, clause))]


def _function(b: Builder, node: ast.FunctionDef) -> None:
    from pointsman.program.frontend.functions import lower_closure

    closure = lower_closure(b, node, f"{b.name}.{node.name}{len(b.program.functions)}")
    store_name(b, node.name, closure, node)


def _import(b: Builder, node: ast.Import | ast.ImportFrom) -> None:
    """An import inside a function names library members for the whole function; it binds no variable of its own."""
    for alias in node.names:
        name = alias.asname or alias.name.partition(".")[0]
        path = alias.name if isinstance(node, ast.Import) else f"{'.' * node.level}{node.module or ''}.{alias.name}"
        if isinstance(node, ast.Import) and not alias.asname:
            path = name
        if not _can_be_imported(path, is_member=isinstance(node, ast.ImportFrom)):  # it fails where it is not used, too
            raise b.refuse("PM102", node, path)
        known = b.imports.setdefault(name, path)
        if known != path or alias.name == "*" or name in b.scope.names:
            raise b.refuse("PM205", node, name)


def _can_be_imported(path: str, *, is_member: bool) -> bool:
    """Whether an import is of Python's own library or of ours, and its member there, as far as the module is listed."""
    if path.partition(".")[0] not in {*sys.stdlib_module_names, "pointsman"}:
        return False
    module, _, member = path.rpartition(".")
    return not is_member or module not in catalogue.LIBRARY or hasattr(importlib.import_module(module), member)


_RULES: Final[dict[type, Callable[[Builder, Any], None]]] = {
    ast.Pass: _nothing,
    ast.Nonlocal: _nothing,
    ast.Global: _nothing,
    ast.Expr: _expression,
    ast.Assign: _assign,
    ast.AnnAssign: _annotated,
    ast.AugAssign: _augmented,
    ast.Delete: _delete,
    ast.If: _if,
    ast.While: _while,
    ast.For: _for,
    ast.Break: _break,
    ast.Continue: _continue,
    ast.Return: _return,
    ast.Raise: _raise,
    ast.Assert: _assert,
    ast.Try: _try,
    ast.FunctionDef: _function,
    ast.Import: _import,
    ast.ImportFrom: _import,
    ast.Match: lower_match,
}
