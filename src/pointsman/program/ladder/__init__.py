"""Who answers a question: the cheapest rung that is sure enough, and the top one where none is."""

from pointsman.program.ladder.climbing import Ladder, Rung
from pointsman.program.ladder.limits import Limits

__all__ = ["Ladder", "Limits", "Rung"]
