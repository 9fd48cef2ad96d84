"""Forecasts of one request at a time, in well under a millisecond. Twin of `JointForecaster`, tested for equality.

What differs is only how: n-grams are looked up instead of sliced out of a sparse matrix, the linear learners are one
matrix each over vectors, and the forest is walked by compiled code (`walking.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointsman.query.difficulty.joint import JointForecaster
from pointsman.query.difficulty.learners import TreeView, tree_view
from pointsman.query.difficulty.space import Points
from pointsman.query.difficulty.walking import mean_leaf
from pointsman.query.features import NUM_NGRAMS, hashed_ngrams, surface_of
from pointsman.query.forecasting import Forecasts
from pointsman.query.outcomes import Floats

__all__ = ["Server"]


@dataclass(frozen=True, slots=True)
class Server:
    """A fitted forecaster behind requests. `column`: (NUM_NGRAMS,) of an n-gram in the space, -1 where it has none."""

    fitted: JointForecaster
    column: NDArray[np.int64]

    @classmethod
    def of(cls, fitted: JointForecaster) -> Server:
        """Prepares what does not change from request to request."""
        column = np.full(NUM_NGRAMS, -1, dtype=np.int64)
        column[fitted.space.buckets] = np.arange(len(fitted.space.buckets))
        return cls(fitted, column)

    def forecast(self, text: str, prompt_tokens: Floats, extra: NDArray[np.float32] | None = None) -> Forecasts:
        """Of one request. `prompt_tokens`: (A,); `extra`: (X,) where the forecaster has learned with such features."""
        fitted = self.fitted
        points = self._points(text, extra)
        ranks: Floats | None = None
        found: list[Floats] = []
        for learner in fitted.learners:
            if isinstance(learner, TreeView):
                found.append(mean_leaf(learner.trees, tree_view(points)[0].astype(np.float32))[None, :])
            elif learner is fitted.neighbours:
                predicted, ranks = fitted.neighbours.predict_with(points.directions)
                found.append(predicted)
            else:
                found.append(learner.predict(points))
        if ranks is None:
            ranks = fitted.neighbours.predict_with(points.directions)[1]
        return fitted.combined(found, ranks, prompt_tokens[None, :])

    def _points(self, text: str, extra: NDArray[np.float32] | None) -> Points:
        space = self.fitted.space
        index, counts = hashed_ngrams(text)
        column = self.column[index]
        known = column >= 0
        column = column[known]
        weights = counts[known] * space.rarity[column]
        length = max(float(np.sqrt(weights @ weights)), 1e-9)
        projected = (weights / np.float32(length)) @ space.projection[column]
        surface = surface_of(text)
        plain = surface if extra is None else np.concatenate([surface, extra])
        return space.placed(projected.astype(np.float64)[None, :], plain[None, :], len(surface))
