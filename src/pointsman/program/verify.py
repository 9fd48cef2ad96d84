"""The verifier of structured IR and of machines: the gate between whoever made them and the emitter.

Raises InternalError("invalid_ir") with what is wrong and where. It takes milliseconds and changes nothing.

Covered, here: every name that becomes text is an identifier that Python reads as it stands (NFKC), no keyword and
none of Python's own or the emitter's; every attribute, method and library member is listed or a declared field;
declared fields are none of the interpreter's own (``gi_frame``), and none of a library class or value; ``attrgetter``
and ``methodcaller`` are called at once with constant, listed names, ``str.format`` has a constant text that looks up
listed names; ``type`` is never called with three arguments. And what CPython asks of parameters, calls and records,
and what later passes rest on: operations, arities and attrs, assignments before uses, jump targets, updates, kinds,
purity.

Covered where values are known only as the program runs (``support``): ``type(x)`` and ``x.__class__`` are callable
only for value types, listed classes and the program's own; the functions of library classes written in Python are
reached through instances only; fields are written, and read where the library has that name, on the program's or the
caller's instances only; nothing but an Exception is raised.

Covered elsewhere: the form and size of the file (``artefact``); that linking runs no code of the program (``link``).

Not covered: that a program ends, or what loading, linking or one operation costs (metered code counts states); that
its ranges and typed tables are true (the proof does that); opaque functions (whoever gives them trusts them). Module
values and ``lru_cache`` tables live as long as the loaded table: of a source nothing can change them, but a
stranger's artefact may, and so carry something from one call to the next of the same table; plain and metered code
have their own. Caches of the library (``re``, ``decimal``'s flags) may change. A declared field may read data of the
same name in an instance of a library class (``SequenceMatcher.a``, an exception's ``text``). Objects that a Python
caller passes in are the caller's: their fields, methods of listed names and classes are used as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pointsman.program import ir
from pointsman.program.ir import Loc, Record, Var
from pointsman.program.table.machine import Machine, Program
from pointsman.program.verify_machine import MachineCheck
from pointsman.program.verify_rules import World, is_by_name

__all__ = ["verify_function", "verify_machine", "verify_program"]


def verify_function(
    function: ir.Function,
    functions: Mapping[str, ir.Function],
    records: Mapping[str, Record],
    *,
    opaque: Collection[str] = (),
    globals_: Mapping[str, str] | None = None,
    attributes: Collection[str] = (),
) -> None:
    """Raises InternalError when the IR of ``function`` is not well formed."""
    world = World(functions, records, opaque, globals_, attributes=attributes)
    try:
        _FunctionCheck(world, function).run()
    except RecursionError:
        world.fail("too deeply nested")


def verify_machine(machine: Machine, program: Program) -> None:
    """Raises InternalError when ``machine`` is not well formed, or reaches something that is not listed or declared."""
    world = World(program.machines, program.records, program.opaque, program.globals, attributes=program.attributes)
    MachineCheck(world, machine).run()


def verify_program(program: Program) -> None:
    """Raises InternalError when a part of the program is not well formed; call it before emitting what was loaded."""
    where = f"program {program.entry!r}"
    world = World(program.machines, program.records, program.opaque, program.globals, where, program.attributes)
    if program.entry not in program.machines and program.entry not in program.opaque:
        world.fail(f"its entry is not among its machines: {sorted(program.machines)}")
    for name, record in program.records.items():
        world.record(name, record)
    for name, maker in program.globals.items():
        world.identifier(name, "a module value's name")
        if maker not in program.machines or program.machines[maker].params or program.machines[maker].captures:
            world.fail(f"the module value {name!r} is made by {maker!r}, which is not a machine without parameters")
    for name, machine in program.machines.items():
        if machine.name != name:
            world.fail(f"the machine {machine.name!r} is listed as {name!r}")
        verify_machine(machine, program)


class _FunctionCheck:
    """One IR function, in one walk that carries the variables assigned on every path (None: not reachable).

    A temporary may be read in the body that assigns it, after that, and in the bodies inside; so checking a function of
    very many steps takes time linear in them.
    """

    def __init__(self, world: World, function: ir.Function) -> None:
        self.world = world
        self.function = function
        self.labels: dict[str, frozenset[str] | None] = {}  # open labels; a block's: what its jumps have assigned
        self.seen_labels: set[str] = set()
        self.temporaries: set[str] = set()  # all that were assigned
        self.visible: set[str] = set()  # those of the bodies around the present statement
        self.made: list[str] = []  # those of the present body

    def run(self) -> None:
        self.world.where = f"function {self.function.name!r}"
        self.world.callable_(self.function)
        given = frozenset({p.name for p in self.function.params} | set(self.function.captures))
        self.body(self.function.body, given)

    def body(self, body: Any, assigned: frozenset[str] | None) -> frozenset[str] | None:
        if type(body) is not tuple:
            self.world.fail(f"{body!r} is not a body")
        outer, self.made = self.made, []
        for statement in body:
            if type(statement).__name__ not in ir.GRAMMAR or not isinstance(getattr(statement, "loc", None), Loc):
                self.world.fail(f"{statement!r} is not a statement")
            self.world.where = f"function {self.function.name!r}, line {statement.loc.line}"
            assigned = self.statement(statement, assigned)
        self.visible.difference_update(self.made)
        self.made = outer
        return assigned

    def statement(self, statement: ir.Statement, assigned: frozenset[str] | None) -> frozenset[str] | None:
        for name, role in ir.GRAMMAR[type(statement).__name__].items():
            if role == "name":
                self.world.symbol(getattr(statement, name))
        for operand in self.operands(statement):
            if not isinstance(operand, Var):
                self.world.operand(operand)
            elif assigned is not None and operand.name not in assigned and operand.name not in self.visible:
                self.world.fail(f"{operand.name!r} is read before it is assigned")
        match statement:
            case ir.Let(target=target, op=op, args=args, attrs=attrs):
                self.world.operation(op, args, attrs)
                if op in {"yield", "yield_from"} and not self.function.generator:
                    self.world.fail(f"{op!r} outside a generator")
                return self.assign(target, assigned)
            case ir.If(then=then, orelse=orelse):
                return _meet(self.body(then, assigned), self.body(orelse, assigned))
            case ir.Next(target=target, then=then, exhausted=exhausted):
                return _meet(self.bound(target, then, assigned), self.body(exhausted, assigned))
            case ir.Block(label=label, body=body) | ir.Loop(label=label, body=body):
                return self.labelled(label, body, assigned, isinstance(statement, ir.Loop))
            case ir.Try(body=body, caught=caught, handler=handler):
                after = self.body(body, assigned)
                return _meet(after, self.bound(caught, handler, assigned))
            case ir.Jump(target=label):
                if label not in self.labels:
                    self.world.fail(f"a jump to {label!r}, which is not around it")
                self.labels[label] = _meet(self.labels[label], assigned)
        return None

    def operands(self, statement: ir.Statement) -> tuple[Any, ...]:
        """Its operands, less the callee of a call that ``World.call`` looks at together with the arguments."""
        read = ir.operands(statement)
        if isinstance(statement, ir.Let) and type(read) is not tuple:
            self.world.fail(f"{read!r} are not arguments")
        by_name = isinstance(statement, ir.Let) and statement.op == "call" and read and is_by_name(read[0])
        return read[1:] if by_name else read

    def assign(self, name: str, assigned: frozenset[str] | None) -> frozenset[str] | None:
        if name.startswith("%") and name != "%_":
            if name in self.temporaries:
                self.world.fail(f"the temporary {name!r} is assigned twice")
            self.temporaries.add(name)
            self.visible.add(name)
            self.made.append(name)
            return assigned
        return assigned if assigned is None or name in assigned else assigned | {name}

    def bound(self, name: str, body: ir.Body, assigned: frozenset[str] | None) -> frozenset[str] | None:
        """A body before which ``name`` is assigned, and after which it is not."""
        after = self.body(body, self.assign(name, assigned))
        self.visible.discard(name)
        return after

    def labelled(self, label: str, body: ir.Body, assigned: frozenset[str] | None, loop: bool) -> frozenset[str] | None:
        if label in self.seen_labels:
            self.world.fail(f"the label {label!r} is declared twice")
        self.seen_labels.add(label)
        self.labels[label] = None
        after = self.body(body, assigned)
        jumped = self.labels.pop(label)
        return None if loop else _meet(after, jumped)


def _meet(left: frozenset[str] | None, right: frozenset[str] | None) -> frozenset[str] | None:
    if left is None or right is None:
        return right if left is None else left
    return left & right
