"""R2-Router (arXiv 2602.02823): ridge regressions of quality and of output length for each model and budget.

An arm of a table is one model at one budget, so that its regressions are those of the paper; where a table has no
budgets, they are one for each model. Cost is input tokens and predicted output tokens at their prices. Prices are
recovered from training rows, since a table has costs only.

Differences: the paper prices a limited budget at its limit, tables name budgets and have no limits, so that lengths are
predicted for all arms, which is what it does for the unlimited one; the penalty is chosen rather than fixed at 1; and
quality is not clipped to 0 to 1, since clipped forecasts tie. Where a table does not count an arm's tokens, a ridge
regression of its cost stands in.

Axes: N training requests, M others, A arms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from pointsman.query.forecasting import Features, Forecasts, Sample
from pointsman.query.outcomes import Floats, Outcomes
from pointsman.query.rivals.embedding import Embedding, fit_embedding
from pointsman.query.rivals.regression import Linear, fit_ridge
from pointsman.query.rivals.shaping import by_id, forecasts_of

__all__ = ["R2Ridge", "R2Router", "recovered_prices"]


@dataclass(frozen=True, slots=True)
class R2Router:
    """Fitted regressions.

    Attributes:
        quality: of A targets.
        lengths: of A targets, output tokens, or nano-dollars where tokens are not counted.
        prices: (A, 3) nano-dollars of an input token, of an output token and of a request.
        mean_prompt_tokens: (A,) stands in where a request's are unknown.
        least_nano_usd: (A,) the lowest cost in training, below which none is forecast.
    """

    embedding: Embedding
    quality: Linear
    lengths: Linear
    prices: Floats
    mean_prompt_tokens: Floats
    least_nano_usd: Floats

    def forecast(self, features: Features, prompt_tokens: Floats) -> Forecasts:
        """See `Forecaster`."""
        inputs = self.embedding.dense(features)
        read = np.where(np.isnan(prompt_tokens), self.mean_prompt_tokens, prompt_tokens)
        written = np.maximum(self.lengths.predict(inputs), 0.0)
        per_read, per_written, per_request = self.prices.T
        cost = read * per_read + written * per_written + per_request
        return forecasts_of(self.quality.predict(inputs), np.maximum(cost, self.least_nano_usd))


@dataclass(frozen=True, slots=True)
class R2Ridge:
    """The method."""

    name: str = "r2-router"

    def fit(self, train: Sample, seed: int) -> R2Router:
        """See `Method`."""
        sample = by_id(train)
        outcomes = sample.outcomes
        embedding = fit_embedding(sample.features, seed)
        inputs = embedding.dense(sample.features)
        counted = _is_counted(outcomes)
        lengths = np.where(counted, outcomes.completion_tokens, outcomes.nano_usd)
        return R2Router(
            embedding=embedding,
            quality=fit_ridge(inputs, outcomes.right),
            lengths=fit_ridge(inputs, lengths),
            prices=recovered_prices(outcomes),
            mean_prompt_tokens=np.where(counted, outcomes.prompt_tokens, 0.0).mean(0),
            least_nano_usd=outcomes.nano_usd.min(0),
        )


def recovered_prices(outcomes: Outcomes) -> Floats:
    """(A, 3) nano-dollars of an input token, of an output token and of a request: non-negative least squares.

    Exact where costs are linear in tokens. An arm whose tokens are not counted in every row has (0, 1, 0): its
    "length" is its cost.
    """
    counted = _is_counted(outcomes)
    prices = np.tile([0.0, 1.0, 0.0], (len(counted), 1))
    for arm in np.flatnonzero(counted):
        tokens = [outcomes.prompt_tokens[:, arm], outcomes.completion_tokens[:, arm], np.ones(len(outcomes))]
        design = np.column_stack(tokens)
        scale = np.maximum(np.abs(design).max(0), 1.0)
        unit = outcomes.nano_usd[:, arm].max()
        prices[arm] = nnls(design / scale, outcomes.nano_usd[:, arm] / unit)[0] * unit / scale
    return prices


def _is_counted(outcomes: Outcomes) -> NDArray[np.bool_]:
    """(A,) whether both token counts are known in every row."""
    return np.asarray(~np.isnan(outcomes.prompt_tokens + outcomes.completion_tokens).any(0))
