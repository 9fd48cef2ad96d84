"""Expressions: each lowers to steps in Python's evaluation order and yields the operand that holds its value."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, Final

from pointsman.program import ir
from pointsman.program.frontend.builder import Builder
from pointsman.program.frontend.calls import lower_attribute, lower_call
from pointsman.program.frontend.comprehensions import lower_comprehension
from pointsman.program.frontend.names import is_constant, load_name, store_name
from pointsman.program.ir import UNBOUND, Const, Operand, Var

__all__ = ["jump_unless", "lower"]

BINARY: Final[dict[type, str]] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "truediv", ast.FloorDiv: "floordiv", ast.Mod: "mod",
    ast.Pow: "pow", ast.LShift: "lshift", ast.RShift: "rshift", ast.BitAnd: "bit_and", ast.BitOr: "bit_or",
    ast.BitXor: "bit_xor", ast.MatMult: "matmul",
}  # fmt: skip
_UNARY: Final[dict[type, str]] = {ast.USub: "neg", ast.UAdd: "pos", ast.Invert: "invert", ast.Not: "not"}
_COMPARE: Final[dict[type, str]] = {
    ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge", ast.Eq: "eq", ast.NotEq: "ne", ast.In: "in",
    ast.NotIn: "not_in", ast.Is: "is", ast.IsNot: "is_not",
}  # fmt: skip
_SINGLETONS = (None, True, False, Ellipsis)


def lower(b: Builder, node: ast.expr) -> Operand:
    """Raises Refusal for an expression that is not supported."""
    rule = _RULES.get(type(node))
    if rule is None:
        raise b.refuse("PM201" if isinstance(node, ast.Await) else "PM213", node, type(node).__name__)
    return rule(b, node)


def _constant(b: Builder, node: ast.Constant) -> Operand:
    return Const(node.value)


def _name(b: Builder, node: ast.Name) -> Operand:
    return load_name(b, node.id, node)


def _binary(b: Builder, node: ast.BinOp) -> Operand:
    left = lower(b, node.left)
    right = lower(b, node.right)
    return b.let(BINARY[type(node.op)], left, right, node=node)


def _unary(b: Builder, node: ast.UnaryOp) -> Operand:
    if isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        value = node.operand.value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return Const(-value)
    operand = lower(b, node.operand)
    if isinstance(node.op, ast.Not):
        return b.let("not", truth(b, operand, node), node=node)
    return b.let(_UNARY[type(node.op)], operand, node=node)


def truth(b: Builder, operand: Operand, node: ast.AST) -> Operand:
    return b.let("truth", operand, node=node)


def jump_unless(b: Builder, test: ast.expr, label: str) -> None:
    """Goes on when the test is true and jumps to ``label`` when it is false; short circuits need no value."""
    _branch(b, test, label, jump_when=False)


def _branch(b: Builder, test: ast.expr, label: str, *, jump_when: bool) -> None:
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            _branch(b, operand, label, jump_when=not jump_when)
        case ast.BoolOp(op=op, values=values):
            stops_at = isinstance(op, ast.Or)  # the truth value of one part that settles the whole
            if stops_at is jump_when:
                for value in values:
                    _branch(b, value, label, jump_when=jump_when)
                return
            past = b.label("past")
            with b.nested() as body:
                for value in values[:-1]:
                    _branch(b, value, past, jump_when=not jump_when)
                _branch(b, values[-1], label, jump_when=jump_when)
            b.add(ir.Block(past, tuple(body)))
        case ast.Compare(ops=ops) if len(ops) > 1:
            out = b.label("past") if jump_when else label
            with b.nested() as body:
                last = _chain(b, test, lambda operand: _jump(b, operand, out, test, jump_when=False))
                _jump(b, last, label, test, jump_when=jump_when)
            b.body.extend([ir.Block(out, tuple(body))] if jump_when else body)
        case ast.Constant(value=value):
            if bool(value) is jump_when:
                b.jump(label, test)
        case _:
            _jump(b, lower(b, test), label, test, jump_when=jump_when)


def _jump(b: Builder, operand: Operand, label: str, node: ast.AST, *, jump_when: bool) -> None:
    jump: tuple[ir.Statement, ...] = (ir.Jump(label),)
    condition = truth(b, operand, node)
    b.add(ir.If(condition, jump if jump_when else (), () if jump_when else jump))


def compare_one(b: Builder, op: ast.cmpop, left: Operand, right: Operand, node: ast.AST) -> Operand:
    name = _COMPARE[type(op)]
    if name in {"is", "is_not"}:
        singles = [o for o in (left, right) if isinstance(o, Const) and any(o.value is s for s in _SINGLETONS)]
        named = [o for o in (left, right) if isinstance(o, ir.Ref)]
        if not singles and not named:
            raise b.refuse("PM209", node)
    return b.let(name, left, right, node=node)


def _chain(b: Builder, node: ast.Compare, stop_unless: Callable[[Operand], None]) -> Operand:
    """``a < b < c``: every operand once, stopping at the first false link but the last, whose value is returned."""
    left = lower(b, node.left)
    for op, comparator in zip(node.ops[:-1], node.comparators[:-1], strict=True):
        right = lower(b, comparator)
        stop_unless(compare_one(b, op, left, right, node))
        left = right
    return compare_one(b, node.ops[-1], left, lower(b, node.comparators[-1]), node)


def _compare(b: Builder, node: ast.Compare) -> Operand:
    if len(node.ops) == 1:
        left = lower(b, node.left)
        right = _membership(node) or lower(b, node.comparators[0])
        return compare_one(b, node.ops[0], left, right, node)
    result, end = b.hidden("chain"), b.label("chain")

    def stop_unless(link: Operand) -> None:
        b.assign(result, link, node)
        b.add(ir.If(truth(b, link, node), (), (ir.Jump(end),)))

    with b.nested() as body:
        b.assign(result, _chain(b, node, stop_unless), node)
    b.add(ir.Block(end, tuple(body)))
    return b.snapshot(Var(result), node)


def _membership(node: ast.Compare) -> Const | None:
    """``x in [1, 2]`` and ``x in {1, 2}`` test a constant, as CPython's own compiler has it."""
    display = node.comparators[0]
    if not isinstance(node.ops[0], ast.In | ast.NotIn) or not isinstance(display, ast.List | ast.Set):
        return None
    try:
        items = tuple(ast.literal_eval(item) for item in display.elts)
    except ValueError:
        return None
    if not items or not is_constant(items):
        return None
    return Const(items if isinstance(display, ast.List) else frozenset(items))


