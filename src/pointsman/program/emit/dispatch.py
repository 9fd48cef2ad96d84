"""One machine -> one loop over a selector: the form that always exists, where ``function`` finds no other.

    _to = 0
    while True:
        if _to < 2:
            if _to < 1: ... state 0 ...; _to = 3; continue
            ...

States are cut small, so that nothing nests deeper than CPython takes. It is slower than loops: each state costs the way
through the selector's tests. Hardly a function needs it (docs/log.md has the count).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pointsman.program.emit.code import SELECTOR, Block, Branch, Repeat
from pointsman.program.emit.graph import split_shared
from pointsman.program.emit.names import LocalNames
from pointsman.program.emit.tree import Place, Result, TreeEmitter
from pointsman.program.emit.values import Values
from pointsman.program.table.cut import bound_depth
from pointsman.program.table.machine import Goto, Machine, State

if TYPE_CHECKING:
    from pointsman.program.emit.module import ModuleEmitter

__all__ = ["DispatchEmitter"]

_MAX_DEPTH = 12  # of a state's tree; chosen: a decision is up to three levels of indentation, and CPython takes 100


class DispatchEmitter(TreeEmitter):
    """Emits the body of one machine as a Block of code. ``names``: of its parameters and captures, as given already."""

    def __init__(self, machine: Machine, module: ModuleEmitter, names: LocalNames) -> None:
        shallow, _ = bound_depth(replace(machine, generic=None), _MAX_DEPTH)
        super().__init__(machine, module, split_shared(shallow), names)

    def body(self) -> Block:
        return [f"{SELECTOR} = 0", Repeat("while True:", self._choose(0, len(self.states)))]

    def _choose(self, low: int, high: int) -> Block:
        """The states from ``low`` up to ``high``, found by bisection."""
        if high - low == 1:
            return self._state(self.states[low])
        middle = (low + high) // 2
        yes, no = self._choose(low, middle), self._choose(middle, high)
        return [Branch(f"{SELECTOR} < {middle}", f"{SELECTOR} >= {middle}", yes, no)]

    def _state(self, state: State) -> Block:
        block: Block = []
        self._meter(block, check=True)
        self._tree(state, state.root, block, Place(handler=state.handler), self._fresh(state))
        if state.handler is None:
            return block
        caught = self.names.fresh("caught")
        handler: Block = [f"{SELECTOR} = {state.handler}"]
        if any(name == state.caught for name, _ in self.states[state.handler].variables):
            assert state.caught is not None
            handler.insert(0, f"{self.names.get(state.caught)} = {caught}")
        return [self._guard(block, caught, handler)]

    def _goto(self, state: State, node: Goto, block: Block, place: Place, values: Values) -> Result:
        self._update(state, node, block, values, without=None)
        block.extend([f"{SELECTOR} = {node.state}", "continue"])
        return Result()
