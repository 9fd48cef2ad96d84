"""The verifier's rules for machines: states, decision DAGs, terms. What it covers is listed in ``verify``."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final

from pointsman.program.explore.kinds import kind_of, result_kind
from pointsman.program.ir import UNBOUND, Const, Loc
from pointsman.program.table.machine import (
    App,
    Decide,
    Do,
    Goto,
    Machine,
    Node,
    Pick,
    Raise,
    Range,
    Return,
    State,
    Switch,
    Sym,
    Take,
    Term,
    made_by,
    successors,
    terms_of,
)
from pointsman.program.verify_rules import GUARD_KINDS, World, is_by_name

__all__ = ["MachineCheck"]

# total in some ranges of their arguments; the explorer knows the ranges of its path, which are not recorded
_TOTAL_IN_RANGE: Final = frozenset({"floordiv", "mod", "pow", "lshift", "rshift"})


class MachineCheck:
    """One machine and, after it, its generic twin."""

    def __init__(self, world: World, machine: Machine) -> None:
        self.world = world
        self.machine = machine
        self.state = machine.states[0] if machine.states else None
        self.checked: set[Term] = set()  # terms of all states: their symbols are looked at apart from their form

    def run(self) -> None:
        """Raises InternalError for the first thing that is wrong."""
        world, machine = self.world, self.machine
        world.where = f"machine {machine.name!r}"
        if not machine.states:
            world.fail("it has no states")
        world.callable_(machine)
        for guard in machine.guards:
            self._guard(*guard)
        self._entry(machine.states[0])
        for index, state in enumerate(machine.states):
            world.where = f"machine {machine.name!r}, state {index}"
            if state.index != index:
                world.fail(f"it is numbered {state.index}")
            self._state_head(state)
        for index, state in enumerate(machine.states):
            world.where = f"machine {machine.name!r}, state {index}"
            self._dag(state)
        if machine.generic is not None:
            self._twin(machine.generic)

    def _twin(self, generic: Machine) -> None:
        machine = self.machine
        same = ("name", "qualname", "params", "captures", "memo", "generator")
        if any(getattr(generic, part) != getattr(machine, part) for part in same) or generic.generic is not None:
            self.world.fail("its generic table is not of the same function")
        if generic.guards:
            self.world.fail("its generic table has guards")
        MachineCheck(self.world, generic).run()

    def _guard(self, name: Any, kind: Any) -> None:
        plain = {p.name for p in self.machine.params if p.kind not in {"star", "double_star"}}
        record = self.world.records.get(kind[7:]) if isinstance(kind, str) and kind.startswith("record:") else None
        if name not in plain or (kind not in GUARD_KINDS and record is None):
            self.world.fail(f"the guard {name!r} is {kind!r} is not of a parameter and a kind that is checked")
        if self.machine.generic is None:
            self.world.fail("it has guards, and no generic table for other arguments")

    def _entry(self, state: State) -> None:
        kinds = {p.name: "any" for p in self.machine.params} | dict.fromkeys(self.machine.captures, "any")
        kinds |= {p.name: {"star": "tuple", "double_star": "dict"}.get(p.kind, "any") for p in self.machine.params}
        kinds |= dict(self.machine.guards)
        found = {name: known.kind for name, known in state.variables}
        if found != kinds:
            self.world.fail(f"the entry knows {found}, but its parameters, captures and guards say {kinds}")

    # -- states ----------------------------------------------------------------------------------------------------

    def _state_head(self, state: State) -> None:
        names = [name for name, _ in state.variables]
        if len(set(names)) != len(names):
            self.world.fail(f"its variables {names} are not distinct")
        for name, known in state.variables:
            self.world.symbol(name)
            if not isinstance(known, Range) or not isinstance(known.kind, str):
                self.world.fail(f"what is known of {name!r} must be a range, not {known!r}")
            if known.low is not None and known.high is not None and known.low > known.high:
                self.world.fail(f"the range of {name!r} is empty: {known.low} to {known.high}")
        if not isinstance(state.loc, Loc):
            self.world.fail(f"{state.loc!r} is not a place")
        if (state.handler is None) != (state.caught is None):
            self.world.fail("a handler needs a name for what it caught, and the other way round")
        if state.handler is not None:
            self._handler(state)

    def _handler(self, state: State) -> None:
        """The handler's variables are those at the state's entry, and the exception."""
        self.world.symbol(state.caught)
        target = self._target(state.handler)
        known = {name: given.kind for name, given in state.variables} | {str(state.caught): "exception"}
        for name, wanted in target.variables:
            if name not in known:
                self.world.fail(f"its handler, state {target.index}, needs {name!r}, which it does not have")
            if wanted.kind not in {"any", known[name]}:
                self.world.fail(f"its handler takes {name!r} as {wanted.kind}, not {known[name]}")

    def _target(self, index: Any) -> State:
        if type(index) is not int or not 0 <= index < len(self.machine.states):
            self.world.fail(f"there is no state {index!r}")
        return self.machine.states[index]

    def _dag(self, state: State) -> None:
        """Every node once, children first, with the symbols that it and what is below it need from above."""
        needed: dict[int, frozenset[Sym]] = {}
        for node in self._postorder(state.root):
            self._node(node)
            own = frozenset[Sym]().union(*(self._symbols(term) for term in terms_of(node)))
            made = frozenset(made_by(node))
            for symbol in made:
                self.world.symbol(symbol.name)
            below = [needed[id(child)] for child in successors(node)]
            if isinstance(node, Take):  # nothing is taken on the way to `exhausted`
                below[0] -= made
            elif made:
                below = [part - made for part in below]
            needed[id(node)] = own.union(*below)
        missing = needed[id(state.root)] - {Sym(name, known.kind) for name, known in state.variables}
        if missing:
            symbol = min(missing, key=lambda s: (s.name, s.kind))
            self.world.fail(
                f"{symbol.name!r} ({symbol.kind}) is used, but neither a variable nor made on every path to it"
            )

    def _postorder(self, root: Node) -> list[Node]:
        order: list[Node] = []
        done: set[int] = set()
        open_: set[int] = set()
        stack: list[tuple[Node, bool]] = [(root, False)]
        while stack:
            node, leaving = stack.pop()
            if leaving:
                open_.discard(id(node))
                done.add(id(node))
                order.append(node)
            elif id(node) in open_:
                self.world.fail("its nodes form a cycle")
            elif id(node) not in done:
                if not isinstance(node, Decide | Switch | Pick | Do | Take | Goto | Return | Raise):
                    self.world.fail(f"{node!r} is not a node")
                open_.add(id(node))
                stack.append((node, True))
                stack.extend((child, False) for child in successors(node) if id(child) not in done)
        return order

    # -- nodes -----------------------------------------------------------------------------------------------------

    def _node(self, node: Node) -> None:
        terms = terms_of(node)
        by_name = isinstance(node, Do) and node.op == "call" and node.args and is_by_name(node.args[0])
        for term in terms[1:] if by_name else terms:
            self._term(term)
        match node:
            case Do():
                self._step(node)
            case Decide(atom=atom):
                if kind_of(atom) != "bool":
                    self.world.fail(f"a decision on a {kind_of(atom)}: {atom!r}")
            case Switch(term=term, cuts=cuts, children=children):
                rising = all(type(c) is int for c in cuts) and all(a < b for a, b in pairwise(cuts))
                if not rising or len(children) != len(cuts) + 1 or kind_of(term) not in {"int", "bool"}:
                    self.world.fail(f"a switch on a {kind_of(term)} with {len(children)} children and cuts {cuts}")
            case Pick(keys=keys, children=children):
                self._pick(keys, children)
            case Goto():
                self._goto(node)
            case Take(result=result):
                if result.kind != "any":
                    self.world.fail(f"the item {result.name!r} may be of any kind, not only {result.kind}")

    def _pick(self, keys: tuple[Const, ...], children: tuple[Node, ...]) -> None:
        for key in keys:
            if not isinstance(key, Const):
                self.world.fail(f"the key {key!r} is not a constant")
            self.world.constant(key.value)
        if len(keys) != len(children) or len({key.value for key in keys}) != len(keys):
            self.world.fail(
                f"{len(children)} children for the keys {[key.value for key in keys]}, which must be distinct"
            )

    def _goto(self, goto: Goto) -> None:
        target = self._target(goto.state)
        if [name for name, _ in goto.updates] != [name for name, _ in target.variables]:
            given, wanted = [name for name, _ in goto.updates], [name for name, _ in target.variables]
            self.world.fail(f"the way to state {goto.state} gives {given}, which wants {wanted}")
        for (name, term), (_, known) in zip(goto.updates, target.variables, strict=True):
            if known.kind not in {"any", kind_of(term)}:
                self.world.fail(f"state {goto.state} takes {name!r} as {known.kind}, not {kind_of(term)}")
            if isinstance(term, Const) and known.kind == "int" and not _within(term.value, known):
                self.world.fail(f"{name!r} is {term.value}, outside of what state {goto.state} knows: {known}")

    def _step(self, node: Do) -> None:
        self.world.operation(node.op, node.args, node.attrs)
        if node.op in {"yield", "yield_from"} and not self.machine.generator:
            self.world.fail(f"{node.op!r} outside a generator")
        kind, _ = result_kind(node.op, node.args, node.attrs, tuple(_range(arg) for arg in node.args))
        if node.op == "comprehension" and node.attrs[0] != "generator":
            kind = node.attrs[0]
        if node.op in _TOTAL_IN_RANGE and {kind_of(arg) for arg in node.args} <= {"int", "bool"}:
            kind = "int"
        if node.result.kind not in {"any", kind}:
            self.world.fail(f"{node.op!r} gives {kind}, but {node.result.name!r} is called {node.result.kind}")

    # -- terms -----------------------------------------------------------------------------------------------------

    def _term(self, term: Any) -> None:
        stack = [term]
        while stack:
            part = stack.pop()
            if isinstance(part, Sym):
                self.world.symbol(part.name)
            elif not isinstance(part, App):
                self.world.operand(part)
            elif part not in self.checked:
                self.checked.add(part)
                stack.extend(part.args)
                self.world.operation(part.op, part.args, part.attrs)
                self._purity(part)

    def _purity(self, term: App) -> None:
        if any(isinstance(arg, Const) and arg.value is UNBOUND for arg in term.args):
            self.world.fail(f"{term.op!r} of a variable that is not assigned")
        kind, total = result_kind(term.op, term.args, term.attrs, tuple(_range(arg) for arg in term.args))
        if term.op == "get_attribute":  # a guarded field of a frozen record
            kind, total = self._field_kind(term), True
        if term.op in _TOTAL_IN_RANGE and {kind_of(arg) for arg in term.args} <= {"int", "bool"}:
            kind, total = "int", True
        if not total:
            self.world.fail(f"{term.op!r} may raise or read memory here, so it must be a step")
        if kind != term.kind:
            self.world.fail(f"{term.op!r} gives {kind} here, not {term.kind}")

    def _field_kind(self, term: App) -> str:
        from pointsman.program.emit.module import guarded_fields

        owner = kind_of(term.args[0])
        record = self.world.records.get(owner[7:]) if owner.startswith("record:") else None
        kind = guarded_fields(record).get(term.attrs[0]) if record is not None else None
        if kind is None:
            self.world.fail(
                f"{term.attrs[0]!r} is not a checked field of a frozen record, so reading it must be a step"
            )
        return kind

    def _symbols(self, term: Term) -> frozenset[Sym]:
        """The symbols of a term; parts that occur repeatedly are looked at once."""
        found: set[Sym] = set()
        seen: set[int] = set()
        stack: list[Term] = [term]
        while stack:
            part = stack.pop()
            if isinstance(part, Sym):
                found.add(part)
            elif isinstance(part, App) and id(part) not in seen:
                seen.add(id(part))
                stack.extend(part.args)
        return frozenset(found)


def _range(term: Term) -> Range:
    if isinstance(term, Const) and type(term.value) is int:
        return Range("int", term.value, term.value)
    return Range(kind_of(term))


def _within(value: Any, known: Range) -> bool:
    return (known.low is None or value >= known.low) and (known.high is None or value <= known.high)
