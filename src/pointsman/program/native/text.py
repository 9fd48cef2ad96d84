"""Lines of LLVM text for one function: fresh names, blocks, and the way out that abandons the run."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

from pointsman.program.native.kinds import INT_MAX, INT_MIN, Kind, NotNumeric, TupleOf, llvm_type, show

__all__ = ["Code", "Constants", "Value", "zero"]

_RARE = "!prof !0"  # a branch that is hardly ever taken; the metadata stands at the end of the module


@dataclass(frozen=True, slots=True)
class Value:
    """A value in machine code: its kind and the LLVM text that names it.

    ``bad``: an i1 that says that the value overflowed when it was made; whoever uses the value abandons the run.
    """

    kind: Kind
    text: str
    bad: str | None = None


@dataclass
class Constants:
    """Global data of a module: str constants and tables. ``kept`` holds the Python objects that the code points to."""

    lines: list[str] = field(default_factory=list)
    names: dict[Any, str] = field(default_factory=dict)
    kept: list[Any] = field(default_factory=list)
    indexes_text: bool = False  # whether any code looks at single characters of a str

    def text(self, value: str) -> str:
        """A ``%text`` for a str constant."""
        name = self.names.get(value)
        if name is None:
            name = self.names[value] = f"@text{len(self.names)}"
            self.kept.append(value)
            points = ", ".join(f"i32 {ord(c)}" for c in value) or "i32 0"
            self.lines.append(f"{name}.data = private constant [{max(len(value), 1)} x i32] [{points}]")
            parts = f"i64 {len(value)}, ptr {name}.data, ptr inttoptr (i64 {id(value)} to ptr)"
            self.lines.append(f"{name} = private constant %text {{ {parts} }}")
        return name

    def table(self, kind: str, items: tuple[str, ...]) -> str:
        """An array of LLVM constants of one type."""
        key = (kind, items)
        name = self.names.get(key)
        if name is None:
            name = self.names[key] = f"@table{len(self.names)}"
            body = ", ".join(f"{kind} {item}" for item in items)
            self.lines.append(f"{name} = private constant [{len(items)} x {kind}] [{body}]")
        return name


class Code:
    """The body of one function. ``fail`` blocks leave with the status 1."""

    def __init__(self, constants: Constants) -> None:
        self.constants = constants
        self.lines: list[str] = []
        self.slots: list[str] = []  # stack slots, all made at the function's entry
        self.count = 0

    def fresh(self, prefix: str = "t") -> str:
        """A name for a value or block."""
        self.count += 1
        return f"%{prefix}{self.count}"

    def put(self, line: str) -> None:
        """Adds an instruction without a result."""
        self.lines.append("  " + line)

    def op(self, text: str) -> str:
        """Adds an instruction; gives the name of its result."""
        name = self.fresh()
        self.put(f"{name} = {text}")
        return name

    def label(self, name: str) -> None:
        """Starts a block."""
        self.lines.append(name.removeprefix("%") + ":")

    def slot(self, type_: str) -> str:
        """A place on the stack."""
        name = self.fresh("v")
        self.slots.append(f"  {name} = alloca {type_}")
        return name

    def fail_if(self, condition: str) -> None:
        """Abandons the run where ``condition`` holds."""
        following = self.fresh("ok")
        self.put(f"br i1 {condition}, label %abandon, label {following}, {_RARE}")
        self.label(following)

    def fail_if_null(self, pointer: str) -> str:
        """The pointer; abandons where there is none."""
        self.fail_if(self.op(f"icmp eq ptr {pointer}, null"))
        return pointer

    def checked(self, type_: str, call: str) -> str:
        """The first part of a ``{ type, i1 }`` that ``call`` gives; abandons where the i1 is set."""
        both = self.op(call)
        value = self.op(f"extractvalue {{ {type_}, i1 }} {both}, 0")
        self.fail_if(self.op(f"extractvalue {{ {type_}, i1 }} {both}, 1"))
        return value

    def constant(self, value: Any, kind: Kind) -> str:
        """A constant's LLVM text."""
        if isinstance(kind, TupleOf):
            items = [f"{llvm_type(k)} {self.constant(v, k)}" for v, k in zip(value, kind.items, strict=True)]
            return "{ " + ", ".join(items) + " }" if items else "false"
        match kind:
            case "int" if INT_MIN <= value <= INT_MAX:  # LLVM would cut off the rest without a word
                return str(int(value))
            case "float":
                return "0x" + struct.pack(">d", float(value)).hex().upper()
            case "bool":
                return "true" if value else "false"
            case "char":
                return str(ord(value))
            case "str":
                return self.constants.text(value)
            case "none":
                return "false"
        raise NotNumeric("constant", f"the constant {value!r} as {show(kind)}")


def zero(kind: Kind) -> str:
    """A value for a variable that is not read before it is assigned."""
    type_ = llvm_type(kind)
    return {"ptr": "null", "double": "0.0", "i1": "false"}.get(type_, "0" if type_[0] == "i" else "zeroinitializer")
