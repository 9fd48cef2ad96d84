"""Reads a problem's JSON and refuses what cannot be solved as it stands. Only here msgspec's errors are translated.

Checked: names exist and are given once, domains have a value, kinds fit, sums stay far inside of 64 bits, nothing is
larger than a stated limit. Not checked: whether a constraint can hold at all; that is for the solver to say.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Final, Literal

import msgspec

from pointsman.core import BadRequest, OverBudget
from pointsman.query.solver.problem import (
    AllDifferent,
    And,
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
    Or,
    Problem,
    Scalar,
    Table,
    Task,
    Terms,
    Variable,
)

__all__ = [
    "MAX_BYTES",
    "MAX_CELLS",
    "MAX_CONSTRAINTS",
    "MAX_DEPTH",
    "MAX_REACH",
    "MAX_VARIABLES",
    "check_problem",
    "convert_problem",
    "decode_problem",
    "kind_of",
    "reach_of",
]

MAX_BYTES: Final = 4_000_000
MAX_VARIABLES: Final = 2_000
MAX_CONSTRAINTS: Final = 5_000
MAX_CELLS: Final = 200_000
"""Names, terms, values and cells of rows of all variables, constraints and the objective together."""

MAX_DEPTH: Final = 16
"""How deep formulas may stand inside one another."""

MAX_REACH: Final = 2**53
"""How far from 0 a value or a sum can get. CP-SAT adds up to 2^62 without overflow; the rest is room."""

Kind = Literal["int", "bool", "named"]


def decode_problem(data: bytes | str) -> Problem:
    """The problem of a JSON text, checked.

    Raises:
        OverBudget: `problem_too_large`, a limit of this module is passed.
        BadRequest: `invalid_problem` for what is no JSON or not of the schema, with its path; as `check_problem`.
    """
    if len(data) > MAX_BYTES:
        raise _too_large("$", f"{len(data):,} bytes", f"{MAX_BYTES:,}")
    try:
        found = json.loads(data, object_pairs_hook=_without_repeats)
    except RecursionError as exc:
        raise _too_large("$", "JSON nested too deeply to be read", f"depth {MAX_DEPTH} of formulas") from exc
    except ValueError as exc:  # also JSON's own error, text that is not UTF-8, and numbers of thousands of digits
        raise BadRequest(f"the problem is not JSON: {exc}", code="invalid_problem", param="$") from exc
    return convert_problem(found)


def convert_problem(found: object) -> Problem:
    """The problem of decoded JSON, checked. Raises as `decode_problem`."""
    try:
        problem = msgspec.convert(found, Problem)
    except msgspec.ValidationError as exc:
        message, _, path = str(exc).partition(" - at ")
        where = path.strip("`") or "$"
        raise BadRequest(f"{where}: {message}", code="invalid_problem", param=where) from exc
    except RecursionError as exc:
        raise _too_large("$", "formulas nested too deeply to be read", f"depth {MAX_DEPTH}") from exc
    check_problem(problem)
    return problem


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the field {twice!r} is given twice in one object; expected once")
    return found


def check_problem(problem: Problem) -> None:
    """Refuses what the schema alone cannot.

    Raises:
        OverBudget: `problem_too_large`.
        BadRequest: `duplicate_name`, `empty_domain`, `unknown_variable`, `unknown_value`, `kind_mismatch`,
            `empty_constraint`, `bad_operands`, `bad_row`, `bad_task`, `overflow`, each with its path as `param`.
    """
    _Check(problem).run()


def kind_of(variable: Variable) -> Kind:
    """What a variable's values are."""
    return "int" if isinstance(variable, IntVariable) else "named" if isinstance(variable, NamedVariable) else "bool"


def reach_of(variable: Variable) -> int:
    """The largest absolute value; 1 of a bool, 0 of a named one."""
    if isinstance(variable, IntVariable):
        return max(abs(variable.low), abs(variable.high))
    return 0 if isinstance(variable, NamedVariable) else 1


def _fault(path: str, code: str, message: str) -> BadRequest:
    return BadRequest(f"{path}: {message}", code=code, param=path)


def _too_large(path: str, what: str, limit: str) -> OverBudget:
    return OverBudget(f"{path}: {what}; the limit is {limit}", code="problem_too_large")


