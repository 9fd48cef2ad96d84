"""Guarded symbolic evaluation of one function: structured IR -> states with decision DAGs.

From each state's point every path is followed to the next state, a return or a raise. Values are terms over the state's
variables; a decision that the facts of the path settle is not a branch; paths that meet with the same values share one
node.

A state is: the entry; a loop head; the start of a `try` body, of its handler and of what follows it; and a join whose
copies would be too many (``budget``). What a state knows of its variables is the join over the edges that reach it,
explored again until nothing changes (bounds that keep moving are dropped, so this ends).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from pointsman.core import InternalError
from pointsman.program import ir
from pointsman.program.deep import deep_recursion
from pointsman.program.explore.facts import Facts
from pointsman.program.explore.kinds import join, kind_of, result_kind
from pointsman.program.explore.points import Point, Points
from pointsman.program.explore.terms import make, negated
from pointsman.program.ir import Const, Function, Operand, Ref, Var
from pointsman.program.table.machine import (
    App,
    Decide,
    Do,
    Goto,
    Machine,
    Node,
    Raise,
    Range,
    Return,
    State,
    Sym,
    Take,
    Term,
    nodes,
    part,
    rebuilt,
    symbols,
)

__all__ = ["Settle", "explore_function"]

_WIDEN_AFTER = 3  # chosen: loops with constant bounds settle in two rounds
_MAX_ROUNDS = 40
_SHAPES = {  # what `match` takes a kind for; "": neither
    "tuple": "sequence", "list": "sequence", "range": "sequence", "dict": "mapping", "str": "", "bytes": "", "int": "",
    "bool": "", "float": "", "none": "", "set": "",
}  # fmt: skip
_MAX_TERM = 100  # operations and operands; chosen: a larger term is a step, whose result has a name
_MAX_NAMES = 100  # names kept before those that are dead are dropped; chosen
_MAX_STEPS = 6_000  # statements followed in one region; chosen: some 50 ms

Settle = Callable[[Facts, Term], bool | None]  # a solver's answer where bounds leave an atom open
Env = dict[str, Term]


class _OverBudget(Exception):
    """A region has too many nodes: explore again with its joins as states."""


@dataclass
class _Draft:
    """A state while it is explored."""

    index: int
    point: Point
    names: tuple[str, ...]
    known: dict[str, Range]
    joins: dict[str, int] = field(default_factory=dict)  # how often the variable's range grew
    root: Node | None = None


def explore_function(
    function: Function,
    *,
    guards: tuple[tuple[str, str], ...] = (),
    known: dict[str, Range] | None = None,
    settle: Settle | None = None,
    field_kinds: dict[str, dict[str, str]] | None = None,
    points: Points | None = None,
) -> Machine:
    """The machine of ``function`` when its parameters have the kinds of ``guards`` (others may be anything).

    ``points``: of this function, when it is explored more than once.
    Raises InternalError when a fixed point is not reached (a defect of ours).
    """
    with deep_recursion():
        explorer = _Explorer(function, points or Points(function), dict(guards), known or {}, settle, field_kinds or {})
        return explorer.run(guards)


class _Explorer:
    def __init__(
        self,
        function: Function,
        points: Points,
        guards: dict[str, str],
        known: dict[str, Range],
        settle: Settle | None,
        field_kinds: dict[str, dict[str, str]],
    ) -> None:
        self.function = function
        self.points = points
        self.settle = settle
        self.field_kinds = field_kinds
        self.drafts: list[_Draft] = []
        self.by_point: dict[Point, _Draft] = {}
        self.pending: list[_Draft] = []
        self.split_joins: set[Point] = set()  # joins that are states
        self.interned: dict[Node, Node] = {}
        names = [p.name for p in function.params] + list(function.captures)
        start = {name: known.get(name) or Range(guards.get(name, "any")) for name in names}
        for param in function.params:
            if param.kind == "star":
                start[param.name] = Range("tuple")
            elif param.kind == "double_star":
                start[param.name] = Range("dict")
        self.entry = _Draft(0, self.points.normalise(self.points.entry), tuple(names), start)
        self.drafts.append(self.entry)
        self.pending.append(self.entry)

    def run(self, guards: tuple[tuple[str, str], ...]) -> Machine:
        rounds = 0
        while self.pending:
            draft = self.pending.pop(0)
            rounds += 1
            if rounds > _MAX_ROUNDS * (len(self.drafts) + 1):
                raise InternalError(f"exploring {self.function.name} does not settle", code="explore_diverges")
            draft.root = self._region(draft)
        return Machine(
            self.function.name,
            self.function.qualname,
            self.function.params,
            tuple(self._finish()),
            guards,
            self.function.captures,
            self.function.memo,
            self.function.generator,
        )

    def _finish(self) -> list[State]:
        """Keeps the states that can be reached, numbered in order of discovery from the entry."""
        order: list[int] = [0]
        for index in order:
            draft = self.drafts[index]
            targets = [n.state for n in _all_nodes(draft.root) if isinstance(n, Goto)]
            scope = self.points.scope(draft.point)
            if scope is not None:
                targets.append(self.by_point[self.points.normalise(self.points.scopes[scope].handler)].index)
            order.extend(t for t in dict.fromkeys(targets) if t not in order)
        number = {old: new for new, old in enumerate(order)}
        return [self._state(self.drafts[old], number) for old in order]

    def _state(self, draft: _Draft, number: dict[int, int]) -> State:
        scope = self.points.scope(draft.point)
        handler = caught = None
        if scope is not None:
            record = self.points.scopes[scope]
            handler = number[self.by_point[self.points.normalise(record.handler)].index]
            caught = record.caught
        statement = self.points.statement(draft.point)
        loc = getattr(statement, "loc", ir.NOWHERE)
        loop = self.points.is_loop_head(draft.point)
        label = "entry" if draft.index == 0 else ("loop" if loop else "join")
        variables = tuple((name, draft.known[name]) for name in draft.names)
        assert draft.root is not None
        root = _renumbered(draft.root, number)
        return State(number[draft.index], label, variables, root, handler, caught, loop, loc)

    # -- regions ---------------------------------------------------------------------------------------------------

    def _region(self, draft: _Draft) -> Node:
        """Explores one state's region.

        When it grows too large, first without what the path's decisions tell (paths that meet with equal values then
        share), then with its joins as states.
        """
        by_path = True
        while True:
            env: Env = {name: Sym(name, draft.known[name].kind) for name in draft.names}
            bounds = {
                env[name]: (r.low, r.high)
                for name, r in draft.known.items()
                if r.kind == "int" and (r.low, r.high) != (None, None)
            }
            scope = self.points.scope(draft.point)
            if scope is not None:
                self._reach_handler(scope, env, draft)
            walk = _Walk(self, draft, by_path=by_path)
            try:
                return walk.walk(draft.point, env, Facts(bounds), start=True)
            except _OverBudget:
                if by_path:
                    by_path = False
                    continue
                if not walk.joins - self.split_joins:
                    walk.budget = walk.work = sys.maxsize
                    return walk.walk(draft.point, env, Facts(bounds), start=True)
                self.split_joins |= walk.joins

    def _reach_handler(self, scope: int, env: Env, draft: _Draft) -> None:
        record = self.points.scopes[scope]
        target = self.points.normalise(record.handler)
        values = {n: draft.known[n] for n in self.points.live(record.handler) if n in draft.known}
        values[record.caught] = Range("exception")
        self._reach(target, values)

    def reach(self, point: Point, env: Env, facts: Facts) -> Goto:
        """A leaf: to the state at ``point``, with the values of what is live there."""
        live = self.points.live(point)
        values = {name: facts.range_of(env[name]) for name in live if name in env}
        draft = self._reach(point, values)
        return Goto(draft.index, tuple((name, env.get(name, Const(ir.UNBOUND))) for name in draft.names))

    def _reach(self, point: Point, values: dict[str, Range]) -> _Draft:
        draft = self.by_point.get(point)
        if draft is None:
            names = tuple(sorted(values))
            draft = _Draft(len(self.drafts), point, names, dict(values))
            self.drafts.append(draft)
            self.by_point[point] = draft
            self.pending.append(draft)
            return draft
        grown = False
        for name in draft.names:
            old = draft.known[name]
            new = join(old, values.get(name, Range()))
            if new != old:
                draft.joins[name] = draft.joins.get(name, 0) + 1
                if draft.joins[name] > _WIDEN_AFTER and new.kind == old.kind:
                    new = Range(
                        new.kind, old.low if new.low == old.low else None, old.high if new.high == old.high else None
                    )
                draft.known[name] = new
                grown = True
        if grown and draft not in self.pending:
            self.pending.append(draft)
        return draft


def _all_nodes(root: Node | None) -> list[Node]:
    assert root is not None
    return list(nodes(root))


def _renumbered(root: Node, number: dict[int, int]) -> Node:
    return rebuilt(root, lambda _, node: Goto(number[node.state], node.updates) if isinstance(node, Goto) else node)


_Step = Callable[[Node], Node]


class _Walk:
    """One region: follows every path from a state's point."""

    def __init__(self, explorer: _Explorer, draft: _Draft, *, by_path: bool) -> None:
        self.x = explorer
        self.by_path = by_path
        size = sum(1 for _ in ir.walk(explorer.function.body))
        self.work = _MAX_STEPS + 2 * size
        self.points = explorer.points
        self.draft = draft
        self.scope = explorer.points.scope(draft.point)
        self.memo: dict[tuple[Any, ...], Node] = {}
        self.joins: set[Point] = set()
        self.starred: dict[Sym, int] = {}  # unpacked values and which of their parts is the starred one
        self.made = 0
        self.budget = 120 + 3 * size  # nodes; chosen: three copies of the function are still readable

    def intern(self, node: Node) -> Node:
        found = self.x.interned.setdefault(node, node)
        if found is node:
            self.made += 1
            if self.made > self.budget:
                raise _OverBudget
        return found

    def decide(self, atom: Term, yes: Node, no: Node) -> Node:
        return yes if yes == no else self.intern(Decide(atom, yes, no))

    def walk(self, point: Point, env: Env, facts: Facts, *, start: bool = False) -> Node:
        steps: list[_Step] = []  # what wraps the rest of this path, outermost first
        node: Node | None = None
        while node is None:
            point = self.points.normalise(point)
            if not start and self._is_boundary(point):
                node = self.intern(self.x.reach(point, env, facts))
                break
            start = False
            self.work -= 1
            if self.work < 0:
                raise _OverBudget
            statement = self.points.statement(point)
            following = Point(point.body, point.index + 1)
            match statement:
                case None:
                    node = self.intern(Return(Const(None)))
                case ir.Let():
                    if len(env) > _MAX_NAMES:
                        live = self.points.live(point)
                        env = {name: term for name, term in env.items() if name in live}
                    env, facts = self._let(statement, env, facts, steps)
                    if self._commits(statement.target):
                        node = self.intern(self.x.reach(self.points.normalise(following), env, facts))
                    point = following
                case ir.If(test=test):
                    point, env, facts, node = self._if(point, self.value(test, env), env, facts, steps)
                case ir.Next(target=target, iterator=iterator):
                    item = Sym(target, "any")
                    then = self.walk(self.points.inner(point, 0), {**env, target: item}, facts)
                    exhausted = self.walk(self.points.inner(point, 1), env, facts)
                    node = self.intern(Take(item, self.value(iterator, env), then, exhausted))
                case ir.Block():
                    point = self.points.inner(point, 0)
                case ir.Loop():
                    point = self.points.inner(point, 0)
                case ir.Try():
                    node = self.intern(self.x.reach(self.points.normalise(self.points.inner(point, 0)), env, facts))
                case ir.Jump(target=label):
                    point = self.points.labels[label]
                    landing = self.points.normalise(point)
                    if not self._is_boundary(landing):
                        node = self.shared(landing, env, facts)
                case ir.Return(value=value):
                    node = self.intern(Return(self.value(value, env)))
                case ir.Raise(exception=exception):
                    node = self.intern(Raise(self.value(exception, env)))
        for step in reversed(steps):
            node = step(node)
        return node

    def _is_boundary(self, point: Point) -> bool:
        """Whether control that comes to ``point`` enters another state."""
        x = self.x
        return self.points.is_loop_head(point) or self.points.scope(point) != self.scope or point in x.split_joins

    def _commits(self, target: str) -> bool:
        """An assignment that an exception handler could see ends the region, so that it is seen."""
        return self.scope is not None and target in self.points.live_in_handler(self.scope)

    def shared(self, point: Point, env: Env, facts: Facts) -> Node:
        """The continuation at a join: one node for equal values and equal knowledge of them.

        What is known of anything else is forgotten: the node serves every path that comes with the same key.
        """
        self.joins.add(point)
        live = sorted(self.points.live(point))
        values = tuple((name, env.get(name)) for name in live)
        known = facts.about({s for _, term in values if term is not None for s in symbols(term)})
        key = (point, values, known.key())
        found = self.memo.get(key)
        if found is None:
            found = self.walk(point, {n: t for n, t in values if t is not None}, known)
            self.memo[key] = found
        return found

    def value(self, operand: Operand, env: Env) -> Term:
        return env[operand.name] if isinstance(operand, Var) else operand

    def _if(
        self, point: Point, condition: Term, env: Env, facts: Facts, steps: list[_Step]
    ) -> tuple[Point, Env, Facts, Node | None]:
        """Where the path goes on, with what; the node, when that is already known."""
        flipped = False
        while isinstance(condition, App) and condition.op == "not":
            condition, flipped = condition.args[0], not flipped
        first, second = (1, 0) if flipped else (0, 1)
        settled = facts.decide(condition)
        if settled is None and self.x.settle is not None:
            settled = self.x.settle(facts, condition)
        if settled is not None:
            inner = self.points.inner(point, first if settled else second)
            return self._arm(inner, env, facts, share=True)
        yes_facts = no_facts = facts
        if self.by_path:
            yes_facts, no_facts = facts.assume(condition, True), facts.assume(condition, False)
        inner_yes, inner_no = self.points.inner(point, first), self.points.inner(point, second)
        yes_env, no_env = _knowing(env, condition, True), _knowing(env, condition, False)
        yes_ends, no_ends = self._ends(inner_yes), self._ends(inner_no)
        if no_ends and not yes_ends:  # the path goes on in the other arm: a long chain is followed, not nested
            no = self._arm_node(inner_no, no_env, no_facts, share=True)
            steps.append(lambda rest: self.decide(condition, rest, no))
            return self._arm(inner_yes, yes_env, yes_facts, share=False)
        yes = self._arm_node(inner_yes, yes_env, yes_facts, share=not no_ends)
        steps.append(lambda rest: self.decide(condition, yes, rest))
        return self._arm(inner_no, no_env, no_facts, share=not yes_ends)

    def _ends(self, point: Point) -> bool:
        """Whether an arm leaves for elsewhere, so that what follows the branch is reached by the other arm alone."""
        body = self.points.contexts[point.body].body
        return bool(body) and isinstance(body[-1], ir.Jump | ir.Return | ir.Raise)

    def _arm_node(self, point: Point, env: Env, facts: Facts, *, share: bool) -> Node:
        landing, env, facts, node = self._arm(point, env, facts, share=share)
        return self.walk(landing, env, facts) if node is None else node

    def _arm(self, point: Point, env: Env, facts: Facts, *, share: bool) -> tuple[Point, Env, Facts, Node | None]:
        landing = self.points.normalise(point)
        if share and landing.body != point.body and not self._is_boundary(landing):
            return landing, env, facts, self.shared(landing, env, facts)
        return landing, env, facts, None

    # -- steps -----------------------------------------------------------------------------------------------------

    def _let(self, let: ir.Let, env: Env, facts: Facts, steps: list[_Step]) -> tuple[Env, Facts]:
        args = tuple(self.value(a, env) for a in let.args)
        if let.op == "copy":
            return {**env, let.target: args[0]}, facts
        if let.op == "check_bound":
            return self._check_bound(let, args[0], env, facts, steps)
        if let.op == "unpack" and _unpacks_statically(args[0], let.attrs):
            return {**env, let.target: args[0]}, facts
        if let.op == "project" and isinstance(args[0], Sym):
            starred = self.starred.get(args[0]) == let.attrs[0]
            return {**env, let.target: part(args[0], let.attrs[0], starred)}, facts
        term = self._field(let, args) or _component(let, args) or self._pure(let, args, facts)
        if term is not None and not (isinstance(term, App) and term.size > _MAX_TERM):
            return {**env, let.target: term}, facts
        kind, _ = result_kind(let.op, args, let.attrs, tuple(facts.range_of(a) for a in args))
        if let.op == "comprehension" and let.attrs[0] in {"list", "set", "dict"}:
            kind = let.attrs[0]
        result = Sym(let.target, kind)
        if let.op == "unpack" and let.attrs[1] is not None:
            self.starred[result] = let.attrs[0]
        steps.append(lambda rest: self.intern(Do(result, let.op, args, let.attrs, rest)))
        if let.op == "call" and kind == "int" and getattr(args[0], "path", "") == "builtins.len":
            facts = replace(facts, bounds={**facts.bounds, result: (0, None)})
        return {**env, let.target: result}, facts

    def _pure(self, let: ir.Let, args: tuple[Term, ...], facts: Facts) -> Term | None:
        if any(isinstance(a, Const) and a.value is ir.UNBOUND for a in args):
            return None
        if let.op == "match_class" and isinstance(args[1], Ref) and kind_of(args[0]) == args[1].path:
            return Const(True)  # a checked record is of exactly its class
        if let.op == "match_shape" and kind_of(args[0]) in _SHAPES:
            return Const(_SHAPES[kind_of(args[0])] == let.attrs[0])
        ranges = tuple(facts.range_of(a) for a in args)
        kind, total = result_kind(let.op, args, let.attrs, ranges)
        if not total and kind == "int" and let.op.removeprefix("inplace_") in {"mod", "floordiv"}:
            zero, _ = make("eq", (args[1], Const(0)), (), "bool")
            total = facts.decide(zero) is False
        if not total:
            return None
        term, flipped = make(let.op, args, let.attrs, kind)
        return negated(term) if flipped else term

    def _field(self, let: ir.Let, args: tuple[Term, ...]) -> Term | None:
        """A field of a frozen record whose field kinds the entry checks."""
        if let.op != "get_attribute":
            return None
        kind = kind_of(args[0])
        if kind.startswith("record:") and let.attrs[0] in self.x.field_kinds.get(kind[7:], {}):
            return App("get_attribute", args, let.attrs, self.x.field_kinds[kind[7:]][let.attrs[0]])
        return None

    def _check_bound(self, let: ir.Let, value: Term, env: Env, facts: Facts, steps: list[_Step]) -> tuple[Env, Facts]:
        if isinstance(value, Const) and value.value is ir.UNBOUND:
            pass
        elif not isinstance(value, Sym) or value.kind != "any":
            return env, facts
        elif value.name not in self.draft.names:
            return env, facts  # made in this region: a value
        result = Sym(f"{let.target}{let.attrs[0]}", "any")
        steps.append(lambda rest: self.intern(Do(result, "check_bound", (value,), let.attrs, rest)))
        return env, facts


def _knowing(env: Env, condition: Term, truth: bool) -> Env:
    """The values where a condition has been decided: variables that hold the condition itself are constants."""
    if not isinstance(condition, App):
        return env
    opposite = negated(condition)
    known = {condition: Const(truth), opposite: Const(not truth)}
    return {name: known.get(term, term) if isinstance(term, App) else term for name, term in env.items()}


def _component(let: ir.Let, args: tuple[Term, ...]) -> Term | None:
    """``(a, b)[0]`` of a tuple made here."""
    if (
        let.op != "get_item"
        or not isinstance(args[0], App)
        or args[0].op != "build_tuple"
        or not isinstance(args[1], Const)
    ):
        return None
    index, items = args[1].value, args[0].args
    return items[index] if type(index) is int and -len(items) <= index < len(items) else None


def _unpacks_statically(value: Term, attrs: tuple[Any, ...]) -> bool:
    return isinstance(value, App) and value.op == "build_tuple" and attrs[1] is None and len(value.args) == attrs[0]
