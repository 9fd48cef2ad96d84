"""Draws puzzles by seed; the same one in every process."""

import random
from collections.abc import Callable, Mapping
from typing import Final

from pointsman.core import NotFound
from pointsman.embedded.puzzles.grids import draw_grid
from pointsman.embedded.puzzles.planning import draw_assignment, draw_knapsack, draw_schedule
from pointsman.embedded.puzzles.puzzle import Puzzle, Variant

__all__ = ["PLANNING", "draw_grid", "draw_plan"]

PLANNING: Final[Mapping[str, Callable[[random.Random, int, Variant], Puzzle]]] = {
    "assignment": draw_assignment,
    "knapsack": draw_knapsack,
    "schedule": draw_schedule,
}


def draw_plan(family: str, seed: object, size: int, variant: Variant = "plain") -> Puzzle:
    """An assignment, knapsack or schedule. A `several` knapsack or schedule has a best value all the same.

    Raises:
        NotFound: `family_not_found`.
    """
    if family not in PLANNING:
        raise NotFound(f"there is no family {family!r}; there is {', '.join(PLANNING)}", code="family_not_found")
    return PLANNING[family](random.Random(f"{seed}/{family}/{size}/{variant}"), size, variant)  # noqa: S311
