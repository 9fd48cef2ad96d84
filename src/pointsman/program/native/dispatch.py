"""From the name of an operation or library function, and its arguments' kinds, to the module that makes its code."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pointsman.core import InternalError
from pointsman.program.ir import Const, Ref
from pointsman.program.native import operations, sequences
from pointsman.program.native.kinds import INT_MIN, Iterator, Kind, ListOf, Method, RangeOf
from pointsman.program.native.text import Code, Value
from pointsman.program.table.machine import App, Term

__all__ = ["operation"]


def operation(
    code: Code, op: str, args: Sequence[Term], attrs: tuple[object, ...], site: ListOf, value: Callable[[Term], Value]
) -> Value:
    """The code of a term's or step's operation. ``site``: the list that it makes, if it makes one."""
    if op == "slice":
        return Value("none", "false")  # its bounds are read where it is used
    if op == "call":
        return _library_call(code, args, site, value)
    if op in {"in", "not_in"}:
        assert isinstance(args[1], Const)
        return operations.membership(code, op, value(args[0]), args[1].value)
    given = [value(a) for a in args]
    match op.removeprefix("inplace_"):
        case "eq" | "ne" | "lt" | "le" | "gt" | "ge":
            return operations.compare(code, op, *given)
        case "neg" | "pos" | "invert":
            return operations.unary(code, op, given[0])
        case "truth":
            return Value("bool", operations.truth(code, given[0]))
        case "not":
            return Value("bool", code.op(f"xor i1 {operations.truth(code, given[0])}, true"))
        case "index":
            return Value("int", operations.convert(code, given[0], "int"))
        case "build_tuple":
            return sequences.tuple_of(code, given)
        case "build_list":
            return sequences.build_list(code, site, given)
        case "project":
            assert isinstance(attrs[0], int)
            return sequences.part(code, given[0], attrs[0])
        case "get_item":
            bounds = [value(b) for b in args[1].args] if isinstance(args[1], App) and args[1].op == "slice" else []
            return sequences.get_item(code, args, given, bounds, site)
        case "set_item":
            return sequences.set_item(code, given)
        case "iterate":
            return sequences.iterate(code, given[0], _ready(given[0].kind))
        case "call_method" if isinstance(given[0].kind, ListOf):
            method = Value(Method(given[0].kind, str(attrs[0])), given[0].text)
            return sequences.list_method(code, method, given[1:])
        case "call_method":
            return operations.character(code, str(attrs[0]), given[0])
        case "get_method":
            assert isinstance(given[0].kind, ListOf)
            return Value(Method(given[0].kind, str(attrs[0])), given[0].text)
        case "mul" if isinstance(given[0].kind, ListOf):
            return sequences.repeat(code, site, given)
    return operations.arithmetic(code, op, given[0], given[1], args)


def _library_call(code: Code, args: Sequence[Term], site: ListOf, value: Callable[[Term], Value]) -> Value:
    given = [value(a) for a in args[1:]]
    if not isinstance(args[0], Ref):
        return sequences.list_method(code, value(args[0]), given)
    module, _, name = args[0].path.rpartition(".")
    if module == "math":
        return operations.mathematics(code, name, given)
    match name:
        case "len":
            return Value("int", operations.length(code, given[0]))
        case "min" | "max":
            return operations.extreme(code, name, given)
        case "abs":
            return _absolute(code, given[0])
        case "int" | "float" | "bool":
            return Value(name, operations.convert(code, given[0], name))
        case "round":
            return _rounded(code, given[0])
        case "ord":
            return Value("int", code.op(f"zext i32 {given[0].text} to i64"))
        case "range":
            bounds = [Value("int", operations.convert(code, v, "int")) for v in given]
            return _range(code, bounds)
        case "enumerate":
            first = given[1].text if len(given) == 2 else "0"
            return sequences.iterate(code, given[0], Iterator(given[0].kind, True), first)
        case "list":
            return sequences.copy_list(code, site, given[0])
    raise InternalError(f"no native code for {args[0].path}", code="native_call")


def _absolute(code: Code, value: Value) -> Value:
    if value.kind == "float":
        return Value("float", code.op(f"call double @llvm.fabs.f64(double {value.text})"))
    number = Value("int", operations.convert(code, value, "int"))
    negative = code.op(f"icmp slt i64 {number.text}, 0")
    code.fail_if(code.op(f"icmp eq i64 {number.text}, {INT_MIN}"))
    turned = code.op(f"sub i64 0, {number.text}")
    return Value("int", code.op(f"select i1 {negative}, i64 {turned}, i64 {number.text}"))


def _rounded(code: Code, value: Value) -> Value:
    if value.kind == "float":
        value = Value("float", code.op(f"call double $rint(double {value.text})"))
    return Value("int", operations.convert(code, value, "int"))


def _range(code: Code, bounds: list[Value]) -> Value:
    numbers = [b.text for b in bounds]
    if len(numbers) == 3:
        code.fail_if(code.op(f"icmp eq i64 {numbers[2]}, 0"))
    start, stop, step = {1: ["0", *numbers, "1"], 2: [*numbers, "1"], 3: numbers}[len(numbers)]
    text = "poison"
    for i, number in enumerate((start, stop, step)):
        text = code.op(f"insertvalue {{ i64, i64, i64 }} {text}, i64 {number}, {i}")
    return Value(RangeOf(len(numbers) == 3), text)


def _ready(kind: Kind) -> Iterator:
    if isinstance(kind, Iterator):
        return Iterator(kind.source, kind.counted, True)
    return Iterator(kind, False, True)
