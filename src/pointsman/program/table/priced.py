"""Decisions in an order in which few questions are asked.

An atom that holds a question costs a model's reading of a text, and every other atom costs nothing to speak of. So in a
region of decisions whatever needs no question is decided first. Of the questions that are left, the one comes next with
which the expected price until a leaf is least, taking all outcomes to be equally likely. Atoms are pure and total, so
any order is right; ``proof`` compares the result with what it replaces.

The search is exact, and it stops with ``OverWork`` where a region has too many questions for that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from pointsman.program.table.asking import Asked, price_tokens, questions_of
from pointsman.program.table.machine import Decide, Node, Term

__all__ = ["Group", "PricedOrder", "Splitter"]

_MAX_EXACT: Final = 6  # questions of a region that all orders are tried for; chosen: 720 orders


@dataclass(frozen=True, slots=True)
class Group:
    """The tests of a region that one value settles together: of one int or string term, or a single atom."""

    term: Term
    questions: frozenset[Asked]


class Splitter(Protocol):
    """What the order is built with; see ``optimise``."""

    def groups(self, node: Node) -> list[Group]:
        """The groups of a region, in the order in which they stand."""
        ...

    def node(self, node: Node) -> Node:
        """What follows a region, in its own best form."""
        ...

    def split(self, node: Node, group: Group, then: Callable[[Node], Node]) -> Node:
        """A decision by the group, with ``then`` applied to the region under each outcome."""
        ...


class PricedOrder:
    """Orders one region and what it is restricted to."""

    def __init__(self, splitter: Splitter) -> None:
        self._splitter = splitter
        self._done: dict[tuple[Node, frozenset[Asked]], tuple[Node, float]] = {}

    def order(self, node: Node, answered: frozenset[Asked] = frozenset()) -> tuple[Node, float]:
        """The region in its new order, and its expected price in tokens. ``answered``: what is free."""
        if not isinstance(node, Decide):
            return self._splitter.node(node), 0.0
        groups = self._splitter.groups(node)
        asked = frozenset[Asked]().union(*(group.questions for group in groups))
        key = (node, answered & asked)
        if key not in self._done:
            free = next((group for group in groups if group.questions <= answered), None)
            choices = [free] if free is not None else self._choices(groups, len(asked - answered))
            self._done[key] = min((self._split(node, group, answered) for group in choices), key=lambda found: found[1])
        return self._done[key]

    def _choices(self, groups: list[Group], num_questions: int) -> list[Group]:
        """What may come first: all, or the cheapest where there are too many to try all orders."""
        if num_questions <= _MAX_EXACT:
            return groups
        return [min(groups, key=lambda group: sum(map(price_tokens, group.questions)))]

    def _split(self, node: Node, group: Group, answered: frozenset[Asked]) -> tuple[Node, float]:
        prices: list[float] = []

        def then(part: Node) -> Node:
            ordered, price = self.order(part, answered | group.questions)
            prices.append(price)
            return ordered

        ordered = self._splitter.split(node, group, then)
        return ordered, sum(map(price_tokens, group.questions - answered)) + sum(prices) / len(prices)
