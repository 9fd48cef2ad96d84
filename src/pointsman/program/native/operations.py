"""The machine code of each operation on numbers and characters; the twin of ``rules``, which says what kinds they have.

Int arithmetic checks 64-bit overflow and abandons; division follows Python's signs. Floats are IEEE doubles as in
CPython, without contraction or reordering; a result that is not finite where CPython might raise abandons.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pointsman.core import InternalError
from pointsman.program.ir import Const
from pointsman.program.native.kinds import INT_MIN, ListOf
from pointsman.program.native.rules_calls import CHAR_TESTS, CHAR_TO_CHAR, MATH, MATH_INT, MATH_TEST
from pointsman.program.native.text import Code, Value
from pointsman.program.table.machine import Term

__all__ = [
    "OVERFLOWING",
    "arithmetic",
    "character",
    "compare",
    "convert",
    "extreme",
    "mathematics",
    "membership",
    "truth",
    "unary",
]

OVERFLOWING: Final = {"add": "sadd", "sub": "ssub", "mul": "smul"}
_PLAIN: Final = {"add": "fadd", "sub": "fsub", "mul": "fmul"}
_BITS: Final = {"bit_and": "and", "bit_or": "or", "bit_xor": "xor"}
_SIGNED: Final = {"lt": "slt", "le": "sle", "gt": "sgt", "ge": "sge", "eq": "eq", "ne": "ne"}
_FLOAT: Final = {"lt": "olt", "le": "ole", "gt": "ogt", "ge": "oge", "eq": "oeq", "ne": "une"}
_ASCII: Final = 128


def convert(code: Code, value: Value, kind: str) -> str:
    """A number as another kind of number, as Python's arithmetic converts it (no check for exactness)."""
    if value.kind == kind:
        return value.text
    match value.kind, kind:
        case "bool", "int":
            return code.op(f"zext i1 {value.text} to i64")
        case "bool", "float":
            return code.op(f"uitofp i1 {value.text} to double")
        case "int", "float":
            return code.op(f"sitofp i64 {value.text} to double")
        case "float", "int":
            return code.checked("i64", f"call {{ i64, i1 }} @to_int(double {value.text})")
        case _, "bool":
            return truth(code, value)
    raise InternalError(f"no conversion from {value.kind} to {kind}", code="native_conversion")


def arithmetic(code: Code, op: str, left: Value, right: Value, args: Sequence[Term]) -> Value:
    """A binary operation on numbers."""
    op = op.removeprefix("inplace_")
    if op == "truediv":
        return _true_division(code, left, right)
    if "float" in (left.kind, right.kind):
        a, b = convert(code, left, "float"), convert(code, right, "float")
        if op == "pow":
            return Value("float", _float_power(code, a, b, args[1]))
        return Value("float", _float_arithmetic(code, op, a, b))
    if op in _BITS and left.kind == right.kind == "bool":
        return Value("bool", code.op(f"{_BITS[op]} i1 {left.text}, {right.text}"))
    a, b = convert(code, left, "int"), convert(code, right, "int")
    if op in OVERFLOWING:
        return Value(
            "int",
            code.checked("i64", f"call {{ i64, i1 }} @llvm.{OVERFLOWING[op]}.with.overflow.i64(i64 {a}, i64 {b})"),
        )
    if op in _BITS:
        return Value("int", code.op(f"{_BITS[op]} i64 {a}, {b}"))
    if op in {"floordiv", "mod"}:
        return Value("int", _division(code, op, a, b, args[1]))
    if op == "pow":
        return Value("int", code.checked("i64", f"call {{ i64, i1 }} @pow(i64 {a}, i64 {b})"))
    return Value("int", _shift(code, op, a, b))


def _division(code: Code, op: str, a: str, b: str, divisor: Term) -> str:
    if isinstance(divisor, Const) and type(divisor.value) is int and divisor.value > 0:
        bits = divisor.value.bit_length() - 1
        if divisor.value == 1 << bits:  # rounds down, as Python does
            return (
                code.op(f"ashr i64 {a}, {bits}") if op == "floordiv" else code.op(f"and i64 {a}, {divisor.value - 1}")
            )
    else:
        code.fail_if(code.op(f"icmp eq i64 {b}, 0"))
        lowest = code.op(f"icmp eq i64 {a}, {INT_MIN}")
        negative = code.op(f"icmp eq i64 {b}, -1")
        code.fail_if(code.op(f"and i1 {lowest}, {negative}"))  # the quotient 2**63 overflows
    return code.op(f"call i64 @{op}(i64 {a}, i64 {b})")


