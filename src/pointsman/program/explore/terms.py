"""Making terms: constants fold, comparisons take one normal form, so that equal atoms are equal objects.

For ints:  a <= b -> not b < a    a > b -> b < a    a >= b -> not a < b    x <= 5 -> x < 6    5 < x -> not x < 6
a != b -> not a == b; the constant stands on the right. Floats keep their own comparisons (nan), except != and swaps.
"""

from __future__ import annotations

from typing import Any

from pointsman.program import catalogue
from pointsman.program.explore.kinds import kind_of
from pointsman.program.ir import UNBOUND, Const, Ref
from pointsman.program.table.machine import App, Term

__all__ = ["fold", "make", "negated"]

_MAX_FOLDED_BITS = 4096
_FOLDABLE = frozenset({"int", "bool", "float", "str", "none", "tuple"})
_TOTAL_ORDER = frozenset({"int", "bool", "str"})


def fold(op: str, args: tuple[Term, ...]) -> Const | None:
    """The constant that an operation on constants gives; None when it raises, is large, or is not a number."""
    operation = catalogue.OPERATIONS.get(op.removeprefix("inplace_"))
    if operation is None or operation.compute is None or not args or op in {"build_tuple", "slice", "matmul"}:
        return None
    values = [a.value for a in args if isinstance(a, Const)]
    if len(values) != len(args) or any(
        v is UNBOUND or kind_of(a) not in _FOLDABLE for v, a in zip(values, args, strict=True)
    ):
        return None
    if op.endswith(("pow", "lshift", "mul")) and any(isinstance(v, int) and abs(v) > 64 for v in values[1:]):
        if not (op.endswith("mul") and all(isinstance(v, int | float) for v in values)):
            return None
    try:
        result = operation.compute(*values)
    except (TypeError, ValueError, ArithmeticError, LookupError):
        return None
    if isinstance(result, int) and result.bit_length() > _MAX_FOLDED_BITS:
        return None
    if isinstance(result, str | tuple) and len(result) > _MAX_FOLDED_BITS:
        return None
    if result != result or kind_of(Const(result)) not in _FOLDABLE:
        return None
    return Const(result)


def make(op: str, args: tuple[Term, ...], attrs: tuple[Any, ...], kind: str) -> tuple[Term, bool]:
    """(term, negated): the normal form of a pure total operation; a negated atom stands for its opposite."""
    folded = fold(op, args)
    if folded is not None:
        return folded, False
    if op == "truth":
        return _truth(args[0])
    if op == "not":
        inner, negated_ = _truth(args[0])
        return inner, not negated_
    if op in {"lt", "le", "gt", "ge"}:
        return _order(op, args[0], args[1])
    if op in {"eq", "ne"}:
        return _equal(args[0], args[1], op == "ne")
    if op in {"is", "is_not"}:
        return _identity(args[0], args[1], op == "is_not")
    if op in {"in", "not_in"}:
        return App("in", args, (), "bool"), op == "not_in"
    if op in {"index", "copy", "exception"} or (op == "call" and _identity_call(args, kind)):
        return args[-1], False
    simplified = _simplify(op.removeprefix("inplace_"), args, attrs)
    if simplified is not None:
        return simplified, False
    return App(op.removeprefix("inplace_"), args, attrs, kind), False


def negated(term: Term) -> Term:
    """``not term`` as a bool term, for places that need a value and not a decision."""
    if isinstance(term, Const):
        return Const(not term.value)
    if isinstance(term, App) and term.op == "not":
        return term.args[0]
    return App("not", (term,), (), "bool")


def _identity_call(args: tuple[Term, ...], kind: str) -> bool:
    name = getattr(args[0], "path", "")
    return len(args) == 2 and name == f"builtins.{kind}" and kind_of(args[1]) == kind and kind in {"int", "bool", "str"}


def _truth(term: Term) -> tuple[Term, bool]:
    kind = kind_of(term)
    if kind == "bool":
        if isinstance(term, App) and term.op == "not":
            inner, negated_ = _truth(term.args[0])
            return inner, not negated_
        return term, False
    if kind == "none":
        return Const(False), False
    if kind in {"function", "exception", "slice"}:
        return Const(True), False
    if kind == "int":
        return _equal(term, Const(0), True)
    if isinstance(term, App) and term.op == "build_tuple":
        return Const(bool(term.args)), False
    return App("truth", (term,), (), "bool"), False


