"""The state of lowering one function: statements so far, temporaries, labels, and where jumps must go."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pointsman.program import ir
from pointsman.program.frontend.module import FunctionNode, Module, data_attributes
from pointsman.program.frontend.refusal import Refusal
from pointsman.program.frontend.scopes import Scope

__all__ = ["Builder", "Program", "Target", "loc_of"]

MAX_STATEMENTS = 1_000_000  # chosen: a table of 100,000 rules written as source has 300,000


def loc_of(node: ast.AST) -> ir.Loc:
    line, column = getattr(node, "lineno", 0), getattr(node, "col_offset", 0)
    return ir.Loc(
        line, column, getattr(node, "end_lineno", None) or line, getattr(node, "end_col_offset", None) or column
    )


@dataclass
class Program:
    """What one compilation gathers: the functions, records and module values that the entry function reaches."""

    module: Module
    functions: dict[str, ir.Function] = field(default_factory=dict)
    records: dict[str, ir.Record] = field(default_factory=dict)
    globals: dict[str, str] = field(default_factory=dict)  # module variable -> the function that makes it
    opaque: dict[str, Refusal] = field(default_factory=dict)  # functions kept as calls to the original, and why
    wanted: list[str] = field(default_factory=list)  # module functions that are referred to, in order
    allow_opaque: bool = False

    @property
    def attributes(self) -> tuple[str, ...]:
        """The data attributes of classes that are not records, which the program may read and set."""
        recorded = {name for record in self.records.values() for name, _, _ in record.fields}
        return tuple(sorted(self.fields - recorded))

    def want(self, name: str) -> None:
        if name not in self.wanted:
            self.wanted.append(name)

    @cached_property
    def fields(self) -> frozenset[str]:
        """The data attributes that classes of the module declare: fields of records, and what methods set on self."""
        return frozenset().union(*(data_attributes(node) for node in self.module.classes.values()), *(
            {name for name, _, _ in record.fields} for record in self.records.values()
        ))  # fmt: skip


@dataclass(frozen=True)
class Target:
    """Where `break`, `continue` or a finally's exits go: a label, and how many finally blocks lie inside it."""

    label: str
    depth: int


class Builder:
    """Collects the statements of one function. ``nested()`` collects a body apart."""

    def __init__(self, program: Program, node: FunctionNode, name: str, scope: Scope, parent: Builder | None) -> None:
        self.program = program
        self.module = program.module
        self.node = node
        self.name = name
        self.scope = scope
        self.parent = parent
        self.body: list[ir.Statement] = []
        self.breaks: list[Target] = []
        self.continues: list[Target] = []
        self.finals: list[Any] = []  # enclosing `finally` records, innermost last (statements.py)
        self.captured: dict[str, str] = {}  # free name -> "value" | "cell" | "self"
        self.comprehension_names: dict[str, str] = {}  # variables of enclosing comprehensions -> their IR name
        self.used_up: set[ast.AST] = set()
        self.is_part = False  # a part of a comprehension: it assigns nothing outside itself
        self.imports: dict[str, str] = {}  # names imported inside this function
        self.caught: list[ir.Operand] = []  # exceptions being handled, innermost last
        self._temporaries = 0
        self._labels = 0
        self._functions = 0

    def imported(self, name: str) -> str | None:
        """The library path that an import in this function, one around it or the module gives ``name``."""
        builder: Builder | None = self
        while builder is not None:
            if name in builder.imports:
                return builder.imports[name]
            builder = builder.parent
        return self.module.imports.get(name)

    def temp(self) -> str:
        self._temporaries += 1
        if self._temporaries > MAX_STATEMENTS:
            raise self.refuse("PM301", self.node)
        return f"%{self._temporaries}"

    def label(self, hint: str) -> str:
        self._labels += 1
        return f"{hint}{self._labels}"

    def hidden(self, hint: str) -> str:
        """A variable that the source does not have; it may be assigned repeatedly."""
        self._labels += 1
        return f"{hint}#{self._labels}"

    def inner_name(self, hint: str) -> str:
        self._functions += 1
        return f"{self.name}.{hint}{self._functions}"

    def refuse(self, code: str, node: ast.AST | None, detail: str = "") -> Refusal:
        return self.module.refuse(code, node, detail)

    def add(self, statement: ir.Statement) -> None:
        self.body.append(statement)

    def let(self, op: str, *args: ir.Operand, attrs: tuple[Any, ...] = (), node: ast.AST) -> ir.Var:
        target = self.temp()
        self.add(ir.Let(target, op, args, attrs, loc_of(node)))
        return ir.Var(target)

    def assign(self, name: str, value: ir.Operand, node: ast.AST) -> None:
        self.add(ir.Let(name, "copy", (value,), (), loc_of(node)))

    def snapshot(self, operand: ir.Operand, node: ast.AST) -> ir.Operand:
        """The operand's present value, safe against later assignment to its variable."""
        if isinstance(operand, ir.Var) and not operand.name.startswith("%"):
            return self.let("copy", operand, node=node)
        return operand

    @contextmanager
    def nested(self) -> Iterator[list[ir.Statement]]:
        outer, self.body = self.body, []
        inner = self.body
        try:
            yield inner
        finally:
            self.body = outer

    def jump(self, label: str, node: ast.AST) -> None:
        self.add(ir.Jump(label, loc_of(node)))
