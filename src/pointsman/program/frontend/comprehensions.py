"""Comprehensions stay one operation, whose parts are functions of the variables bound so far.

``comprehension`` has the first iterable and then the captured values as arguments; its attrs are

    (kind, captured names, clauses, results, lazy)

    kind     list | set | dict | generator
    clauses  ("for", pattern, function or None for the first iterable) | ("if", function)
    pattern  a name, or a tuple of patterns; a name "*x" takes the rest
    results  (element function,) or (key function, value function)

Each function takes the variables bound before it, then the captured names.
"""

from __future__ import annotations

import ast
from typing import Any

from pointsman.program import ir
from pointsman.program.frontend.builder import Builder, loc_of
from pointsman.program.frontend.scopes import Scope, free_names
from pointsman.program.ir import Const, Operand, Var

__all__ = ["lower_comprehension"]

_KINDS = {ast.ListComp: "list", ast.SetComp: "set", ast.DictComp: "dict", ast.GeneratorExp: "generator"}
_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


def lower_comprehension(b: Builder, node: _Comprehension) -> Operand:
    """Raises Refusal for asynchronous ones and for closures over the comprehension's own variables that escape."""
    from pointsman.program.frontend.expressions import lower

    if any(g.is_async for g in node.generators):
        raise b.refuse("PM201", node)
    if any(isinstance(n, ast.NamedExpr) for n in ast.walk(node)) and not isinstance(node, ast.GeneratorExp):
        return _as_loops(b, node)
    lazy = isinstance(node, ast.GeneratorExp) and node not in b.used_up
    first = lower(b, node.generators[0].iter)
    parts = _Parts(b, node)
    clauses: list[tuple[Any, ...]] = []
    for position, generator in enumerate(node.generators):
        source = None if position == 0 else parts.function(generator.iter, "iterable")
        clauses.append(("for", parts.bind(generator.target), source))
        clauses.extend(("if", parts.function(test, "condition")) for test in generator.ifs)
    elements = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
    results = tuple(parts.function(element, "element") for element in elements)
    captured = tuple(sorted(parts.captured))
    if parts.captured & set(parts.bound):  # a variable of a later clause read by an earlier one: Python raises
        raise b.refuse("PM213", node, "a comprehension that reads its own variable too early")
    values: list[Operand] = [_captured_value(b, name) for name in captured]
    attrs = (_KINDS[type(node)], captured, tuple(clauses), results, lazy)
    return b.let("comprehension", first, *values, attrs=attrs, node=node)


def _captured_value(b: Builder, name: str) -> Operand:
    if name in b.comprehension_names:
        return Var(b.comprehension_names[name])
    return Var(name)


def _as_loops(b: Builder, node: ast.ListComp | ast.SetComp | ast.DictComp) -> Operand:
    """A comprehension that assigns (``:=``) is loops in the function itself, over hidden variables.

    [f(x) for x in xs if p(x)]   ->   r = []; for x' in xs: if p(x'): r.append(f(x'))
    """
    kind = _KINDS[type(node)]
    result = b.let(f"build_{kind}", attrs=((),) if kind != "dict" else (), node=node)
    outer = dict(b.comprehension_names)
    _check_order(b, node)
    _loops(b, node, 0, result)
    b.comprehension_names = outer
    return result


def _check_order(b: Builder, node: _Comprehension) -> None:
    """A clause that reads a variable of a later one would raise in Python."""
    for position, generator in enumerate(node.generators):
        later = {n.id for g in node.generators[position:] for n in ast.walk(g.target) if isinstance(n, ast.Name)}
        used = {n.id for n in ast.walk(generator.iter) if isinstance(n, ast.Name)}
        if position > 0 and later & used:
            raise b.refuse("PM213", node, "a comprehension that reads its own variable too early")


