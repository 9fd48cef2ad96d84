"""What a problem is: variables over finite domains, constraints, perhaps an objective. A schema and nothing else.

    {"variables": [{"type": "int", "name": "x", "low": 0, "high": 9}, {"type": "bool", "name": "late"},
                   {"type": "named", "name": "lamp", "values": ["red", "blue"]}],
     "constraints": [{"type": "linear", "terms": [[2, "x"], [-1, "late"]], "op": "<=", "value": 7, "name": "limit"},
                     {"type": "if", "if": {"type": "equal", "left": "lamp", "value": "red"},
                      "then": {"type": "equal", "left": "late", "value": true}}],
     "objective": {"type": "maximise", "terms": [[1, "x"]]},
     "asks": ["x"]}

Expressions are data; nothing is evaluated as code. A `bool` counts as 0 or 1 in a sum, a `named` one in none. What the
schema alone cannot say, such as that a variable exists, is checked by `checking.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from msgspec import Struct

__all__ = [
    "AllDifferent",
    "And",
    "BoolVariable",
    "Constraint",
    "Cumulative",
    "Different",
    "Element",
    "Equal",
    "Formula",
    "If",
    "IntVariable",
    "Linear",
    "Makespan",
    "Maximise",
    "Minimise",
    "NamedVariable",
    "NoOverlap",
    "Not",
    "Objective",
    "Operator",
    "Or",
    "Problem",
    "Scalar",
    "Solution",
    "Table",
    "Task",
    "Terms",
    "Variable",
]

Scalar: TypeAlias = bool | int | str
"""A value of a variable: by its type a bool, an int or a name."""

Solution: TypeAlias = Mapping[str, Scalar]
"""A value for each variable."""

Operator = Literal["<=", ">=", "==", "!=", "<", ">"]
Terms: TypeAlias = tuple[tuple[int, str], ...]
"""A sum: coefficients and variables."""

NEGATED: Final[Mapping[Operator, Operator]] = {"<=": ">", ">=": "<", "==": "!=", "!=": "==", "<": ">=", ">": "<="}


class _Wire(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type"):
    """Strict: no field that is not described."""


# -- variables --------------------------------------------------------------------------------------------------------


class IntVariable(_Wire, tag="int", frozen=True):
    """An integer from `low` to `high`, both included."""

    name: str
    low: int
    high: int


class NamedVariable(_Wire, tag="named", frozen=True):
    """One of several names. Two variables are equal where their names are."""

    name: str
    values: tuple[str, ...]


class BoolVariable(_Wire, tag="bool", frozen=True):
    """True or false."""

    name: str


Variable: TypeAlias = IntVariable | NamedVariable | BoolVariable


# -- constraints ------------------------------------------------------------------------------------------------------


class _Quotable(_Wire, frozen=True, kw_only=True):
    """What can be named in an answer: by `name`, quoted by `text`."""

    name: str | None = None
    text: str | None = None


class Linear(_Quotable, tag="linear", frozen=True):
    """A sum compared with a number."""

    terms: Terms
    op: Operator
    value: int


class Equal(_Quotable, tag="equal", frozen=True):
    """A variable has the value of another (`right`), or a value; one of the two is given."""

    left: str
    right: str | None = None
    value: Scalar | None = None


class Different(_Quotable, tag="different", frozen=True):
    """A variable has not the value of another (`right`), or not a value; one of the two is given."""

    left: str
    right: str | None = None
    value: Scalar | None = None


class And(_Quotable, tag="and", frozen=True):
    """All of these hold."""

    all: tuple[Formula, ...]


class Or(_Quotable, tag="or", frozen=True):
    """At least one of these holds."""

    any: tuple[Formula, ...]


class Not(_Quotable, tag="not", frozen=True):
    """This does not hold."""

    this: Formula


class If(_Quotable, tag="if", frozen=True, rename={"condition": "if"}):
    """Where the condition (`if` in JSON) holds, so does `then`."""

    condition: Formula
    then: Formula


class AllDifferent(_Quotable, tag="all_different", frozen=True):
    """No two of these variables are equal."""

    variables: tuple[str, ...]


class Element(_Quotable, tag="element", frozen=True):
    """`values[index]` is `result`; the index counts from 0, and one outside of the list is wrong."""

    index: str
    values: tuple[int, ...]
    result: str


class Table(_Quotable, tag="table", frozen=True):
    """The variables together have the values of one of the rows; of none where `allowed` is false."""

    variables: tuple[str, ...]
    rows: tuple[tuple[Scalar, ...], ...]
    allowed: bool = True


class Task(Struct, frozen=True, forbid_unknown_fields=True):
    """Takes time from `start` on. `duration` is a number or a variable, 1 at least; `demand` is of `cumulative`."""

    start: str
    duration: int | str
    demand: int = 1


class NoOverlap(_Quotable, tag="no_overlap", frozen=True):
    """No two tasks run at the same time; one may start when another ends."""

    tasks: tuple[Task, ...]


class Cumulative(_Quotable, tag="cumulative", frozen=True):
    """At no time do running tasks demand more than the capacity."""

    tasks: tuple[Task, ...]
    capacity: int


Formula: TypeAlias = Linear | Equal | Different | And | Or | Not | If
"""What may stand inside another."""

Constraint: TypeAlias = Formula | AllDifferent | Element | Table | NoOverlap | Cumulative


# -- objectives -------------------------------------------------------------------------------------------------------


class Minimise(_Wire, tag="minimise", frozen=True):
    """The least value of a sum."""

    terms: Terms


class Maximise(_Wire, tag="maximise", frozen=True):
    """The greatest value of a sum."""

    terms: Terms


class Makespan(_Wire, tag="makespan", frozen=True):
    """The least time at which all tasks have ended."""

    tasks: tuple[Task, ...]


Objective: TypeAlias = Minimise | Maximise | Makespan


class Problem(Struct, frozen=True, forbid_unknown_fields=True):
    """Variables, constraints, perhaps an objective, and what is asked for: all variables where nothing is named."""

    variables: tuple[Variable, ...]
    constraints: tuple[Constraint, ...] = ()
    objective: Objective | None = None
    asks: tuple[str, ...] = ()

    def asked(self) -> tuple[str, ...]:
        """The variables on which uniqueness is judged."""
        return self.asks or tuple(variable.name for variable in self.variables)

    def label(self, index: int) -> str:
        """By which a constraint is named: its own name, or its place as in `constraints[3]`."""
        return self.constraints[index].name or f"constraints[{index}]"
