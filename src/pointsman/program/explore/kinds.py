"""Kinds of values: what an operation gives for given kinds of arguments, and when it is pure and total.

A kind is a string: ``none bool int float str bytes tuple list dict set frozenset range slice iterator function
exception record:NAME any``. Kinds of parameters are checked when the program is entered; all others follow from these
rules. An operation that the rules do not call total stays a step in order, which is always right.
"""

from __future__ import annotations

from typing import Any, Final

from pointsman.program import catalogue
from pointsman.program.ir import Const, Ref
from pointsman.program.table.machine import App, Range, Sym, Term

__all__ = ["IMMUTABLE", "constant_kind", "join", "kind_of", "result_kind"]

_INTEGRAL: Final = frozenset({"int", "bool"})
IMMUTABLE: Final = frozenset({"none", "bool", "int", "float", "str", "bytes"})
_STR_TESTS = frozenset(
    "isalnum isalpha isascii isdecimal isdigit isidentifier islower isnumeric isprintable isspace istitle "
    "isupper".split()
)
_STR_TO_STR = frozenset(
    "capitalize casefold lower swapcase title upper strip lstrip rstrip removeprefix removesuffix".split()
)
_STR_BINARY_TESTS = frozenset({"startswith", "endswith"})
_STR_OTHER = {"split": "list", "rsplit": "list", "splitlines": "list", "join": "str", "replace": "str", "find": "int",
              "rfind": "int", "index": "int", "rindex": "int", "count": "int", "encode": "bytes", "zfill": "str",
              "center": "str", "ljust": "str", "rjust": "str", "format": "str", "partition": "tuple",
              "translate": "str"}  # fmt: skip
_ANSWERS: Final = {"bool": "bool", "int": "int", "float": "float", "date": "str", "option": "str", "span": "str"}
_BIT = frozenset({"bit_and", "bit_or", "bit_xor"})
_ORDER = frozenset({"lt", "le", "gt", "ge"})


def constant_kind(value: Any) -> str:
    if value is None:
        return "none"
    name = type(value).__name__
    return name if name in IMMUTABLE or name in {"tuple", "frozenset"} else "any"


def kind_of(term: Term) -> str:
    match term:
        case Const(value=value):
            return constant_kind(value)
        case Sym(kind=kind) | App(kind=kind):
            return kind
        case Ref(path=path):
            callable_ = path.startswith(("builtins.", "function:")) or (path.startswith("record:") and "." not in path)
            return "function" if callable_ else "any"


def join(left: Range, right: Range) -> Range:
    """The least range that holds both."""
    if left.kind != right.kind:
        return Range()
    low = None if left.low is None or right.low is None else min(left.low, right.low)
    high = None if left.high is None or right.high is None else max(left.high, right.high)
    return Range(left.kind, low, high)


def result_kind(op: str, args: tuple[Term, ...], attrs: tuple[Any, ...], ranges: tuple[Range, ...]) -> tuple[str, bool]:
    """(kind of the result, whether the operation is pure and total for these arguments)."""
    kinds = tuple(r.kind for r in ranges)
    base = op.removeprefix("inplace_")
    if base in catalogue.OPERATIONS and op.startswith("inplace_") and not set(kinds) <= IMMUTABLE | {"tuple"}:
        return ("list" if kinds[0] == "list" else "any"), False
    if base in {"add", "sub", "mul", "floordiv", "mod", "pow", "lshift", "rshift", "truediv"} or base in _BIT:
        return _arithmetic(base, kinds, ranges)
    if op in {"neg", "pos", "invert"}:
        return _unary(op, kinds[0])
    if op in _ORDER or op in {"eq", "ne"}:
        return _comparison(op, kinds)
    if op in {"in", "not_in"}:
        return "bool", _membership(args, kinds)
    if op == "call":
        return _call(args, attrs, kinds)
    if op == "call_method":
        return _method(kinds, attrs)
    return _other(op, args, kinds, attrs)


def _arithmetic(op: str, kinds: tuple[str, ...], ranges: tuple[Range, ...]) -> tuple[str, bool]:
    left, right = kinds
    integral = left in _INTEGRAL and right in _INTEGRAL
    if op in _BIT:
        if left == right == "bool":
            return "bool", True
        return ("int", True) if integral else ("any", False)
    if op in {"add", "sub", "mul"}:
        if integral:
            return "int", True
        if left == right == "float":
            return "float", True
        if op == "add" and left == right and left in {"str", "tuple", "bytes"}:
            return left, left != "tuple"
        return ("float", False) if {left, right} <= {"float", "int", "bool"} else ("any", False)
    if op in {"floordiv", "mod"} and integral:
        divisor = ranges[1]
        nonzero = (divisor.low is not None and divisor.low > 0) or (divisor.high is not None and divisor.high < 0)
        return "int", nonzero
    if op == "truediv":
        return ("float", False) if {left, right} <= {"float", "int", "bool"} else ("any", False)
    if op in {"lshift", "rshift"} and integral:
        shift = ranges[1]
        return "int", shift.low is not None and shift.low >= 0 and shift.high is not None and shift.high <= 64
    if op == "pow" and integral and ranges[1].low is not None and ranges[1].low >= 0:
        return "int", ranges[1].high is not None and ranges[1].high <= 8
    return ("str" if op == "mod" and left == "str" else "any"), False