def _order(op: str, left: Term, right: Term) -> tuple[Term, bool]:
    if op in {"gt", "ge"}:
        left, right, op = right, left, {"gt": "lt", "ge": "le"}[op]
    if not {kind_of(left), kind_of(right)} <= _TOTAL_ORDER:
        return App(op, (left, right), (), "bool"), False
    flipped = False
    if op == "le":  # left <= right  ->  not right < left
        left, right, flipped = right, left, True
    if isinstance(left, Const) and type(left.value) is int and kind_of(right) == "int":
        above = Const(left.value + 1)
        left, right, flipped = right, above, not flipped  # 5 < x  ->  not x < 6
    if isinstance(right, Const) and type(right.value) is int:
        left, right = _unshift(left, right)
    return App("lt", (left, right), (), "bool"), flipped


def _unshift(left: Term, right: Const) -> tuple[Term, Const]:
    """``x + 3 < 5`` -> ``x < 2``."""
    while isinstance(left, App) and left.op in {"add", "sub"} and left.kind == "int":
        inner, shift = left.args
        if not isinstance(shift, Const) or type(shift.value) is not int or kind_of(inner) != "int":
            break
        right = Const(right.value - shift.value if left.op == "add" else right.value + shift.value)
        left = inner
    return left, right


def _equal(left: Term, right: Term, flipped: bool) -> tuple[Term, bool]:
    if isinstance(left, Const) and not isinstance(right, Const):
        left, right = right, left
    if kind_of(left) == "bool" and isinstance(right, Const) and type(right.value) is bool:
        return left, flipped != (not right.value)
    if isinstance(right, Const) and type(right.value) is int and kind_of(left) == "int":
        left, right = _unshift(left, right)
    if left == right and kind_of(left) in {"int", "bool", "str", "none"}:
        return Const(not flipped), False
    return App("eq", (left, right), (), "bool"), flipped


def _identity(left: Term, right: Term, flipped: bool) -> tuple[Term, bool]:
    if isinstance(left, Const) and not isinstance(right, Const):
        left, right = right, left
    kind = kind_of(left)
    if isinstance(right, Const) and right.value is None and kind not in {"any", "none"}:
        return Const(flipped), False
    if isinstance(left, Const) and isinstance(right, Const):
        return Const((left.value is right.value) != flipped), False
    if isinstance(right, Const) and isinstance(right.value, bool) and kind == "bool":
        return left, flipped != (not right.value)
    return App("is", (left, right), (), "bool"), flipped


def _simplify(op: str, args: tuple[Term, ...], attrs: tuple[Any, ...]) -> Term | None:
    if op == "project" and isinstance(args[0], App) and args[0].op == "build_tuple":
        part: Term = args[0].args[attrs[0]]
        return part
    if op in {"add", "sub"} and kind_of(args[0]) == "int" and isinstance(args[1], Const) and type(args[1].value) is int:
        return _shift(args[0], args[1].value if op == "add" else -args[1].value)
    if op == "join_strings" and all(isinstance(a, Const) for a in args):
        return Const("".join(a.value for a in args if isinstance(a, Const)))
    if op == "format" and args[1] == Const("") and kind_of(args[0]) == "str" and attrs == (-1,):
        return args[0]
    if op == "call" and isinstance(args[0], Ref) and args[0].path == "builtins.isinstance":
        return _isinstance(args[1], args[2])
    if op == "call" and args[0] == Ref("builtins.len") and isinstance(args[1], App) and args[1].op == "build_tuple":
        return Const(len(args[1].args))
    return None


def _shift(term: Term, by: int) -> Term:
    """``(x + 1) + 2`` -> ``x + 3``; sums with a constant have one form: ``x + c`` or ``x - c`` with c > 0."""
    if isinstance(term, App) and term.op in {"add", "sub"} and isinstance(term.args[1], Const):
        constant = term.args[1].value
        if type(constant) is int and kind_of(term.args[0]) == "int":
            return _shift(term.args[0], by + (constant if term.op == "add" else -constant))
    if by == 0:
        return term
    return App("add" if by > 0 else "sub", (term, Const(abs(by))), (), "int")


def _isinstance(value: Term, kind: Term) -> Term | None:
    known = kind_of(value)
    if not isinstance(kind, Ref) or known not in {
        "int",
        "bool",
        "float",
        "str",
        "list",
        "dict",
        "set",
        "tuple",
        "bytes",
        "none",
    }:
        return None
    asked = kind.path.removeprefix("builtins.")
    if known == "bool":
        return Const(asked in {"bool", "int", "object"})
    return Const(asked in {known, "object"})
