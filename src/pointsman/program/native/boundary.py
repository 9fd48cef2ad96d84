"""The way in and out: a function for Python to call, which reads exact arguments, runs the code and makes the result.

Covered: an argument of another type, a number that does not fit, one list given twice, keywords or another number of
arguments, and every abandoned run; each calls Python with the untouched arguments. Lists that were written take their
new values after success only. Not covered: another thread that changes a list argument while the native run lasts.
"""

from __future__ import annotations

from typing import Final

from pointsman.program.native.instances import Instance
from pointsman.program.native.kinds import INT_MAX, Kind, ListOf, NotNumeric, TupleOf, llvm_type, show
from pointsman.program.native.prelude import TICKS
from pointsman.program.native.text import Code, Constants, Value

__all__ = ["entries"]

_BOX: Final = {
    "int": "call ptr $PyLong_FromLongLong(i64 {0})",
    "float": "call ptr $PyFloat_FromDouble(double {0})",
    "char": "call ptr $PyUnicode_FromOrdinal(i32 {0})",
}


def entries(instance: Instance, constants: Constants) -> str:
    """``@entry`` falls back on Python by itself.

    ``@metered`` takes the fuel before the arguments and answers NotImplemented where Python has to run.
    """
    return _entry(instance, constants, metered=False) + _entry(instance, constants, metered=True)


def _entry(instance: Instance, constants: Constants, *, metered: bool) -> str:
    code = Code(constants)
    context = code.slot("%ctx")
    count = len(instance.params) + metered
    plain = code.op("icmp eq ptr %names, null")
    right = code.op(f"icmp eq i64 %count, {count}")
    other = "%abandon" if metered else "%rebind"
    code.put(f"store %ctx {{ i64 {TICKS}, i64 {int(metered)}, ptr null, i64 0 }}, ptr {context}")
    code.put(f"br i1 {code.op(f'and i1 {plain}, {right}')}, label %read, label {other}")
    code.label("read")
    if metered:
        fuel = code.checked("i64", f"call {{ i64, i1 }} @read_int(ptr {_argument(code, 0)})")
        code.put(f"store i64 {fuel}, ptr {context}")
    given = _arguments(code, instance, context, int(metered))
    assert instance.result is not None
    result = llvm_type(instance.result)
    text = ", ".join([f"ptr {context}", "i32 0", *(f"{llvm_type(v.kind)} {v.text}" for v in given)])
    pair = code.op(f"call {{ {result}, i32 }} @f0({text})")
    status = code.op(f"extractvalue {{ {result}, i32 }} {pair}, 1")
    code.put(f"switch i32 {status}, label %signal [ i32 0, label %done i32 1, label %abandon i32 2, label %fuel ]")
    code.label("done")
    for value in given:
        if isinstance(value.kind, ListOf) and value.kind.cell.find().written:
            code.put(f"call void @update_{value.kind.elem}(ptr {value.text})")
    value = Value(instance.result, code.op(f"extractvalue {{ {result}, i32 }} {pair}, 0"))
    made = box(code, value)
    code.put(f"call void @release(ptr {context})")
    code.put(f"ret ptr {made}")
    name = "metered" if metered else "entry"
    head = f"define ptr @{name}(ptr %self, ptr %arguments, i64 %count, ptr %names) {{\nentry:"
    return "\n".join([head, *code.slots, *code.lines, *_ways_out(context, metered), "}", ""])


def _ways_out(context: str, metered: bool) -> list[str]:
    call = "call ptr $PyObject_Vectorcall(ptr {0}, ptr %arguments, i64 %count, ptr %names)"
    answer = ["call void $Py_IncRef(ptr $NotImplemented)", "ret ptr $NotImplemented"]
    lines = ["abandon:", f"  call void @release(ptr {context})"]
    lines += (
        [f"  {line}" for line in answer]
        if metered
        else [f"  %answer = {call.format('$fallback')}", "  ret ptr %answer"]
    )
    if not metered:
        lines += ["rebind:", f"  %bound = {call.format('$rebind')}", "  ret ptr %bound"]
    lines += [
        "fuel:",
        f"  call void @release(ptr {context})",
        "  call void $PyErr_SetNone(ptr $OutOfFuel)",
        "  ret ptr null",
    ]
    return [*lines, "signal:", f"  call void @release(ptr {context})", "  ret ptr null"]


