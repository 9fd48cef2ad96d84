"""One machine -> one Python function: the state graph becomes loops and branches again.

Each state's tree is emitted where control reaches it. A state with one way in stands right there; the others stand
after the tree, loop or `try` that leads to them, and the ways to them fall through, `break` or `continue` (code.Jump).
Where several such states follow one another, a selector tells them apart. Loop heads that count or iterate become
`for`, those that test become `while`. All of it rests on dominance, so it is right for every reducible graph, which
ours are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pointsman.program.emit.code import SELECTOR, Block, Branch, Jump, Repeat
from pointsman.program.emit.graph import Graph, split_shared
from pointsman.program.emit.loops import Counted, counted_loop, is_invariant, leaves_loop
from pointsman.program.emit.names import LocalNames
from pointsman.program.emit.text import Piece, render
from pointsman.program.emit.tree import Place, Result, TreeEmitter
from pointsman.program.emit.values import (
    Values,
)
from pointsman.program.table.asking import asking_ahead
from pointsman.program.table.machine import (
    Decide,
    Do,
    Goto,
    Machine,
    Node,
    State,
    Sym,
    Take,
    symbols,
)

if TYPE_CHECKING:
    from pointsman.program.emit.module import ModuleEmitter

__all__ = ["FunctionEmitter", "Unstructured"]

_INDEX = re.compile(r"_index\((\w+)\)")


class Unstructured(Exception):
    """The machine's control flow has no form as loops and branches that is known here (see ``dispatch``)."""


