"""More budget for one model: never forecast to be worse, and to help as far as the outcomes show that it does.

For each model with several budgets, the cheapest first: gains that were forecast for the training rows, by what had not
seen them, are compared with the gains that came. Their slope, drawn to zero by its own error (the positive part of
James and Stein), is how far forecast gains are believed. A model that cannot use compute gets 0, and is never given
more of it; one that uses it where it was forecast to keeps its forecasts.

Tried before: a test of the mean gain, without which none was forecast. Votes that help on some requests and not on
average did not pass it, and the gate lost 0.018 of the gap on reasoning_gym (docs/log.md, 2026-11-27).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pointsman.query.outcomes import Floats, Outcomes

__all__ = ["Budgets", "fit_budgets"]


@dataclass(frozen=True, slots=True)
class Budgets:
    """`ladders`: for each model, arms by rising budget, and how far gains over the one before are believed (0 to 1)."""

    ladders: tuple[tuple[tuple[int, float], ...], ...]

    def ordered(self, right: Floats) -> Floats:
        """(N, A) forecasts that rise with the budget, by so much of what was forecast."""
        found = right.copy()
        for ladder in self.ladders:
            for (below, _), (arm, share) in pairwise(ladder):
                found[:, arm] = found[:, below] + share * np.maximum(found[:, arm] - found[:, below], 0)
        return found


def fit_budgets(outcomes: Outcomes, held_out: Floats) -> Budgets:
    """From (N, A) outcomes, and (N, A) forecasts of these rows by what had not seen them."""
    ladders = []
    for arms in outcomes.budgets().values():
        ladder = [(arms[0], 1.0)]
        best = arms[0]  # of those that help
        for arm in arms[1:]:
            forecast = np.maximum(held_out[:, arm] - held_out[:, best], 0)
            share = _believed(forecast, outcomes.right[:, arm] - outcomes.right[:, best])
            ladder.append((arm, share))
            best = arm if share > 0 else best
        ladders.append(tuple(ladder))
    return Budgets(tuple(ladders))


def _believed(forecast: Floats, gain: Floats) -> float:
    """The slope from forecast gains, from 0 up, to those that came, less its variance over itself; from 0 to 1."""
    power = float(forecast @ forecast)
    if power <= 0:
        return 0.0
    slope = float(forecast @ gain) / power
    variance = float((forecast**2 * (gain - slope * forecast) ** 2).sum()) / power**2
    return 0.0 if slope <= 0 else float(np.clip(slope - variance / slope, 0.0, 1.0))
