"""LLVM text of the helpers that every native program shares: types, memory, ticks; with arithmetic, lists, and objects.

``$name`` stands for the address of a CPython or libm symbol (engine.py): a call through a number is never mistaken for
a library call that LLVM may fold, so float results are those of the process's own libm. A helper that cannot answer
exactly says so in an i1 or a null pointer, and its caller abandons the native run.

Layout: ``%list`` is length, capacity, slots of 8 bytes, the Python list it came from; ``%text`` is length, code points,
the Python str; ``%iter`` is source, position, stop, first count; ``%ctx`` is ticks left, metered, blocks, bytes taken.
"""

from __future__ import annotations

from typing import Final

from pointsman.program.native.prelude_arithmetic import ARITHMETIC
from pointsman.program.native.prelude_lists import LISTS
from pointsman.program.native.prelude_objects import OBJECTS

__all__ = ["MAX_BYTES", "PRELUDE", "TICKS"]

MAX_BYTES: Final = 2**30  # chosen: a run that wants more memory is abandoned
TICKS: Final = 2**20  # chosen: about a millisecond of loops between two looks at signals and other threads

_TYPES: Final = """
%ctx = type { i64, i64, ptr, i64 }
%list = type { i64, i64, ptr, ptr }
%text = type { i64, ptr, ptr }
%iter = type { ptr, i64, i64, i64 }
declare { i64, i1 } @llvm.sadd.with.overflow.i64(i64, i64)
declare { i64, i1 } @llvm.ssub.with.overflow.i64(i64, i64)
declare { i64, i1 } @llvm.smul.with.overflow.i64(i64, i64)
declare double @llvm.fabs.f64(double)
declare double @llvm.copysign.f64(double, double)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
"""

_MEMORY: Final = """
define internal ptr @alloc(ptr %c, i64 %bytes) noinline {
entry:
  %takenp = getelementptr %ctx, ptr %c, i32 0, i32 3
  %taken = load i64, ptr %takenp
  %huge = icmp ugt i64 %bytes, $MAX_BYTES
  br i1 %huge, label %fail, label %fits
fits:
  %sum = add i64 %taken, %bytes
  %full = icmp ugt i64 %sum, $MAX_BYTES
  br i1 %full, label %fail, label %take
take:
  %size = add i64 %bytes, 16
  %block = call ptr $PyMem_RawMalloc(i64 %size)
  %none = icmp eq ptr %block, null
  br i1 %none, label %fail, label %link
link:
  store i64 %sum, ptr %takenp
  %headp = getelementptr %ctx, ptr %c, i32 0, i32 2
  %head = load ptr, ptr %headp
  store ptr %head, ptr %block
  store ptr %block, ptr %headp
  %data = getelementptr i8, ptr %block, i64 16
  ret ptr %data
fail:
  ret ptr null
}
define internal void @release(ptr %c) {
entry:
  %headp = getelementptr %ctx, ptr %c, i32 0, i32 2
  %first = load ptr, ptr %headp
  br label %head
head:
  %b = phi ptr [ %first, %entry ], [ %next, %free ]
  %end = icmp eq ptr %b, null
  br i1 %end, label %done, label %free
free:
  %next = load ptr, ptr %b
  call void $PyMem_RawFree(ptr %b)
  br label %head
done:
  ret void
}
"""

_TICK: Final = """
define internal i32 @tick(ptr %c) noinline {
; the ticks are used up: out of fuel (2), or a look at other threads and at signals, whose exception is 3
entry:
  %meteredp = getelementptr %ctx, ptr %c, i32 0, i32 1
  %metered = load i64, ptr %meteredp
  %m = icmp ne i64 %metered, 0
  br i1 %m, label %out, label %look
out:
  ret i32 2
look:
  store i64 $TICKS, ptr %c
  %thread = call ptr $PyEval_SaveThread()
  call void $PyEval_RestoreThread(ptr %thread)
  %signal = call i32 $PyErr_CheckSignals()
  %raised = icmp ne i32 %signal, 0
  %r = select i1 %raised, i32 3, i32 0
  ret i32 %r
}
"""

PRELUDE: Final = _TYPES + ARITHMETIC + _MEMORY + LISTS + OBJECTS + _TICK
