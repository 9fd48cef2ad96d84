"""Task families with checkable answers, and the two small models, trained on them, that ship in the package."""

from pointsman.embedded.families import FAMILIES, draw
from pointsman.embedded.pair import model_folder
from pointsman.embedded.problems import DIFFICULTIES, MODES, Problem

__all__ = ["DIFFICULTIES", "FAMILIES", "MODES", "Problem", "draw", "model_folder"]
