"""Which native kind every value of a program has: a fixed point over the machines that the entry reaches.

A function is specialised for each tuple of argument kinds it is called with; lists of all calls share their cells, so
one instance serves lists of one kind. Paths that can only end in an exception need no kinds: their code abandons the
run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pointsman.program.emit.graph import split_shared
from pointsman.program.ir import UNBOUND, Const, Ref
from pointsman.program.native.instances import Instance, callee_name, doomed_nodes, guard_of, parameter_kind
from pointsman.program.native.kinds import Iterator, Kind, ListOf, NotNumeric, TupleOf, join, show
from pointsman.program.native.rules import constant_kind, result_of
from pointsman.program.table.machine import (
    App,
    Decide,
    Do,
    Goto,
    Machine,
    Node,
    Pick,
    Program,
    Return,
    Switch,
    Sym,
    Take,
    Term,
    made_by,
    nodes,
    terms_of,
)

__all__ = ["Inference", "infer"]

_MAX_INSTANCES = 32  # chosen: more specialisations than this are compile time without end
_MAX_NODES = 20_000  # chosen: LLVM takes about 0.3 ms a node (2026-11-24)


class Inference:
    """The instances of a program, entry first, with all kinds known."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.instances: list[Instance] = []
        self.by_key: dict[tuple[str, ...], Instance] = {}
        self.size = 0
        self.changed = False

    def run(self) -> None:
        """Raises NotNumeric where the program has no native form."""
        machine = self.program.machines[self.program.entry]
        self._refuse_shape(machine)
        self.instance(machine, tuple(parameter_kind(p) for p in machine.params))
        self._settle()
        for instance in self.instances:
            for site in instance.sites.values():
                cell = site.cell.find()
                cell.elem = cell.elem or "int"  # nothing is ever put into it
        self._settle()
        for instance in self.instances:
            if instance.result is None:
                raise NotNumeric("no_result", f"{instance.machine.name} never returns")
        for instance in self.instances:
            _Pass(self, instance).require()

    def _settle(self) -> None:
        self.changed = True
        while self.changed:
            self.changed = False
            for instance in list(self.instances):
                _Pass(self, instance).run()

    def note(self) -> None:
        """Something was learnt: another sweep is needed."""
        self.changed = True

    def instance(self, machine: Machine, kinds: tuple[Kind, ...]) -> Instance:
        """The specialisation for these kinds, made when it is first wanted."""
        key = (machine.name, str(bool(machine.guards)), *("list" if isinstance(k, ListOf) else show(k) for k in kinds))
        found = self.by_key.get(key)
        if found is not None:
            for mine, given in zip(found.params, kinds, strict=True):
                self.changed |= join(mine, given)[1]
            return found
        if len(self.instances) >= _MAX_INSTANCES:
            raise NotNumeric("too_large", f"more than {_MAX_INSTANCES} specialised functions")
        states = split_shared(machine)
        if any(s.handler is not None for s in states):
            raise NotNumeric("exception_handler", f"{machine.name} catches exceptions")
        self.size += sum(1 for s in states for _ in nodes(s.root))
        if self.size > _MAX_NODES:
            raise NotNumeric("too_large", f"more than {_MAX_NODES} steps, decisions and leaves")
        made = Instance(len(self.instances), machine, states, kinds, [{} for _ in states], [{} for _ in states])
        made.variables[0] = dict(zip((p.name for p in machine.params), kinds, strict=True))
        made.doomed = doomed_nodes(states)
        self.instances.append(made)
        self.by_key[key] = made
        self.changed = True
        return made

    def callee(self, name: str, given: Sequence[Kind]) -> Instance:
        """The instance that a call reaches: the table for the guarded kinds where they hold, else the generic one."""
        machine = self.program.machines.get(name)
        if machine is None:
            raise NotNumeric("call", f"a call of {name}, which has no machine")
        self._refuse_shape(machine)
        if len(given) > len(machine.params):
            raise NotNumeric("call", f"a call of {name} with {len(given)} arguments")
        kinds = list(given)
        for param in machine.params[len(given) :]:
            if not isinstance(param.default, Const) or param.default.value is UNBOUND:
                raise NotNumeric("call", f"a call of {name} with {len(given)} arguments")
            kinds.append(constant_kind(param.default.value))
        held = {p.name: guard_of(k) for p, k in zip(machine.params, kinds, strict=True)}
        if machine.generic is not None and any(held[name] != kind for name, kind in machine.guards):
            machine = machine.generic
        return self.instance(machine, tuple(kinds))

    def _refuse_shape(self, machine: Machine) -> None:
        if machine.captures or machine.generator or machine.memo:
            what = "a closure" if machine.captures else "a generator" if machine.generator else "memoised"
            raise NotNumeric("function_shape", f"{machine.name} is {what}")
        if any(p.kind not in {"plain", "positional_only"} for p in machine.params):
            raise NotNumeric("function_shape", f"{machine.name} has other than plain parameters")


def infer(program: Program) -> list[Instance]:
    """The instances to make code for, the entry's first; raises NotNumeric."""
    inference = Inference(program)
    inference.run()
    return inference.instances