class FunctionEmitter(TreeEmitter):
    """Emits the body of one machine as a Block of code."""

    def __init__(self, machine: Machine, module: ModuleEmitter) -> None:
        super().__init__(machine, module, split_shared(asking_ahead(machine)), LocalNames(machine, module.names))
        self.graph = Graph(self.states)
        self._inlined: set[int] = set()
        self._stops: dict[int, Piece] = {}  # what counted loops stop at, where that is written into the header
        self._composed: set[tuple[int, Place]] = set()
        self._handler_states = {s.handler for s in self.states if s.handler is not None}

    def body(self) -> Block:
        """Raises Unstructured."""
        if not self.graph.reducible:
            raise Unstructured(f"irreducible control flow in {self.machine.name}")
        block: Block = []
        result = self._compose(0, block, Place(), Values())
        if result.jumps or result.deferred:
            raise Unstructured(f"open ends in {self.machine.name}")
        return block

    # -- placing states ------------------------------------------------------------------------------------------

    def _outer_loop(self, index: int) -> int | None:
        loops = self.graph.loops
        return loops[index].outer if index in loops else self.graph.loop_of[index]

    def _belongs(self, index: int, place: Place) -> bool:
        """Whether a state may stand at ``place``: in the same loop, and in its handler or entering one from it."""
        handler = self.states[index].handler
        entering = handler is not None and self.states[handler].handler == place.handler and handler != place.handler
        return self._outer_loop(index) == place.loop and (handler == place.handler or entering)

    def _inline(self, index: int, place: Place) -> bool:
        """Whether the state stands at the one leaf that leads to it."""
        loop = self.graph.loops.get(index)
        ways = [s for s in self.graph.entries[index] if loop is None or s not in loop.members]
        return len(ways) == 1 and self._belongs(index, place) and index not in self._handler_states

    def _compose(self, index: int, block: Block, place: Place, values: Values, iterator: Piece | None = None) -> Result:
        """Emits a state and, after it, the states it dominates that belong at this place."""
        state = self.states[index]
        if (index, place) in self._composed:  # a stranger's graph: of ours, each state stands in one place
            raise Unstructured(f"state {index} of {self.machine.name} stands inside itself")
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

    def _own_children(self, index: int, result: Result, place: Place) -> None:
        for child in self.graph.children[index]:
            if child not in self._handler_states and child not in self._inlined:
                result.deferred.append(child)

    def _sequence(self, result: Result, block: Block, place: Place) -> Result:
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

    def _compose_child(self, index: int, block: Block, place: Place) -> Result:
        return self._compose(index, block, place, Values())

    def _select(self, jump: Jump) -> None:
        jump.select = True

    # -- loops and handlers ----------------------------------------------------------------------------------------

    def _guarded(self, index: int, block: Block, place: Place) -> Result:
        state = self.states[index]
        assert state.handler is not None
        body: Block = []
        inner = self._compose(index, body, Place(place.loop, state.handler), Values())
        caught = self.names.fresh("caught")
        handler: Block = []
        assert state.caught is not None
        handled = self.states[state.handler]
        if any(name == state.caught for name, _ in handled.variables):
            handler.append(f"{self.names.get(state.caught)} = {caught}")
        inner.add(self._compose(state.handler, handler, place, Values()))
        block.append(self._guard(body, caught, handler))
        return inner

    def _loop(self, index: int, block: Block, place: Place, iterator: Piece | None) -> Result:
        state = self.states[index]
        inside = Place(index, place.handler)
        members = self.graph.loops[index].members
        counted = counted_loop(self.graph, index)
        body: Block = []
        otherwise: Block = []
        result = Result()
        after = Result()
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
            if source is None:
                raise Unstructured(f"the iterator of state {index} of {self.machine.name} is nowhere")
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

    def _close_loop(self, repeat: Repeat, block: Block, inner: Result, after: Result, place: Place) -> Result:
        """Ends a loop: jumps that leave it `break`; where they then go is settled behind it."""
        block.append(repeat)
        targets = {j.target for j in inner.jumps} | {j.target for j in after.jumps}
        for jump in inner.jumps:
            jump.keyword = "break"
        result = Result(deferred=inner.deferred + after.deferred)
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
        stop = self._stops.pop(state.index, None) or render(counted.stop, values.lookup, self.module.ref)
        bare = _INDEX.fullmatch(stop.text)
        stop = Piece(bare[1], stop.reads) if bare else stop  # range takes the index of what it is given
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
        self, state: State, members: frozenset[int], otherwise: Block, after: Result, place: Place
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

    # -- leaves ----------------------------------------------------------------------------------------------------

    def _jump(self, target: int, place: Place) -> Jump:
        return Jump(target, keyword="continue" if target == place.loop else "")

    def _goto(self, state: State, node: Goto, block: Block, place: Place, values: Values) -> Result:
        inline = node.state != place.loop and self._inline(node.state, place)
        iterator = self._loop_source(node, block, values, state) if inline else None
        self._update(state, node, block, values, without=iterator[0] if iterator else None)
        if inline:
            self._inlined.add(node.state)
            return self._compose(node.state, block, place, values, iterator[1] if iterator else None)
        jump = self._jump(node.state, place)
        block.append(jump)
        return Result() if jump.keyword else Result([jump])

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
                self._take_stop(node, counted, block, values, state)
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

    def _take_stop(self, node: Goto, counted: Counted, block: Block, values: Values, state: State) -> None:
        """Writes what a counted loop stops at into its header, where nothing else in the loop reads it.

        ``n = len(xs); for i in range(n)`` -> ``for i in range(len(xs))``. Not under a handler, which would see the
        updates that now come before the step.
        """
        stop = counted.stop
        if state.handler is not None or not isinstance(stop, Sym):
            return
        if not is_invariant(self.graph, node.state, stop.name):
            return
        term = dict(node.updates)[stop.name]
        waiting = {p.symbol for p in values.pending}
        taken = [s for s in symbols(term) if s in waiting]
        uses = sum(s in taken for _, other in node.updates for s in symbols(other))
        if any(values.lookup(s) is None for s in symbols(term)) or uses != len(taken) or len(taken) > 1:
            return
        if taken and taken[0] != values.pending[-1].symbol:
            return
        piece = render(term, values.lookup, self.module.ref)
        if self._clobbered(node, piece, values, without=stop.name):
            return
        if taken:
            values.pending.pop()
        self._flush(block, values, node, state, using=[piece])
        self.skipped.add(stop.name)
        self._stops[node.state] = piece

    def _clobbered(self, node: Goto, piece: Piece, values: Values, without: str | None = None) -> bool:
        """Whether the updates of ``node`` change a local that ``piece`` reads."""
        for name, term in node.updates:
            if name == without or name in self.skipped:
                continue
            local = self.names.get(name)
            if local in piece.reads and values.held.get(term) != local:
                return True
        return False
