"""LLVM text -> a Python callable, through llvmlite (numba's own door to LLVM; nothing else of numba is needed).

Addresses of CPython and libm are written into the text. The few facts of CPython's object layout that the code relies
on (type at 8, size at 16, a list's items and an int's digit at 24) are looked at first: an interpreter laid out
otherwise is refused.
"""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from pointsman.program.native.kinds import NotNumeric
from pointsman.program.native.prelude import MAX_BYTES, TICKS
from pointsman.program.support import OutOfFuel

__all__ = ["Machinery", "available", "build"]

_PYTHON: Final = {
    "PyErr_CheckSignals", "PyErr_SetNone", "PyEval_RestoreThread", "PyEval_SaveThread", "PyFloat_AsDouble",
    "PyFloat_FromDouble", "PyList_Append", "PyList_New", "PyList_SetItem", "PyList_SetSlice",
    "PyLong_AsLongLongAndOverflow", "PyLong_FromLongLong", "PyBool_FromLong", "PyMem_RawFree", "PyMem_RawMalloc",
    "PyObject_Vectorcall", "PyTuple_New", "PyTuple_SetItem", "PyUnicode_AsUCS4", "PyUnicode_FromOrdinal",
    "PyUnicode_Compare", "PyUnicode_GetLength", "Py_DecRef", "Py_IncRef",
}  # fmt: skip
_OBJECTS: Final[dict[str, object]] = {
    "PyLong_Type": int, "PyFloat_Type": float, "PyBool_Type": bool, "PyUnicode_Type": str, "PyList_Type": list,
    "True": True, "None": None, "NotImplemented": NotImplemented, "OutOfFuel": OutOfFuel,
}  # fmt: skip
# how a small int says that it has one digit, and its sign: Include/cpython/longintrepr.h of 3.11, and since 3.12
_COMPACT: Final = (
    {"COMPACT": "icmp ult i64 %onemore, 3", "SIGN": "add i64 %tag, 0"}
    if sys.version_info < (3, 12)
    else {"COMPACT": "icmp ult i64 %tag, 16", "SIGN": "sub i64 1, %signbits"}
)
_NAME = re.compile(r"\$(\w+)")
_FASTCALL_KEYWORDS = 0x0082  # METH_FASTCALL | METH_KEYWORDS


class _MethodDef(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


@dataclass
class Machinery:
    """What the callables need for as long as they live; they hold it as their ``__self__``."""

    kept: list[Any] = field(default_factory=list)


@cache
def available() -> str | None:
    """Why there is no native code in this process, or None where there is."""
    try:
        import llvmlite.binding  # noqa: F401  the probe is the import
    except ImportError:
        return "llvmlite is not installed; it comes with numba: pip install 'pointsman[native]'"
    if sys.implementation.name != "cpython" or ctypes.sizeof(ctypes.c_void_p) != 8 or not _laid_out():
        return "only 64-bit CPython lays objects out as the code expects, free-threaded and tracing builds do not"
    return None


def _laid_out() -> bool:
    """Whether objects lie in memory as prelude.py reads them (not so in free-threaded or tracing builds)."""
    probe = [2**40, 0.5]
    word = ctypes.c_void_p.from_address
    if not all(word(id(x) + 8).value == id(type(x)) for x in (probe, 1, 0.5, True, "a")):
        return False
    if not all(_short(n) == n for n in (0, 1, -1, 2**30 - 1, 1 - 2**30)) or any(
        _short(n) is not None for n in (2**30, -(2**30))
    ):
        return False
    items = word(id(probe) + 24).value
    assert items is not None
    return word(id(probe) + 16).value == 2 and [word(items + 8 * i).value for i in (0, 1)] == [id(x) for x in probe]


def _short(number: int) -> int | None:
    """What the code reads of a small int; None where it asks CPython."""
    tag = ctypes.c_int64.from_address(id(number) + 16).value
    digit = ctypes.c_uint32.from_address(id(number) + 24).value
    if "onemore" in _COMPACT["COMPACT"]:
        return tag * digit if -1 <= tag <= 1 else None
    return (1 - (tag & 3)) * digit if 0 <= tag < 16 else None


def build(
    text: str, name: str, python: dict[str, Callable[..., Any]], kept: list[Any]
) -> dict[str, Callable[..., Any]]:
    """Compiles a module; gives its functions ``entry`` and ``metered`` as Python callables.

    ``python``: the callables that the text names. Raises NotNumeric for a symbol that this process lacks.
    """
    import llvmlite.binding as llvm

    _initialise()
    target = llvm.Target.from_default_triple()
    machine = target.create_target_machine(cpu=llvm.get_host_cpu_name(), opt=2)
    module = llvm.parse_assembly(_NAME.sub(lambda m: _address(m[1], python), text))
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    module.verify()
    tuning = llvm.create_pipeline_tuning_options(speed_level=2)
    passes = llvm.create_pass_builder(machine, tuning)
    passes.getModulePassManager().run(module, passes)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    machinery = Machinery([engine, passes, *python.values(), *kept])
    return {part: _callable(engine.get_function_address(part), name, machinery) for part in ("entry", "metered")}


@cache
def _initialise() -> None:
    import llvmlite.binding as llvm

    if llvm.llvm_version_info[0] < 20:  # newer ones do this by themselves and object to being told
        llvm.initialize()
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


def _address(name: str, python: dict[str, Callable[..., Any]]) -> str:
    parts = {"MAX_BYTES": str(MAX_BYTES), "TICKS": str(TICKS), **_COMPACT}
    if name in parts:
        return parts[name]
    return f"inttoptr (i64 {_number(name, python)} to ptr)"


def _number(name: str, python: dict[str, Callable[..., Any]]) -> int:
    if name in python:
        return id(python[name])
    if name in _OBJECTS:
        return id(_OBJECTS[name])
    library: Any = ctypes.pythonapi if name in _PYTHON else ctypes.CDLL(None)
    try:
        return ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0
    except AttributeError:
        raise NotNumeric("symbol", f"this process has no function {name!r}") from None


def _callable(address: int, name: str, machinery: Machinery) -> Callable[..., Any]:
    shown = name.encode()
    definition = _MethodDef(shown, address, _FASTCALL_KEYWORDS, None)
    machinery.kept.extend([shown, definition])
    make = ctypes.pythonapi.PyCFunction_NewEx
    make.restype = ctypes.py_object
    make.argtypes = (ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)
    made: Callable[..., Any] = make(ctypes.addressof(definition), machinery, None)
    return made