class _Pass:
    """One sweep over an instance's states; a refusal says in which part of the source it arose."""

    def __init__(self, inference: Inference, instance: Instance) -> None:
        self.x = inference
        self.i = instance
        self.state = 0

    def run(self) -> None:
        """Learns what it can."""
        self._each(self._visit)

    def require(self) -> None:
        """Raises NotNumeric for a value that the code would need and whose kind nothing has told."""
        self._each(self._require)

    def _each(self, visit: Callable[[Node], None]) -> None:
        for index, state in enumerate(self.i.states):
            self.state = index
            try:
                for node in nodes(state.root):
                    if id(node) not in self.i.doomed:
                        visit(node)
            except NotNumeric as refusal:
                if refusal.where is None:
                    refusal.where = (self.i.machine.qualname, state.loc.line)
                raise

    def _require(self, node: Node) -> None:
        if isinstance(node, Goto):  # an unassigned variable may be handed on
            return
        callee = isinstance(node, Do) and node.op == "call" and isinstance(node.args[0], Ref)
        for term in terms_of(node)[int(callee) :]:
            if self.kind(term) is None and term != Const(UNBOUND):
                raise NotNumeric("unknown", "a value of unknown kind")

    def _visit(self, node: Node) -> None:
        match node:
            case Do():
                self._step(node)
            case Take(result=result, iterator=iterator):
                self._set(result, _taken(self.kind(iterator)))
            case Goto():
                self._goto(node)
            case Return(value=value):
                self.i.result = self._joined(self.i.result, self.kind(value))
            case Decide(atom=atom):
                self._expect(atom, "bool")
            case Switch(term=term):
                self._expect(term, "int")
            case Pick(term=term, keys=keys):
                self._keys(term, keys)

    def _keys(self, term: Term, keys: tuple[Const, ...]) -> None:
        kind = self.kind(term)
        wanted = {"str": {"str", "char"}, "char": {"str", "char"}, "int": {"int"}}
        if kind is None:
            return
        if (
            not isinstance(kind, str)
            or kind not in wanted
            or any(constant_kind(k.value) not in wanted[kind] for k in keys)
        ):
            raise NotNumeric("operands", f"a choice by {show(kind)}")

    def _expect(self, term: Term, kind: str) -> None:
        found = self.kind(term)
        if found is not None and found != kind:
            raise NotNumeric("operands", f"a decision on {show(found)}")

    def _joined(self, old: Kind | None, new: Kind | None) -> Kind | None:
        kind, changed = join(old, new)
        self.x.changed |= changed
        return kind

    def _set(self, symbol: Sym, kind: Kind | None) -> None:
        made = self.i.made[self.state]
        made[symbol.name] = self._joined(made.get(symbol.name), kind)

    def _goto(self, node: Goto) -> None:
        if id(self.i.states[node.state].root) in self.i.doomed:
            return
        into = self.i.variables[node.state]
        for name, term in node.updates:
            into[name] = self._joined(into.get(name), self.kind(term))
            unassigned = isinstance(term, Const) and term.value is UNBOUND
            carried = isinstance(term, Sym) and (self.state, term.name) in self.i.maybe
            if (unassigned or carried) and (node.state, name) not in self.i.maybe:
                self.i.maybe.add((node.state, name))
                self.x.note()

    def _step(self, node: Do) -> None:
        name = callee_name(node)
        if name is not None:
            self._call(node, name)
            return
        if node.op == "check_bound":
            self._check_bound(node)
            return
        kinds = self._kinds(node.op, node.args)
        if node.op == "unpack":
            self._unpack(node, kinds[0])
            return
        self._set(
            node.result, result_of(node.op, node.args, kinds, node.attrs, self.i.site(self.state, node), self.x.note)
        )

    def _check_bound(self, node: Do) -> None:
        value = node.args[0]
        if not isinstance(value, Sym) or (self.state, value.name) in self.i.maybe:
            raise NotNumeric("unassigned", f"the variable {node.attrs[0]!r} may be unassigned")
        self._set(node.result, self.kind(value))

    def _unpack(self, node: Do, kind: Kind | None) -> None:
        before, after = node.attrs
        if kind is None:
            return
        if after is not None or not isinstance(kind, TupleOf) or len(kind.items) != before:
            raise NotNumeric("operands", f"unpacking {show(kind)} into {before}")
        for symbol, item in zip(made_by(node), kind.items, strict=True):
            self._set(symbol, item)

    def _call(self, node: Do, name: str) -> None:
        if any(node.attrs[0]):
            raise NotNumeric("call", f"a call of {name} with other than positional arguments")
        given = [self.kind(a) for a in node.args[1:]]
        if any(k is None for k in given):
            return
        callee = self.x.callee(name, [k for k in given if k is not None])
        self.i.calls[self.state, id(node)] = callee
        self._set(node.result, callee.result)

    def kind(self, term: Term) -> Kind | None:
        match term:
            case Sym(name=name):
                made = self.i.made[self.state]
                return made[name] if name in made else self.i.variables[self.state].get(name)
            case Const(value=value):
                return None if value is UNBOUND else constant_kind(value)
            case App():
                kinds = self._kinds(term.op, term.args)
                return result_of(term.op, term.args, kinds, term.attrs, ListOf(), self.x.note)
            case Ref(path=path):
                raise NotNumeric("reference", f"{path} as a value")

    def _kinds(self, op: str, args: Sequence[Term]) -> list[Kind | None]:
        called = op == "call" and isinstance(args[0], Ref)
        return [None if called and a is args[0] else self.kind(a) for a in args]


def _taken(kind: Kind | None) -> Kind | None:
    if kind is None:
        return None
    if not isinstance(kind, Iterator) or not kind.ready:
        raise NotNumeric("operands", f"the next item of {show(kind)}")
    source = kind.source
    item = source.elem if isinstance(source, ListOf) else "char" if source == "str" else "int"
    if item is None:
        return None
    return TupleOf(("int", item)) if kind.counted else item
