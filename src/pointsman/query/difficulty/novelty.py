"""Whether a request is like those that were learned from.

Two similarities, to the nearest row and to the tenth, are compared with what they are for rows held out at random
(known) and for rows whose whole task was held out (unknown). A logistic curve over both gives the novelty, from 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from sklearn.linear_model import LogisticRegression

from pointsman.query.difficulty.learners import Neighbours
from pointsman.query.difficulty.space import Points
from pointsman.query.outcomes import Floats, Ints

__all__ = ["Novelty", "fit_novelty"]

_MISSED = 0.01
"""Share of requests of unknown tasks that may be taken for known ones. Chosen."""


@dataclass(frozen=True, slots=True)
class Novelty:
    """`weights`: (2,), `intercept`: of the logit that a request is unknown.

    `most_known`: 99 % of the training rows whose task was held out lie above it; what certificates fall back by.
    """

    weights: Floats
    intercept: float
    most_known: float

    def of(self, ranks: Floats) -> Floats:
        """(N,) of (N, 2) similarities."""
        return np.asarray(1 / (1 + np.exp(-np.clip(ranks @ self.weights + self.intercept, -30, 30))))


def fit_novelty(points: Points, neighbours: Neighbours, rows: Ints, tasks: Ints) -> Novelty:
    """From the folds of the training rows. Where tasks cannot be told apart, all is known to the same degree."""
    directions = points.directions
    seen, unseen = (neighbours.predict_with(directions, folds[:, None] == folds)[1] for folds in (rows, tasks))
    is_new = np.repeat([0, 1], len(directions))
    found = LogisticRegression(C=1.0).fit(np.vstack([seen, unseen]), is_new)
    unplaced = Novelty(found.coef_[0].astype(np.float64), float(found.intercept_[0]), 1.0)
    return replace(unplaced, most_known=float(np.quantile(unplaced.of(unseen), _MISSED)))
