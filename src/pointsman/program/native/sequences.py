"""The machine code of operations on lists, text, tuples and iterators.

A list argument that nothing writes to stays the Python list it is: its items are checked and read one by one, so that a
search that looks at ten items of a million pays for ten. All other lists are ``%list`` (prelude.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from pointsman.program.ir import Const
from pointsman.program.native.kinds import INT_MAX, Iterator, Kind, ListOf, Method, RangeOf, TupleOf, llvm_type
from pointsman.program.native.operations import convert, length
from pointsman.program.native.text import Code, Value
from pointsman.program.table.machine import App, Term

__all__ = [
    "build_list",
    "copy_list",
    "exhaust",
    "get_item",
    "iterate",
    "list_method",
    "part",
    "repeat",
    "set_item",
    "take",
    "taken",
    "tuple_of",
]


def _place(code: Code, owner: Value, index: Value, size: str | None = None) -> str:
    """The position that an index means; abandons where Python raises IndexError."""
    total = size or length(code, owner)
    position = code.op(f"call i64 @place(i64 {convert(code, index, 'int')}, i64 {total})")
    code.fail_if(code.op(f"icmp uge i64 {position}, {total}"))
    return position


def _slot(code: Code, owner: str, position: str) -> str:
    data = code.op(f"load ptr, ptr {code.op(f'getelementptr %list, ptr {owner}, i32 0, i32 2')}")
    return code.op(f"getelementptr i64, ptr {data}, i64 {position}")


def _load(code: Code, slot: str, kind: Kind) -> str:
    if kind == "bool":
        return code.op(f"trunc i64 {code.op(f'load i64, ptr {slot}')} to i1")
    return code.op(f"load {llvm_type(kind)}, ptr {slot}")


def _store(code: Code, slot: str, value: Value) -> None:
    if value.kind == "bool":
        code.put(f"store i64 {code.op(f'zext i1 {value.text} to i64')}, ptr {slot}")
    else:
        code.put(f"store {llvm_type(value.kind)} {value.text}, ptr {slot}")


def _element(code: Code, owner: Value, position: str) -> Value:
    """The item at a position that was checked."""
    assert isinstance(owner.kind, ListOf)
    assert isinstance(owner.kind.elem, str)
    elem = owner.kind.elem
    if owner.kind.cell.lazy:
        item = code.op(f"call ptr @slot(ptr {owner.text}, i64 {position})")
        type_ = llvm_type(elem)
        return Value(elem, code.checked(type_, f"call {{ {type_}, i1 }} @read_{elem}(ptr {item})"))
    return Value(elem, _load(code, _slot(code, owner.text, position), elem))


def _character(code: Code, text: str, position: str) -> Value:
    code.constants.indexes_text = True
    data = code.op(f"load ptr, ptr {code.op(f'getelementptr %text, ptr {text}, i32 0, i32 1')}")
    return Value("char", code.op(f"load i32, ptr {code.op(f'getelementptr i32, ptr {data}, i64 {position}')}"))


def get_item(
    code: Code, args: Sequence[Term], values: Sequence[Value], slice_bounds: Sequence[Value], made: ListOf
) -> Value:
    """``made`` is the kind of the new list, where the index is a slice."""
    owner, index = values
    if isinstance(args[1], App) and args[1].op == "slice":
        return _slice(code, owner, slice_bounds, made)
    if isinstance(owner.kind, TupleOf):
        return _tuple_item(code, args, owner, index)
    position = _place(code, owner, index)
    return _character(code, owner.text, position) if owner.kind == "str" else _element(code, owner, position)


def _slice(code: Code, owner: Value, bounds: Sequence[Value], made: ListOf) -> Value:
    low = "0" if bounds[0].kind == "none" else bounds[0].text
    high = length(code, owner) if bounds[1].kind == "none" else bounds[1].text
    return Value(made, _copied(code, owner, low, high))


def _copied(code: Code, owner: Value, low: str, high: str) -> str:
    assert isinstance(owner.kind, ListOf)
    helper = f"lazy_{owner.kind.elem}" if owner.kind.cell.lazy else "list_slice"
    return code.fail_if_null(code.op(f"call ptr @{helper}(ptr %ctx, ptr {owner.text}, i64 {low}, i64 {high})"))


def _tuple_item(code: Code, args: Sequence[Term], owner: Value, index: Value) -> Value:
    assert isinstance(owner.kind, TupleOf)
    term = args[1]
    if isinstance(term, Const) and type(term.value) is int:
        return part(code, owner, range(len(owner.kind.items))[term.value])
    assert isinstance(args[0], Const)
    items = args[0].value
    position = _place(code, owner, index, str(len(items)))
    kind = "str" if isinstance(items[0], str) else owner.kind.items[0]
    type_ = llvm_type(kind)
    table = code.constants.table(type_, tuple(code.constant(item, kind) for item in items))
    return Value(kind, code.op(f"load {type_}, ptr {code.op(f'getelementptr {type_}, ptr {table}, i64 {position}')}"))


def part(code: Code, owner: Value, index: int) -> Value:
    """One part of a tuple."""
    assert isinstance(owner.kind, TupleOf)
    return Value(owner.kind.items[index], code.op(f"extractvalue {llvm_type(owner.kind)} {owner.text}, {index}"))


def tuple_of(code: Code, values: Sequence[Value]) -> Value:
    """``(values)``."""
    kind = TupleOf(tuple(v.kind for v in values))
    text = "poison" if values else "false"
    for i, value in enumerate(values):
        text = code.op(f"insertvalue {llvm_type(kind)} {text}, {llvm_type(value.kind)} {value.text}, {i}")
    return Value(kind, text)


def set_item(code: Code, values: Sequence[Value]) -> Value:
    """``owner[index] = value``."""
    owner, index, value = values
    _store(code, _slot(code, owner.text, _place(code, owner, index)), value)
    return Value("none", "false")


def build_list(code: Code, kind: Kind, values: Sequence[Value]) -> Value:
    """``[values]``."""
    made = code.fail_if_null(code.op(f"call ptr @list_new(ptr %ctx, i64 {len(values)})"))
    for i, value in enumerate(values):
        _store(code, _slot(code, made, str(i)), value)
    return Value(kind, made)


def repeat(code: Code, kind: Kind, values: Sequence[Value]) -> Value:
    """``list * int``."""
    owner, times = values
    assert isinstance(owner.kind, ListOf)
    source = _copied(code, owner, "0", length(code, owner)) if owner.kind.cell.lazy else owner.text
    return Value(kind, code.fail_if_null(code.op(f"call ptr @list_repeat(ptr %ctx, ptr {source}, i64 {times.text})")))


def copy_list(code: Code, kind: Kind, source: Value) -> Value:
    """``list(x)`` of a list or a range."""
    if isinstance(source.kind, RangeOf):
        start, stop = (code.op(f"extractvalue {{ i64, i64, i64 }} {source.text}, {i}") for i in (0, 1))
        return Value(kind, code.fail_if_null(code.op(f"call ptr @list_range(ptr %ctx, i64 {start}, i64 {stop})")))
    return Value(kind, _copied(code, source, "0", length(code, source)))


def list_method(code: Code, method: Value, values: Sequence[Value]) -> Value:
    """``append``, ``extend`` or ``pop``."""
    assert isinstance(method.kind, Method)
    owner = Value(method.kind.owner, method.text)
    match method.kind.name:
        case "append":
            slot = code.fail_if_null(code.op(f"call ptr @list_more(ptr %ctx, ptr {owner.text}, i64 1)"))
            _store(code, slot, values[0])
            return Value("none", "false")
        case "extend":
            assert isinstance(values[0].kind, ListOf)
            lazy = values[0].kind.cell.lazy
            source = _copied(code, values[0], "0", length(code, values[0])) if lazy else values[0].text
            code.fail_if(code.op(f"call i1 @list_extend(ptr %ctx, ptr {owner.text}, ptr {source})"))
            return Value("none", "false")
    position = _place(code, owner, Value("int", "-1"))
    value = _element(code, owner, position)
    code.put(f"store i64 {position}, ptr {owner.text}")
    return value


def iterate(code: Code, value: Value, kind: Kind, first: str = "0") -> Value:
    """``iter(value)``: a ``%iter`` of its own; its last field is where ``enumerate`` starts, or a range's step."""
    assert isinstance(kind, Iterator)
    if isinstance(value.kind, Iterator):
        return Value(kind, value.text)
    made = code.fail_if_null(code.op("call ptr @alloc(ptr %ctx, i64 32)"))
    source, start, stop = value.text, "0", "0"
    if isinstance(value.kind, RangeOf):
        source = "null"
        start, stop, first = (code.op(f"extractvalue {{ i64, i64, i64 }} {value.text}, {i}") for i in (0, 1, 2))
    for i, (type_, text) in enumerate((("ptr", source), ("i64", start), ("i64", stop), ("i64", first))):
        code.put(f"store {type_} {text}, ptr {code.op(f'getelementptr %iter, ptr {made}, i32 0, i32 {i}')}")
    return Value(kind, made)


