"""A puzzle with its answer, and the words in which lists and names are written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Variant = Literal["plain", "several", "infeasible"]
"""What is asked for: a puzzle with one answer, with several, with none."""

PuzzleVerdict = Literal["unique", "several", "optimal", "infeasible"]
Json: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Puzzle:
    """One puzzle.

    Attributes:
        family: `grid`, `assignment`, `knapsack` or `schedule`.
        size: houses of a grid; people, things or jobs of the others.
        story: what is told.
        question: what is asked.
        problem: the same as JSON for a solver, variables, constraints, objective and what is asked for.
        verdict: what is true of it.
        answers: of `unique`, the value of each variable that is asked for.
        objective: of `optimal`, the best value.
        is_only_best: of `optimal`, whether one choice alone is best; None where that was not counted.
    """

    family: str
    size: int
    story: str
    question: str
    problem: Json
    verdict: PuzzleVerdict
    answers: Mapping[str, object]
    objective: int | None = None
    is_only_best: bool | None = None

    @property
    def text(self) -> str:
        """What a user would write."""
        return f"{self.story} {self.question}"

    @property
    def short_answer(self) -> str | None:
        """The one value that is asked for, as text; None where there is no such value."""
        if self.objective is not None:
            return str(self.objective)
        return str(next(iter(self.answers.values()))) if len(self.answers) == 1 else None


def listed(words: Sequence[str], last: str = "and") -> str:
    """As in `a, b and c`."""
    return f"{', '.join(words[:-1])} {last} {words[-1]}" if len(words) > 1 else words[0]


def capital(text: str) -> str:
    """With a capital letter in front."""
    return text[:1].upper() + text[1:]


def equal(left: str, value: object) -> Json:
    """That a variable has a value."""
    return {"type": "equal", "left": left, "value": value}


def same(left: str, right: str) -> Json:
    """That two variables have the same value."""
    return {"type": "equal", "left": left, "right": right}


def linear(terms: Sequence[tuple[int, str]], op: str, value: int) -> Json:
    """That a sum compares with a number."""
    return {"type": "linear", "terms": [list(term) for term in terms], "op": op, "value": value}
