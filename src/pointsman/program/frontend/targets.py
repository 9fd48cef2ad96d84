"""Assignment targets: names, subscripts, fields of records, and patterns of them."""

from __future__ import annotations

import ast

from pointsman.program import ir
from pointsman.program.frontend.builder import Builder
from pointsman.program.frontend.names import store_name
from pointsman.program.ir import UNBOUND, Const, Operand, Ref

__all__ = ["assign_target", "delete_target"]


def assign_target(b: Builder, target: ast.expr, value: Operand) -> None:
    """Stores ``value``. Raises Refusal for an attribute that no record of the program declares."""
    from pointsman.program.frontend.expressions import lower

    match target:
        case ast.Name(id=name):
            store_name(b, name, value, target)
        case ast.Subscript(value=items, slice=index):
            value = b.snapshot(value, target)
            owner = lower(b, items)
            b.let("set_item", owner, lower(b, index), value, node=target)
        case ast.Attribute(value=owner_node, attr=attr):
            if attr not in b.program.fields:
                raise b.refuse("PM108", target, f".{attr}")
            owner = lower(b, owner_node)
            if isinstance(owner, Ref):
                raise b.refuse("PM108", target, f".{attr} of {ast.unparse(owner_node)}, which is no instance")
            b.let("set_attribute", owner, value, attrs=(attr,), node=target)
        case ast.Tuple(elts=elts) | ast.List(elts=elts):
            _unpack(b, elts, value, target)
        case _:
            raise b.refuse("PM211", target)


def _unpack(b: Builder, elts: list[ast.expr], value: Operand, node: ast.expr) -> None:
    starred = [i for i, element in enumerate(elts) if isinstance(element, ast.Starred)]
    before, after = (starred[0], len(elts) - starred[0] - 1) if starred else (len(elts), None)
    parts = b.let("unpack", value, attrs=(before, after), node=node)
    values = [b.let("project", parts, attrs=(i,), node=node) for i in range(len(elts))]
    for element, part in zip(elts, values, strict=True):
        assign_target(b, element.value if isinstance(element, ast.Starred) else element, part)


def delete_target(b: Builder, target: ast.expr) -> None:
    """``del``: a subscript, or a name, which becomes unbound."""
    from pointsman.program.frontend.expressions import lower
    from pointsman.program.frontend.names import load_name

    match target:
        case ast.Subscript(value=items, slice=index):
            owner = lower(b, items)
            b.let("delete_item", owner, lower(b, index), node=target)
        case ast.Name(id=name) if name in b.scope.names and name not in b.scope.cells:
            # deleting an unbound name raises as reading it does
            b.add(ir.Let(b.temp(), "copy", (load_name(b, name, target),)))
            store_name(b, name, Const(UNBOUND), target)
        case ast.Tuple(elts=elts) | ast.List(elts=elts):
            for element in elts:
                delete_target(b, element)
        case _:
            raise b.refuse("PM214", target)
