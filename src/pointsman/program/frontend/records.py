"""Record types of the source: frozen dataclasses, NamedTuple, namedtuple, TypedDict and Enum, as declarations."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from pointsman.program import catalogue, ir

if TYPE_CHECKING:
    from pointsman.program.frontend.builder import Program

__all__ = ["declare_record", "is_type", "record_of"]

_NO_FIELD = re.compile(r"\b(ClassVar|InitVar|KW_ONLY)\b")
_PUBLIC = frozenset({"namedtuple"})
_BASES = {"NamedTuple": "namedtuple", "TypedDict": "typeddict", "Enum": "enum", "IntEnum": "enum", "StrEnum": "enum"}


def record_of(program: Program, name: str, node: ast.AST) -> str:
    """Declares class ``name`` of the module as a record. Raises Refusal PM110 when it is more than one."""
    if name in program.records:
        return name
    module = program.module
    declared = module.classes.get(name)
    if declared is None:
        value = module.constants[name]
        record = _functional(name, value) if isinstance(value, ast.Call) else None
    else:
        record = _from_class(declared)
    record = _fit(record)
    if record is None:
        raise module.refuse("PM110", node, name)
    program.records[name] = record
    return name


def declare_record(program: Program, name: str) -> None:
    """Declares a class as a record if it is one, so that annotations and attributes may name it."""
    record = _fit(_from_class(program.module.classes[name]))
    if record is not None:
        program.records[name] = record


def _fit(record: ir.Record | None) -> ir.Record | None:
    """The record, unless a field has a name that Python has a use for, or an annotation that makes it no field."""
    if record is None:
        return None
    plain = all(
        catalogue.is_field_name(name) and not _NO_FIELD.search(text) and not (name[0] == "_" and record.kind in _PUBLIC)
        for name, text, _ in record.fields
    )
    return record if plain else None


def _from_class(node: ast.ClassDef) -> ir.Record | None:
    bases = [_last_name(base) for base in node.bases]
    body = [s for s in node.body if not _is_docstring(s) and not isinstance(s, ast.Pass)]
    if node.keywords:
        return None
    decorators = [_last_name(d.func if isinstance(d, ast.Call) else d) for d in node.decorator_list]
    if not bases and decorators == ["dataclass"]:
        return _dataclass(node, body)
    if decorators or len(bases) not in {1, 2} or bases[-1] not in _BASES:
        return None
    kind = _BASES[bases[-1]]
    if kind == "enum":
        mixed = {"IntEnum": "int", "StrEnum": "str"}.get(bases[-1], bases[0] if len(bases) == 2 else "")
        return _enum(node.name, body, mixed) if mixed in {"", "int", "str"} else None
    fields = _annotated_fields(body)
    return ir.Record(node.name, kind, fields) if fields is not None and len(bases) == 1 else None


def is_type(node: ast.expr) -> bool:
    """Whether an expression spells a type, so that evaluating it calls nothing: names, items, alternatives."""
    match node:
        case ast.Name() | ast.Constant() | ast.UnaryOp(op=ast.USub(), operand=ast.Constant()):
            return True
        case ast.Attribute(value=value):
            return is_type(value)
        case ast.Subscript(value=left, slice=right) | ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return is_type(left) and is_type(right)
        case ast.Tuple(elts=elts) | ast.List(elts=elts):
            return all(map(is_type, elts))
    return False


def _last_name(node: ast.expr) -> str:
    """``NamedTuple`` of ``NamedTuple`` and ``typing.NamedTuple``; "" for anything that computes its value."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name) if _last_name(value):
            return name
    return ""


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _dataclass(node: ast.ClassDef, body: list[ast.stmt]) -> ir.Record | None:
    options: dict[str, object] = {}
    decorator = node.decorator_list[0]
    if isinstance(decorator, ast.Call):
        if decorator.args or not all(k.arg and isinstance(k.value, ast.Constant) for k in decorator.keywords):
            return None
        options = {k.arg: k.value.value for k in decorator.keywords if k.arg and isinstance(k.value, ast.Constant)}
    if set(options) - {"frozen", "order", "slots"}:
        return None
    fields = _annotated_fields(body)
    if fields is None:
        return None
    return ir.Record(node.name, "dataclass", fields, bool(options.get("frozen")), bool(options.get("order")))


def _annotated_fields(body: list[ast.stmt]) -> tuple[tuple[str, str, ir.Operand | None], ...] | None:
    fields: list[tuple[str, str, ir.Operand | None]] = []
    for statement in body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
                default = None if value is None else _constant(value)
                if value is not None and default is None:
                    return None
                fields.append((name, ast.unparse(annotation), default))
            case _:
                return None
    return tuple(fields)


def _enum(name: str, body: list[ast.stmt], base: str) -> ir.Record | None:
    members: list[tuple[str, str, ir.Operand | None]] = []
    for statement in body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=member)], value=ast.Call(func=func, args=[], keywords=[])) if (
                _last_name(func) == "auto"
            ):
                value: ir.Const | None = ir.Const(member.lower() if base == "str" else _next_value(members))
            case ast.Assign(targets=[ast.Name(id=member)], value=expression):
                value = _constant(expression)
            case _:
                return None
        if value is None:
            return None
        members.append((member, "", value))
    return ir.Record(name, "enum", tuple(members), base=base)


def _next_value(members: list[tuple[str, str, ir.Operand | None]]) -> int:
    """What ``auto()`` gives: one more than the highest integer so far."""
    return max((m[2].value for m in members if isinstance(m[2], ir.Const) and type(m[2].value) is int), default=0) + 1


def _functional(name: str, call: ast.Call) -> ir.Record | None:
    """``namedtuple("P", "x y")``, ``namedtuple("P", ["x", "y"])`` and ``NamedTuple("P", [("x", int)])``."""
    if call.keywords or len(call.args) != 2:
        return None
    label, spec = call.args
    if not isinstance(label, ast.Constant) or label.value != name:
        return None
    try:
        names = ast.literal_eval(spec)
    except ValueError:
        elements = getattr(spec, "elts", ())
        pairs = [e.elts for e in elements if isinstance(e, ast.Tuple) and len(e.elts) == 2 and is_type(e.elts[1])]
        names = [p.value for p, _ in pairs if isinstance(p, ast.Constant)] if len(pairs) == len(elements) else []
    if isinstance(names, str):
        names = names.replace(",", " ").split()
    if not names or not all(isinstance(n, str) and n.isidentifier() for n in names):
        return None
    return ir.Record(name, "namedtuple", tuple((n, "object", None) for n in names))


def _constant(value: ast.expr) -> ir.Const | None:
    from pointsman.program.frontend.names import is_constant

    try:
        constant = ast.literal_eval(value)
    except (ValueError, TypeError):
        return None
    return ir.Const(constant) if is_constant(constant) else None
