"""A driver by which a model selects the row that applies, with the guards evaluated beside it.

What a row gives is computed before the model is asked, so that nothing is left to it but to select. Values and facts
off the path are computed where that cannot fail, take long or ask a question; else `?` is shown, or nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from pointsman.core import Cost
from pointsman.core.selecting import Selector, short, state_text
from pointsman.program.explore.kinds import kind_of
from pointsman.program.ir import Const, Ref
from pointsman.program.select.part import HAS_ITEM, Part, part_of
from pointsman.program.stepping import Place
from pointsman.program.table.machine import App, Decide, Goto, Node, Pick, Return, Switch, Sym, Take, Term

__all__ = ["SelectDriver"]

_QUICK = frozenset("add sub neg not lt le gt ge eq ne is truth len floordiv mod".split())
_QUICK_OF_NUMBERS = frozenset(("mul",))
_QUICK_SIZE = 12
"""Operations and operands of a term that may be computed for show. Chosen."""

_PARTS_KEPT = 4_096


@dataclass
class SelectDriver:
    """Implements `stepping.Driver`.

    Args:
        selector: the model.
        verifies: a wrong selection is corrected; else it is taken.

    Attributes:
        num_selections: how often the model was asked.
        num_wrong: how often it took another row than the guards say.
        cost: of all selections.
        decided: who made the latest choice, and with what confidence.
    """

    selector: Selector
    verifies: bool = True
    num_selections: int = 0
    num_wrong: int = 0
    cost: Cost = field(default_factory=Cost.zero)
    decided: tuple[str, float] = ("guards", 1.0)

    def choose(self, place: Place, exact: Node) -> Node:
        """The exit that the model comes to, part by part; with `verifies` always the exact one."""
        part: Part | None = _kept_part(place.node)
        by, confidence = self.selector.name, 1.0
        while part is not None:
            facts = _Facts(part, place, exact)
            right = facts.right_row()
            selection = self.selector.select(part.rows, _state(part, place, facts.known()))
            self.num_selections += 1
            self.cost += selection.cost
            row, confidence = selection.row, min(confidence, selection.confidence)
            if row != right:
                self.num_wrong += 1
                if self.verifies:
                    row, by, confidence = right, "guards", 1.0
            node = part.leaves[row]
            is_done = isinstance(place.node, Take) or not isinstance(node, Decide | Switch | Pick)
            part = None if is_done else _kept_part(node)
        self.decided = by, confidence
        return node


@lru_cache(_PARTS_KEPT)
def _kept_part(node: Any) -> Part:
    return part_of(node)


class _Facts:
    """What is known of a part's facts at a place."""

    def __init__(self, part: Part, place: Place, exact: Node) -> None:
        self._part, self._place, self._exact = part, place, exact
        self._known: dict[int, bool] = {}

    def right_row(self) -> int:
        """The row whose facts all hold. Computes no fact that the guards of this place would not.

        After a wrong selection a fact may be one that cannot be computed; no row is right then, and -1 is given.
        """
        for number, row in enumerate(self._part.rows):
            if all(self._holds(fact) is holds for fact, holds in row):
                return number
        return -1

    def _holds(self, fact: int) -> bool | None:
        if fact not in self._known:
            term = self._part.facts[fact]
            try:
                self._known[fact] = self._has_item if term is HAS_ITEM else bool(self._place.evaluate(term))
            except Exception:  # noqa: BLE001  off the path, where the guards promise nothing
                return None
        return self._known[fact]

    @property
    def _has_item(self) -> bool:
        return isinstance(self._place.node, Take) and self._exact != self._place.node.exhausted

    def known(self) -> dict[int, bool]:
        """By number, those that were computed, and others that are quick to."""
        for number, term in enumerate(self._part.facts):
            if number not in self._known and _is_quick(term):
                self._holds(number)
        return self._known


def _state(part: Part, place: Place, facts: dict[int, bool]) -> str:
    values = [short(place.values[name]) for name, _ in place.state.variables if name in place.values]
    return state_text(values, [_given(leaf, place) for leaf in part.leaves], facts)


def _given(leaf: Node, place: Place) -> list[str]:
    """What a row gives: the values that change, or the result."""
    match leaf:
        case Goto(updates=updates):
            return [_shown(term, place) for name, term in updates if not (isinstance(term, Sym) and term.name == name)]
        case Return(value=value):
            return [_shown(value, place)]
    return []


def _shown(term: Term, place: Place) -> str:
    if not _is_quick(term):
        return "?"
    try:
        return short(place.evaluate(term))
    except Exception:  # noqa: BLE001  off the path a term may fail
        return "?"


@lru_cache(_PARTS_KEPT)
def _is_quick(term: Term) -> bool:
    """Whether computing a term takes no time worth mention, whatever its values are."""
    match term:
        case Sym() | Const() | Ref():
            return True
        case App(op=op, args=args, size=size) if size <= _QUICK_SIZE:
            of_numbers = op in _QUICK_OF_NUMBERS and all(kind_of(arg) in {"int", "float"} for arg in args)
            return (op in _QUICK or of_numbers) and all(map(_is_quick, args))
    return False
