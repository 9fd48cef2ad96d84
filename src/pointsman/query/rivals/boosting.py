"""Gradient boosting: for each arm, shallow trees one after the other over the request's vector and surface.

No published router stands behind it; it is what one would try first on a table of this size. scikit-learn's histogram
trees (after LightGBM, Ke et al. 2017) with squared loss, so that shares of right samples are learned as they are; how
many trees is told by a tenth of the rows. Costs are forecast as by R2-Router.

Axes: N training requests, M others, D inputs, A arms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from pointsman.query.forecasting import Features, Forecasts, Sample
from pointsman.query.outcomes import Floats
from pointsman.query.rivals.embedding import Embedding, fit_embedding
from pointsman.query.rivals.r2 import R2Ridge, R2Router
from pointsman.query.rivals.shaping import by_id, forecasts_of

__all__ = ["Boosted", "Boosting"]

_TEXT_DIMS = 40  # of the vector, the main ones first, as our own trees have
_RATE, _MAX_LEAVES, _MAX_TREES, _PATIENCE = 0.07, 8, 200, 10  # chosen


@dataclass(frozen=True, slots=True)
class Boosted:
    """Fitted trees of each arm; `costs` forecasts nano-dollars."""

    embedding: Embedding
    arms: tuple[HistGradientBoostingRegressor, ...]
    costs: R2Router

    def forecast(self, features: Features, prompt_tokens: Floats) -> Forecasts:
        """See `Forecaster`."""
        inputs = _inputs(self.embedding, features)
        right = np.column_stack([arm.predict(inputs) for arm in self.arms])
        return forecasts_of(right, self.costs.forecast(features, prompt_tokens).nano_usd)


@dataclass(frozen=True, slots=True)
class Boosting:
    """The method."""

    name: str = "gradient-boosting"

    def fit(self, train: Sample, seed: int) -> Boosted:
        """See `Method`."""
        sample = by_id(train)
        embedding = fit_embedding(sample.features, seed)
        inputs = _inputs(embedding, sample.features)
        with threadpool_limits(1):  # arms are too small for several
            arms = tuple(_grown(seed).fit(inputs, right) for right in sample.outcomes.right.T)
        return Boosted(embedding, arms, R2Ridge().fit(train, seed))


def _inputs(embedding: Embedding, features: Features) -> Floats:
    return np.hstack([embedding.vectors(features)[:, :_TEXT_DIMS], embedding.surface(features)])


def _grown(seed: int) -> HistGradientBoostingRegressor:
    return HistGradientBoostingRegressor(
        learning_rate=_RATE,
        max_iter=_MAX_TREES,
        max_leaf_nodes=_MAX_LEAVES,
        l2_regularization=10.0,
        max_features=0.3,
        early_stopping=True,
        n_iter_no_change=_PATIENCE,
        random_state=seed,
    )
