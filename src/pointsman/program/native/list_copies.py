"""LLVM text that goes between Python lists and native ones, for each kind of element; how to read it: prelude.py."""

from __future__ import annotations

from typing import Final

__all__ = ["list_helpers"]

_LIST: Final = """
define internal ptr @lazy_KIND(ptr %c, ptr %object, i64 %low, i64 %high) {
entry:
  %length = call i64 @size(ptr %object)
  %a = call i64 @bound(i64 %low, i64 %length)
  %b = call i64 @bound(i64 %high, i64 %length)
  %empty = icmp sgt i64 %a, %b
  %stop = select i1 %empty, i64 %a, i64 %b
  %count = sub i64 %stop, %a
  %l = call ptr @list_new(ptr %c, i64 %count)
  %none = icmp eq ptr %l, null
  br i1 %none, label %fail, label %head
head:
  %i = phi i64 [ 0, %entry ], [ %j, %keep ]
  %done = icmp eq i64 %i, %count
  br i1 %done, label %end, label %body
body:
  %from = add i64 %a, %i
  %o = call ptr @slot(ptr %object, i64 %from)
  %r = call { TYPE, i1 } @read_KIND(ptr %o)
  %bad = extractvalue { TYPE, i1 } %r, 1
  br i1 %bad, label %fail, label %keep
keep:
  %v = extractvalue { TYPE, i1 } %r, 0
  %w = TOSLOT
  %data = getelementptr i8, ptr %l, i64 32
  %place = getelementptr i64, ptr %data, i64 %i
  store i64 %w, ptr %place
  %j = add i64 %i, 1
  br label %head
end:
  ret ptr %l
fail:
  ret ptr null
}
define internal ptr @box_KIND(i64 %w) alwaysinline {
  %v = FROMSLOT
  %o = MAKE
  ret ptr %o
}
define internal ptr @box_list_KIND(ptr %l) {
entry:
; a list that is met a second time is the object made the first time
  %objp = getelementptr %list, ptr %l, i32 0, i32 3
  %object = load ptr, ptr %objp
  %own = icmp ne ptr %object, null
  br i1 %own, label %given, label %make
given:
  call void $Py_IncRef(ptr %object)
  ret ptr %object
make:
  %n = load i64, ptr %l
  %new = call ptr $PyList_New(i64 %n)
  %none = icmp eq ptr %new, null
  br i1 %none, label %end, label %made
made:
  store ptr %new, ptr %objp
  %datap = getelementptr %list, ptr %l, i32 0, i32 2
  %data = load ptr, ptr %datap
  br label %head
head:
  %i = phi i64 [ 0, %made ], [ %j, %body ]
  %done = icmp eq i64 %i, %n
  br i1 %done, label %end, label %body
body:
  %place = getelementptr i64, ptr %data, i64 %i
  %w = load i64, ptr %place
  %o = call ptr @box_KIND(i64 %w)
  %s = call i32 $PyList_SetItem(ptr %new, i64 %i, ptr %o)
  %j = add i64 %i, 1
  br label %head
end:
  ret ptr %new
}
define internal void @update_KIND(ptr %l) {
; the Python list takes the values of its copy; items that are the same already stay the objects they are
entry:
  %objp = getelementptr %list, ptr %l, i32 0, i32 3
  %object = load ptr, ptr %objp
  %n = load i64, ptr %l
  %size = call i64 @size(ptr %object)
  %datap = getelementptr %list, ptr %l, i32 0, i32 2
  %data = load ptr, ptr %datap
  br label %head
head:
  %i = phi i64 [ 0, %entry ], [ %j, %next ]
  %done = icmp eq i64 %i, %n
  br i1 %done, label %cut, label %body
body:
  %place = getelementptr i64, ptr %data, i64 %i
  %w = load i64, ptr %place
  %old = icmp slt i64 %i, %size
  br i1 %old, label %compare, label %append
compare:
  %o = call ptr @slot(ptr %object, i64 %i)
  %r = call { TYPE, i1 } @read_KIND(ptr %o)
  %bad = extractvalue { TYPE, i1 } %r, 1
  %v = extractvalue { TYPE, i1 } %r, 0
  %x = TOSLOT
  %differ = icmp ne i64 %x, %w
  %replace = or i1 %differ, %bad
  br i1 %replace, label %change, label %next
change:
  %p = call ptr @box_KIND(i64 %w)
  %s = call i32 $PyList_SetItem(ptr %object, i64 %i, ptr %p)
  br label %next
append:
  %q = call ptr @box_KIND(i64 %w)
  %t = call i32 $PyList_Append(ptr %object, ptr %q)
  call void $Py_DecRef(ptr %q)
  br label %next
next:
  %j = add i64 %i, 1
  br label %head
cut:
  %longer = icmp slt i64 %n, %size
  br i1 %longer, label %drop, label %end
drop:
  %u = call i32 $PyList_SetSlice(ptr %object, i64 %n, i64 %size, ptr null)
  br label %end
end:
  ret void
}
"""

_SLOTS: Final = {
    "int": ("i64", "add i64 %v, 0", "add i64 %w, 0", "call ptr $PyLong_FromLongLong(i64 %v)"),
    "float": (
        "double",
        "bitcast double %v to i64",
        "bitcast i64 %w to double",
        "call ptr $PyFloat_FromDouble(double %v)",
    ),
    "bool": ("i1", "zext i1 %v to i64", "add i64 %w, 0", "call ptr $PyBool_FromLong(i64 %v)"),
}


def list_helpers() -> str:
    """The helpers that go between Python lists and native ones, for each kind of element."""
    parts = []
    for kind, (type_, to_slot, from_slot, make) in _SLOTS.items():
        text = _LIST.replace("KIND", kind).replace("TYPE", type_).replace("TOSLOT", to_slot)
        parts.append(text.replace("FROMSLOT", from_slot).replace("MAKE", make))
    return "".join(parts)