def _unary(op: str, kind: str) -> tuple[str, bool]:
    if kind in _INTEGRAL:
        return "int", True
    return ("float", True) if kind == "float" and op != "invert" else ("any", False)


def _comparison(op: str, kinds: tuple[str, ...]) -> tuple[str, bool]:
    numbers = _INTEGRAL | {"float"}
    if set(kinds) <= numbers or kinds == ("str", "str") or kinds == ("bytes", "bytes"):
        return "bool", True
    if op in {"eq", "ne"}:
        plain = set(kinds) <= IMMUTABLE
        builtin = set(kinds) <= IMMUTABLE | {"tuple", "list", "dict", "set"}
        return ("bool" if builtin else "any"), plain and "bytes" not in kinds  # bytes == str may warn
    return "any", False


def _membership(args: tuple[Term, ...], kinds: tuple[str, ...]) -> bool:
    if kinds == ("str", "str"):
        return True
    container = args[1]
    if not isinstance(container, Const) or not isinstance(container.value, tuple | frozenset):
        return False
    return kinds[0] in IMMUTABLE and all(constant_kind(item) in IMMUTABLE - {"bytes"} for item in container.value)


def _call(args: tuple[Term, ...], attrs: tuple[Any, ...], kinds: tuple[str, ...]) -> tuple[str, bool]:
    callee, shape = args[0], attrs[0]
    if not isinstance(callee, Ref):
        return "any", False
    head, _, name = callee.path.rpartition(".")
    given = kinds[1:]
    positional = all(s == "" for s in shape)
    if head == "builtins" and positional:
        if name == "len" and len(given) == 1:
            return "int", given[0] in {"str", "tuple", "bytes"}
        if name == "abs" and len(given) == 1 and given[0] in _INTEGRAL | {"float"}:
            return ("int" if given[0] in _INTEGRAL else "float"), True
        if name in {"min", "max"} and len(given) >= 2 and set(given) == {"int"}:
            return "int", True
        if name == "int" and len(given) == 1 and given[0] in _INTEGRAL:
            return "int", True
        if name == "bool" and len(given) == 1 and given[0] in IMMUTABLE:
            return "bool", True
        if name == "isinstance" and len(given) == 2:
            return "bool", isinstance(args[2], Ref) and args[2].path in catalogue.BUILTIN_CLASSES
        if name in {"divmod"}:
            return "tuple", False
    if head == "builtins" and name in catalogue.EXCEPTIONS:
        return "exception", False
    if head == "builtins":
        kind = catalogue.BUILTINS.get(name, "any")
        return (kind if kind != "str" or name != "format" else "str"), False
    if head == "math":
        return (
            ("float", False)
            if name in {"sqrt", "sin", "cos", "tan", "exp", "log", "log2", "log10", "hypot"}
            else ("any", False)
        )
    return ("any", False)


def _method(kinds: tuple[str, ...], attrs: tuple[Any, ...]) -> tuple[str, bool]:
    name, shape = attrs
    if kinds[0] != "str" or any(shape):
        return "any", False
    given = kinds[1:]
    if name in _STR_TESTS and not given:
        return "bool", True
    if name in _STR_TO_STR:
        return "str", set(given) <= {"str"} and len(given) <= (0 if name in {"lower", "upper", "title", "capitalize",
                                                                            "swapcase", "casefold"} else 1) and (
            bool(given) or name not in {"removeprefix", "removesuffix"})  # fmt: skip
    if name in _STR_BINARY_TESTS:
        return "bool", given == ("str",)
    return _STR_OTHER.get(name, "any"), False


def _other(op: str, args: tuple[Term, ...], kinds: tuple[str, ...], attrs: tuple[Any, ...]) -> tuple[str, bool]:
    if op in catalogue.QUESTIONS:
        return _ANSWERS[attrs[1]] if op != "is_stated" else "bool", kinds[0] == "str"
    match op:
        case "not" | "is" | "is_not":
            return "bool", True
        case "truth":
            return "bool", kinds[0] in IMMUTABLE | {"tuple", "function", "exception", "slice"}
        case "build_tuple":
            return "tuple", True
        case "slice":
            return "slice", True
        case "project":
            return "any", True
        case "join_strings":
            return "str", True
        case "format":
            return "str", (kinds[0] == "str" and args[1] == Const("")) or (kinds[0] == "bool" and args[1] == Const(""))
        case "caught_is":
            return "bool", True
        case "match_class" | "match_shape":
            return "bool", False
        case "index":
            return "int", kinds[0] == "int"
        case "exception":
            return "exception", kinds[0] == "exception"
        case "assertion":
            return "exception", False
        case "build_list" | "build_set" | "build_dict":
            return op.removeprefix("build_"), False
        case "build_tuple_star" | "unpack":
            return "tuple", False
        case "iterate":
            return "iterator", False
        case "closure":
            return "function", False
        case "comprehension":
            return "any", False
        case "get_item":
            if kinds[0] in {"str", "list", "tuple", "bytes"} and kinds[1] == "slice":
                return kinds[0], False
            return ("str" if kinds[0] == "str" else "any"), False
    return "any", False
