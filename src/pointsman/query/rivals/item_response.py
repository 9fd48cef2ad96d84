"""IRT-Router (Song et al., ACL 2025, arXiv 2506.01048): abilities of arms and difficulty of requests.

Published is a sigmoid of the request's discriminations times the arm's abilities less the request's difficulty, each
read from an embedding by layers that are trained with gradient descent. Here all that is told of a request is linear in
its vector and surface, and what an arm has is fitted freely (`difficulty/curves.py`), which thousands of rows allow; of
the numbers of dimensions in `_DIMS` the one with the least log loss on held-out rows is taken. It prices an arm by a
constant; here costs are forecast as by R2-Router, so that what is compared are the chances.

Axes: N training requests, M others, D inputs, A arms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pointsman.query.difficulty.curves import Curves, fit_curves
from pointsman.query.forecasting import Features, Forecasts, Sample
from pointsman.query.outcomes import Floats
from pointsman.query.rivals.embedding import Embedding, fit_embedding
from pointsman.query.rivals.r2 import R2Ridge, R2Router
from pointsman.query.rivals.shaping import by_id, forecasts_of

__all__ = ["ItemResponse", "Responding"]

_DIMS = (1, 2, 4)
_FOLDS = 4
_SURE = 1e-6  # a chance of 0 or 1 that was wrong has no finite loss


@dataclass(frozen=True, slots=True)
class Responding:
    """Fitted curves; `costs` forecasts nano-dollars."""

    embedding: Embedding
    curves: Curves
    costs: R2Router

    def forecast(self, features: Features, prompt_tokens: Floats) -> Forecasts:
        """See `Forecaster`."""
        easiness = self.curves.easiness(self.embedding.dense(features))
        return forecasts_of(self.curves.chances(easiness), self.costs.forecast(features, prompt_tokens).nano_usd)


@dataclass(frozen=True, slots=True)
class ItemResponse:
    """The method."""

    name: str = "irt-router"

    def fit(self, train: Sample, seed: int) -> Responding:
        """See `Method`."""
        sample = by_id(train)
        embedding = fit_embedding(sample.features, seed)
        inputs, right = embedding.dense(sample.features), sample.outcomes.right
        most = min(right.shape[1], _DIMS[-1])
        losses = {dims: _held_out_loss(inputs, right, dims, seed) for dims in _DIMS if dims <= most}
        curves = fit_curves(inputs, right, min(losses, key=losses.__getitem__))
        return Responding(embedding, curves, R2Ridge().fit(train, seed))


def _held_out_loss(inputs: Floats, right: Floats, dims: int, seed: int) -> float:
    folds = np.random.default_rng(seed).permutation(len(right)) % _FOLDS
    chances = np.empty_like(right)
    for fold in range(_FOLDS):
        curves = fit_curves(inputs[folds != fold], right[folds != fold], dims)
        chances[folds == fold] = curves.chances(curves.easiness(inputs[folds == fold]))
    sure = np.clip(chances, _SURE, 1 - _SURE)
    return float(-(right * np.log(sure) + (1 - right) * np.log(1 - sure)).mean())