def _shift(code: Code, op: str, a: str, b: str) -> str:
    """Shifts by 0 to 63; any other count is Python's business."""
    code.fail_if(code.op(f"icmp ugt i64 {b}, 63"))
    if op == "rshift":
        return code.op(f"ashr i64 {a}, {b}")
    shifted = code.op(f"shl i64 {a}, {b}")
    back = code.op(f"ashr i64 {shifted}, {b}")
    code.fail_if(code.op(f"icmp ne i64 {back}, {a}"))
    return shifted


def _true_division(code: Code, left: Value, right: Value) -> Value:
    """Int / int is exact rounding of the quotient, which doubles give for ints up to 2**53."""
    whole = "float" not in (left.kind, right.kind)
    a = _exact(code, left) if whole else convert(code, left, "float")
    b = _exact(code, right) if whole else convert(code, right, "float")
    code.fail_if(code.op(f"fcmp oeq double {b}, 0.0"))
    return Value("float", code.op(f"fdiv double {a}, {b}"))


def _exact(code: Code, value: Value) -> str:
    """A number as the double that equals it; abandons where an int has none within 53 bits."""
    if value.kind != "int":
        return convert(code, value, "float")
    return code.checked("double", f"call {{ double, i1 }} @exact(i64 {value.text})")


def _float_arithmetic(code: Code, op: str, a: str, b: str) -> str:
    if op in _PLAIN:
        return code.op(f"{_PLAIN[op]} double {a}, {b}")
    if op in {"floordiv", "mod"}:
        code.fail_if(code.op(f"fcmp oeq double {b}, 0.0"))
        return code.op(f"call double @float_{op}(double {a}, double {b})")
    raise InternalError(f"no float code for {op}", code="native_operation")


def _float_power(code: Code, a: str, b: str, exponent: Term) -> str:
    """Libm's ``pow`` where CPython gives its result unchanged.

    Other exponents than constant positive whole numbers need a positive base (else: complex results, zero to a negative
    power); underflow is abandoned, for errno decides there.
    """
    given = float(exponent.value) if isinstance(exponent, Const) else 0.0
    whole = given > 0 and given.is_integer()
    base = code.op(f"call double @llvm.fabs.f64(double {a})") if whole else a
    if not whole:
        code.fail_if(code.op(f"fcmp ule double {a}, 0.0"))
    result = code.op(f"call double $pow(double {base}, double {b})")
    code.fail_if(code.op(f"call i1 @infinite(double {result})"))
    small = code.op(f"fcmp olt double {result}, 0x0010000000000000")
    code.fail_if(code.op(f"and i1 {small}, {code.op(f'fcmp one double {a}, 0.0')}"))
    odd = whole and given % 2 == 1  # of the double: 2**53 + 1 is rounded to an even one
    return code.op(f"call double @llvm.copysign.f64(double {result}, double {a})") if odd else result


def unary(code: Code, op: str, value: Value) -> Value:
    """``-x``, ``+x`` or ``~x``."""
    if value.kind == "float":
        return value if op == "pos" else Value("float", code.op(f"fneg double {value.text}"))
    number = convert(code, value, "int")
    if op == "neg":
        return Value(
            "int", code.checked("i64", f"call {{ i64, i1 }} @llvm.ssub.with.overflow.i64(i64 0, i64 {number})")
        )
    return Value("int", code.op(f"xor i64 {number}, -1") if op == "invert" else number)


def compare(code: Code, op: str, left: Value, right: Value) -> Value:
    """A comparison of numbers, exact also between int and float, or of text."""
    if {left.kind, right.kind} <= {"char", "str"}:
        return _compare_text(code, op, left, right)
    if "float" in (left.kind, right.kind):
        a, b = _exact(code, left), _exact(code, right)
        return Value("bool", code.op(f"fcmp {_FLOAT[op]} double {a}, {b}"))
    a, b = convert(code, left, "int"), convert(code, right, "int")
    return Value("bool", code.op(f"icmp {_SIGNED[op]} i64 {a}, {b}"))


def _compare_text(code: Code, op: str, left: Value, right: Value) -> Value:
    if left.kind == right.kind == "char":
        test = {"lt": "ult", "le": "ule", "gt": "ugt", "ge": "uge"}.get(op, op)
        return Value("bool", code.op(f"icmp {test} i32 {left.text}, {right.text}"))
    if left.kind == right.kind == "str":
        same = code.op(f"call i1 @same_text(ptr {left.text}, ptr {right.text})")
    else:
        one, text = (left, right) if left.kind == "char" else (right, left)
        same = _is_character(code, text.text, one.text)
    return Value("bool", same if op == "eq" else code.op(f"xor i1 {same}, true"))


