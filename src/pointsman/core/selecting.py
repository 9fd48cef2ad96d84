"""Rows and a state as text: what a model is shown that selects the row which applies, and how it answers.

Rows are lettered, and each says which of the numbered facts it needs: `A if p no; B if p yes, q no`. They stay the same
for all visits of a region, so what a model has read of them is kept. The state follows: values as they are, then by row
the values that taking it gives, then the facts that hold: `Now 5, 24; A 24; B 4, 120; p yes, q no.` Every value is
computed already and is cut to a few characters, every fact has a name that occurs nowhere else, and what is left is to
find the one row whose facts all stand so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from pointsman.core.asking import LETTERS, Answerer, Question
from pointsman.core.records import Cost

__all__ = [
    "FACTS",
    "MOST_ROWS",
    "AnswererSelector",
    "Row",
    "Selection",
    "Selector",
    "needs_text",
    "rows_text",
    "short",
    "state_text",
]

MOST_ROWS = 4
"""Rows that are shown at once; larger regions are walked in parts."""

FACTS = "pqr"
"""Names of facts, one fewer than rows: a decision more is a row more."""

_MOST_SHOWN = 6
"""Values of a state or of a row that are shown."""

_MOST_DIGITS = 6
_MOST_FLOAT = 9999.5
"""From here on four digits need an exponent."""

Row: TypeAlias = tuple[tuple[int, bool], ...]
"""The facts that a row needs, by number in `FACTS`, and whether they are to hold."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which row a model took, from 0, with its own confidence and what it cost."""

    row: int
    confidence: float
    cost: Cost


class Selector(Protocol):
    """Who selects."""

    name: str
    """By which traces name it."""

    def select(self, rows: Sequence[Row], state: str) -> Selection:
        """The row that applies in a state.

        Raises:
            PointsmanError: it cannot be asked at all.
        """
        ...


def needs_text(row: Row) -> str:
    """As in `p yes, q no`."""
    return ", ".join(f"{FACTS[fact]} {_yes(holds)}" for fact, holds in row)


def rows_text(rows: Sequence[Row]) -> str:
    """As in `A if p no; B if p yes, q no`."""
    return "; ".join(f"{letter} if {needs_text(row)}" for letter, row in zip(LETTERS, rows, strict=False))


def state_text(values: Sequence[str], results: Sequence[Sequence[str]], facts: Mapping[int, bool]) -> str:
    """Such as `Now 5, 24; A 24; B 4, 120; p yes, q no.` for a model.

    Args:
        values: of the state's variables, as `short` writes them.
        results: by row, what taking it gives.
        facts: those that are known, by number.
    """
    parts = [f"Now {_listed(values)}"]
    parts += [f"{letter} {_listed(given)}" for letter, given in zip(LETTERS, results, strict=False)]
    parts.append(needs_text(tuple(sorted(facts.items()))))
    return "; ".join(parts) + "."


def short(value: object) -> str:
    """A value in a few characters: `-12`, `0.5`, `yes`, `[80]` for so many items, `"5"` for so many characters."""
    match value:
        case bool():
            return _yes(value)
        case int() if abs(value) < 10**_MOST_DIGITS:
            return str(value)
        case int():
            return "large" if value > 0 else "- large"
        case float() if abs(value) < _MOST_FLOAT:
            return f"{value:.4g}" if "e" not in f"{value:.4g}" else "small"
        case float() if value == value:
            return "large" if value > 0 else "- large"
        case str():
            return f'"{len(value)}"'
        case list() | tuple() | dict() | set() | frozenset():
            return f"[{len(value)}]"
        case None:
            return "none"
    return "?"


def _listed(values: Sequence[str]) -> str:
    return ", ".join(values[:_MOST_SHOWN]) or "none"


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"


class AnswererSelector:
    """Lets whoever answers questions select: the rows are options, the state is the text.

    Args:
        answerer: a model of the engine, an endpoint, a person.
        name: by which traces name it.
    """

    def __init__(self, answerer: Answerer, name: str) -> None:
        self._answerer, self.name = answerer, name

    def select(self, rows: Sequence[Row], state: str) -> Selection:
        """See `Selector.select`."""
        options = tuple(map(needs_text, rows))
        question = Question("choose", "the line of which every part holds", "option", options)
        reply = self._answerer.answer([(question, state)])[0]
        return Selection(options.index(str(reply.value)), reply.confidence, reply.cost)
