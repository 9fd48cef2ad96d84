"""LLVM text of the helpers that every native program shares: exact arithmetic, lists, text, and Python's C interface.

``$name`` stands for the address of a CPython or libm symbol (engine.py): a call through a number is never mistaken for
a library call that LLVM may fold, so float results are those of the process's own libm. A helper that cannot answer
exactly says so in an i1 or a null pointer, and its caller abandons the native run.

Layout: ``%list`` is length, capacity, slots of 8 bytes, the Python list it came from; ``%text`` is length, code points,
the Python str; ``%iter`` is source, position, stop, first count; ``%ctx`` is ticks left, metered, blocks, bytes taken.
"""

from __future__ import annotations

from typing import Final

__all__ = ["MAX_BYTES", "PRELUDE", "TICKS"]

MAX_BYTES: Final = 2**30  # chosen: a run that wants more memory is abandoned
TICKS: Final = 2**20  # chosen: about a millisecond of loops between two looks at signals and other threads

_ARITHMETIC = """
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

define internal i64 @floordiv(i64 %a, i64 %b) alwaysinline {
  %q = sdiv i64 %a, %b
  %r = srem i64 %a, %b
  %x = xor i64 %r, %b
  %n = icmp slt i64 %x, 0
  %z = icmp ne i64 %r, 0
  %c = and i1 %n, %z
  %d = sext i1 %c to i64
  %s = add i64 %q, %d
  ret i64 %s
}
define internal i64 @mod(i64 %a, i64 %b) alwaysinline {
  %r = srem i64 %a, %b
  %x = xor i64 %r, %b
  %n = icmp slt i64 %x, 0
  %z = icmp ne i64 %r, 0
  %c = and i1 %n, %z
  %d = select i1 %c, i64 %b, i64 0
  %s = add i64 %r, %d
  ret i64 %s
}
define internal { i64, i1 } @pow(i64 %base, i64 %exponent) {
entry:
  %bad = icmp slt i64 %exponent, 0
  br i1 %bad, label %fail, label %head
head:
  %b = phi i64 [ %base, %entry ], [ %b2, %square ]
  %e = phi i64 [ %exponent, %entry ], [ %h, %square ]
  %r = phi i64 [ 1, %entry ], [ %r2, %square ]
  %done = icmp eq i64 %e, 0
  br i1 %done, label %end, label %step
step:
  %odd = trunc i64 %e to i1
  %f = select i1 %odd, i64 %b, i64 1
  %m = call { i64, i1 } @llvm.smul.with.overflow.i64(i64 %r, i64 %f)
  %r2 = extractvalue { i64, i1 } %m, 0
  %o = extractvalue { i64, i1 } %m, 1
  br i1 %o, label %fail, label %halve
halve:
  %h = lshr i64 %e, 1
  %last = icmp eq i64 %h, 0
  br i1 %last, label %finish, label %more
more:
  %s = call { i64, i1 } @llvm.smul.with.overflow.i64(i64 %b, i64 %b)
  %p = extractvalue { i64, i1 } %s, 1
  br i1 %p, label %fail, label %square
square:
  %b2 = extractvalue { i64, i1 } %s, 0
  br label %head
finish:
  %v = insertvalue { i64, i1 } zeroinitializer, i64 %r2, 0
  ret { i64, i1 } %v
end:
  %w = insertvalue { i64, i1 } zeroinitializer, i64 %r, 0
  ret { i64, i1 } %w
fail:
  ret { i64, i1 } { i64 0, i1 true }
}
define internal { double, i1 } @exact(i64 %i) alwaysinline {
  %s = add i64 %i, 9007199254740992
  %o = icmp ugt i64 %s, 18014398509481984
  %d = sitofp i64 %i to double
  %v = insertvalue { double, i1 } zeroinitializer, double %d, 0
  %w = insertvalue { double, i1 } %v, i1 %o, 1
  ret { double, i1 } %w
}
define internal i1 @infinite(double %x) alwaysinline {
  %z = fsub double %x, %x
  %c = fcmp uno double %z, %z
  ret i1 %c
}
define internal { i64, i1 } @to_int(double %x) alwaysinline {
  %low = fcmp oge double %x, 0xC3E0000000000000
  %high = fcmp olt double %x, 0x43E0000000000000
  %in = and i1 %low, %high
  %safe = select i1 %in, double %x, double 0.0
  %i = fptosi double %safe to i64
  %bad = xor i1 %in, true
  %v = insertvalue { i64, i1 } zeroinitializer, i64 %i, 0
  %w = insertvalue { i64, i1 } %v, i1 %bad, 1
  ret { i64, i1 } %w
}
; float % float and float // float as CPython's _float_div_mod computes them; the divisor is not zero
define internal double @float_mod(double %a, double %b) {
  %m = call double $fmod(double %a, double %b)
  %some = fcmp une double %m, 0.0
  %bn = fcmp olt double %b, 0.0
  %mn = fcmp olt double %m, 0.0
  %differ = xor i1 %bn, %mn
  %moved = fadd double %m, %b
  %r = select i1 %differ, double %moved, double %m
  %zero = call double @llvm.copysign.f64(double 0.0, double %b)
  %s = select i1 %some, double %r, double %zero
  ret double %s
}
define internal double @float_floordiv(double %a, double %b) {
  %m = call double $fmod(double %a, double %b)
  %difference = fsub double %a, %m
  %q = fdiv double %difference, %b
  %some = fcmp une double %m, 0.0
  %bn = fcmp olt double %b, 0.0
  %mn = fcmp olt double %m, 0.0
  %differ = xor i1 %bn, %mn
  %less = and i1 %some, %differ
  %q1 = fsub double %q, 1.0
  %d = select i1 %less, double %q1, double %q
  %f = call double $floor(double %d)
  %rest = fsub double %d, %f
  %up = fcmp ogt double %rest, 0.5
  %f1 = fadd double %f, 1.0
  %g = select i1 %up, double %f1, double %f
  %whole = fdiv double %a, %b
  %zero = call double @llvm.copysign.f64(double 0.0, double %whole)
  %nonzero = fcmp une double %d, 0.0
  %s = select i1 %nonzero, double %g, double %zero
  ret double %s
}
"""

