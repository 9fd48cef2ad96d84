"""Which local holds what while a state's tree is emitted, and which steps wait as text for the node that uses them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pointsman.program.emit.code import Block
from pointsman.program.emit.names import LocalNames
from pointsman.program.emit.text import Piece, render
from pointsman.program.emit.values import Uses, Values, is_simple, looks_up_first, pending_order
from pointsman.program.explore.kinds import IMMUTABLE
from pointsman.program.table.machine import (
    App,
    Do,
    Goto,
    Machine,
    Node,
    Raise,
    Return,
    State,
    Sym,
    Term,
    symbols,
    terms_of,
)

if TYPE_CHECKING:
    from pointsman.program.emit.module import ModuleEmitter

__all__ = ["Placing", "assignment"]


class Placing:
    """Chooses locals and takes over pending steps, for one machine. ``states``: the machine's, as they are emitted."""

    def __init__(self, machine: Machine, module: ModuleEmitter, states: tuple[State, ...], names: LocalNames) -> None:
        self.machine = machine
        self.module = module
        self.states = states
        self.names = names
        self.captures = {names.get(c) for c in machine.captures}
        self.uses = Uses()
        self.skipped: set[str] = set()  # variables that a for loop keeps by itself
        self._current: State | None = None

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
            block.append(assignment(local, entry.piece, "any"))
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


def assignment(local: str, piece: Piece, kind: str) -> str:
    """``x = x + y`` as ``x += y`` only where that cannot be seen: a list would be changed in place."""
    prefix = f"{local} + "
    if kind in IMMUTABLE and piece.text.startswith(prefix) and piece.text.count(" ") == 2:
        return f"{local} += {piece.text[len(prefix) :]}"
    return f"{local} = {piece.text}"