def _field(code: Code, iterator: Value, index: int) -> str:
    return code.op(f"load i64, ptr {code.op(f'getelementptr %iter, ptr {iterator.text}, i32 0, i32 {index}')}")


def take(code: Code, iterator: Value) -> tuple[str, str, str]:
    """(whether there is an item, its position, where the position is kept); the caller moves it on."""
    assert isinstance(iterator.kind, Iterator)
    place = code.op(f"getelementptr %iter, ptr {iterator.text}, i32 0, i32 1")
    position = code.op(f"load i64, ptr {place}")
    source = iterator.kind.source
    if not isinstance(source, RangeOf):
        stop = length(code, Value(source, code.op(f"load ptr, ptr {iterator.text}")))
        return code.op(f"icmp slt i64 {position}, {stop}"), position, place
    stop = _field(code, iterator, 2)
    before = code.op(f"icmp slt i64 {position}, {stop}")
    if not source.stepped:
        return before, position, place
    up = code.op(f"icmp sgt i64 {_field(code, iterator, 3)}, 0")
    after = code.op(f"icmp sgt i64 {position}, {stop}")
    return code.op(f"select i1 {up}, i1 {before}, i1 {after}"), position, place


def exhaust(code: Code, iterator: Value, place: str) -> None:
    """An iterator that has ended stays ended, also when its list grows later."""
    assert isinstance(iterator.kind, Iterator)
    ended = _field(code, iterator, 2) if isinstance(iterator.kind.source, RangeOf) else str(INT_MAX)
    code.put(f"store i64 {ended}, ptr {place}")


def taken(code: Code, iterator: Value, position: str, place: str) -> Value:
    """The item at ``position``, after moving the iterator on; with its count where ``enumerate`` counts."""
    assert isinstance(iterator.kind, Iterator)
    source = iterator.kind.source
    step = _field(code, iterator, 3) if isinstance(source, RangeOf) else "1"
    following = code.checked("i64", f"call {{ i64, i1 }} @llvm.sadd.with.overflow.i64(i64 {position}, i64 {step})")
    code.put(f"store i64 {following}, ptr {place}")
    if isinstance(source, RangeOf):
        return Value("int", position)
    owner = Value(source, code.op(f"load ptr, ptr {iterator.text}"))
    item = _character(code, owner.text, position) if source == "str" else _element(code, owner, position)
    if not iterator.kind.counted:
        return item
    count = code.checked(
        "i64", f"call {{ i64, i1 }} @llvm.sadd.with.overflow.i64(i64 {_field(code, iterator, 3)}, i64 {position})"
    )
    return tuple_of(code, [Value("int", count), item])