class _Check:
    """One problem being checked; stops at the first fault."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._known: dict[str, Variable] = {}
        self._num_cells = 0

    def run(self) -> None:
        problem = self._problem
        for what, count, limit in (
            ("variables", len(problem.variables), MAX_VARIABLES),
            ("constraints", len(problem.constraints), MAX_CONSTRAINTS),
        ):
            if count > limit:
                raise _too_large(f"$.{what}", f"{count:,} {what}", f"{limit:,}")
        if not problem.variables:
            raise _fault("$.variables", "empty_domain", "there is no variable; expected one at least")
        for index, variable in enumerate(problem.variables):
            self._variable(variable, f"$.variables[{index}]")
        self._names()
        for index, constraint in enumerate(problem.constraints):
            self._constraint(constraint, f"$.constraints[{index}]", 1)
        self._objective()
        self._listed(problem.asks, "$.asks")

    def _variable(self, variable: Variable, path: str) -> None:
        if not variable.name:
            raise _fault(path, "duplicate_name", "the name is empty; expected one that no other variable has")
        if variable.name in self._known:
            raise _fault(path, "duplicate_name", f"a second variable {variable.name!r}; expected each name once")
        self._known[variable.name] = variable
        if isinstance(variable, IntVariable):
            if variable.low > variable.high:
                raise _fault(
                    path, "empty_domain", f"{variable.name!r} is from {variable.low} to {variable.high}; no value"
                )
            self._within(reach_of(variable), path)
        elif isinstance(variable, NamedVariable):
            self._count(len(variable.values), path)
            if not variable.values:
                raise _fault(path, "empty_domain", f"{variable.name!r} has no values; expected one at least")
            if len(set(variable.values)) < len(variable.values):
                raise _fault(path, "duplicate_name", f"{variable.name!r} has a value twice; expected each once")

    def _names(self) -> None:
        seen: set[str] = set()
        for index, constraint in enumerate(self._problem.constraints):
            label = self._problem.label(index)
            if label in seen or constraint.name == "":
                problem = f"the name {label!r} is empty or that of another constraint; expected each name once"
                raise _fault(f"$.constraints[{index}].name", "duplicate_name", problem)
            seen.add(label)

    def _objective(self) -> None:
        objective = self._problem.objective
        if isinstance(objective, Makespan):
            self._tasks(objective.tasks, "$.objective.tasks")
        elif objective is not None:
            self._sum(objective.terms, 0, "$.objective.terms")

    def _constraint(self, constraint: Constraint, path: str, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise _too_large(path, f"formulas nested {depth} deep", str(MAX_DEPTH))
        match constraint:
            case Linear():
                self._sum(constraint.terms, constraint.value, f"{path}.terms")
            case Equal() | Different():
                self._operands(constraint, path)
            case AllDifferent():
                self._same_kind(constraint.variables, f"{path}.variables")
            case Element():
                self._element(constraint, path)
            case Table():
                self._table(constraint, path)
            case NoOverlap():
                self._tasks(constraint.tasks, f"{path}.tasks")
            case Cumulative():
                self._cumulative(constraint, path)
            case _:
                for inner, where in _parts(constraint, path):
                    self._constraint(inner, where, depth + 1)

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _find(self, name: str, path: str, *kinds: Kind) -> Variable:
        variable = self._known.get(name)
        if variable is None:
            raise _fault(path, "unknown_variable", f"there is no variable {name!r}; expected one of `variables`")
        if kinds and kind_of(variable) not in kinds:
            problem = f"{name!r} is {kind_of(variable)}; expected {' or '.join(kinds)}"
            raise _fault(path, "kind_mismatch", problem)
        return variable

    def _count(self, num: int, path: str) -> None:
        self._num_cells += num
        if self._num_cells > MAX_CELLS:
            raise _too_large(path, f"more than {MAX_CELLS:,} names, terms and values up to here", f"{MAX_CELLS:,}")

    def _within(self, reach: int, path: str) -> None:
        if reach > MAX_REACH:
            raise _fault(path, "overflow", f"numbers reach {reach:.3g} here; expected {MAX_REACH:,} at most")

    def _listed(self, names: Sequence[str], path: str) -> None:
        self._count(len(names), path)
        for index, name in enumerate(names):
            self._find(name, f"{path}[{index}]")
        if len(set(names)) < len(names):
            raise _fault(path, "duplicate_name", "a variable is listed twice; expected each once")

    def _same_kind(self, names: Sequence[str], path: str) -> None:
        if not names:
            raise _fault(path, "empty_constraint", "no variables; expected one at least")
        self._listed(names, path)
        kinds = {kind_of(self._known[name]) for name in names}
        if len(kinds) > 1:
            raise _fault(path, "kind_mismatch", f"variables of kinds {', '.join(sorted(kinds))}; expected one kind")

    def _sum(self, terms: Terms, value: int, path: str) -> None:
        if not terms:
            raise _fault(path, "empty_constraint", "no terms; expected one at least")
        self._count(len(terms), path)
        reach = abs(value)
        for index, (coefficient, name) in enumerate(terms):
            variable = self._find(name, f"{path}[{index}]", "int", "bool")
            reach += abs(coefficient) * max(1, reach_of(variable))
        self._within(reach, path)

    def _operands(self, constraint: Equal | Different, path: str) -> None:
        left = self._find(constraint.left, f"{path}.left")
        if (constraint.right is None) == (constraint.value is None):
            raise _fault(path, "bad_operands", "expected either `right`, a variable, or `value`")
        if constraint.right is not None:
            self._find(constraint.right, f"{path}.right", kind_of(left))
        elif constraint.value is not None:
            self._value(left, constraint.value, f"{path}.value")

    def _value(self, variable: Variable, value: Scalar, path: str) -> None:
        expected = {"int": int, "bool": bool, "named": str}[kind_of(variable)]
        if type(value) is not expected:
            problem = f"{value!r} for {variable.name!r}, which is {kind_of(variable)}"
            raise _fault(path, "kind_mismatch", f"{problem}; expected {expected.__name__}")
        if isinstance(variable, NamedVariable) and value not in variable.values:
            choices = ", ".join(map(repr, variable.values[:10]))
            raise _fault(path, "unknown_value", f"{variable.name!r} is never {value!r}; expected one of {choices}")
        if isinstance(variable, IntVariable):
            self._within(abs(int(value)), path)

    def _element(self, constraint: Element, path: str) -> None:
        self._find(constraint.index, f"{path}.index", "int")
        self._find(constraint.result, f"{path}.result", "int")
        self._count(len(constraint.values), path)
        if not constraint.values:
            raise _fault(f"{path}.values", "empty_constraint", "no values; expected one at least")
        self._within(max(map(abs, constraint.values)), f"{path}.values")

    def _table(self, constraint: Table, path: str) -> None:
        if not constraint.variables or not constraint.rows:
            raise _fault(path, "empty_constraint", "no variables or no rows; expected one at least")
        self._listed(constraint.variables, f"{path}.variables")
        self._count(len(constraint.rows) * len(constraint.variables), path)
        for index, row in enumerate(constraint.rows):
            where = f"{path}.rows[{index}]"
            if len(row) != len(constraint.variables):
                problem = f"{len(row)} values for {len(constraint.variables)} variables; expected one each"
                raise _fault(where, "bad_row", problem)
            for column, (name, value) in enumerate(zip(constraint.variables, row, strict=True)):
                self._value(self._known[name], value, f"{where}[{column}]")

    def _tasks(self, tasks: Sequence[Task], path: str) -> None:
        if not tasks:
            raise _fault(path, "empty_constraint", "no tasks; expected one at least")
        self._count(3 * len(tasks), path)
        for index, task in enumerate(tasks):
            where = f"{path}[{index}]"
            reach = reach_of(self._find(task.start, f"{where}.start", "int"))
            if isinstance(task.duration, str):
                variable = self._find(task.duration, f"{where}.duration", "int")
                shortest = variable.low if isinstance(variable, IntVariable) else 0
                reach += reach_of(variable)
            else:
                shortest, reach = task.duration, reach + abs(task.duration)
            if shortest < 1 or task.demand < 0:
                problem = f"a duration of {shortest} and a demand of {task.demand}; expected 1 and 0 at least"
                raise _fault(where, "bad_task", problem)
            self._within(reach, where)

    def _cumulative(self, constraint: Cumulative, path: str) -> None:
        self._tasks(constraint.tasks, f"{path}.tasks")
        if constraint.capacity < 0:
            raise _fault(f"{path}.capacity", "bad_task", f"a capacity of {constraint.capacity}; expected 0 at least")
        self._within(constraint.capacity + sum(task.demand for task in constraint.tasks), path)


def _parts(constraint: Constraint, path: str) -> Iterator[tuple[Constraint, str]]:
    """The formulas inside of a formula, with their paths; refuses one without any."""
    match constraint:
        case And(all=parts) | Or(any=parts):
            field = "all" if isinstance(constraint, And) else "any"
            if not parts:
                raise _fault(f"{path}.{field}", "empty_constraint", "no formulas; expected one at least")
            yield from ((inner, f"{path}.{field}[{index}]") for index, inner in enumerate(parts))
        case Not():
            yield constraint.this, f"{path}.this"
        case If():
            yield constraint.condition, f"{path}.if"
            yield constraint.then, f"{path}.then"