def _loops(b: Builder, node: ast.ListComp | ast.SetComp | ast.DictComp, position: int, result: Operand) -> None:
    from pointsman.program.frontend.expressions import jump_unless, lower

    if position == len(node.generators):
        if isinstance(node, ast.DictComp):
            key = b.snapshot(lower(b, node.key), node)
            b.let("set_item", result, key, lower(b, node.value), node=node)
        else:
            method = "append" if isinstance(node, ast.ListComp) else "add"
            b.let("call_method", result, lower(b, node.elt), attrs=(method, ("",)), node=node)
        return
    generator = node.generators[position]
    iterator = b.let("iterate", lower(b, generator.iter), node=generator.iter)
    exhausted, head, item = b.label("exhausted"), b.label("head"), b.temp()
    with b.nested() as outside:
        with b.nested() as body:
            with b.nested() as then:
                _bind_hidden(b, generator.target, Var(item))
                for test in generator.ifs:
                    jump_unless(b, test, head)
                _loops(b, node, position + 1, result)
            b.add(ir.Next(item, iterator, tuple(then), (ir.Jump(exhausted),)))
        b.add(ir.Loop(head, tuple(body), loc_of(node)))
    b.add(ir.Block(exhausted, tuple(outside)))


def _bind_hidden(b: Builder, target: ast.expr, value: Operand) -> None:
    match target:
        case ast.Name(id=name):
            b.comprehension_names[name] = b.hidden(name)
            b.assign(b.comprehension_names[name], value, target)
        case ast.Tuple(elts=elts) | ast.List(elts=elts) if not any(isinstance(e, ast.Starred) for e in elts):
            parts = b.let("unpack", value, attrs=(len(elts), None), node=target)
            for index, element in enumerate(elts):
                _bind_hidden(b, element, b.let("project", parts, attrs=(index,), node=target))
        case _:
            raise b.refuse("PM211", target)


class _Parts:
    """Lowers the parts of one comprehension as functions, and gathers what they capture."""

    def __init__(self, b: Builder, node: _Comprehension) -> None:
        self.b = b
        self.node = node
        self.bound: list[str] = []
        self.captured: set[str] = set()
        self._check_escapes()

    def bind(self, target: ast.expr) -> Any:
        match target:
            case ast.Name(id=name):
                if name not in self.bound:
                    self.bound.append(name)
                return name
            case ast.Starred(value=ast.Name(id=name)):
                self.bind(target.value)
                return f"*{name}"
            case ast.Tuple(elts=elts) | ast.List(elts=elts):
                return tuple(self.bind(element) for element in elts)
        raise self.b.refuse("PM211", target)

    def function(self, expression: ast.expr, hint: str) -> str:
        """A function of the variables bound so far that gives the expression's value."""
        from pointsman.program.frontend.expressions import jump_unless, lower

        outer = self.b
        wrapper = ast.Lambda(args=_no_arguments(), body=expression)
        name = outer.inner_name(hint)
        b = Builder(outer.program, wrapper, name, Scope(has_walrus=False), outer)
        b.is_part = True
        b.used_up = outer.used_up | _used_up_in(expression)
        b.comprehension_names = {n: n for n in self.bound}
        if hint == "condition":
            with b.nested() as body:
                jump_unless(b, expression, "false")
                b.add(ir.Return(Const(True)))
            b.add(ir.Block("false", tuple(body)))
            b.add(ir.Return(Const(False)))
        else:
            b.add(ir.Return(lower(b, expression)))
        self.captured |= set(b.captured)
        captures = tuple(sorted(b.captured))
        params = tuple(ir.Param(n) for n in self.bound)
        qualname = f"{outer.name}.<locals>.<{_KINDS[type(self.node)]}comp>"
        function = ir.Function(name, qualname, params, tuple(b.body), captures, loc=loc_of(expression))
        outer.program.functions[name] = function
        return name

    def _check_escapes(self) -> None:
        """A lambda over the comprehension's own variable sees its last value; by-value capture would not."""
        targets = {n.id for g in self.node.generators for n in ast.walk(g.target) if isinstance(n, ast.Name)}
        consumed = self.b.used_up | _used_up_in(self.node)
        for inner in ast.walk(self.node):
            closure = isinstance(inner, ast.Lambda) or (isinstance(inner, ast.GeneratorExp) and inner is not self.node)
            if closure and inner not in consumed and free_names(inner) & targets:  # type: ignore[arg-type]  # narrowed above
                raise self.b.refuse("PM208", inner)


def _used_up_in(expression: ast.expr) -> set[ast.AST]:
    from pointsman.program.frontend.scopes import used_up

    return used_up(ast.Lambda(args=_no_arguments(), body=expression))


def _no_arguments() -> ast.arguments:
    return ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
