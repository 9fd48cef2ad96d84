"""Calls and attributes.

A call's ``shape`` tells what each argument is: ``""`` positional, ``*``, ``**`` or a keyword.
"""

from __future__ import annotations

import ast

from pointsman.program import catalogue
from pointsman.program.frontend.builder import Builder
from pointsman.program.frontend.judgements import lower_judgement
from pointsman.program.frontend.names import dotted_path, reference
from pointsman.program.ir import Const, Operand, Ref

__all__ = ["lower_attribute", "lower_call"]


def lower_call(b: Builder, node: ast.Call) -> Operand:
    """A method call looks the method up before it evaluates the arguments, as Python does."""
    func = node.func
    if isinstance(func, ast.Attribute) and dotted_path(b, func) is None:
        return _method_call(b, node, func)
    from pointsman.program.frontend.expressions import lower

    path = dotted_path(b, func)
    if path in catalogue.JUDGEMENTS:
        return lower_judgement(b, catalogue.JUDGEMENTS[path], node)
    callee = Ref(path) if path in catalogue.BY_NAME else lower(b, func)
    args, shape = _arguments(b, node)
    if path in catalogue.BY_NAME and not _by_listed_names(b, path, args, shape):
        raise b.refuse("PM111", node, ast.unparse(node))
    if callee == Ref("builtins.type") and shape != ("",):
        raise b.refuse("PM103", node, "type() that makes a class")
    if callee == Ref("builtins.type") and _looks_up_by_name(b, node.args[0]):
        raise b.refuse("PM111", node, ast.unparse(node))
    return b.let("call", callee, *args, attrs=(shape,), node=node)


def _looks_up_by_name(b: Builder, node: ast.expr) -> bool:
    """Whether this makes an ``attrgetter`` or ``methodcaller``, whose class would take any name."""
    return isinstance(node, ast.Call) and dotted_path(b, node.func) in catalogue.BY_NAME


def _by_listed_names(b: Builder, path: str | None, args: list[Operand], shape: tuple[str, ...]) -> bool:
    """Whether ``attrgetter`` or ``methodcaller`` looks up constant names that any value may be asked for."""
    names = args if path == "operator.attrgetter" else args[:1]
    listed = catalogue.ATTRIBUTES if path == "operator.attrgetter" else catalogue.METHODS
    allowed = (listed | b.program.fields - catalogue.library_names()) - {"__class__", "format", "format_map"}
    parts = [n.value.split(".") if isinstance(n, Const) and type(n.value) is str else [""] for n in names]
    return bool(names) and not any(shape[: len(names)]) and all(set(part) <= allowed for part in parts)


def _method_call(b: Builder, node: ast.Call, func: ast.Attribute) -> Operand:
    from pointsman.program.frontend.expressions import lower

    receiver = lower(b, func.value)
    if func.attr not in catalogue.METHODS and func.attr not in b.program.fields:
        raise b.refuse("PM109", func, f".{func.attr}()")
    _no_field_of_a_class(b, receiver, func)
    if func.attr in {"format", "format_map"} and not isinstance(receiver, Const):
        # a template can name attributes, which a table could not be checked for
        raise b.refuse("PM109", func, f".{func.attr}() of a template that is not a constant")
    receiver = b.snapshot(receiver, node) if b.scope.has_walrus else receiver
    with b.nested() as steps:
        args, shape = _arguments(b, node)
    if not steps:
        return b.let("call_method", receiver, *args, attrs=(func.attr, shape), node=node)
    method = b.let("get_method", receiver, attrs=(func.attr,), node=func)
    b.body.extend(steps)
    return b.let("call", method, *args, attrs=(shape,), node=node)


def _arguments(b: Builder, node: ast.Call) -> tuple[list[Operand], tuple[str, ...]]:
    from pointsman.program.frontend.expressions import lower

    args: list[Operand] = []
    shape: list[str] = []
    for argument in node.args:
        starred = isinstance(argument, ast.Starred)
        before = len(b.body)
        args.append(lower(b, argument.value if isinstance(argument, ast.Starred) else argument))
        if "*" in shape and len(b.body) > before:
            # Python unpacks the earlier one first, and raises then
            raise b.refuse("PM213", argument, "an argument that is computed after a starred one")
        shape.append("*" if starred else "")
    for keyword in node.keywords:
        before = len(b.body)
        args.append(lower(b, keyword.value))
        if "**" in shape and len(b.body) > before:
            raise b.refuse("PM213", keyword.value, "an argument that is computed after a `**` one")
        shape.append(keyword.arg or "**")
    return args, tuple(shape)


def lower_attribute(b: Builder, node: ast.Attribute) -> Operand:
    from pointsman.program.frontend.expressions import lower

    path = dotted_path(b, node)
    if path is not None:
        return reference(b, path, node)
    if node.attr == "__class__" and _looks_up_by_name(b, node.value):
        raise b.refuse("PM111", node, ast.unparse(node))
    value = lower(b, node.value)
    if isinstance(value, Ref) and value.path.startswith("record:") and "." not in value.path:
        record = b.program.records[value.path.partition(":")[2]]
        if record.kind == "enum" and any(name == node.attr for name, _, _ in record.fields):
            return Ref(f"{value.path}.{node.attr}")
        if node.attr not in {"__name__", "_make", "_fields", "__members__"}:
            raise b.refuse("PM108", node, f".{node.attr}")
    elif node.attr not in catalogue.ATTRIBUTES and node.attr not in b.program.fields:
        raise b.refuse("PM108", node, f".{node.attr}")
    _no_field_of_a_class(b, value, node)
    return b.let("get_attribute", value, attrs=(node.attr,), node=node)


def _no_field_of_a_class(b: Builder, value: Operand, node: ast.Attribute) -> None:
    """A declared field is one of instances, and not of a class, function or library value."""
    if not isinstance(value, Ref) or node.attr in catalogue.ATTRIBUTES:
        return
    record = value.path.startswith("record:")
    if node.attr in b.program.fields and not (record and ("." in value.path or node.attr == "_make")):
        raise b.refuse("PM108", node, f".{node.attr} of {ast.unparse(node.value)}")