def _is_character(code: Code, text: str, character_: str) -> str:
    """Whether a str has length one and is this character (its data always has room for one code point)."""
    length = code.op(f"load i64, ptr {text}")
    single = code.op(f"icmp eq i64 {length}, 1")
    code.constants.indexes_text = True
    data = code.op(f"load ptr, ptr {code.op(f'getelementptr %text, ptr {text}, i32 0, i32 1')}")
    first = code.op(f"load i32, ptr {data}")
    return code.op(f"and i1 {single}, {code.op(f'icmp eq i32 {first}, {character_}')}")


def membership(code: Code, op: str, value: Value, items: Any) -> Value:
    """``value in constant``: one comparison an item; they are all total."""
    found = "false"
    for item in items:
        kind = "bool" if type(item) is bool else "int" if type(item) is int else "char" if len(item) == 1 else "str"
        same = compare(code, "eq", value, Value(kind, code.constant(item, kind))).text
        found = same if found == "false" else code.op(f"or i1 {found}, {same}")
    return Value("bool", found if op == "in" else code.op(f"xor i1 {found}, true"))


def truth(code: Code, value: Value) -> str:
    """``bool(value)`` as an i1."""
    match value.kind:
        case "bool":
            return value.text
        case "int":
            return code.op(f"icmp ne i64 {value.text}, 0")
        case "float":
            return code.op(f"fcmp une double {value.text}, 0.0")
        case "char":
            return "true"
        case "none":
            return "false"
    return code.op(f"icmp ne i64 {length(code, value)}, 0")


def length(code: Code, value: Value) -> str:
    """``len(value)`` as an i64."""
    if value.kind == "char":
        return "1"
    if isinstance(value.kind, ListOf) and value.kind.cell.lazy:
        return code.op(f"call i64 @size(ptr {value.text})")
    return code.op(f"load i64, ptr {value.text}")


def extreme(code: Code, name: str, values: Sequence[Value]) -> Value:
    """``min`` and ``max``: a later value replaces the best so far only when it is strictly better."""
    best = values[0]
    for value in values[1:]:
        better = compare(code, "lt" if name == "min" else "gt", value, best).text
        type_ = {"int": "i64", "float": "double", "bool": "i1"}[str(best.kind)]
        best = Value(best.kind, code.op(f"select i1 {better}, {type_} {value.text}, {type_} {best.text}"))
    return best


def mathematics(code: Code, name: str, values: Sequence[Value]) -> Value:
    """Functions of ``math``; arguments and results that are not finite are Python's business."""
    if name in MATH_TEST:
        return Value("bool", _classify(code, name, convert(code, values[0], "float")))
    if name in MATH_INT:
        if values[0].kind != "float":
            return Value("int", convert(code, values[0], "int"))
        rounded = values[0].text if name == "trunc" else code.op(f"call double ${name}(double {values[0].text})")
        return Value("int", convert(code, Value("float", rounded), "int"))
    numbers = [convert(code, v, "float") for v in values]
    for number in numbers:
        code.fail_if(code.op(f"call i1 @infinite(double {number})"))
    given = ", ".join(f"double {n}" for n in numbers)
    if name in {"fabs", "copysign"}:
        return Value("float", code.op(f"call double @llvm.{name}.f64({given})"))
    result = code.op(f"call double ${name}({given})")
    code.fail_if(code.op(f"call i1 @infinite(double {result})"))
    assert name in MATH or len(numbers) == 2
    return Value("float", result)


def _classify(code: Code, name: str, number: str) -> str:
    if name == "isnan":
        return code.op(f"fcmp uno double {number}, {number}")
    infinite = code.op(f"call i1 @infinite(double {number})")
    if name == "isfinite":
        return code.op(f"xor i1 {infinite}, true")
    ordered = code.op(f"fcmp ord double {number}, {number}")
    return code.op(f"and i1 {infinite}, {ordered}")


def character(code: Code, name: str, value: Value) -> Value:
    """A method of a character, from a table for ASCII that this Python made; other characters abandon."""
    code.fail_if(code.op(f"icmp uge i32 {value.text}, {_ASCII}"))
    if name in CHAR_TO_CHAR:
        kind, type_ = "char", "i32"
        items = tuple(str(ord(getattr(chr(i), name)())) for i in range(_ASCII))
    else:
        assert name in CHAR_TESTS
        kind, type_ = "bool", "i1"
        items = tuple(str(int(getattr(chr(i), name)())) for i in range(_ASCII))
    table = code.constants.table(type_, items)
    place = code.op(f"getelementptr {type_}, ptr {table}, i32 {value.text}")
    return Value(kind, code.op(f"load {type_}, ptr {place}"))
