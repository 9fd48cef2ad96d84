"""A state's tree -> statements: its steps in their order, its decisions as branches, its leaves.

How control gets from a leaf to another state is left to ``_goto``: ``function`` makes loops and branches of it again,
``dispatch`` sets a selector.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from pointsman.core import InternalError
from pointsman.program.emit.code import Block, Branch, Guarded, Jump, Repeat
from pointsman.program.emit.placing import Placing, assignment
from pointsman.program.emit.search import MIN_CUTS, cut_index
from pointsman.program.emit.text import Piece, negated, render, subscript
from pointsman.program.emit.values import Pending, Values, is_simple
from pointsman.program.explore.kinds import kind_of
from pointsman.program.ir import Const
from pointsman.program.table.machine import (
    App,
    Decide,
    Do,
    Goto,
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
)

__all__ = ["Place", "Result", "TreeEmitter"]

_MAX_PENDING = 400  # characters; chosen: CPython takes 200 parentheses inside one another
_FEW_CUTS = 8  # in one bucket; chosen: as many are tried in the time of a call of bisect
_FLAT_SWITCH = 4  # children; chosen: up to here a chain of comparisons is as fast as bisection


@dataclass(frozen=True)
class Place:
    """Where code is being emitted: inside which loop, and under which handler."""

    loop: int | None = None
    handler: int | None = None


@dataclass
class Result:
    """What an emitted part leaves open: jumps to states outside it, and states to be placed further out."""

    jumps: list[Jump] = field(default_factory=list)
    deferred: list[int] = field(default_factory=list)

    def add(self, other: Result) -> None:
        self.jumps.extend(other.jumps)
        self.deferred.extend(other.deferred)


class TreeEmitter(Placing, ABC):
    """Emits trees; what follows a leaf is a subclass's."""

    @abstractmethod
    def _goto(self, state: State, node: Goto, block: Block, place: Place, values: Values) -> Result:
        """Emits the updates of a leaf, and the way to its state."""

    def _fresh(self, state: State) -> Values:
        """Where the variables of a state are when it is entered."""
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

    # -- trees -----------------------------------------------------------------------------------------------------

    def _tree(self, state: State, node: Node, block: Block, place: Place, values: Values) -> Result:
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
                return Result()
            case Raise():
                piece = self._consume(node, block, values)[0]
                self._flush(block, values, node, state, using=[piece])
                block.append(f"raise {piece.text}")
                return Result()
            case Goto():
                return self._goto(state, node, block, place, values)
        raise InternalError(f"no rule for {type(node).__name__}")

    def _steps(self, state: State, node: Node, block: Block, values: Values) -> Node:
        """Emits the steps that come before the next branch or leaf."""
        while isinstance(node, Do):
            self._prepare(node, block, values)
            stores = self._stores(node, values)
            if len(stores) > 1:
                self._store_together(state, stores, block, values)
            else:
                self._do(state, node, block, values)
            node = stores[-1].next if stores else node.next
        return node

    def _stores(self, node: Node, values: Values) -> list[Do]:
        """The steps from here that put the last pending steps' results, in their order, into items.

        ``t = a[i]; u = a[j]; a[j] = t; a[i] = u`` is ``a[j], a[i] = a[i], a[j]``: values first, then the stores.
        """
        waiting = [p.symbol for p in values.pending]
        stores: list[Do] = []
        while isinstance(node, Do) and node.op == "set_item" and len(stores) < len(waiting):
            owner, index, value = node.args
            if value not in waiting or any(s in waiting for s in (*symbols(owner), *symbols(index))):
                break
            if not all(is_simple(t) or values.held.get(t) is not None for t in (owner, index)):
                break
            stores.append(node)
            node = node.next
        for count in range(len(stores), 1, -1):
            if [store.args[2] for store in stores[:count]] == waiting[len(waiting) - count :]:
                return stores[:count]
        return []

    def _store_together(self, state: State, stores: list[Do], block: Block, values: Values) -> None:
        places = [[render(t, values.lookup, self.module.ref) for t in store.args[:2]] for store in stores]
        taken = [entry.piece for entry in values.pending[-len(stores) :]]
        del values.pending[-len(stores) :]
        self._flush(block, values, stores[0], state, using=[*(p for place in places for p in place), *taken])
        targets = [
            f"{owner.owner()}[{subscript(index, store.args[1])}]"
            for (owner, index), store in zip(places, stores, strict=True)
        ]
        block.append(f"{', '.join(targets)} = {', '.join(piece.text for piece in taken)}")

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

    def _guard(self, body: Block, caught: str, handler: Block) -> Guarded:
        return Guarded(body, caught, handler, "_Stopped" if self.module.metered or self.module.asks else None)

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

    def _decide(self, state: State, node: Decide, block: Block, place: Place, values: Values) -> Result:
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

    def _switch(self, state: State, node: Switch, block: Block, place: Place, values: Values) -> Result:
        piece = self._consume(node, block, values)[0]
        self._flush(block, values, node, state, using=[piece])
        if all(isinstance(c, Return) and isinstance(c.value, Const) for c in node.children):
            answers = tuple(c.value for c in node.children if isinstance(c, Return))
            if len(answers) > _FLAT_SWITCH:
                table = self.module.constant("answers", tuple(a.value for a in answers if isinstance(a, Const)))
                self._look_up(node, table, piece, block, values)
                return Result()
        local = self._local_key(node, piece, block, values)
        return self._bisect(state, node, 0, len(node.children), local, block, place, values)

    def _local_key(self, node: Switch, piece: Piece, block: Block, values: Values) -> str:
        local = piece.text
        if not piece.text.isidentifier():
            local = self.names.fresh("key")
            block.append(f"{local} = {piece.text}")
            values.assign(local, node.term)
        return local

    def _look_up(self, node: Switch, answers: str, piece: Piece, block: Block, values: Values) -> None:
        """Returns the constant of the interval."""
        if len(node.cuts) < MIN_CUTS:
            cuts = self.module.constant("cuts", node.cuts)
            block.append(f"return {answers}[_bisect({cuts}, {piece.text})]")
            return
        index = cut_index(node.cuts)
        cuts, starts = self.module.constant("cuts", index.cuts), self.module.constant("starts", index.starts)
        local, place = self._local_key(node, piece, block, values), self.names.fresh("place")
        bucket = f"({local} - {index.low}) >> {index.shift}"
        if index.max_in_bucket <= _FEW_CUTS:  # there is always a cut above, since the local is below the last one
            find: Block = [
                f"{place} = {starts}[{bucket}]",
                Repeat(f"while {cuts}[{place}] <= {local}:", [f"{place} += 1"]),
            ]
        else:
            bounds = f"{starts}[{place}], {starts}[{place} + 1]"
            find = [f"{place} = {bucket}", f"{place} = _bisect({cuts}, {local}, {bounds})"]
        within = f"{index.low} <= {local} < {index.high}"
        find.append(f"return {answers}[{place}]")
        block.append(Branch(within, f"not ({within})", find, [f"return {answers}[0 if {local} < {index.low} else -1]"]))

    def _bisect(
        self, state: State, node: Switch, low: int, high: int, local: str, block: Block, place: Place, values: Values
    ) -> Result:
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

    def _pick(self, state: State, node: Pick, block: Block, place: Place, values: Values) -> Result:
        piece = self._consume(node, block, values)[0]
        self._flush(block, values, node, state, using=[piece])
        leaves = [*node.children, node.default]
        if all(isinstance(c, Return) and isinstance(c.value, Const) for c in leaves):
            answers = [c.value.value for c in leaves if isinstance(c, Return) and isinstance(c.value, Const)]
            table = self.module.mapping("answers", tuple(k.value for k in node.keys), tuple(answers[:-1]))
            default = render(Const(answers[-1]), values.lookup, self.module.ref).text
            block.append(f"return {table}.get({piece.text}, {default})")
            return Result()
        local = piece.text
        if not piece.text.isidentifier():
            local = self.names.fresh("key")
            block.append(f"{local} = {piece.text}")
            values.assign(local, node.term)
        result = Result()
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

    def _take(self, state: State, node: Take, block: Block, place: Place, values: Values) -> Result:
        """An item taken outside a loop head, or where `for` does not fit."""
        piece = self._consume(node, block, values)[0]
        self._flush(block, values, node, state, using=[piece])
        local = self._result_local(node.result, node, values, state)  # what it held may be read where none is left
        block.append(f"{local} = _next({piece.text}, _UNBOUND)")
        then: Block = []
        exhausted: Block = []
        result = self._tree(state, node.exhausted, exhausted, place, _without(values, local))
        inner = values.copy()
        inner.assign(local, node.result)
        result.add(self._tree(state, node.then, then, place, inner))
        block.append(Branch(f"{local} is _UNBOUND", f"{local} is not _UNBOUND", exhausted, then))
        return result

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
                block.append(assignment(local, piece, kind_of(term)))
                moves.remove(ready[0])
                continue
            block.append(f"{', '.join(m[0] for m in moves)} = {', '.join(m[1].text for m in moves)}")
            break
        values.pending = []
        values.held = {Sym(n): self.names.get(n) for n, _ in wanted}

    def _takes_over(self, state: State, wanted: list[tuple[str, Term]], values: Values) -> bool:
        """Whether the one pending step can stand in the assignment itself: ``a, b = b, a % b``, ``n = len(xs) - 1``.

        Not under a handler, which must not see half of the assignment when the step raises.
        """
        if len(values.pending) != 1 or state.handler is not None:
            return False
        symbol = values.pending[0].symbol
        return sum(s == symbol for _, term in wanted for s in symbols(term)) == 1


def _without(values: Values, local: str) -> Values:
    copy = values.copy()
    for term in [t for t, name in copy.held.items() if name == local]:
        del copy.held[term]
    return copy


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
