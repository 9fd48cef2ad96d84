"""One machine -> one Python function: the state graph becomes loops and branches again.

Each state's tree is emitted where control reaches it. A state with one way in stands right there; the others stand
after the tree, loop or `try` that leads to them, and the ways to them fall through, `break` or `continue` (code.Jump).
Where several such states follow one another, a selector tells them apart. Loop heads that count or iterate become
`for`, those that test become `while`. All of it rests on dominance, so it is right for every reducible graph, which
ours are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pointsman.core import InternalError
from pointsman.program.emit.code import SELECTOR, Block, Branch, Guarded, Jump, Repeat
from pointsman.program.emit.graph import Graph, split_shared
from pointsman.program.emit.loops import Counted, counted_loop, is_invariant, leaves_loop
from pointsman.program.emit.names import LocalNames
from pointsman.program.emit.text import Piece, negated, render, subscript
from pointsman.program.emit.values import (
    Pending,
    Uses,
    Values,
    is_simple,
    looks_up_first,
    pending_order,
)
from pointsman.program.explore.kinds import IMMUTABLE, kind_of
from pointsman.program.ir import Const
from pointsman.program.table.machine import (
    App,
    Decide,
    Do,
    Goto,
    Machine,
    Node,
    Pick,
    Raise,
    Return,
    State,
    Switch,
    Sym,
    Take,
    Term,
    made_by,
    symbols,
    terms_of,
)

if TYPE_CHECKING:
    from pointsman.program.emit.module import ModuleEmitter

__all__ = ["FunctionEmitter"]

_MAX_PENDING = 400  # characters; chosen: CPython takes 200 parentheses inside one another
_FLAT_SWITCH = 4  # children; chosen: up to here a chain of comparisons is as fast as bisection


@dataclass(frozen=True)
class _Place:
    """Where code is being emitted: inside which loop, and under which handler."""

    loop: int | None = None
    handler: int | None = None


@dataclass
class _Result:
    """What an emitted part leaves open: jumps to states outside it, and states to be placed further out."""

    jumps: list[Jump] = field(default_factory=list)
    deferred: list[int] = field(default_factory=list)

    def add(self, other: _Result) -> None:
        self.jumps.extend(other.jumps)
        self.deferred.extend(other.deferred)


class FunctionEmitter:
    """Emits the body of one machine as a Block of code."""

    def __init__(self, machine: Machine, module: ModuleEmitter) -> None:
        self.machine = machine
        self.module = module
        self.states = split_shared(machine)
        self.graph = Graph(self.states)
        if not self.graph.reducible:
            raise InternalError(f"irreducible control flow in {machine.name}", code="emit_irreducible")
        self.names = LocalNames(machine, module.names)
        self.captures = {self.names.get(c) for c in machine.captures}
        self.uses = Uses()
        self.skipped: set[str] = set()  # variables that a for loop keeps by itself
        self.selects = False
        self._inlined: set[int] = set()
        self._handler_states = {s.handler for s in self.states if s.handler is not None}
        self._composed: set[tuple[int, _Place]] = set()
        self._current: State | None = None

    def body(self) -> Block:
        block: Block = []
        result = self._compose(0, block, _Place(), Values())
        if result.jumps or result.deferred:
            raise InternalError(f"open ends in {self.machine.name}", code="emit_open")
        return block

    # -- placing states ------------------------------------------------------------------------------------------

    def _outer_loop(self, index: int) -> int | None:
        loops = self.graph.loops
        return loops[index].outer if index in loops else self.graph.loop_of[index]

    def _belongs(self, index: int, place: _Place) -> bool:
        """Whether a state may stand at ``place``: in the same loop, and in its handler or entering one from it."""
        handler = self.states[index].handler
        entering = handler is not None and self.states[handler].handler == place.handler and handler != place.handler
        return self._outer_loop(index) == place.loop and (handler == place.handler or entering)

    def _inline(self, index: int, place: _Place) -> bool:
        """Whether the state stands at the one leaf that leads to it."""
        loop = self.graph.loops.get(index)
        ways = [s for s in self.graph.entries[index] if loop is None or s not in loop.members]
        return len(ways) == 1 and self._belongs(index, place) and index not in self._handler_states

    def _compose(
        self, index: int, block: Block, place: _Place, values: Values, iterator: Piece | None = None
    ) -> _Result:
        """Emits a state and, after it, the states it dominates that belong at this place."""
        state = self.states[index]
        if (index, place) in self._composed:  # a stranger's graph: of ours, each state stands in one place
            raise InternalError(f"state {index} of {self.machine.name} stands inside itself", code="emit_repeated")
        self._composed.add((index, place))
        if state.handler != place.handler:
            result = self._guarded(index, block, place)
        elif index in self.graph.loops:
            result = self._loop(index, block, place, iterator)
        else:
            values = self._fresh(state)
            self._meter(block, check=index == 0)
            result = self._tree(state, state.root, block, place, values)
            self._own_children(index, result, place)
        return self._sequence(result, block, place)

    def _fresh(self, state: State) -> Values:
        values = Values()
        for name, known in state.variables:
            if name not in self.skipped:
                values.held[Sym(name, known.kind)] = self.names.get(name)
        return values

    def _meter(self, block: Block, *, check: bool) -> None:
        if self.module.metered:
            block.append("_meter[0] += 1")
            if check:
                block.append("if _meter[0] > _meter[1]: raise _OutOfFuel")

    def _own_children(self, index: int, result: _Result, place: _Place) -> None:
        for child in self.graph.children[index]:
            if child not in self._handler_states and child not in self._inlined:
                result.deferred.append(child)

    def _sequence(self, result: _Result, block: Block, place: _Place) -> _Result:
        """Places deferred states that belong here, one after another, in an order in which jumps go forward."""
        here = sorted({d for d in result.deferred if self._belongs(d, place)}, key=self.graph.position.__getitem__)
        result.deferred = [d for d in result.deferred if not self._belongs(d, place)]
        while here:
            index = here.pop(0)
            others = [j for j in result.jumps if j.target != index]
            if not others:
                result.jumps = []
                inner = self._compose_child(index, block, place)
            else:
                for jump in result.jumps:
                    self._select(jump)
                body: Block = []
                inner = self._compose_child(index, body, place)
                block.append(Branch(f"{SELECTOR} == {index}", f"{SELECTOR} != {index}", body, []))
                result.jumps = others
            for deferred in inner.deferred:
                (here if self._belongs(deferred, place) else result.deferred).append(deferred)
            here.sort(key=self.graph.position.__getitem__)
            if others:
                for jump in inner.jumps:
                    self._select(jump)
            result.jumps.extend(inner.jumps)
        return result

    def _compose_child(self, index: int, block: Block, place: _Place) -> _Result:
        return self._compose(index, block, place, Values())

    def _select(self, jump: Jump) -> None:
        jump.select = True
        self.selects = True

    # -- loops and handlers ----------------------------------------------------------------------------------------

    def _guarded(self, index: int, block: Block, place: _Place) -> _Result:
        state = self.states[index]
        assert state.handler is not None
        body: Block = []
        inner = self._compose(index, body, _Place(place.loop, state.handler), Values())
        caught = self.names.fresh("caught")
        handler: Block = []
        assert state.caught is not None
        handled = self.states[state.handler]
        if any(name == state.caught for name, _ in handled.variables):
            handler.append(f"{self.names.get(state.caught)} = {caught}")
        inner.add(self._compose(state.handler, handler, place, Values()))
        block.append(Guarded(body, caught, handler))
        return inner

    def _loop(self, index: int, block: Block, place: _Place, iterator: Piece | None) -> _Result:
        state = self.states[index]
        inside = _Place(index, place.handler)
        members = self.graph.loops[index].members
        counted = counted_loop(self.graph, index)
        body: Block = []
        otherwise: Block = []
        result = _Result()
        after = _Result()
        if counted is not None:
            header = self._count_header(state, counted, iterator)
            values = self._fresh(state)
            values.assign(header[1], Sym(counted.variable, "int"))
            after.add(self._tree(state, counted.exit, otherwise, place, self._fresh(state)))
            text = header[0]
            start = counted.body
        elif isinstance(state.root, Take) and self._takes(index, state.root):
            values = self._fresh(state)
            source = iterator or values.lookup(state.root.iterator)
            assert source is not None
            after.add(self._tree(state, state.root.exhausted, otherwise, place, values.copy()))
            self._current = state
            target, start = self._take_target(state, state.root, values)
            text = f"for {target} in {source.text}:"
        else:
            text, start, values = self._while_header(state, members, otherwise, after, place)
        self._meter(body, check=True)
        result.add(self._tree(state, start, body, inside, values))
        self._own_children(index, result, inside)
        result = self._sequence(result, body, inside)
        return self._close_loop(Repeat(text, body, otherwise), block, result, after, place)

    def _take_target(self, state: State, take: Take, values: Values) -> tuple[str, Node]:
        """The target of a `for`: a local, or several where the item's only use is to be unpacked at once."""
        first = take.then
        if isinstance(first, Do) and first.op == "unpack" and first.args == (take.result,) and first.attrs[0]:
            if self.uses.count(first, take.result) == 1:
                return self._unpack_targets(state, first, values), first.next
        local = self._result_local(take.result, take.then, values, state)
        values.assign(local, take.result)
        return local, take.then

    def _close_loop(self, repeat: Repeat, block: Block, inner: _Result, after: _Result, place: _Place) -> _Result:
        """Ends a loop: jumps that leave it `break`; where they then go is settled behind it."""
        block.append(repeat)
        targets = {j.target for j in inner.jumps} | {j.target for j in after.jumps}
        for jump in inner.jumps:
            jump.keyword = "break"
        result = _Result(deferred=inner.deferred + after.deferred)
        if not inner.jumps:
            result.jumps = after.jumps
            return result
        if len(targets) > 1:
            for jump in [*inner.jumps, *after.jumps]:
                self._select(jump)
        for target in sorted(targets):
            jump = self._jump(target, place)
            if len(targets) > 1:
                block.append(Branch(f"{SELECTOR} == {target}", f"{SELECTOR} != {target}", [jump], []))
            else:
                block.append(jump)
            if not jump.keyword:
                result.jumps.append(jump)
        return result

    def _count_header(self, state: State, counted: Counted, start: Piece | None) -> tuple[str, str]:
        values = self._fresh(state)
        stop = render(counted.stop, values.lookup, self.module.ref)
        first = start or Piece(self.names.get(counted.variable))
        wish = self._counter_variable(state, counted)
        local = self.names.get(wish) if wish is not None else self.names.get(counted.variable)
        self.skipped.add(counted.variable)
        parts = [first.text, stop.text] if first.text != "0" or counted.step != 1 else [stop.text]
        parts += [str(counted.step)] if counted.step != 1 else []
        return f"for {local} in _range({', '.join(parts)}):", local

    def _counter_variable(self, state: State, counted: Counted) -> str | None:
        """The source's loop variable, when the counter can live in it."""
        symbol = Sym(counted.variable, "int")
        wish = self.uses.variable_of(counted.body, symbol)
        if wish is None or wish == counted.variable or self.names.get(wish) in self.captures:
            return None
        clash = self.uses.reads_name(counted.body, wish)
        kept = {n for n, _ in self.states[state.handler].variables} if state.handler is not None else set()
        return None if clash or wish in kept else wish

    def _takes(self, index: int, take: Take) -> bool:
        return isinstance(take.iterator, Sym) and is_invariant(self.graph, index, take.iterator.name)

    def _while_header(
        self, state: State, members: frozenset[int], otherwise: Block, after: _Result, place: _Place
    ) -> tuple[str, Node, Values]:
        """``while test:`` where the tree starts with a test that leaves the loop; else ``while True:``."""
        self._current = state
        values = self._fresh(state)
        scratch: Block = []
        node = self._steps(state, state.root, scratch, values)
        if isinstance(node, Decide) and not scratch and not self.module.metered:
            exits = [leaves_loop(arm, members) for arm in (node.yes, node.no)]
            if exits[0] != exits[1]:
                self._prepare(node, scratch, values)
                if not scratch:
                    condition, opposite = self._condition(node, values)
                    if not scratch and not values.pending:
                        arm, leaving = (node.no, node.yes) if exits[0] else (node.yes, node.no)
                        after.add(self._tree(state, leaving, otherwise, place, values.copy()))
                        text = opposite if exits[0] else condition
                        return f"while {text}:", arm, values
        return "while True:", state.root, self._fresh(state)

    # -- trees -----------------------------------------------------------------------------------------------------

    def _tree(self, state: State, node: Node, block: Block, place: _Place, values: Values) -> _Result:
        self._current = state
        node = self._steps(state, node, block, values)
        self._prepare(node, block, values)
        match node:
            case Decide():
                return self._decide(state, node, block, place, values)
            case Switch():
                return self._switch(state, node, block, place, values)
            case Pick():
                return self._pick(state, node, block, place, values)
            case Take():
                return self._take(state, node, block, place, values)
            case Return(value=value):
                piece = self._consume(node, block, values)[0]
                self._flush(block, values, node, state, using=[piece])
                block.append("return" if value == Const(None) and self.machine.generator else f"return {piece.text}")
                return _Result()
            case Raise():
                piece = self._consume(node, block, values)[0]
                self._flush(block, values, node, state, using=[piece])
                block.append(f"raise {piece.text}")
                return _Result()
            case Goto():
                return self._goto(state, node, block, place, values)
        raise InternalError(f"no rule for {type(node).__name__}")

    def _steps(self, state: State, node: Node, block: Block, values: Values) -> Node:
        """Emits the steps that come before the next branch or leaf."""
        while isinstance(node, Do):
            self._prepare(node, block, values)
            self._do(state, node, block, values)
            node = node.next
        return node

    def _do(self, state: State, node: Do, block: Block, values: Values) -> None:
        if node.op.startswith("inplace_"):
            self._inplace(state, node, block, values)
            return
        if node.op == "unpack":
            self._unpack(state, node, block, values)
            return
        pieces = self._consume(node, block, values)
        if node.op in {"set_item", "delete_item", "set_attribute", "cell_set"}:
            self._flush(block, values, node, state, using=pieces)
            if node.op == "set_attribute" and node.args[0] not in values.own:
                pieces[0] = self._admitted(pieces[0], node.args[0], block, values)
            block.append(_statement(node, pieces))
            return
        values.own.update(self.module.own_instances(node))
        piece = self.module.operation(self, node, pieces, values)
        count = self.uses.count(node.next, node.result)
        if count == 1 and len(piece.text) <= _MAX_PENDING and not self.uses.captures(node.next, node.result):
            values.pending.append(Pending(node.result, piece))
            return
        self._flush(block, values, node, state, using=[piece])
        if count == 0:
            block.append(piece.text)
            return
        local = self._result_local(node.result, node.next, values, state)
        block.append(f"{local} = {piece.text}")
        values.assign(local, node.result)

    def _admitted(self, owner: Piece, term: Term, block: Block, values: Values) -> Piece:
        """``owner`` as one whose fields may be written: looked at before, or where its text stands (support.py)."""
        if not owner.text.isidentifier():
            return Piece(f"_admit({owner.text})", owner.reads)
        block.append(f"if _type({owner.text}) not in _settable: _admit({owner.text})")
        values.own.add(term)
        return owner

    def _inplace(self, state: State, node: Do, block: Block, values: Values) -> None:
        """``x += y`` as a statement on a local, which is Python's own in-place operation."""
        from pointsman.program.catalogue import OPERATIONS

        left, right = self._consume(node, block, values)
        self._flush(block, values, node, state, using=[left, right])
        local = self._result_local(node.result, node.next, values, state)
        template = OPERATIONS[node.op.removeprefix("inplace_")].template
        assert template is not None
        symbol = template.split()[1]
        if left.text == local:
            block.append(f"{local} {symbol}= {right.text}")
        elif local in right.reads:
            fresh = self.names.fresh("value")
            block.extend([f"{fresh} = {left.text}", f"{fresh} {symbol}= {right.text}", f"{local} = {fresh}"])
        else:  # the left side before the right one, as the operation evaluates them
            block.extend([f"{local} = {left.text}", f"{local} {symbol}= {right.text}"])
        values.assign(local, node.result)

    def _unpack(self, state: State, node: Do, block: Block, values: Values) -> None:
        pieces = self._consume(node, block, values)
        self._flush(block, values, node, state, using=pieces)
        block.append(f"{self._unpack_targets(state, node, values)} = {pieces[0].text}")

    def _unpack_targets(self, state: State, node: Do, values: Values) -> str:
        """Locals for the parts of an ``unpack`` step, which from now on hold them, as a target list."""
        before, after = node.attrs
        parts = made_by(node)
        locals_: list[str] = []
        for part in parts:
            locals_.append(self._term_local(part, node.next, values, state, taken=locals_))
        for local, part in zip(locals_, parts, strict=True):
            values.assign(local, part)
        shown = [f"*{name}" if after is not None and i == before else name for i, name in enumerate(locals_)]
        return (", ".join(shown) + ("," if len(parts) == 1 else "")) or "[]"

    # -- branches --------------------------------------------------------------------------------------------------

    def _condition(self, node: Decide, values: Values) -> tuple[str, str]:
        scratch: Block = []
        atom = node.atom
        positive = self._consume(node, scratch, values)[0]
        if scratch:
            raise InternalError("a condition must not flush", code="emit_condition")
        if positive.text.startswith("_bool(") and isinstance(atom, Sym):
            positive = Piece(positive.text[6:-1], positive.reads, False)
            return positive.text, f"not ({positive.text})"
        if isinstance(atom, App) and not any(isinstance(s, Sym) and values.held.get(s) is None for s in symbols(atom)):
            return positive.text, negated(atom, values.lookup, self.module.ref).text
        return positive.text, f"not {positive.bracketed()}"

    def _decide(self, state: State, node: Decide, block: Block, place: _Place, values: Values) -> _Result:
        condition, opposite = self._condition_flushing(state, node, block, values)
        yes: Block = []
        no: Block = []
        result = self._tree(state, node.yes, yes, place, values.copy())
        result.add(self._tree(state, node.no, no, place, values.copy()))
        block.append(Branch(condition, opposite, yes, no))
        return result

    def _condition_flushing(self, state: State, node: Decide, block: Block, values: Values) -> tuple[str, str]:
        taken = self._matching_suffix(node, values)
        if taken is None:
            self._flush(block, values, node, state)
        else:
            self._flush(block, values, node, state, keep=taken)
        return self._condition(node, values)

    def _switch(self, state: State, node: Switch, block: Block, place: _Place, values: Values) -> _Result:
        piece = self._consume(node, block, values)[0]
        self._flush(block, values, node, state, using=[piece])
        if all(isinstance(c, Return) and isinstance(c.value, Const) for c in node.children):
            answers = tuple(c.value for c in node.children if isinstance(c, Return))
            if len(answers) > _FLAT_SWITCH:
                table = self.module.constant("answers", tuple(a.value for a in answers if isinstance(a, Const)))
                cuts = self.module.constant("cuts", node.cuts)
                block.append(f"return {table}[_bisect({cuts}, {piece.text})]")
                return _Result()
        local = piece.text
        if not piece.text.isidentifier():
            local = self.names.fresh("key")
            block.append(f"{local} = {piece.text}")
            values.assign(local, node.term)
        return self._bisect(state, node, 0, len(node.children), local, block, place, values)

    def _bisect(
        self, state: State, node: Switch, low: int, high: int, local: str, block: Block, place: _Place, values: Values
    ) -> _Result:
        if high - low == 1:
            return self._tree(state, node.children[low], block, place, values.copy())
        middle = low + 1 if high - low <= _FLAT_SWITCH else (low + high) // 2
        yes: Block = []
        no: Block = []
        result = self._bisect(state, node, low, middle, local, yes, place, values)
        result.add(self._bisect(state, node, middle, high, local, no, place, values))
        cut = node.cuts[middle - 1]
        block.append(Branch(f"{local} < {cut}", f"{local} >= {cut}", yes, no))
        return result

    def _pick(self, state: State, node: Pick, block: Block, place: _Place, values: Values) -> _Result:
        piece = self._consume(node, block, values)[0]
        self._flush(block, values, node, state, using=[piece])
        leaves = [*node.children, node.default]
        if all(isinstance(c, Return) and isinstance(c.value, Const) for c in leaves):
            answers = [c.value.value for c in leaves if isinstance(c, Return) and isinstance(c.value, Const)]
            table = self.module.mapping("answers", tuple(k.value for k in node.keys), tuple(answers[:-1]))
            default = render(Const(answers[-1]), values.lookup, self.module.ref).text
            block.append(f"return {table}.get({piece.text}, {default})")
            return _Result()
        local = piece.text
        if not piece.text.isidentifier():
            local = self.names.fresh("key")
            block.append(f"{local} = {piece.text}")
            values.assign(local, node.term)
        result = _Result()
        current = block
        for key, child in zip(node.keys, node.children, strict=True):
            yes: Block = []
            no: Block = []
            result.add(self._tree(state, child, yes, place, values.copy()))
            text = render(key, values.lookup, self.module.ref).text
            current.append(Branch(f"{local} == {text}", f"{local} != {text}", yes, no))
            current = no
        result.add(self._tree(state, node.default, current, place, values.copy()))
        return result

    def _take(self, state: State, node: Take, block: Block, place: _Place, values: Values) -> _Result:
        """An item taken outside a loop head, or where `for` does not fit."""
        piece = self._consume(node, block, values)[0]
        self._flush(block, values, node, state, using=[piece])
        local = self._result_local(node.result, node.then, values, state)
        block.append(f"{local} = _next({piece.text}, _UNBOUND)")
        then: Block = []
        exhausted: Block = []
        result = self._tree(state, node.exhausted, exhausted, place, _without(values, local))
        inner = values.copy()
        inner.assign(local, node.result)
        result.add(self._tree(state, node.then, then, place, inner))
        block.append(Branch(f"{local} is _UNBOUND", f"{local} is not _UNBOUND", exhausted, then))
        return result

    # -- leaves ----------------------------------------------------------------------------------------------------

    def _jump(self, target: int, place: _Place) -> Jump:
        return Jump(target, keyword="continue" if target == place.loop else "")

    def _goto(self, state: State, node: Goto, block: Block, place: _Place, values: Values) -> _Result:
        inline = node.state != place.loop and self._inline(node.state, place)
        iterator = self._loop_source(node, block, values, state) if inline else None
        self._update(state, node, block, values, without=iterator[0] if iterator else None)
        if inline:
            self._inlined.add(node.state)
            return self._compose(node.state, block, place, values, iterator[1] if iterator else None)
        jump = self._jump(node.state, place)
        block.append(jump)
        return _Result() if jump.keyword else _Result([jump])

    def _loop_source(self, node: Goto, block: Block, values: Values, state: State) -> tuple[str, Piece] | None:
        """What a `for` loop at ``node``'s state runs over, when it can be written into its header."""
        target = self.states[node.state]
        if node.state not in self.graph.loops or target.handler != state.handler:
            return None
        updates = dict(node.updates)
        counted = counted_loop(self.graph, node.state)
        if counted is not None:
            first = updates[counted.variable]
            if any(values.lookup(s) is None or s in {p.symbol for p in values.pending} for s in symbols(first)):
                return None
            piece = render(first, values.lookup, self.module.ref)
            self.skipped.add(counted.variable)
            if not self._clobbered(node, piece, values):
                return counted.variable, piece
            self.skipped.discard(counted.variable)
            return None
        root = target.root
        if isinstance(root, Take) and isinstance(root.iterator, Sym) and self._takes(node.state, root):
            name = root.iterator.name
            last = values.pending[-1] if values.pending else None
            made_here = last is not None and updates[name] == last.symbol and last.piece.text.startswith("_iter(")
            once = sum(s == updates[name] for _, t in node.updates for s in symbols(t)) == 1
            if last is not None and made_here and once:
                inner = Piece(last.piece.text[6:-1], last.piece.reads)
                if not self._clobbered(node, inner, values, without=name):
                    values.pending.pop()
                    self._flush(block, values, node, state, using=[inner])
                    self.skipped.add(name)
                    return name, inner
        return None

    def _clobbered(self, node: Goto, piece: Piece, values: Values, without: str | None = None) -> bool:
        """Whether the updates of ``node`` change a local that ``piece`` reads."""
        for name, term in node.updates:
            if name == without or name in self.skipped:
                continue
            local = self.names.get(name)
            if local in piece.reads and values.held.get(term) != local:
                return True
        return False

    def _update(self, state: State, node: Goto, block: Block, values: Values, without: str | None) -> None:
        """The parallel assignment: in an order in which no value is overwritten before it is read."""
        wanted = [(n, t) for n, t in node.updates if n not in self.skipped and n != without]
        if not self._takes_over(state, wanted, values):
            self._flush(block, values, node, state)
        moves: list[tuple[str, Piece, Term]] = []
        for name, term in wanted:
            local = self.names.get(name)
            piece = render(term, values.lookup, self.module.ref)
            if piece.text != local:
                moves.append((local, piece, term))
        while moves:
            ready = [m for m in moves if not any(m[0] in o[1].reads for o in moves if o is not m)]
            if ready:
                local, piece, term = ready[0]
                block.append(_assignment(local, piece, kind_of(term)))
                moves.remove(ready[0])
                continue
            block.append(f"{', '.join(m[0] for m in moves)} = {', '.join(m[1].text for m in moves)}")
            break
        values.pending = []
        values.held = {Sym(n): self.names.get(n) for n, _ in wanted}

    def _takes_over(self, state: State, wanted: list[tuple[str, Term]], values: Values) -> bool:
        """Whether the one pending step can stand in the assignment itself: ``a, b = b, a % b``.

        Not under a handler, which must not see half of the assignment when the step raises.
        """
        if len(values.pending) != 1 or state.handler is not None:
            return False
        symbol = values.pending[0].symbol
        whole = sum(term == symbol for _, term in wanted)
        return whole == 1 and sum(s == symbol for _, term in wanted for s in symbols(term)) == 1

    # -- values ----------------------------------------------------------------------------------------------------

    def _prepare(self, node: Node, block: Block, values: Values) -> None:
        """Gives a local to each composite term that this node uses and that is used again below."""
        if isinstance(node, Return | Raise) or (isinstance(node, Do) and node.op == "unpack"):
            return
        for term in terms_of(node):
            self._share(term, node, block, values)
        if isinstance(node, Do) and node.op in {"comprehension", "closure"}:
            captured = node.args[1:] if node.op == "comprehension" else node.args
            for term in captured:
                if not is_simple(term) and values.held.get(term) is None:
                    self._materialise(term, node, block, values)

    def _share(self, term: Term, node: Node, block: Block, values: Values) -> None:
        if not isinstance(term, App) or values.held.get(term) is not None:
            return
        if term.op in {"project", "slice", "not", "truth"} or (term.op == "build_tuple" and not term.args):
            for arg in term.args:
                self._share(arg, node, block, values)
            return
        if self.uses.count(node, term) >= 2:
            self._materialise(term, node, block, values)
            return
        for arg in term.args:
            self._share(arg, node, block, values)

    def _materialise(self, term: Term, node: Node, block: Block, values: Values) -> None:
        state = self._current
        self._flush(block, values, node, state)
        piece = render(term, values.lookup, self.module.ref)
        local = self._term_local(term, node, values, state, taken=[])
        block.append(f"{local} = {piece.text}")
        values.assign(local, term)

    def _matching_suffix(self, node: Node, values: Values) -> int | None:
        """How many pending steps, at the end, the node's text takes over in order; None when that does not fit."""
        waiting = [p.symbol for p in values.pending]
        wanted = [s for s in pending_order(node) if s in waiting and values.held.get(s) is None]
        if looks_up_first(node) and any(s in wanted for t in terms_of(node)[1:] for s in symbols(t)):
            return None
        if not wanted:
            return 0
        return len(wanted) if waiting[-len(wanted) :] == wanted else None

    def _consume(self, node: Node, block: Block, values: Values) -> list[Piece]:
        """The pieces of the node's terms; the pending steps they use are taken over."""
        count = self._matching_suffix(node, values)
        if count is None:
            self._flush(block, values, node, self._current)
            count = 0
        pieces = [render(t, values.lookup, self.module.ref) for t in terms_of(node)]
        if count:
            del values.pending[-count:]
        return pieces

    def _flush(
        self,
        block: Block,
        values: Values,
        node: Node,
        state: State | None,
        keep: int = 0,
        using: Sequence[Piece] = (),
    ) -> None:
        """Pending steps into locals, oldest first; the last ``keep`` stay pending.

        ``using``: text taken over already, whose locals must keep their values.
        """
        waiting = values.pending[: len(values.pending) - keep]
        values.pending = values.pending[len(values.pending) - keep :]
        for position, entry in enumerate(waiting):
            kept = [p.piece for p in [*waiting[position + 1 :], *values.pending]] + list(using)
            local = self._result_local(entry.symbol, node, values, state, kept=kept)
            block.append(_assignment(local, entry.piece, "any"))
            values.assign(local, entry.symbol)

    def _result_local(
        self, symbol: Sym, below: Node, values: Values, state: State | None, kept: list[Piece] | None = None
    ) -> str:
        return self._term_local(symbol, below, values, state, taken=[], kept=kept)

    def _term_local(
        self,
        term: Term,
        below: Node,
        values: Values,
        state: State | None,
        taken: list[str],
        kept: list[Piece] | None = None,
    ) -> str:
        """A local for a term: that of the variable it becomes, when nothing else needs what is in it."""
        wish = self.uses.variable_of(below, term)
        if wish is not None and wish not in self.skipped:
            local = self.names.get(wish)
            if self._free(local, below, values, state, wish, taken, kept):
                return local
        if isinstance(term, Sym):
            local = self.names.get(term.name)
            if local not in taken and local not in values.held.values() and local not in self.captures:
                return local
        return self.names.fresh("value")

    def _free(
        self,
        local: str,
        below: Node,
        values: Values,
        state: State | None,
        variable: str,
        taken: list[str],
        kept: list[Piece] | None,
    ) -> bool:
        if local in self.captures or local in taken:
            return False
        if any(local in p.reads for p in [*(e.piece for e in values.pending), *(kept or [])]):
            return False
        if state is not None and state.handler is not None and not isinstance(below, Goto):
            if any(variable == n for n, _ in self.states[state.handler].variables):
                return False
        held = [term for term, name in values.held.items() if name == local]
        return not any(self.uses.count(below, s) for term in held for s in symbols(term))


def _without(values: Values, local: str) -> Values:
    copy = values.copy()
    for term in [t for t, name in copy.held.items() if name == local]:
        del copy.held[term]
    return copy


def _assignment(local: str, piece: Piece, kind: str) -> str:
    """``x = x + y`` as ``x += y`` only where that cannot be seen: a list would be changed in place."""
    prefix = f"{local} + "
    if kind in IMMUTABLE and piece.text.startswith(prefix) and piece.text.count(" ") == 2:
        return f"{local} += {piece.text[len(prefix) :]}"
    return f"{local} = {piece.text}"


def _statement(node: Do, pieces: list[Piece]) -> str:
    match node.op:
        case "set_item":
            return f"{pieces[0].owner()}[{subscript(pieces[1], node.args[1])}] = {pieces[2].text}"
        case "delete_item":
            return f"del {pieces[0].owner()}[{subscript(pieces[1], node.args[1])}]"
        case "set_attribute":
            return f"{pieces[0].owner()}.{node.attrs[0]} = {pieces[1].text}"
        case "cell_set":
            return f"{pieces[0].owner()}[0] = {pieces[1].text}"
    raise InternalError(f"{node.op} is not a statement")
