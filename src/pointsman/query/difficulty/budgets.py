"""More budget for one model: never forecast to be worse, and to help only where the outcomes show that it does.

For each model with several budgets, the cheapest first: the gain of a budget over the one before is tested on the
training outcomes (one side, betting bound). A gain that is not shown is forecast as none, so a model that cannot use
compute is not given more of it. Forecasts are then made to rise with the budget.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pointsman.core.risk import mean_upper_bound
from pointsman.query.outcomes import Floats, Outcomes

__all__ = ["Budgets", "fit_budgets"]

_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Budgets:
    """`ladders`: for each model, arms by rising budget, and whether each was shown to help over the one before."""

    ladders: tuple[tuple[tuple[int, bool], ...], ...]

    def ordered(self, right: Floats) -> Floats:
        """(N, A) forecasts that rise with the budget and stay where more is not shown to help."""
        found = right.copy()
        for ladder in self.ladders:
            for (below, _), (arm, helps) in pairwise(ladder):
                found[:, arm] = np.maximum(found[:, arm], found[:, below]) if helps else found[:, below]
        return found


def fit_budgets(outcomes: Outcomes) -> Budgets:
    """From (N, A) outcomes."""
    ladders = []
    for arms in outcomes.budgets().values():
        ladder = [(arms[0], True)]
        best = arms[0]  # of those that were shown to help so far
        for arm in arms[1:]:
            helps = _is_shown(outcomes.right[:, arm] - outcomes.right[:, best])
            ladder.append((arm, helps))
            best = arm if helps else best
        ladders.append(tuple(ladder))
    return Budgets(tuple(ladders))


def _is_shown(gain: Floats) -> bool:
    """Whether the mean of gains from -1 to 1 is above 0, with confidence."""
    losses = (1 - gain) / 2
    return mean_upper_bound(losses.tolist(), 1.0, _CONFIDENCE) < 0.5