_LISTS = """
define internal i64 @place(i64 %i, i64 %length) alwaysinline {
  %n = icmp slt i64 %i, 0
  %j = add i64 %i, %length
  %k = select i1 %n, i64 %j, i64 %i
  ret i64 %k
}
define internal i64 @bound(i64 %i, i64 %length) alwaysinline {
  %k = call i64 @place(i64 %i, i64 %length)
  %n = icmp slt i64 %k, 0
  %l = select i1 %n, i64 0, i64 %k
  %h = icmp sgt i64 %l, %length
  %r = select i1 %h, i64 %length, i64 %l
  ret i64 %r
}
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
define internal ptr @list_new(ptr %c, i64 %length) {
entry:
  %many = icmp ugt i64 %length, $MAX_BYTES
  br i1 %many, label %fail, label %fits
fits:
  %bytes = mul i64 %length, 8
  %whole = add i64 %bytes, 32
  %l = call ptr @alloc(ptr %c, i64 %whole)
  %none = icmp eq ptr %l, null
  br i1 %none, label %fail, label %fill
fill:
  %data = getelementptr i8, ptr %l, i64 32
  store i64 %length, ptr %l
  %capp = getelementptr %list, ptr %l, i32 0, i32 1
  store i64 %length, ptr %capp
  %datap = getelementptr %list, ptr %l, i32 0, i32 2
  store ptr %data, ptr %datap
  %objp = getelementptr %list, ptr %l, i32 0, i32 3
  store ptr null, ptr %objp
  ret ptr %l
fail:
  ret ptr null
}
define internal ptr @list_more(ptr %c, ptr %l, i64 %count) noinline {
; room for count more items; the first new slot, or null
entry:
  %length = load i64, ptr %l
  %wanted = add i64 %length, %count
  %capp = getelementptr %list, ptr %l, i32 0, i32 1
  %cap = load i64, ptr %capp
  %datap = getelementptr %list, ptr %l, i32 0, i32 2
  %old = load ptr, ptr %datap
  %fits = icmp ule i64 %wanted, %cap
  br i1 %fits, label %slot, label %grow
grow:
  %double = mul i64 %wanted, 2
  %newcap = add i64 %double, 4
  %bytes = mul i64 %newcap, 8
  %new = call ptr @alloc(ptr %c, i64 %bytes)
  %none = icmp eq ptr %new, null
  br i1 %none, label %fail, label %move
move:
  %kept = mul i64 %length, 8
  call void @llvm.memcpy.p0.p0.i64(ptr %new, ptr %old, i64 %kept, i1 false)
  store ptr %new, ptr %datap
  store i64 %newcap, ptr %capp
  br label %slot
slot:
  %data = phi ptr [ %old, %entry ], [ %new, %move ]
  store i64 %wanted, ptr %l
  %s = getelementptr i64, ptr %data, i64 %length
  ret ptr %s
fail:
  ret ptr null
}
define internal i1 @list_extend(ptr %c, ptr %l, ptr %from) {
entry:
  %count = load i64, ptr %from
  %slot = call ptr @list_more(ptr %c, ptr %l, i64 %count)
  %none = icmp eq ptr %slot, null
  br i1 %none, label %fail, label %copy
copy:
  %datap = getelementptr %list, ptr %from, i32 0, i32 2
  %data = load ptr, ptr %datap
  %bytes = mul i64 %count, 8
  call void @llvm.memcpy.p0.p0.i64(ptr %slot, ptr %data, i64 %bytes, i1 false)
  ret i1 false
fail:
  ret i1 true
}
define internal ptr @list_slice(ptr %c, ptr %from, i64 %low, i64 %high) {
entry:
  %length = load i64, ptr %from
  %a = call i64 @bound(i64 %low, i64 %length)
  %b = call i64 @bound(i64 %high, i64 %length)
  %empty = icmp sgt i64 %a, %b
  %stop = select i1 %empty, i64 %a, i64 %b
  %count = sub i64 %stop, %a
  %l = call ptr @list_new(ptr %c, i64 %count)
  %none = icmp eq ptr %l, null
  br i1 %none, label %fail, label %copy
copy:
  %datap = getelementptr %list, ptr %from, i32 0, i32 2
  %data = load ptr, ptr %datap
  %start = getelementptr i64, ptr %data, i64 %a
  %to = getelementptr i8, ptr %l, i64 32
  %bytes = mul i64 %count, 8
  call void @llvm.memcpy.p0.p0.i64(ptr %to, ptr %start, i64 %bytes, i1 false)
  ret ptr %l
fail:
  ret ptr null
}
define internal ptr @list_range(ptr %c, i64 %start, i64 %stop) {
entry:
  %empty = icmp sge i64 %start, %stop
  %top = select i1 %empty, i64 %start, i64 %stop
  %count = sub i64 %top, %start
  %l = call ptr @list_new(ptr %c, i64 %count)
  %none = icmp eq ptr %l, null
  br i1 %none, label %fail, label %head
head:
  %i = phi i64 [ 0, %entry ], [ %j, %body ]
  %done = icmp eq i64 %i, %count
  br i1 %done, label %end, label %body
body:
  %to = getelementptr i8, ptr %l, i64 32
  %slot = getelementptr i64, ptr %to, i64 %i
  %v = add i64 %start, %i
  store i64 %v, ptr %slot
  %j = add i64 %i, 1
  br label %head
end:
  ret ptr %l
fail:
  ret ptr null
}
define internal ptr @list_repeat(ptr %c, ptr %from, i64 %times) {
entry:
  %length = load i64, ptr %from
  %negative = icmp slt i64 %times, 0
  %n = select i1 %negative, i64 0, i64 %times
  %m = call { i64, i1 } @llvm.smul.with.overflow.i64(i64 %n, i64 %length)
  %count = extractvalue { i64, i1 } %m, 0
  %over = extractvalue { i64, i1 } %m, 1
  br i1 %over, label %fail, label %make
make:
  %l = call ptr @list_new(ptr %c, i64 %count)
  %none = icmp eq ptr %l, null
  br i1 %none, label %fail, label %start
start:
  %datap = getelementptr %list, ptr %from, i32 0, i32 2
  %data = load ptr, ptr %datap
  %to = getelementptr i8, ptr %l, i64 32
  br label %head
head:
  %i = phi i64 [ 0, %start ], [ %j, %body ]
  %k = phi i64 [ 0, %start ], [ %k2, %body ]
  %done = icmp eq i64 %i, %count
  br i1 %done, label %end, label %body
body:
  %source = getelementptr i64, ptr %data, i64 %k
  %v = load i64, ptr %source
  %slot = getelementptr i64, ptr %to, i64 %i
  store i64 %v, ptr %slot
  %j = add i64 %i, 1
  %k1 = add i64 %k, 1
  %wrap = icmp eq i64 %k1, %length
  %k2 = select i1 %wrap, i64 0, i64 %k1
  br label %head
end:
  ret ptr %l
fail:
  ret ptr null
}
"""

