"""Machines run state by state, with somebody else at the decisions: the slow obvious twin of emitted code.

A region of decisions is left by one of its *exits*. ``Stepper`` evaluates guards and takes the exit that they say;
a driver may be asked instead, is told what the guards say, and its choice is taken. So it is with a loop over items: it
goes on with the next item or ends. Steps, calls and leaves are executed as they stand.

Covered: what ``interpret`` covers, on the tables of a program in place of its IR.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeAlias

from pointsman.core import InternalError, PointsmanError, Unverified
from pointsman.program import ir
from pointsman.program.interpret import Interpreter, Stop
from pointsman.program.judgement import Unanswered
from pointsman.program.support import OutOfFuel
from pointsman.program.table.machine import (
    App,
    Decide,
    Do,
    Goto,
    Machine,
    Node,
    Pick,
    Program,
    Raise,
    Return,
    State,
    Switch,
    Sym,
    Take,
    Term,
    made_by,
)

__all__ = ["Astray", "Decision", "Driver", "Place", "Stepper", "exact_exit"]

Values: TypeAlias = dict[str, Any]
Evaluate: TypeAlias = Callable[[Term], Any]
Decision: TypeAlias = Decide | Switch | Pick


class Astray(Unanswered):
    """A driver went on with an item where none is left. Programs cannot catch it."""

    def __init__(self) -> None:
        problem = "the model went on with an item where none is left; with --verify it is corrected"
        super().__init__(Unverified(problem, code="wrong_selection"))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run has come to a region of decisions.

    Attributes:
        machine: the function.
        state: the state whose region it is.
        node: the first decision, or where an item is taken.
        values: of the state's variables and of what its steps gave, by name.
        evaluate: the value of a term there.
    """

    machine: Machine
    state: State
    node: Decision | Take
    values: Mapping[str, Any]
    evaluate: Evaluate


class Driver(Protocol):
    """Who decides."""

    @property
    def decided(self) -> tuple[str, float]:
        """Who made the latest choice, and with what confidence."""
        ...

    def choose(self, place: Place, exact: Node) -> Node:
        """The exit that is taken: any that the decisions can come to. ``exact`` is the one that the guards say.

        The exits of a place where an item is taken are its two ways. What this raises ends the run: it is no exception
        of the program, which cannot catch it.
        """
        ...


@dataclass(slots=True)
class _Walk:
    """One call: where it is, with what values, and what they were when the state was entered."""

    machine: Machine
    state: State
    node: Node
    variables: Values
    entered: Values
    awaits: str = ""


@dataclass(frozen=True, slots=True)
class _Parts:
    """What ``Interpreter`` reads of a program, on machines."""

    functions: Mapping[str, Machine]
    records: Mapping[str, ir.Record]
    globals: Mapping[str, str]
    opaque: Mapping[str, Any]