def _argument(code: Code, index: int) -> str:
    return code.op(f"load ptr, ptr {code.op(f'getelementptr ptr, ptr %arguments, i64 {index}')}")


def _arguments(code: Code, instance: Instance, context: str, first: int) -> list[Value]:
    given: list[Value] = []
    lists: list[tuple[ListOf, str]] = []
    for index, kind in enumerate(instance.params):
        item = _argument(code, index + first)
        if isinstance(kind, ListOf):
            code.fail_if(code.op(f"xor i1 {code.op(f'call i1 @is_exactly(ptr {item}, ptr $PyList_Type)')}, true"))
            for other, text in lists:
                if not (kind.cell.lazy and other.cell.lazy):
                    code.fail_if(code.op(f"icmp eq ptr {item}, {text}"))
            lists.append((kind, item))
        given.append(_read(code, item, kind, context))
    return given


def _read(code: Code, item: str, kind: Kind, context: str) -> Value:
    """An argument as its kind; abandons where it is of another type or does not fit."""
    if isinstance(kind, ListOf):
        if kind.cell.lazy:
            return Value(kind, item)
        copied = code.op(f"call ptr @lazy_{kind.elem}(ptr {context}, ptr {item}, i64 0, i64 {INT_MAX})")
        code.fail_if_null(copied)
        place = code.op(f"getelementptr %list, ptr {copied}, i32 0, i32 3")
        code.put(f"store ptr {item}, ptr {place}")  # the list that it is a copy of, and is when it is returned
        return Value(kind, copied)
    if kind == "str":
        text, points = code.slot("%text"), str(code.constants.indexes_text).lower()
        code.fail_if(code.op(f"call i1 @read_text(ptr {context}, ptr {item}, ptr {text}, i1 {points})"))
        return Value(kind, text)
    type_ = llvm_type(kind)
    return Value(kind, code.checked(type_, f"call {{ {type_}, i1 }} @read_{kind}(ptr {item})"))


def box(code: Code, value: Value) -> str:
    """A new reference to the Python value."""
    match value.kind:
        case "int" | "float" | "char":
            return code.op(_BOX[value.kind].format(value.text))
        case "bool":
            return code.op(f"call ptr $PyBool_FromLong(i64 {code.op(f'zext i1 {value.text} to i64')})")
        case "none":
            return _shared(code, "$None")
        case "str":
            place = code.op(f"getelementptr %text, ptr {value.text}, i32 0, i32 2")
            return _shared(code, code.op(f"load ptr, ptr {place}"))
        case ListOf():
            if value.kind.cell.lazy:
                return _shared(code, value.text)
            return code.op(f"call ptr @box_list_{value.kind.elem}(ptr {value.text})")
        case TupleOf(items=items):
            return _box_tuple(code, value, items)
    raise NotNumeric("result", f"the result is {show(value.kind)}")


def _shared(code: Code, pointer: str) -> str:
    code.put(f"call void $Py_IncRef(ptr {pointer})")
    return pointer


def _box_tuple(code: Code, value: Value, items: tuple[Kind, ...]) -> str:
    made = code.op(f"call ptr $PyTuple_New(i64 {len(items)})")
    for index, kind in enumerate(items):
        inner = box(code, Value(kind, code.op(f"extractvalue {llvm_type(value.kind)} {value.text}, {index}")))
        code.put(f"call i32 $PyTuple_SetItem(ptr {made}, i64 {index}, ptr {inner})")
    return made
