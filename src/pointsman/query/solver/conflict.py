"""Which few constraints cannot hold together.

First constraints are left out one by one while the rest still conflicts; what remains is irreducible. Then the smallest
set is sought with minimal hitting sets (Ignatiev, Previti, Liffiton, Marques-Silva 2015, Smallest MUS extraction with
minimal hitting set dualization): every conflict has to hold a constraint outside of each set that can be satisfied, so
the smallest set that hits all complements seen so far is a lower bound, and a smallest conflict once it conflicts.
Both steps search often, a few milliseconds each, and stop when the time does.

Covered: that the set conflicts, by a proof of CP-SAT. Not covered: a proof that is checked by somebody else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

from pointsman.query.solver.cpsat import Found, search
from pointsman.query.solver.evaluating import holds
from pointsman.query.solver.problem import IntVariable, Linear, Minimise, Problem, Solution

__all__ = ["Conflict", "Extent", "find_conflict"]

Extent = Literal["smallest", "irreducible", "found"]
"""`smallest`: none has fewer constraints. `irreducible`: without any one of them the rest can hold. `found`: neither is
proved, the time ended before."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Constraints, by index, that cannot hold together."""

    constraints: tuple[int, ...]
    extent: Extent


def find_conflict(problem: Problem, left_s: Callable[[], float]) -> Conflict:
    """A conflict of a problem that has no solution, as small as the time allows.

    Args:
        problem: one of which a search has proved that it has no solution.
        left_s: seconds that are left; asked before each search.
    """
    return _Seeker(problem, left_s).find()


class _Seeker:
    def __init__(self, problem: Problem, left_s: Callable[[], float]) -> None:
        self._problem, self._left_s = problem, left_s

    def find(self) -> Conflict:
        few, is_irreducible = self._reduced()
        if len(few) == 1:
            return Conflict(few, "smallest")
        smallest = self._smallest(len(few)) if is_irreducible else None
        if smallest is not None:
            return Conflict(smallest or few, "smallest")
        return Conflict(few, "irreducible" if is_irreducible else "found")

    def _search(self, kept: Collection[int]) -> Found:
        left = self._left_s()
        return Found("unknown", None) if left <= 0 else search(self._problem, left, kept=kept, optimise=False)

    def _satisfied(self, solution: Solution) -> set[int]:
        return {index for index, one in enumerate(self._problem.constraints) if holds(one, solution)}

    def _reduced(self) -> tuple[tuple[int, ...], bool]:
        """A conflict from which none can be taken, and whether that is proved of each."""
        kept = list(range(len(self._problem.constraints)))
        needed: set[int] = set()
        is_proved = True
        for index in tuple(kept):
            rest = [other for other in kept if other != index]
            found = self._search(rest)
            if found.status == "none":
                kept = rest
            else:
                needed.add(index)
                is_proved &= found.status != "unknown"
        return tuple(kept), is_proved

    def _smallest(self, known: int) -> tuple[int, ...] | None:
        """A smallest conflict; empty where none has fewer than the `known` one; None where the time ends first."""
        to_hit: list[frozenset[int]] = []
        while True:
            hitting = self._hitting(to_hit)
            if hitting is None:
                return None
            if len(hitting) >= known:
                return ()
            found = self._search(hitting)
            if found.status == "none":
                return tuple(sorted(hitting))
            if found.solution is None:
                return None
            to_hit.append(self._outside(found.solution))

    def _outside(self, solution: Solution) -> frozenset[int]:
        """What a set of constraints leaves out that can be satisfied, grown from those that a solution satisfies."""
        satisfied = self._satisfied(solution)
        for index in range(len(self._problem.constraints)):
            if index not in satisfied:
                found = self._search({*satisfied, index})
                if found.solution is not None:
                    satisfied = self._satisfied(found.solution)
        return frozenset(range(len(self._problem.constraints))) - satisfied

    def _hitting(self, sets: list[frozenset[int]]) -> set[int] | None:
        """A smallest set of constraints with one of each of these sets; None where the time ends first."""
        names = sorted({index for one in sets for index in one})
        if not names:
            return set()
        problem = Problem(
            variables=tuple(IntVariable(str(index), 0, 1) for index in names),
            constraints=tuple(Linear(tuple((1, str(index)) for index in sorted(one)), ">=", 1) for one in sets),
            objective=Minimise(tuple((1, str(index)) for index in names)),
        )
        left = self._left_s()
        found = search(problem, left) if left > 0 else Found("unknown", None)
        if found.status != "best" or found.solution is None:
            return None
        return {int(name) for name, value in found.solution.items() if value}
