"""Answers a problem with a verdict, by a few searches of CP-SAT and a check of every solution in plain Python.

Covered: a solution that is told satisfies every constraint (`evaluating.py` says so, else `InternalError`); `unique`,
`optimal` and `infeasible` rest on a finished search. Not covered: an independent check of CP-SAT's own proofs.
Unknown is not yes: what the time limit leaves open is `unknown`, with what was found and what was not settled.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Final, Literal

from pointsman.core import BadRequest, Cost, InternalError
from pointsman.query.solver.conflict import Extent, find_conflict
from pointsman.query.solver.cpsat import Found, search
from pointsman.query.solver.evaluating import in_domain, objective_value, violated
from pointsman.query.solver.problem import Problem, Solution

__all__ = ["LIMIT_S", "Answer", "Quoted", "Verdict", "solve"]

LIMIT_S: Final = 10.0
"""Seconds for all searches of one problem together; chosen."""

Verdict = Literal["unique", "several", "optimal", "infeasible", "unknown"]
Reason = Literal["no_other_solution", "two_solutions", "proved_best", "proved_none", "time_limit", "other_not_settled"]


@dataclass(frozen=True, slots=True)
class Quoted:
    """A constraint of a conflict: its name, or its place as in `constraints[3]`, and its text where it has one."""

    name: str
    text: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of a problem.

    Attributes:
        verdict: `unique`: no other solution differs in what is asked for, proved. `several`: two solutions do.
            `optimal`: none is better, proved. `infeasible`: there is none, proved. `unknown`: the time ended before.
        reason: a stable code for why.
        solution: a value for every variable; checked. Of `unknown` perhaps None, or not the best.
        other: another solution, as good as the first; where one was found.
        differing: the variables asked for in which the two differ.
        objective: the value of the solution, where there is an objective.
        is_only_best: of `optimal`, whether other solutions as good are excluded; None where that is not settled.
        conflict: of `infeasible`, constraints that cannot hold together.
        extent: how small the conflict is, see `conflict.Extent`.
        cost: seconds; nothing else is used.
    """

    verdict: Verdict
    reason: Reason
    solution: Solution | None = None
    other: Solution | None = None
    differing: tuple[str, ...] = ()
    objective: int | None = None
    is_only_best: bool | None = None
    conflict: tuple[Quoted, ...] = ()
    extent: Extent | None = None
    cost: Cost = Cost.zero()  # noqa: RUF009  immutable


def solve(problem: Problem, limit_s: float = LIMIT_S, *, conflict_s: float | None = None) -> Answer:
    """The answer to a checked problem. Blocks; safe to call from several threads; mutates nothing.

    Args:
        problem: what `decode_problem` or `convert_problem` gave.
        limit_s: seconds for all searches together.
        conflict_s: of these, seconds for making a conflict small, which can take a hundred times what the verdict
            takes; None: all that are left.

    Raises:
        BadRequest: `bad_limit` for a limit that is no positive number of seconds, or a negative one of a conflict.
        Unsupported: `extra_missing`, ortools is not installed.
        InternalError: `solver_disagrees`, a solution breaks a constraint by the plain check.
    """
    if not (math.isfinite(limit_s) and limit_s > 0):
        raise BadRequest(f"a limit of {limit_s!r} seconds; expected a positive number", code="bad_limit")
    if conflict_s is not None and not conflict_s >= 0:
        raise BadRequest(f"{conflict_s!r} seconds for a conflict; expected 0 at least", code="bad_limit")
    return _Solving(problem, limit_s, conflict_s).answer()


class _Solving:
    def __init__(self, problem: Problem, limit_s: float, conflict_s: float | None) -> None:
        self._problem, self._conflict_s = problem, conflict_s
        self._begun = time.perf_counter()
        self._ends = self._begun + limit_s

    def _left_s(self) -> float:
        return self._ends - time.perf_counter()

    def _cost(self) -> Cost:
        return Cost(0, 0, 0, 0, time.perf_counter() - self._begun)

    def answer(self) -> Answer:
        found = search(self._problem, self._left_s())
        if found.status == "none":
            return self._infeasible()
        if found.solution is None:
            return Answer("unknown", "time_limit", cost=self._cost())
        self._check(found.solution)
        value = self._value(found.solution)
        if found.status == "some":
            return Answer("unknown", "time_limit", found.solution, objective=value, cost=self._cost())
        return self._compared(found.solution, value)

    def _compared(self, solution: Solution, value: int | None) -> Answer:
        """The first solution beside another one that is as good, if there is one."""
        left = self._left_s()
        second = Found("unknown", None)
        if left > 0:
            second = search(self._problem, left, other_than=solution, optimise=False, objective=value)
        other = second.solution
        differing: tuple[str, ...] = ()
        if other is not None:
            self._check(other)
            if self._value(other) != value:
                raise InternalError("the second solution is not as good as the first", code="solver_disagrees")
            differing = tuple(name for name in self._problem.asked() if other[name] != solution[name])
        is_only = {"none": True, "unknown": None}.get(second.status, False)
        if value is not None:
            return Answer("optimal", "proved_best", solution, other, differing, value, is_only, cost=self._cost())
        if is_only is None:
            return Answer("unknown", "other_not_settled", solution, cost=self._cost())
        if is_only:
            return Answer("unique", "no_other_solution", solution, cost=self._cost())
        return Answer("several", "two_solutions", solution, other, differing, cost=self._cost())

    def _infeasible(self) -> Answer:
        ends = self._ends
        if self._conflict_s is not None:
            ends = min(ends, time.perf_counter() + self._conflict_s)
        conflict = find_conflict(self._problem, lambda: ends - time.perf_counter())
        constraints = self._problem.constraints
        quoted = tuple(Quoted(self._problem.label(i), constraints[i].text) for i in conflict.constraints)
        return Answer("infeasible", "proved_none", conflict=quoted, extent=conflict.extent, cost=self._cost())

    def _value(self, solution: Solution) -> int | None:
        objective = self._problem.objective
        return None if objective is None else objective_value(objective, solution)

    def _check(self, solution: Solution) -> None:
        outside = [v.name for v in self._problem.variables if not in_domain(v, solution)]
        broken = [self._problem.label(index) for index in violated(self._problem, solution)]
        if outside or broken:
            problem = f"a solution of CP-SAT leaves the domains of {outside} and breaks {broken}"
            raise InternalError(problem, code="solver_disagrees")
