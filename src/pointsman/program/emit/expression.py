"""A loop-free machine as one Python expression, for the parts of comprehensions; None where it needs statements."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pointsman.program.emit.text import Piece, negated, render
from pointsman.program.emit.values import Pending, Uses, Values, looks_up_first, pending_order
from pointsman.program.ir import Const
from pointsman.program.table.machine import Decide, Do, Machine, Node, Return, Sym, terms_of

if TYPE_CHECKING:
    from pointsman.program.emit.module import ModuleEmitter

__all__ = ["expression_of"]

_STATEMENTS = frozenset({"set_item", "delete_item", "set_attribute", "cell_set", "unpack", "yield", "yield_from"})


def expression_of(
    module: ModuleEmitter, machine: Machine, arguments: dict[str, Piece], fresh: Callable[[str], str]
) -> Piece | None:
    """The machine's value as text, its parameters and captures replaced by ``arguments``."""
    if len(machine.states) != 1 or machine.memo or machine.generator:
        return None
    held = {Sym(name, known.kind): arguments[name] for name, known in machine.states[0].variables}
    return _Expression(module, held, fresh).of(machine.states[0].root, Values())


class _Expression:
    def __init__(self, module: ModuleEmitter, held: dict[Sym, Piece], fresh: Callable[[str], str]) -> None:
        self.module = module
        self.held = held
        self.fresh = fresh
        self.uses = Uses()

    def lookup(self, values: Values) -> Callable[..., Piece | None]:
        return lambda term: self.held.get(term) or values.lookup(term)

    def of(self, node: Node, values: Values) -> Piece | None:
        while isinstance(node, Do):
            if node.op in _STATEMENTS or node.op.startswith("inplace_") or self.uses.count(node.next, node.result) != 1:
                return None
            if self._inside_part(node):
                return None
            pieces = self._consume(node, values)
            if pieces is None:
                return None
            piece = self.module.expression(node, pieces, self.fresh)
            values.pending.append(Pending(node.result, piece))
            node = node.next
        if isinstance(node, Return):
            pieces = self._consume(node, values)
            return pieces[0] if pieces is not None and not values.pending else None
        if isinstance(node, Decide):
            return self._conditional(node, values)
        return None

    def _inside_part(self, node: Do) -> bool:
        """Whether the result is captured by a comprehension or closure: its text would be evaluated elsewhere."""
        below = node.next
        while isinstance(below, Do):
            if below.op in {"comprehension", "closure"}:
                captured = below.args[1:] if below.op == "comprehension" else below.args
                if any(node.result in _symbols(t) for t in captured):
                    return True
            below = below.next
        return False

    def _consume(self, node: Node, values: Values) -> list[Piece] | None:
        waiting = [p.symbol for p in values.pending]
        wanted = [s for s in pending_order(node) if s in waiting]
        if looks_up_first(node) and any(s in wanted for t in terms_of(node)[1:] for s in _symbols(t)):
            return None
        if wanted and waiting[-len(wanted) :] != wanted:
            return None
        pieces = [render(t, self.lookup(values), self.module.ref) for t in terms_of(node)]
        if wanted:
            del values.pending[-len(wanted) :]
        return pieces

    def _conditional(self, node: Decide, values: Values) -> Piece | None:
        pieces = self._consume(node, values)
        if pieces is None or values.pending:
            return None
        condition = pieces[0]
        if condition.text.startswith("_bool("):
            condition = Piece(condition.text[6:-1], condition.reads, False)
        yes, no = self.of(node.yes, Values()), self.of(node.no, Values())
        if yes is None or no is None:
            return None
        reads = condition.reads | yes.reads | no.reads
        true, false = Return(Const(True)), Return(Const(False))
        if node.yes == true and node.no == false:
            return pieces[0]
        if node.yes == false and node.no == true:
            plain = negated(node.atom, self.lookup(values), self.module.ref) if self._is_held(node) else None
            return plain or Piece(f"not {condition.bracketed()}", reads, False)
        if node.no == false and self._is_bool(node.yes):
            return Piece(f"{condition.bracketed()} and {yes.bracketed()}", reads, False)
        if node.yes == true and self._is_bool(node.no):
            return Piece(f"{condition.bracketed()} or {no.bracketed()}", reads, False)
        return Piece(f"{yes.bracketed()} if {condition.bracketed()} else {no.bracketed()}", reads, False)

    def _is_held(self, node: Decide) -> bool:
        return all(s in self.held for s in _symbols(node.atom))

    def _is_bool(self, node: Node) -> bool:
        """Whether every leaf is a bool, so that ``and`` gives what the conditional would (an atom gives bool)."""
        from pointsman.program.explore.kinds import kind_of
        from pointsman.program.table.machine import nodes

        return all(kind_of(n.value) == "bool" for n in nodes(node) if isinstance(n, Return))


def _symbols(term: object) -> list[Sym]:
    from pointsman.program.table.machine import symbols

    return list(symbols(term))  # type: ignore[arg-type]  # terms only