_PYTHON = """
define internal i64 @size(ptr %object) alwaysinline {
  %p = getelementptr i8, ptr %object, i64 16
  %n = load i64, ptr %p
  ret i64 %n
}
define internal i1 @is_exactly(ptr %object, ptr %type) alwaysinline {
  %p = getelementptr i8, ptr %object, i64 8
  %t = load ptr, ptr %p
  %c = icmp eq ptr %t, %type
  ret i1 %c
}
define internal ptr @slot(ptr %object, i64 %i) alwaysinline {
  %p = getelementptr i8, ptr %object, i64 24
  %items = load ptr, ptr %p
  %s = getelementptr ptr, ptr %items, i64 %i
  %o = load ptr, ptr %s
  ret ptr %o
}
define internal { i64, i1 } @read_int(ptr %object) {
entry:
  %over = alloca i32
  %right = call i1 @is_exactly(ptr %object, ptr $PyLong_Type)
  br i1 %right, label %look, label %fail
look:
  %tagp = getelementptr i8, ptr %object, i64 16
  %tag = load i64, ptr %tagp
  %onemore = add i64 %tag, 1
  %signbits = and i64 %tag, 3
  %compact = $COMPACT
  br i1 %compact, label %short, label %read
short:
  %digitp = getelementptr i8, ptr %object, i64 24
  %digit = load i32, ptr %digitp
  %magnitude = zext i32 %digit to i64
  %sign = $SIGN
  %value = mul i64 %sign, %magnitude
  %y = insertvalue { i64, i1 } zeroinitializer, i64 %value, 0
  ret { i64, i1 } %y
read:
  %v = call i64 $PyLong_AsLongLongAndOverflow(ptr %object, ptr %over)
  %o = load i32, ptr %over
  %bad = icmp ne i32 %o, 0
  %w = insertvalue { i64, i1 } zeroinitializer, i64 %v, 0
  %x = insertvalue { i64, i1 } %w, i1 %bad, 1
  ret { i64, i1 } %x
fail:
  ret { i64, i1 } { i64 0, i1 true }
}
define internal { double, i1 } @read_float(ptr %object) {
  %right = call i1 @is_exactly(ptr %object, ptr $PyFloat_Type)
  br i1 %right, label %read, label %fail
read:
  %v = call double $PyFloat_AsDouble(ptr %object)
  %w = insertvalue { double, i1 } zeroinitializer, double %v, 0
  ret { double, i1 } %w
fail:
  ret { double, i1 } { double 0.0, i1 true }
}
define internal { i1, i1 } @read_bool(ptr %object) {
  %right = call i1 @is_exactly(ptr %object, ptr $PyBool_Type)
  %bad = xor i1 %right, true
  %v = icmp eq ptr %object, $True
  %w = insertvalue { i1, i1 } zeroinitializer, i1 %v, 0
  %x = insertvalue { i1, i1 } %w, i1 %bad, 1
  ret { i1, i1 } %x
}
define internal i1 @read_text(ptr %c, ptr %object, ptr %text, i1 %points) {
; without its points, a str can be compared and measured
entry:
  %right = call i1 @is_exactly(ptr %object, ptr $PyUnicode_Type)
  br i1 %right, label %read, label %fail
read:
  %n = call i64 $PyUnicode_GetLength(ptr %object)
  store i64 %n, ptr %text
  %datap = getelementptr %text, ptr %text, i32 0, i32 1
  store ptr null, ptr %datap
  %objp = getelementptr %text, ptr %text, i32 0, i32 2
  store ptr %object, ptr %objp
  br i1 %points, label %copying, label %end
copying:
  %room = add i64 %n, 1
  %bytes = mul i64 %room, 4
  %data = call ptr @alloc(ptr %c, i64 %bytes)
  %none = icmp eq ptr %data, null
  br i1 %none, label %fail, label %copy
copy:
  %r = call ptr $PyUnicode_AsUCS4(ptr %object, ptr %data, i64 %room, i32 1)
  store ptr %data, ptr %datap
  br label %end
end:
  ret i1 false
fail:
  ret i1 true
}
define internal i1 @same_text(ptr %a, ptr %b) {
entry:
  %ap = getelementptr %text, ptr %a, i32 0, i32 2
  %bp = getelementptr %text, ptr %b, i32 0, i32 2
  %ao = load ptr, ptr %ap
  %bo = load ptr, ptr %bp
  %one = icmp eq ptr %ao, %bo
  br i1 %one, label %yes, label %measure
measure:
  %n = load i64, ptr %a
  %m = load i64, ptr %b
  %size = icmp eq i64 %n, %m
  br i1 %size, label %compare, label %no
compare:
  %order = call i32 $PyUnicode_Compare(ptr %ao, ptr %bo)
  %same = icmp eq i32 %order, 0
  ret i1 %same
yes:
  ret i1 true
no:
  ret i1 false
}
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

PRELUDE: Final = _ARITHMETIC + _LISTS + _PYTHON
