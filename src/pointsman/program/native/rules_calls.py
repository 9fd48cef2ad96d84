"""What kind a call of a library function or method gives for given kinds; ``rules`` has the operators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from pointsman.program.ir import Ref
from pointsman.program.native.kinds import (
    NUMBERS,
    Iterator,
    Kind,
    ListOf,
    Method,
    NotNumeric,
    RangeOf,
    learn,
    made,
    names,
    show,
    write,
)
from pointsman.program.table.machine import Term

__all__ = [
    "CHAR_TESTS",
    "CHAR_TO_CHAR",
    "LIST_METHODS",
    "MATH",
    "MATH_INT",
    "MATH_TEST",
    "call_kind",
    "has_truth",
    "list_method_kind",
    "method_kind",
]

CHAR_TESTS: Final = frozenset(
    {
        "isalnum", "isalpha", "isascii", "isdecimal", "isdigit", "islower", "isnumeric", "isspace", "isupper",
    }
)  # fmt: skip
CHAR_TO_CHAR: Final = frozenset({"lower", "upper"})
# one-argument functions of libm that CPython's math calls as they are; where their result is not finite, Python decides
MATH: Final = frozenset(
    {
        "acos", "acosh", "asin", "asinh", "atan", "atanh", "cbrt", "cos", "cosh", "erf", "erfc", "exp", "exp2",
        "expm1", "log", "log10", "log1p", "log2", "sin", "sinh", "sqrt", "tan", "tanh", "fabs",
    }
)  # fmt: skip
MATH_TWO: Final = frozenset({"atan2", "fmod", "pow", "copysign"})
MATH_INT: Final = frozenset({"floor", "ceil", "trunc"})
MATH_TEST: Final = frozenset({"isnan", "isinf", "isfinite"})
LIST_METHODS: Final = frozenset({"append", "extend", "pop"})
Changed = Callable[[], None]


def has_truth(kind: Kind) -> bool:
    return isinstance(kind, ListOf) or kind in NUMBERS | {"str", "char", "none"}


def method_kind(kinds: list[Kind], attrs: tuple[Any, ...]) -> Kind:
    name, shape = attrs
    if kinds[0] == "char" and not shape and name in CHAR_TESTS:
        return "bool"
    if kinds[0] == "char" and not shape and name in CHAR_TO_CHAR:
        return "char"
    raise NotNumeric("method", f"the method {name!r} of {show(kinds[0])}")


def call_kind(
    args: Sequence[Term], kinds: Sequence[Kind | None], attrs: tuple[Any, ...], site: ListOf, changed: Changed
) -> Kind | None:
    given, shape = list(kinds[1:]), attrs[0]
    name = args[0].path if isinstance(args[0], Ref) else ""
    if any(k is None for k in given) or (not name and kinds[0] is None):
        return None
    known = [k for k in given if k is not None]
    if isinstance(kinds[0], Method) and not any(shape):
        return list_method_kind(kinds[0], known, changed)
    if name == "builtins.enumerate" and _enumerates(known, shape):
        return Iterator(known[0], True)
    if any(shape):
        raise NotNumeric("call", f"a call of {name} with other than positional arguments")
    module, _, member = name.rpartition(".")
    if module == "math":
        return _math(member, known)
    if module == "builtins" and member in _BUILTINS:
        found = _BUILTINS[member](known)
        if found is not None:
            return found
    if name == "builtins.list" and len(known) == 1 and (known[0] == RangeOf() or isinstance(known[0], ListOf)):
        return made(site, ["int" if isinstance(known[0], RangeOf) else known[0].elem], changed)
    shown = ", ".join(map(show, known)) or "no arguments"
    raise NotNumeric("call", f"a call of {name or 'a computed function'} with {shown}")


def _enumerates(known: list[Kind], shape: tuple[str, ...]) -> bool:
    starts = shape == ("",) or (shape in {("", "start"), ("", "")} and known[1] == "int")
    return starts and (isinstance(known[0], ListOf) or known[0] == "str")


def list_method_kind(method: Method, known: list[Kind], changed: Changed) -> Kind | None:
    write(method.owner, changed)
    if method.name == "append" and len(known) == 1:
        learn(method.owner, known[0], changed)
        return "none"
    if method.name == "extend" and len(known) == 1 and isinstance(known[0], ListOf):
        learn(method.owner, known[0].elem, changed)
        return "none"
    if method.name == "pop" and not known:
        return method.owner.elem
    raise NotNumeric("method", f"list.{method.name} with {len(known)} arguments")


def _math(name: str, known: list[Kind]) -> Kind:
    if set(names(known)) <= NUMBERS:
        if (len(known) == 1 and name in MATH) or (len(known) == 2 and name in MATH_TWO):
            return "float"
        if len(known) == 1 and name in MATH_INT:
            return "int"
        if len(known) == 1 and name in MATH_TEST:
            return "bool"
    raise NotNumeric("call", f"math.{name} with {', '.join(map(show, known))}")


def _extreme(known: list[Kind]) -> Kind | None:
    return known[0] if len(known) >= 2 and len(set(names(known))) == 1 and known[0] in NUMBERS else None


def _conversion(to: Kind) -> Callable[[list[Kind]], Kind | None]:
    return lambda known: to if len(known) == 1 and known[0] in NUMBERS else None


def _length(known: list[Kind]) -> Kind | None:
    measurable = len(known) == 1 and (isinstance(known[0], ListOf) or known[0] in {"str", "char"})
    return "int" if measurable else None


def _range(known: list[Kind]) -> Kind | None:
    fits = len(known) in {1, 2, 3} and set(names(known)) <= {"int", "bool"}
    return RangeOf(len(known) == 3) if fits else None


_BUILTINS: Final[dict[str, Callable[[list[Kind]], Kind | None]]] = {
    "abs": lambda known: _conversion("float" if known == ["float"] else "int")(known),
    "min": _extreme, "max": _extreme, "int": _conversion("int"), "float": _conversion("float"),
    "round": _conversion("int"),
    "bool": lambda known: "bool" if len(known) == 1 and has_truth(known[0]) else None,
    "len": _length, "range": _range, "ord": lambda known: "int" if known == ["char"] else None,
}  # fmt: skip
