"""What kind each operation gives for given kinds; the twin of ``operations``, which makes the code.

A rule returns None while an argument's kind is not known yet, and raises NotNumeric for what has no native form.
Operations that may fail (overflow, a bad index, division by zero) are allowed here: their code abandons the run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pointsman.program.ir import Const
from pointsman.program.native.kinds import (
    INT_MAX,
    INT_MIN,
    NUMBERS,
    Iterator,
    Kind,
    ListOf,
    Method,
    NotNumeric,
    RangeOf,
    TupleOf,
    learn,
    made,
    names,
    show,
    write,
)
from pointsman.program.native.rules_calls import LIST_METHODS, call_kind, has_truth, list_method_kind, method_kind
from pointsman.program.table.machine import App, Term

__all__ = ["constant_kind", "result_of"]

_ORDER = frozenset({"lt", "le", "gt", "ge"})
Changed = Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Step:
    """An operation with the kinds of its arguments, the list that it may make, and whom to tell of what it learns."""

    op: str
    args: Sequence[Term]
    kinds: list[Kind]
    site: ListOf
    changed: Changed


def constant_kind(value: Any) -> Kind:
    """The kind of a constant; a str of length one is a char, which serves as a str where one is wanted."""
    if value is None:
        return "none"
    if type(value) is int and not INT_MIN <= value <= INT_MAX:
        raise NotNumeric("large_constant", f"the constant {value} does not fit 64 bits")
    if type(value) in {int, float, bool}:
        return type(value).__name__
    if type(value) is str:
        return "char" if len(value) == 1 else "str"
    if type(value) is tuple:
        return TupleOf(tuple(constant_kind(v) for v in value))
    raise NotNumeric("constant", f"a constant of type {type(value).__name__}")


def result_of(
    op: str, args: Sequence[Term], kinds: Sequence[Kind | None], attrs: tuple[Any, ...], site: ListOf, changed: Changed
) -> Kind | None:
    """The kind of an operation's result.

    ``site`` is the list that this place makes, if it makes one; ``changed`` is called when a list's kind is learnt.
    """
    base = op.removeprefix("inplace_")
    if op == "call":
        return call_kind(args, kinds, attrs, site, changed)
    if op == "build_list":
        if attrs and attrs[0]:
            raise NotNumeric("operation", "a list with a starred part")
        return made(site, kinds, changed)
    if any(k is None for k in kinds) and op != "slice":
        return None
    known = [k for k in kinds if k is not None]
    if base in _RULES:
        return _RULES[base](_Step(op, args, known, site, changed))
    if op == "project":
        return _item(known[0], attrs[0])
    if op == "call_method":
        if isinstance(known[0], ListOf) and attrs[0] in LIST_METHODS and not any(attrs[1]):
            return list_method_kind(Method(known[0], attrs[0]), known[1:], changed)
        return method_kind(known, attrs)
    if op == "get_method":
        if isinstance(known[0], ListOf) and attrs[0] in LIST_METHODS:
            return Method(known[0], attrs[0])
        raise NotNumeric("method", f"the method {attrs[0]!r} of {show(known[0])}")
    raise NotNumeric("operation", f"the operation {op!r}")


def _arithmetic(step: _Step) -> Kind | None:
    base = step.op.removeprefix("inplace_")
    if base == "mul" and step.op == "mul" and isinstance(step.kinds[0], ListOf) and step.kinds[1] == "int":
        learn(step.site, step.kinds[0].elem, step.changed)
        return made(step.site, [], step.changed)
    if not set(names(step.kinds)) <= NUMBERS:
        raise NotNumeric("operands", f"{base} of {show(step.kinds[0])} and {show(step.kinds[-1])}")
    if "float" in step.kinds or base == "truediv":
        if base in {"lshift", "rshift", "bit_and", "bit_or", "bit_xor"}:
            raise NotNumeric("operands", f"{base} of floats")
        return "float"
    if base.startswith("bit_") and step.kinds == ["bool", "bool"]:
        return "bool"
    if base == "pow" and isinstance(step.args[1], Const) and step.args[1].value < 0:
        raise NotNumeric("operands", "an int to a negative power")
    return "int"


def _unary(step: _Step) -> Kind:
    if step.kinds[0] not in NUMBERS or (step.op == "invert" and step.kinds[0] == "float"):
        raise NotNumeric("operands", f"{step.op} of {show(step.kinds[0])}")
    return "float" if step.kinds[0] == "float" else "int"


def _comparison(step: _Step) -> Kind:
    kinds = set(names(step.kinds))
    if kinds <= NUMBERS or kinds == {"char"} or (step.op in {"eq", "ne"} and kinds <= {"char", "str"}):
        return "bool"
    raise NotNumeric("operands", f"{step.op} of {show(step.kinds[0])} and {show(step.kinds[1])}")


def _membership(step: _Step) -> Kind:
    items = step.args[1].value if isinstance(step.args[1], Const) else None
    if isinstance(items, str) and step.kinds[0] == "char":
        return "bool"
    if isinstance(items, tuple) and items and step.kinds[0] in {"int", "char", "str", "bool"}:
        wanted = {int, bool} if step.kinds[0] in {"int", "bool"} else {str}
        if {type(i) for i in items} <= wanted:
            return "bool"
    raise NotNumeric("operands", f"{step.op} of {show(step.kinds[0])} and {show(step.kinds[1])}")


def _truth(step: _Step) -> Kind:
    if has_truth(step.kinds[0]):
        return "bool"
    raise NotNumeric("operands", f"the truth of {show(step.kinds[0])}")


def _index(step: _Step) -> Kind:
    if step.kinds[0] in {"int", "bool"}:
        return "int"
    raise NotNumeric("operands", f"an index of kind {show(step.kinds[0])}")


def _item(owner: Kind, index: int) -> Kind:
    if isinstance(owner, TupleOf) and -len(owner.items) <= index < len(owner.items):
        return owner.items[index]
    raise NotNumeric("operands", f"part {index} of {show(owner)}")


def _get_item(step: _Step) -> Kind | None:
    owner, index = step.kinds
    if isinstance(step.args[1], App) and step.args[1].op == "slice":
        if not isinstance(owner, ListOf) or step.args[1].args[2] != Const(None):
            raise NotNumeric("operands", f"a slice of {show(owner)}")
        learn(step.site, owner.elem, step.changed)
        return made(step.site, [], step.changed)
    if isinstance(owner, TupleOf) and isinstance(step.args[1], Const) and type(step.args[1].value) is int:
        return _item(owner, step.args[1].value)
    if index not in {"int", "bool"}:
        raise NotNumeric("operands", f"an index of kind {show(index)}")
    if isinstance(owner, ListOf):
        return owner.elem
    if owner == "str":
        return "char"
    if isinstance(owner, TupleOf) and isinstance(step.args[0], Const) and owner.items:
        kinds_inside = set(map(show, owner.items))
        if kinds_inside <= {"char", "str"}:
            return "str"
        if len(kinds_inside) == 1 and kinds_inside <= NUMBERS:
            return owner.items[0]
    raise NotNumeric("operands", f"an item of {show(owner)}")


def _set_item(step: _Step) -> Kind:
    owner, index, value = step.kinds
    if not isinstance(owner, ListOf) or index not in {"int", "bool"}:
        raise NotNumeric("operands", f"an assignment to an item of {show(owner)}")
    write(owner, step.changed)
    learn(owner, value, step.changed)
    return "none"


def _slice(step: _Step) -> Kind:
    if not set(names(step.kinds)) <= {"int", "none"}:
        raise NotNumeric("operands", "a slice with other than int bounds")
    return "none"


def _iterate(step: _Step) -> Kind:
    source = step.kinds[0]
    if isinstance(source, Iterator):
        return source if source.ready else Iterator(source.source, source.counted, True)
    if isinstance(source, ListOf | RangeOf) or source == "str":
        return Iterator(source, False, True)
    raise NotNumeric("operands", f"iteration over {show(source)}")


def _tuple(step: _Step) -> Kind:
    return TupleOf(tuple(step.kinds))


_Rule = Callable[[_Step], Kind | None]
_RULES: Final[dict[str, _Rule]] = {
    **dict.fromkeys(("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "lshift", "rshift"), _arithmetic),
    **dict.fromkeys(("bit_and", "bit_or", "bit_xor"), _arithmetic),
    **dict.fromkeys(("neg", "pos", "invert"), _unary),
    **dict.fromkeys((*_ORDER, "eq", "ne"), _comparison),
    **dict.fromkeys(("in", "not_in"), _membership),
    **dict.fromkeys(("truth", "not"), _truth),
    "index": _index, "get_item": _get_item, "set_item": _set_item, "slice": _slice, "iterate": _iterate,
    "build_tuple": _tuple,
}  # fmt: skip