def _bool_op(b: Builder, node: ast.BoolOp) -> Operand:
    """``a and b`` as a value: the first part that settles it, else the last."""
    result, end = b.hidden("value"), b.label("value")
    with b.nested() as body:
        for value in node.values:
            part = lower(b, value)
            b.assign(result, part, node)
            if value is not node.values[-1]:
                jump: tuple[ir.Statement, ...] = (ir.Jump(end),)
                stop_when_true = isinstance(node.op, ast.Or)
                condition = truth(b, part, node)
                b.add(ir.If(condition, jump if stop_when_true else (), () if stop_when_true else jump))
    b.add(ir.Block(end, tuple(body)))
    return b.snapshot(Var(result), node)


def _if_expression(b: Builder, node: ast.IfExp) -> Operand:
    result, end, otherwise = b.hidden("value"), b.label("value"), b.label("else")
    with b.nested() as body:
        with b.nested() as first:
            jump_unless(b, node.test, otherwise)
            b.assign(result, lower(b, node.body), node)
            b.jump(end, node)
        b.add(ir.Block(otherwise, tuple(first)))
        b.assign(result, lower(b, node.orelse), node)
    b.add(ir.Block(end, tuple(body)))
    return b.snapshot(Var(result), node)


def _display(op: str) -> Callable[[Builder, Any], Operand]:
    def rule(b: Builder, node: ast.List | ast.Tuple | ast.Set) -> Operand:
        starred = tuple(i for i, element in enumerate(node.elts) if isinstance(element, ast.Starred))
        items = [_element(b, e, last=e is node.elts[-1]) for e in node.elts]
        if op == "build_tuple":
            if all(isinstance(i, Const) for i in items) and not starred:
                return Const(tuple(i.value for i in items if isinstance(i, Const)))
            if starred:
                return b.let("build_tuple_star", *items, attrs=(starred,), node=node)
            return b.let(op, *items, node=node)
        return b.let(op, *items, attrs=(starred,), node=node)

    return rule


