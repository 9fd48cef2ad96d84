"""Avengers-Pro (Zhang et al., arXiv 2508.12631): a table of accuracies and costs by cluster of requests.

Training requests are clustered by k-means over normalised embeddings, k = 60. Within a cluster accuracies are scaled
from 0 (worst arm) to 1 (best) and costs by the dearest arm's. A request takes the means of its nearest clusters, and
the arm with the largest alpha * performance + (1 - alpha) * (1 - cost). Sweeping a price of costs sweeps alpha.

So what is forecast here is the published score's two parts and not chances and dollars: `right` is scaled performance,
`nano_usd` scaled cost, in units that make its mean that of the dearest arm of a cluster. `is_scaled=False` keeps
accuracies and dollars, which is not published.

Axes: N training requests, M others, K clusters, A arms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from pointsman.query.forecasting import Features, Forecasts, Sample
from pointsman.query.outcomes import Floats, Ints, Outcomes
from pointsman.query.rivals.embedding import Embedding, fit_embedding
from pointsman.query.rivals.shaping import by_id, forecasts_of

__all__ = ["Clustered", "Clusters"]

_ROWS_A_CLUSTER = 20  # at least, on average; chosen. The paper has about 30 in each of 60
_TRIALS = 10  # the released code's n_init


@dataclass(frozen=True, slots=True)
class Clustered:
    """A fitted table. `centers`: (K, D); `right`, `nano_usd`: (K, A)."""

    embedding: Embedding
    centers: Floats
    right: Floats
    nano_usd: Floats
    num_nearest: int

    def forecast(self, features: Features, prompt_tokens: Floats) -> Forecasts:
        """See `Forecaster`."""
        vectors = self.embedding.vectors(features)
        distances = (self.centers**2).sum(1) - 2 * vectors @ self.centers.T  # (M, K), less what all share
        nearest = np.argsort(distances, axis=1, kind="stable")[:, : self.num_nearest]
        return forecasts_of(self.right[nearest].mean(1), self.nano_usd[nearest].mean(1))


@dataclass(frozen=True, slots=True)
class Clusters:
    """The method.

    Attributes:
        num_clusters: at most; fewer for few rows.
        num_nearest: clusters that a request takes the mean of.
        is_scaled: see above.
    """

    num_clusters: int = 60
    num_nearest: int = 3
    is_scaled: bool = True

    @property
    def name(self) -> str:
        """See `Method`."""
        return "avengers-pro" if self.is_scaled else "avengers-pro-plain"

    def fit(self, train: Sample, seed: int) -> Clustered:
        """See `Method`."""
        sample = by_id(train)
        embedding = fit_embedding(sample.features, seed)
        vectors = embedding.vectors(sample.features)
        distinct = len(np.unique(vectors.round(5), axis=0))
        count = max(1, min(self.num_clusters, len(vectors) // _ROWS_A_CLUSTER, distinct))
        with threadpool_limits(1):  # sums of several threads differ from run to run
            found = KMeans(count, n_init=_TRIALS, random_state=seed).fit(vectors)
        right, cost = _table(sample.outcomes, found.labels_.astype(np.int64), count)
        if self.is_scaled:
            right, cost = _scaled(right, cost)
        return Clustered(embedding, found.cluster_centers_.astype(np.float64), right, cost, self.num_nearest)


def _table(outcomes: Outcomes, labels: Ints, count: int) -> tuple[Floats, Floats]:
    """(K, A) mean right and mean cost."""
    members = (labels == np.arange(count)[:, None]).astype(np.float64)  # (K, N)
    members /= members.sum(1, keepdims=True)
    return members @ outcomes.right, members @ outcomes.nano_usd


def _scaled(right: Floats, cost: Floats) -> tuple[Floats, Floats]:
    low, high = right.min(1, keepdims=True), right.max(1, keepdims=True)
    same = high <= low
    dearest = cost.max(1, keepdims=True)
    performance = np.where(same, 1.0, (right - low) / np.where(same, 1.0, high - low))
    return performance, cost / dearest * dearest.mean()
