"""LLVM text of the lists that a program makes or changes; how to read it stands in prelude.py."""

from __future__ import annotations

from typing import Final

__all__ = ["LISTS"]

LISTS: Final = """
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
