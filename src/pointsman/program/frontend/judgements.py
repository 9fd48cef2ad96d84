"""Judgements: each call is one question, whose words are constants, about a text.

``extract`` becomes two steps, so that what follows knows the kind of the value: whether the text states it, and then
what it states. Both are one question to whoever answers.
"""

from __future__ import annotations

import ast
from typing import Final

from pointsman.program import ir
from pointsman.program.frontend.builder import Builder
from pointsman.program.ir import Const, Operand, Ref, Var

__all__ = ["lower_judgement"]

_TYPES: Final = {"builtins.int": "int", "builtins.float": "float", "builtins.str": "span", "datetime.date": "date"}
_NOT_TEXTS: Final = frozenset({"int", "bool", "float", "list", "dict", "set", "tuple", "bytes"})


def lower_judgement(b: Builder, name: str, node: ast.Call) -> Operand:
    """A call of ``judge``, ``choose`` or ``extract``. Raises Refusal PM217, PM218 or PM219."""
    from pointsman.program.frontend.expressions import lower

    expected = 2 if name == "judge" else 3
    if len(node.args) != expected or node.keywords or any(isinstance(a, ast.Starred) for a in node.args):
        raise b.refuse("PM217", node, f"{name}() takes {expected} arguments, by position")
    first = [lower(b, argument) for argument in node.args[:-1]]
    text = _text(b, lower(b, node.args[-1]), node.args[-1])
    if name == "judge":
        return b.let("judge", text, attrs=(_words(b, first[0], node), "bool", ()), node=node)
    if name == "choose":
        options = _options(b, first[1], node)
        return b.let("choose", text, attrs=(_words(b, first[0], node), "option", options), node=node)
    return _extract(b, first[0], _words(b, first[1], node), text, node)


def _words(b: Builder, operand: Operand, node: ast.Call) -> str:
    if not isinstance(operand, Const) or not isinstance(operand.value, str) or not operand.value.strip():
        raise b.refuse("PM217", node, "its words must be a constant text")
    return operand.value


def _options(b: Builder, operand: Operand, node: ast.Call) -> tuple[str, ...]:
    options = operand.value if isinstance(operand, Const) else None
    if not isinstance(options, tuple) or len(options) < 2 or len(set(options)) < len(options):
        raise b.refuse("PM217", node, "its options must be a constant tuple of different texts, two or more")
    if not all(isinstance(option, str) and option.strip() for option in options):
        raise b.refuse("PM217", node, "its options must be texts")
    return options


def _text(b: Builder, operand: Operand, node: ast.expr) -> Operand:
    """The text that is asked about, unless it is known to be something else."""
    kinds = {} if b.parent is not None else _declared(b)
    constant = isinstance(operand, Const) and not isinstance(operand.value, str)
    if constant or isinstance(operand, Ref) or (isinstance(operand, Var) and kinds.get(operand.name) in _NOT_TEXTS):
        raise b.refuse("PM218", node, ast.unparse(node))
    return operand


def _declared(b: Builder) -> dict[str, str]:
    """Annotations of this function's parameters that nothing assigns to."""
    if isinstance(b.node, ast.Lambda):
        return {}
    stored = {n.id for n in ast.walk(b.node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    arguments = [*b.node.args.posonlyargs, *b.node.args.args, *b.node.args.kwonlyargs]
    annotated = [(a.arg, ast.unparse(a.annotation)) for a in arguments if a.annotation is not None]
    return {name: text.partition("[")[0] for name, text in annotated if name not in stored}


def _extract(b: Builder, kind: Operand, what: str, text: Operand, node: ast.Call) -> Operand:
    path = kind.path if isinstance(kind, Ref) else ""
    record = b.program.records.get(path.removeprefix("record:"))
    is_enum = record is not None and record.kind == "enum"
    if path not in _TYPES and not is_enum:
        raise b.refuse("PM219", node, ast.unparse(node.args[0]))
    options = tuple(name for name, _, _ in record.fields) if is_enum and record is not None else ()
    attrs = (what, "option" if is_enum else _TYPES[path], options)
    text = b.snapshot(text, node)
    result = b.hidden("extracted")
    stated = b.let("is_stated", text, attrs=attrs, node=node)
    with b.nested() as found:
        value: Operand = b.let("extract", text, attrs=attrs, node=node)
        if is_enum:
            value = b.let("get_item", kind, value, node=node)
        elif path == "datetime.date":
            value = b.let("call", Ref("datetime.date.fromisoformat"), value, attrs=(("",),), node=node)
        b.assign(result, value, node)
    with b.nested() as missing:
        b.assign(result, Const(None), node)
    b.add(ir.If(stated, tuple(found), tuple(missing)))
    return b.snapshot(Var(result), node)