class Stepper(Interpreter):
    """Runs the machines of one program.

    Args:
        program: it.
        fuel: states that may be visited.
        records: the source's own classes, where it is at hand.
        opaque: original functions by name.
        driver: who decides; by default the guards do.
    """

    def __init__(
        self,
        program: Program,
        fuel: int,
        *,
        records: Mapping[str, type] | None = None,
        opaque: Mapping[str, Any] | None = None,
        driver: Driver | None = None,
    ) -> None:
        parts = _Parts(program.machines, program.records, program.globals, dict.fromkeys(program.opaque))
        super().__init__(parts, fuel, records=records, opaque=opaque)  # type: ignore[arg-type]  # what it reads of it
        self._driver = driver

    @property
    def classes(self) -> Mapping[str, type]:
        """The classes of the program's records, by name."""
        return self._types

    def _begin(self, function: Machine, variables: Values) -> _Walk:
        if function.generic is not None and not self._fits(function, variables):
            function = function.generic
        state = function.states[0]
        return _Walk(function, state, state.root, dict(variables), dict(variables))

    def _fits(self, machine: Machine, variables: Values) -> bool:
        """Whether arguments are of the kinds that the table relies on."""
        for name, kind in machine.guards:
            value = variables[name]
            if kind.startswith("record:"):
                if type(value) is not self._types[kind[7:]] or not self._fields_fit(kind[7:], value):
                    return False
            elif type(value).__name__ != kind or type(value).__module__ != "builtins":
                return False
        return True

    def _fields_fit(self, record: str, value: Any) -> bool:
        from pointsman.program.emit.module import guarded_fields

        fields = guarded_fields(self.program.records[record])
        return all(type(getattr(value, name)).__name__ == kind for name, kind in fields.items())

    # -- one call ------------------------------------------------------------------------------------------------------

    def _run(self, walk: _Walk) -> Stop:  # type: ignore[override]  # its own activation
        while True:
            try:
                stop = self._step(walk)
            except (OutOfFuel, Unanswered):
                raise
            except BaseException as error:  # noqa: BLE001  handed to the program's own handler, or raised again
                self._handle(walk, error)
                continue
            if stop is not None:
                return stop

    def _handle(self, walk: _Walk, error: BaseException) -> None:  # type: ignore[override]
        state = walk.state
        if state.handler is None:
            raise error
        self._enter(walk, state.handler, {**walk.entered, state.caught or "": error})

    def _enter(self, walk: _Walk, index: int, values: Values) -> None:
        self._spend()
        walk.state = walk.machine.states[index]
        walk.variables = {name: values[name] for name, _ in walk.state.variables}
        walk.entered, walk.node = dict(walk.variables), walk.state.root

    def _step(self, walk: _Walk) -> Stop | None:
        match walk.node:
            case Do(op="yield" | "yield_from" as op, result=result, args=args, next=following):
                walk.awaits, walk.node = result.name, following
                return Stop(op, self.evaluate(args[0], walk.variables))
            case Do() as node:
                self._do(walk, node)
            case Take(result=result, iterator=iterator, then=then, exhausted=exhausted) as node:
                item = next(self.evaluate(iterator, walk.variables), ir.UNBOUND)
                walk.node = self._driven(walk, node, exhausted if item is ir.UNBOUND else then)
                if item is ir.UNBOUND and walk.node != exhausted:
                    raise Astray
                walk.variables[result.name] = item
            case Decide() | Switch() | Pick() as node:
                walk.node = self._driven(walk, node, exact_exit(node, partial(self._of, walk)))
            case Goto(state=state, updates=updates):
                self._enter(walk, state, {name: self.evaluate(term, walk.variables) for name, term in updates})
            case Return(value=value):
                return Stop("return", self.evaluate(value, walk.variables))
            case Raise(exception=exception):
                raise self.evaluate(exception, walk.variables)
        return None

    def _do(self, walk: _Walk, node: Do) -> None:
        value = self._apply(node.op, [self.evaluate(arg, walk.variables) for arg in node.args], node.attrs)
        if node.op == "unpack":
            walk.variables.update({part.name: item for part, item in zip(made_by(node), value, strict=True)})
        walk.variables[node.result.name] = value
        walk.node = node.next

    def _driven(self, walk: _Walk, node: Decision | Take, exact: Node) -> Node:
        if self._driver is None:
            return exact
        place = Place(walk.machine, walk.state, node, walk.variables, partial(self._of, walk))
        try:
            return self._driver.choose(place, exact)
        except PointsmanError as error:
            raise Unanswered(error) from error
        except RecursionError:  # the stack is the program's
            raise
        except Exception as error:
            problem = f"the driver failed with {type(error).__name__}; expected an exit"
            raise Unanswered(InternalError(problem, code="driver_failed")) from error

    def _of(self, walk: _Walk, term: Term) -> Any:
        return self.evaluate(term, walk.variables)

    # -- terms ---------------------------------------------------------------------------------------------------------

    def evaluate(self, term: Term, variables: Values) -> Any:
        """The value of a term where symbols have these values."""
        match term:
            case Sym(name=name):
                return variables[name]
            case App(op=op, args=args, attrs=attrs):
                return self._apply(op, [self.evaluate(arg, variables) for arg in args], attrs)
        return self._value(term, variables)

    def _apply(self, op: str, args: list[Any], attrs: tuple[Any, ...]) -> Any:
        named = {str(number): value for number, value in enumerate(args)}
        return self._operation(ir.Let("", op, tuple(ir.Var(name) for name in named), attrs), named)


def exact_exit(node: Node, evaluate: Evaluate) -> Node:
    """Where the decisions from a node on lead: the first node that does not decide."""
    while True:
        match node:
            case Decide(atom=atom, yes=yes, no=no):
                node = yes if evaluate(atom) else no
            case Switch(term=term, cuts=cuts, children=children):
                value = evaluate(term)
                node = children[sum(cut <= value for cut in cuts)]
            case Pick(term=term, keys=keys, children=children, default=default):
                value = evaluate(term)
                found = [child for key, child in zip(keys, children, strict=True) if key.value == value]
                node = found[0] if found else default
            case _:
                return node
