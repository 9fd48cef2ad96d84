"""LLVM text that reads Python's objects: type checks, ints, floats, bools, str; how to read it stands in prelude.py."""

from __future__ import annotations

from typing import Final

__all__ = ["OBJECTS"]

OBJECTS: Final = """
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
"""
