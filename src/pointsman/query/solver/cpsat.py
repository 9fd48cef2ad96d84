"""Problems as models of OR-tools CP-SAT, and single searches. Only here ortools is imported, at the first search.

Names become numbers that the whole problem shares, so that two named variables are equal where their names are. A
formula is brought to one where `not` stands at comparisons only, and each part of an `or` gets a literal that enforces
it. The literals are free otherwise, so solutions are told apart by the problem's own variables, never by these.

One worker and a fixed seed: the same search on the same machine takes the same way. Only the time limit can differ.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from pointsman.core import InternalError, Unsupported
from pointsman.query.solver.problem import (
    NEGATED,
    AllDifferent,
    And,
    Constraint,
    Cumulative,
    Different,
    Element,
    Equal,
    Formula,
    If,
    IntVariable,
    Linear,
    Makespan,
    Maximise,
    NamedVariable,
    NoOverlap,
    Not,
    Or,
    Problem,
    Scalar,
    Solution,
    Table,
    Task,
    Terms,
)

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["Found", "Status", "search"]

SEED: Final = 0

Status = Literal["best", "some", "none", "unknown"]
"""`best`: a solution, the best where that is asked, proved. `some`: perhaps not the best. `none`: proved."""


@dataclass(frozen=True, slots=True)
class Found:
    """What one search found; `solution` has a value for every variable where there is one."""

    status: Status
    solution: Solution | None


def _cp_model() -> ModuleType:
    """The library. Raises Unsupported `extra_missing`."""
    try:
        from ortools.sat.python import cp_model
    except ImportError as exc:
        problem = "this needs OR-tools, which is not installed; install the extra: pip install 'pointsman[solve]'"
        raise Unsupported(problem, code="extra_missing") from exc
    return cp_model


def search(
    problem: Problem,
    limit_s: float,
    *,
    kept: Collection[int] | None = None,
    other_than: Solution | None = None,
    optimise: bool = True,
    objective: int | None = None,
) -> Found:
    """One search.

    Args:
        problem: a checked one.
        limit_s: seconds, after which the status is `some` or `unknown`.
        kept: the constraints that count, by index; None: all.
        other_than: the solution has to differ from this one in a variable that is asked for.
        optimise: whether to look for the best; else any solution will do.
        objective: the solution has to have this value, which no better one has.

    Raises:
        Unsupported: `extra_missing`, ortools is not installed.
    """
    model = _Model(problem, _cp_model())
    for index, constraint in enumerate(problem.constraints):
        if kept is None or index in kept:
            model.add(constraint, ())
    if other_than is not None:
        model.exclude(other_than)
    if objective is not None:
        model.fix_objective(objective)
    elif optimise:
        model.set_objective()
    return model.solve(limit_s)


class _Model:
    """One model being built."""

    def __init__(self, problem: Problem, cp_model: Any) -> None:
        self._problem, self._cp = problem, cp_model
        self._model = cp_model.CpModel()
        self._codes: dict[str, int] = {}
        self._variables: dict[str, Any] = {variable.name: self._made(variable) for variable in problem.variables}

    def _made(self, variable: object) -> Any:
        if isinstance(variable, IntVariable):
            return self._model.new_int_var(variable.low, variable.high, variable.name)
        if isinstance(variable, NamedVariable):
            codes = [self._codes.setdefault(value, len(self._codes)) for value in variable.values]
            return self._model.new_int_var_from_domain(self._cp.Domain.from_values(codes), variable.name)
        return self._model.new_bool_var("")

    def _code(self, value: Scalar) -> int:
        return self._codes[value] if isinstance(value, str) else int(value)

    def _sum(self, terms: Terms) -> Any:
        variables = [self._variables[name] for _, name in terms]
        return self._cp.LinearExpr.weighted_sum(variables, [coefficient for coefficient, _ in terms])

    # -- constraints ---------------------------------------------------------------------------------------------------

    def add(self, constraint: Constraint, enforced: Sequence[Any]) -> None:
        """Adds a constraint; a formula holds where all literals of `enforced` are true."""
        match constraint:
            case AllDifferent():
                self._model.add_all_different([self._variables[name] for name in constraint.variables])
            case Element():
                index, result = self._variables[constraint.index], self._variables[constraint.result]
                self._model.add_element(index, list(constraint.values), result)
            case Table():
                variables = [self._variables[name] for name in constraint.variables]
                rows = [tuple(map(self._code, row)) for row in constraint.rows]
                add = (
                    self._model.add_allowed_assignments if constraint.allowed else self._model.add_forbidden_assignments
                )
                add(variables, rows)
            case NoOverlap():
                self._model.add_no_overlap([self._interval(task) for task in constraint.tasks])
            case Cumulative():
                intervals = [self._interval(task) for task in constraint.tasks]
                self._model.add_cumulative(intervals, [task.demand for task in constraint.tasks], constraint.capacity)
            case _:
                self._formula(constraint, enforced, holds=True)

    def _formula(self, formula: Formula, enforced: Sequence[Any], *, holds: bool) -> None:
        """That a formula holds, or that it does not."""
        match formula:
            case Not():
                self._formula(formula.this, enforced, holds=not holds)
            case And():
                self._joined([(part, holds) for part in formula.all], enforced, is_every=holds)
            case Or():
                self._joined([(part, holds) for part in formula.any], enforced, is_every=not holds)
            case If():
                parts = [(formula.condition, not holds), (formula.then, holds)]
                self._joined(parts, enforced, is_every=not holds)
            case Linear():
                op = formula.op if holds else NEGATED[formula.op]
                self._compare(self._sum(formula.terms), op, formula.value, enforced)
            case Equal() | Different():
                op = "==" if holds == isinstance(formula, Equal) else "!="
                left = self._variables[formula.left]
                if formula.right is not None:
                    self._compare(left - self._variables[formula.right], op, 0, enforced)
                elif formula.value is not None:
                    self._compare(left, op, self._code(formula.value), enforced)

    def _joined(self, parts: Sequence[tuple[Formula, bool]], enforced: Sequence[Any], *, is_every: bool) -> None:
        if is_every:
            for part, holds in parts:
                self._formula(part, enforced, holds=holds)
            return
        literals = [self._model.new_bool_var("") for _ in parts]
        for literal, (part, holds) in zip(literals, parts, strict=True):
            self._formula(part, [literal], holds=holds)
        self._model.add_bool_or(literals).only_enforce_if(*enforced)

    def _compare(self, left: Any, op: str, right: int, enforced: Sequence[Any]) -> None:
        made = {
            "<=": lambda: left <= right,
            ">=": lambda: left >= right,
            "<": lambda: left < right,
            ">": lambda: left > right,
            "==": lambda: left == right,
            "!=": lambda: left != right,
        }[op]()
        self._model.add(made).only_enforce_if(*enforced)

    def _interval(self, task: Task) -> Any:
        start = self._variables[task.start]
        if isinstance(task.duration, int):
            return self._model.new_fixed_size_interval_var(start, task.duration, "")
        return self._model.new_interval_var(start, self._variables[task.duration], self._ending(task), "")

    def _ending(self, task: Task) -> Any:
        """A variable for the end of a task."""
        duration = task.duration if isinstance(task.duration, int) else self._variables[task.duration]
        end = self._model.new_int_var(-(2**55), 2**55, "")
        self._model.add(end == self._variables[task.start] + duration)
        return end

    # -- what is sought ------------------------------------------------------------------------------------------------

    def exclude(self, solution: Solution) -> None:
        """Some variable that is asked for has another value."""
        literals = []
        for name in self._problem.asked():
            literals.append(self._model.new_bool_var(""))
            self._compare(self._variables[name], "!=", self._code(solution[name]), [literals[-1]])
        self._model.add_bool_or(literals)

    def fix_objective(self, value: int) -> None:
        """The objective has this value, where no better one is possible."""
        objective = self._problem.objective
        if isinstance(objective, Makespan):
            for task in objective.tasks:
                self._model.add(self._ending(task) <= value)
        elif objective is not None:
            self._model.add(self._sum(objective.terms) == value)

    def set_objective(self) -> None:
        """Looks for the best."""
        objective = self._problem.objective
        if isinstance(objective, Makespan):
            last = self._model.new_int_var(-(2**55), 2**55, "")
            self._model.add_max_equality(last, [self._ending(task) for task in objective.tasks])
            self._model.minimize(last)
        elif isinstance(objective, Maximise):
            self._model.maximize(self._sum(objective.terms))
        elif objective is not None:
            self._model.minimize(self._sum(objective.terms))

    def solve(self, limit_s: float) -> Found:
        """Searches. Raises InternalError `invalid_model` for what `checking.py` should have refused."""
        solver = self._cp.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.random_seed = SEED
        solver.parameters.max_time_in_seconds = max(limit_s, 0.0)
        # CP-SAT would take Ctrl-C for itself, and after the search leave it to kill the process without a clean stop.
        solver.parameters.catch_sigint_signal = False
        status = solver.solve(self._model)
        if status == self._cp.MODEL_INVALID:
            raise InternalError(f"CP-SAT refuses a checked problem: {self._model.validate()}", code="invalid_model")
        if status == self._cp.INFEASIBLE:
            return Found("none", None)
        if status == self._cp.UNKNOWN:
            return Found("unknown", None)
        return Found("best" if status == self._cp.OPTIMAL else "some", self._values(solver))

    def _values(self, solver: Any) -> Solution:
        names = list(self._codes)
        found: dict[str, Scalar] = {}
        for variable in self._problem.variables:
            value = int(solver.value(self._variables[variable.name]))
            if isinstance(variable, IntVariable):
                found[variable.name] = value
            else:
                found[variable.name] = names[value] if isinstance(variable, NamedVariable) else bool(value)
        return found
