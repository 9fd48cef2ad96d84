"""What to train on next: easy problems first, then, as the model learns, most of what it still gets wrong.

Training never sees a problem twice, so the share of a batch that the model would have answered without an error is an
honest score, and it is free. Each family starts at difficulty 1 and opens the next when the hardest open one is mostly
right. A problem's weight is its error, with a floor so that nothing is forgotten. Facts keep their own law instead: how
often a fact is told is what the family is about.
"""

import random
from collections.abc import Sequence

from pointsman.embedded import facts
from pointsman.embedded.problems import DIFFICULTIES

_OPENS_AT = 0.5
_FLOOR = 0.04
_MEMORY = 0.98
"""Share of a score that stays when an example is added to it. All three chosen."""

_FACTS_SHARE = 1.5
"""How often facts are drawn beside another family; chosen."""


class Curriculum:
    """Scores by family and difficulty, and the draw from them.

    Attributes:
        scores: by family, the share right of late at each difficulty.
        num_open: by family, the difficulties that are drawn.
    """

    def __init__(self, families: Sequence[str]) -> None:
        self.scores = {name: [0.0] * len(DIFFICULTIES) for name in families}
        self.num_open = dict.fromkeys(families, 2)

    def draw(self, rng: random.Random) -> tuple[str, int]:
        """A family and a difficulty."""
        families = list(self.scores)
        name = rng.choices(families, [self._family_weight(name) for name in families])[0]
        if name == "facts":
            return name, rng.choices(DIFFICULTIES, facts.training_weights())[0]
        num_open = self.num_open[name]
        weights = [self._weight(score) for score in self.scores[name][:num_open]]
        return name, rng.choices(DIFFICULTIES[:num_open], weights)[0]

    def record(self, family: str, difficulty: int, *, is_right: bool) -> None:
        """Adds one example's score, and opens the next difficulty when it is time."""
        scores = self.scores[family]
        scores[difficulty - 1] = _MEMORY * scores[difficulty - 1] + (1 - _MEMORY) * is_right
        hardest = self.num_open[family]
        if hardest < len(DIFFICULTIES) and scores[hardest - 1] > _OPENS_AT:
            self.num_open[family] = hardest + 1

    def _family_weight(self, name: str) -> float:
        """Weights count examples; a family whose problems are long is drawn as often as one whose are short."""
        num_open = len(DIFFICULTIES) if name == "facts" else self.num_open[name]
        scores = self.scores[name][:num_open]
        share = _FACTS_SHARE if name == "facts" else 1.0
        return share * sum(self._weight(score) for score in scores) / len(scores)

    @staticmethod
    def _weight(score: float) -> float:
        return 1.0 - score + _FLOOR
