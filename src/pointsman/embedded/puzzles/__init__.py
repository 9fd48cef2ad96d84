"""Problems for a solver: logic grids, assignments, knapsacks and schedules, as JSON and in words, with their answers.

No solver makes the answers: grids come from a secret solution and a search of their own, the rest from trying all ways.
They are no families of the embedded models, which never learned them.
"""

from pointsman.embedded.puzzles.draw import PLANNING, draw_grid, draw_plan
from pointsman.embedded.puzzles.puzzle import Puzzle, Variant

__all__ = ["PLANNING", "Puzzle", "Variant", "draw_grid", "draw_plan"]
