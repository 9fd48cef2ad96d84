"""A program -> one Python module: functions, closure factories, constants, and the objects they refer to.

``emit(program)`` gives source and the table of names that must be bound when it is executed; nothing here executes it
(``runtime.link`` does). The source comes from the verified machine alone, never from text in an artefact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pointsman.program import catalogue
from pointsman.program.deep import deep_recursion
from pointsman.program.emit.code import print_block
from pointsman.program.emit.dispatch import DispatchEmitter
from pointsman.program.emit.function import FunctionEmitter, Unstructured
from pointsman.program.emit.names import GlobalNames
from pointsman.program.emit.text import STAND_INS, Piece, constant, operation
from pointsman.program.emit.tree import TreeEmitter
from pointsman.program.emit.values import Values
from pointsman.program.explore.kinds import kind_of
from pointsman.program.ir import UNBOUND, Const, Ref
from pointsman.program.support import RESERVED
from pointsman.program.table.asking import machine_asks
from pointsman.program.table.machine import Do, Machine, Program, Term
from pointsman.program.table.optimise import decisions

__all__ = ["Emitted", "ModuleEmitter", "emit"]

_MIN_DECISIONS = 24  # chosen: fewer are decided in about the time of the guard

_MAX_INDENTATION = 90  # levels; CPython takes 100


@dataclass
class Emitted:
    """A program's Python text and what its names stand for.

    ``references``: emitted name -> reference path. ``constants``: emitted name -> value. ``functions``: machine name ->
    emitted name. ``globals_``: emitted name of a module value -> emitted name of the function that makes it.
    ``dispatched``: the machines that became a loop over a selector (see ``dispatch``).
    """

    source: str
    references: dict[str, str] = field(default_factory=dict)
    constants: dict[str, Any] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)
    globals_: dict[str, str] = field(default_factory=dict)
    dispatched: list[str] = field(default_factory=list)


def emit(program: Program, *, metered: bool = False, every_table: bool = False) -> Emitted:
    """The module's source.

    ``every_table``: tables for checked kinds run behind their guards also where that does not pay, so that a test
    reaches them. ``metered`` code counts states and raises OutOfFuel at loop heads and entries past the limit.
    """
    with deep_recursion():
        return ModuleEmitter(program, metered, every_table).emit()


class ModuleEmitter:
    """Shared by the functions of one module: global names, constants, and operations that need other functions."""

    def __init__(self, program: Program, metered: bool, every_table: bool = False) -> None:
        self.program = program
        self.executed: Callable[[Machine], Machine] = (lambda machine: machine) if every_table else executed
        self.metered = metered
        self.names = GlobalNames(program, RESERVED)
        self.out = Emitted("")
        self.lines: list[str] = []
        self.unguarded: set[str] = set()  # functions wanted without their guard, for calls whose kinds are known
        self.emitted_unguarded: set[str] = set()
        self.flat: set[str] = set()  # closures' bodies wanted as plain functions (of comprehensions)
        self.emitted_flat: set[str] = set()
        declared = {name for r in program.records.values() for name, _, _ in r.fields}.union(program.attributes)
        self.asks = any(machine_asks(machine) for machine in program.machines.values())
        self.only_own = declared - catalogue.ATTRIBUTES - (catalogue.library_names() if declared else set())

    def emit(self) -> Emitted:
        for name in (*self.program.machines, *self.program.opaque):
            self.out.functions[name] = self.function_name(name)
        for name, machine in self.program.machines.items():
            if not _is_part(name):
                self._emit_machine(name, machine)
        while self.flat - self.emitted_flat or self.unguarded - self.emitted_unguarded:
            for name in sorted(self.flat - self.emitted_flat):
                self.emitted_flat.add(name)
                self._emit_flat(name, self.program.machines[name])
            for name in sorted(self.unguarded - self.emitted_unguarded):
                self.emitted_unguarded.add(name)
                machine = replace(self.program.machines[name], generic=None, guards=())
                self._emit_function(self._unguarded_name(name), machine, 0)
        for name, maker in self.program.globals.items():
            self.out.globals_[self.names.get(f"global:{name}", name)] = self.function_name(maker)
        self.out.source = "\n".join(self.lines) + "\n"
        return self.out

    # -- names -----------------------------------------------------------------------------------------------------

    def function_name(self, name: str) -> str:
        return self.names.get(f"function:{name}", name)

    def ref(self, ref: Ref) -> str:
        """The emitted name of a reference, noted for the linker."""
        path = ref.path
        if path.startswith("function:"):
            return self.function_name(path[9:])
        if path in STAND_INS:
            return STAND_INS[path]
        if path.startswith("builtins.") and path.count(".") == 1:
            return path[9:]
        name = self.names.get(path, path.partition(":")[2] or path)
        self.out.references[name] = path
        return name

    def constant(self, hint: str, value: Any) -> str:
        key = f"constant:{hint}:{value!r}"
        name = self.names.get(key, hint)
        self.out.constants[name] = value
        return name

    def mapping(self, hint: str, keys: Sequence[Any], values: Sequence[Any]) -> str:
        name = self.names.get(f"mapping:{hint}:{keys!r}:{values!r}", hint)
        self.out.constants[name] = dict(zip(keys, values, strict=True))
        return name

    # -- operations ------------------------------------------------------------------------------------------------

    def operation(self, emitter: TreeEmitter, node: Do, pieces: list[Piece], values: Values) -> Piece:
        return self.expression(node, pieces, emitter.names.fresh)

    def expression(self, node: Do, pieces: list[Piece], fresh: Any) -> Piece:
        """The text of a step as an expression; ``fresh`` makes names for a comprehension's variables."""
        if node.op == "comprehension":
            from pointsman.program.emit.comprehension import comprehension

            return comprehension(self, node, pieces, fresh)
        if node.op == "closure":
            return self._closure(node, pieces)
        if node.op == "call" and isinstance(node.args[0], Ref) and self._kinds_known(node):
            pieces = [Piece(self._unguarded_name(node.args[0].path[9:])), *pieces[1:]]
        if node.op in {"call", "match_class"}:
            pieces = self._as_classes(node, pieces)
        if node.op == "global_get":
            return Piece(self.names.get(f"global:{node.attrs[0]}", node.attrs[0]))
        if node.op == "join_strings":
            return operation(node.op, pieces, node.attrs, node.args, self.ref)
        if node.op == "exception" and isinstance(node.args[0], Ref):
            return Piece(f"{pieces[0].text}()")
        return operation(node.op, pieces, node.attrs, node.args, self.ref)

    def _as_classes(self, node: Do, pieces: list[Piece]) -> list[Piece]:
        """Where a library class is called or tested for at once, it is meant itself and not what stands for it."""
        tests = node.op == "match_class" or (
            node.args[0] in {Ref("builtins.isinstance"), Ref("builtins.issubclass")} and node.attrs[0] == ("", "")
        )
        place = len(node.args) - 1 if tests else 0
        term = node.args[place]
        if not isinstance(term, Ref) or not catalogue.is_python_class(term.path):
            return pieces
        name = self.names.get(f"class:{term.path}", term.path)
        self.out.references[name] = f"class:{term.path}"
        return [Piece(name) if i == place else piece for i, piece in enumerate(pieces)]

    def own_instances(self, node: Do) -> Sequence[Term]:
        """The values that the step shows to be of own classes: a record it makes, or what has a field of no other."""
        if node.op == "call" and isinstance(node.args[0], Ref) and node.args[0].path.startswith("record:"):
            record = self.program.records.get(node.args[0].path[7:])  # none: it calls an enum's member
            return [node.result] if record is not None and record.kind == "dataclass" else []
        if node.op == "get_attribute" and node.attrs[0] in self.only_own:
            return node.args
        return []

    def _kinds_known(self, node: Do) -> bool:
        """Whether a call passes arguments of the very kinds that the callee's guard asks for, so it can be skipped."""
        callee = node.args[0]
        machine = self.program.machines.get(callee.path[9:]) if isinstance(callee, Ref) else None
        if (
            machine is None
            or executed(machine).generic is None
            or machine.captures
            or machine.memo
            or any(node.attrs[0])
        ):
            return False
        kinds = dict(machine.guards)
        if len(node.args) - 1 != len(machine.params) or any(k.startswith("record:") for k in kinds.values()):
            return False
        given = zip(machine.params, node.args[1:], strict=True)
        return all(kinds.get(p.name) in {None, kind_of(arg)} for p, arg in given)

    def _unguarded_name(self, name: str) -> str:
        self.unguarded.add(name)
        return self.names.get(f"unguarded:{name}", f"{name}_checked")

    def _closure(self, node: Do, pieces: list[Piece]) -> Piece:
        machine = self.program.machines[node.attrs[0]]
        name = self.function_name(node.attrs[0])
        args = [p.text for p, c in zip(pieces, machine.captures, strict=True) if not c.endswith("#self")]
        reads = frozenset().union(*(p.reads for p in pieces)) if pieces else frozenset()
        return Piece(f"{name}({', '.join(args)})", reads)

    # -- functions -------------------------------------------------------------------------------------------------

    def _emit_machine(self, name: str, machine: Machine) -> None:
        text = self.function_name(name)
        machine = self.executed(machine)
        if machine.captures or (machine.memo and "." in name):
            self._emit_factory(text, machine)
        else:
            if machine.generic is not None:
                self._emit_function(self._generic_name(machine), machine.generic, 0, decorate=False)
            self._emit_function(text, machine, 0)

    def _generic_name(self, machine: Machine) -> str:
        return self.names.get(f"generic:{machine.name}", f"{machine.name}_generic")

    def _emit_factory(self, text: str, machine: Machine) -> None:
        """``make(captured values)`` returns the closure; captured values are its free variables."""
        emitter = FunctionEmitter(machine, self)
        captured = [emitter.names.get(c) for c in machine.captures if not c.endswith("#self")]
        own = [emitter.names.get(c) for c in machine.captures if c.endswith("#self")]
        inner = own[0] if own else emitter.names.fresh("closure")
        self.lines.append(f"def {text}({', '.join(captured)}):")
        if machine.generic is not None:
            self._emit_function(self._generic_name(machine), machine.generic, 1, decorate=False)
        self._emit_function(inner, machine, 1, emitter=emitter)
        self.lines.extend([f"    return {inner}", "", ""])

    def _emit_flat(self, name: str, machine: Machine) -> None:
        """A comprehension's part as a function of its variables and captures."""
        emitter = FunctionEmitter(machine, self)
        params = [emitter.names.get(p.name) for p in machine.params] + [emitter.names.get(c) for c in machine.captures]
        emitter.captures.clear()
        self.lines.append(f"def {self.function_name(name)}({', '.join(params)}):")
        self._body(emitter, machine, 1)

    def _emit_function(
        self, text: str, machine: Machine, depth: int, *, decorate: bool = True, emitter: FunctionEmitter | None = None
    ) -> None:
        emitter = emitter or FunctionEmitter(machine, self)
        pad = "    " * depth
        if machine.memo and decorate:
            self.lines.append(f"{pad}@_lru_cache({None if machine.memo < 0 else machine.memo})")
        self.lines.append(f"{pad}def {text}({self._parameters(machine, emitter)}):")
        if machine.guards and machine.generic is not None:
            self._guard(machine, depth + 1)
        self._body(emitter, machine, depth + 1)
        shown = machine.qualname.rpartition(".")[2]
        target = f"{text}.__wrapped__" if machine.memo and decorate else text
        if machine.qualname != text:
            self.lines.append(f"{pad}{target}.__name__, {target}.__qualname__ = {shown!r}, {machine.qualname!r}")
        if depth == 0:
            self.lines.extend(["", ""])

    def _body(self, emitter: FunctionEmitter, machine: Machine, depth: int) -> None:
        lines = self._structured(emitter, depth)
        if lines is None:
            self.out.dispatched.append(machine.name)
            lines = print_block(DispatchEmitter(machine, self, emitter.names).body(), depth)
        if machine.generator:
            lines.append("    " * depth + "if False: yield")
        self.lines.extend(lines or ["    " * depth + "pass"])

    def _structured(self, emitter: FunctionEmitter, depth: int) -> list[str] | None:
        """The body as loops and branches; None where there is no such form, or none that CPython takes."""
        try:
            lines = print_block(emitter.body(), depth)
        except Unstructured:
            return None
        deepest = max((len(text) - len(text.lstrip(" ")) for text in lines), default=0) // 4
        return lines if deepest <= _MAX_INDENTATION else None

    def _parameters(self, machine: Machine, emitter: FunctionEmitter) -> str:
        parts: list[str] = []
        kinds = [p.kind for p in machine.params]
        for position, param in enumerate(machine.params):
            if param.kind == "keyword_only" and "star" not in kinds and "keyword_only" not in kinds[:position]:
                parts.append("*")
            star = {"star": "*", "double_star": "**"}.get(param.kind, "")
            default = "" if param.default is None else f"={self._default(param.default, emitter)}"
            parts.append(f"{star}{param.name}{default}")
            if param.kind == "positional_only" and "positional_only" not in kinds[position + 1 :]:
                parts.append("/")
        return ", ".join(parts)

    def _default(self, default: Any, emitter: FunctionEmitter) -> str:
        if isinstance(default, Const):
            return "_UNBOUND" if default.value is UNBOUND else constant(default.value)
        if isinstance(default, Ref):
            return self.ref(default)
        return emitter.names.get(default.name)

    def _guard(self, machine: Machine, depth: int) -> None:
        """When an argument is not of the kind that the table relies on, the generic table answers."""
        generic = self._generic_name(machine)
        tests = [self._guard_test(name, kind) for name, kind in machine.guards]
        passed = []
        for param in machine.params:
            star = {"star": "*", "double_star": "**", "keyword_only": f"{param.name}="}.get(param.kind, "")
            passed.append(f"{star}{param.name}")
        call = f"{generic}({', '.join(passed)})"
        answer = f"return (yield from {call})" if machine.generator else f"return {call}"
        pad = "    " * depth
        self.lines.extend([f"{pad}if {' or '.join(tests)}:", f"{pad}    {answer}"])

    def _guard_test(self, name: str, kind: str) -> str:
        if kind.startswith("record:"):
            record = self.program.records[kind[7:]]
            fields = [
                f"_type({name}.{field_name}) is not {field_kind}"
                for field_name, field_kind in guarded_fields(record).items()
            ]
            return " or ".join([f"_type({name}) is not {self.ref(Ref(kind))}", *fields])
        return f"_type({name}) is not {kind}"


def executed(machine: Machine) -> Machine:
    """The machine that runs: the one for checked kinds where its table saves decisions, else the one for any kinds.

    A guard costs 20-85 ns a call (measured 2026-11-22), which a loop's body or a table of a few rows does not win
    back: there the two machines' code is nearly the same.
    """
    if machine.generic is None:
        return machine
    if machine_asks(machine.generic):  # of texts that may be anything, each question would stay where the source has it
        return machine
    saves = len(machine.states) == 1 and decisions(machine.states[0].root) >= _MIN_DECISIONS
    return machine if saves else machine.generic


def guarded_fields(record: Any) -> dict[str, str]:
    """The fields of a frozen record that have a checked scalar kind."""
    if not (record.kind == "namedtuple" or (record.kind == "dataclass" and record.frozen)):
        return {}
    return {name: text for name, text, _ in record.fields if text in {"int", "bool", "str", "float"}}


def _is_part(name: str) -> bool:
    """Parts of comprehensions are emitted where they are used."""
    last = name.rpartition(".")[2].rstrip("0123456789")
    return last in {"element", "condition", "iterable"}