def _element(b: Builder, node: ast.expr, *, last: bool) -> Operand:
    """A display's element; a starred one is unpacked before what follows it is evaluated, as Python does."""
    if not isinstance(node, ast.Starred):
        return lower(b, node)
    value = lower(b, node.value)
    return value if last else b.let("build_list", value, attrs=((0,),), node=node)


def _dict(b: Builder, node: ast.Dict) -> Operand:
    items: list[Operand] = []
    for key, value in zip(node.keys, node.values, strict=True):
        if key is None:
            mapping = lower(b, value)
            if value is not node.values[-1]:  # unpacked before what follows is evaluated, as Python does
                mapping = b.let("build_dict", Const(UNBOUND), mapping, node=value)
            items.extend((Const(UNBOUND), mapping))
            continue
        items.append(lower(b, key))
        items.append(lower(b, value))
    return b.let("build_dict", *items, node=node)


def _subscript(b: Builder, node: ast.Subscript) -> Operand:
    items = lower(b, node.value)
    return b.let("get_item", items, lower(b, node.slice), node=node)


def _slice(b: Builder, node: ast.Slice) -> Operand:
    parts = [Const(None) if part is None else lower(b, part) for part in (node.lower, node.upper, node.step)]
    return b.let("slice", *parts, node=node)


def _f_string(b: Builder, node: ast.JoinedStr) -> Operand:
    parts: list[Operand] = []
    for value in node.values:
        if isinstance(value, ast.FormattedValue):
            operand = lower(b, value.value)
            spec: Operand = Const("") if value.format_spec is None else lower(b, value.format_spec)
            parts.append(b.let("format", operand, spec, attrs=(value.conversion,), node=value))
        else:
            parts.append(lower(b, value))
    if len(parts) == 1:
        return parts[0]
    return b.let("join_strings", *parts, node=node) if parts else Const("")


def _walrus(b: Builder, node: ast.NamedExpr) -> Operand:
    value = b.snapshot(lower(b, node.value), node)
    if b.is_part:
        raise b.refuse("PM213", node, "an assignment expression inside a generator")
    store_name(b, node.target.id, value, node)
    return value


def _lambda(b: Builder, node: ast.Lambda) -> Operand:
    from pointsman.program.frontend.functions import lower_closure  # a closure's body is made of expressions

    return lower_closure(b, node, b.inner_name("lambda"))


def _yield(b: Builder, node: ast.Yield) -> Operand:
    if b.comprehension_names or isinstance(b.node, ast.Lambda) or b.finals:
        # closing a generator inside try/finally runs the finally body: not followed
        raise b.refuse("PM215", node)
    return b.let("yield", Const(None) if node.value is None else lower(b, node.value), node=node)


def _yield_from(b: Builder, node: ast.YieldFrom) -> Operand:
    if b.comprehension_names or isinstance(b.node, ast.Lambda) or b.finals:
        # closing a generator inside try/finally runs the finally body: not followed
        raise b.refuse("PM215", node)
    return b.let("yield_from", lower(b, node.value), node=node)


_RULES: Final[dict[type, Callable[[Builder, Any], Operand]]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.Compare: _compare,
    ast.BoolOp: _bool_op,
    ast.IfExp: _if_expression,
    ast.Tuple: _display("build_tuple"),
    ast.List: _display("build_list"),
    ast.Set: _display("build_set"),
    ast.Dict: _dict,
    ast.Subscript: _subscript,
    ast.Slice: _slice,
    ast.JoinedStr: _f_string,
    ast.NamedExpr: _walrus,
    ast.Lambda: _lambda,
    ast.Call: lower_call,
    ast.Attribute: lower_attribute,
    ast.ListComp: lower_comprehension,
    ast.SetComp: lower_comprehension,
    ast.DictComp: lower_comprehension,
    ast.GeneratorExp: lower_comprehension,
    ast.Yield: _yield,
    ast.YieldFrom: _yield_from,
}
