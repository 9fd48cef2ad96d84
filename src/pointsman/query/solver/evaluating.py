"""Whether a solution satisfies a problem, in plain Python: the twin of what `cpsat.py` tells the solver.

Slow and obvious, and made from the schema alone: it shares no code with the translation. Every solution is checked by
it before it is told. What it cannot check: that there is no other solution, no better one, or none at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from pointsman.query.solver.problem import (
    AllDifferent,
    And,
    BoolVariable,
    Constraint,
    Cumulative,
    Different,
    Element,
    Equal,
    If,
    IntVariable,
    Linear,
    Makespan,
    NamedVariable,
    NoOverlap,
    Not,
    Objective,
    Or,
    Problem,
    Solution,
    Table,
    Task,
    Terms,
    Variable,
)

__all__ = ["holds", "in_domain", "objective_value", "violated"]


def violated(problem: Problem, solution: Solution) -> list[int]:
    """The constraints, by index, that a solution breaks. Every variable has a value."""
    return [index for index, one in enumerate(problem.constraints) if not holds(one, solution)]


def in_domain(variable: Variable, solution: Solution) -> bool:
    """Whether the variable's value is one of its own, type included."""
    value = solution[variable.name]
    match variable:
        case IntVariable():
            return type(value) is int and variable.low <= value <= variable.high
        case NamedVariable():
            return value in variable.values
        case BoolVariable():
            return type(value) is bool


def objective_value(objective: Objective, solution: Solution) -> int:
    """The sum, or the end of the last task."""
    if isinstance(objective, Makespan):
        return max(_end(task, solution) for task in objective.tasks)
    return _sum(objective.terms, solution)


def holds(constraint: Constraint, solution: Solution) -> bool:
    """Whether a constraint holds."""
    match constraint:
        case Linear():
            return _compare(_sum(constraint.terms, solution), constraint.op, constraint.value)
        case Equal() | Different():
            right = constraint.value if constraint.right is None else solution[constraint.right]
            return (solution[constraint.left] == right) == isinstance(constraint, Equal)
        case And():
            return all(holds(part, solution) for part in constraint.all)
        case Or():
            return any(holds(part, solution) for part in constraint.any)
        case Not():
            return not holds(constraint.this, solution)
        case If():
            return holds(constraint.then, solution) if holds(constraint.condition, solution) else True
        case AllDifferent():
            values = [solution[name] for name in constraint.variables]
            return all(a != b for a, b in combinations(values, 2))
        case Element():
            index = _number(constraint.index, solution)
            if not 0 <= index < len(constraint.values):
                return False
            return constraint.values[index] == solution[constraint.result]
        case Table():
            found = tuple(solution[name] for name in constraint.variables)
            return (found in constraint.rows) == constraint.allowed
        case NoOverlap():
            return all(
                _end(a, solution) <= _number(b.start, solution) or _end(b, solution) <= _number(a.start, solution)
                for a, b in combinations(constraint.tasks, 2)
            )
        case Cumulative():
            return _fits(constraint.tasks, constraint.capacity, solution)


def _number(name: str, solution: Solution) -> int:
    return int(solution[name])


def _sum(terms: Terms, solution: Solution) -> int:
    return sum(coefficient * _number(name, solution) for coefficient, name in terms)


def _compare(left: int, op: str, right: int) -> bool:
    match op:
        case "<=":
            return left <= right
        case ">=":
            return left >= right
        case "<":
            return left < right
        case ">":
            return left > right
        case "==":
            return left == right
    return left != right


def _end(task: Task, solution: Solution) -> int:
    length = _number(task.duration, solution) if isinstance(task.duration, str) else task.duration
    return _number(task.start, solution) + length


def _fits(tasks: Sequence[Task], capacity: int, solution: Solution) -> bool:
    """Demand rises only where a task starts, so these times are enough."""
    for time in {_number(task.start, solution) for task in tasks}:
        running = [t for t in tasks if _number(t.start, solution) <= time < _end(t, solution)]
        if sum(task.demand for task in running) > capacity:
            return False
    return True
