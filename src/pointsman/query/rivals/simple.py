"""Baselines without a paper, and the three that split the choice of model and budget.

The last three wrap any method, so that what choosing model and budget together brings can be told from the method.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from pointsman.query.forecasting import Features, Forecaster, Forecasts, Method, Sample
from pointsman.query.outcomes import Floats, Ints, Outcomes
from pointsman.query.rivals.embedding import Embedding, fit_embedding
from pointsman.query.rivals.shaping import by_id, forecasts_of, widened

__all__ = ["AllocationOnly", "BestSingle", "NearestNeighbours", "RandomMixture", "RouteThenAllocate", "RoutingOnly"]

_COUNTS = (5, 10, 20, 40, 80, 160)
_MAX_QUERIES = 600  # rows on which the number of neighbours is chosen; 3,000 take three seconds more
_CHUNK = 1024
_WITHIN = 1e-3  # so small that only arms of models that are worth the same change their order


@dataclass(frozen=True, slots=True)
class Means:
    """Arms as they were on average. `right`, `nano_usd`: (A,); `spread`: of random factors, 0 for none."""

    right: Floats
    nano_usd: Floats
    spread: float
    seed: int

    def forecast(self, features: Features, prompt_tokens: Floats) -> Forecasts:
        """See `Forecaster`."""
        chance = np.random.default_rng(self.seed).random(len(features))
        factor = np.exp(self.spread * (chance - 0.5))[:, None]
        return forecasts_of(self.right * factor, self.nano_usd)


@dataclass(frozen=True, slots=True)
class BestSingle:
    """The same arm for every request: the best on average at the price of the dial."""

    name: str = "best-single"

    def fit(self, train: Sample, seed: int) -> Means:
        """See `Method`."""
        outcomes = by_id(train).outcomes
        return Means(outcomes.right.mean(0), outcomes.nano_usd.mean(0), 0.0, seed)


@dataclass(frozen=True, slots=True)
class RandomMixture:
    """A coin between neighbouring arms of the upper hull, which is what a router has to beat at equal cost.

    Each request multiplies all chances by one random factor, so that it changes its arm at a price of its own; factors
    spread by less than the prices of two changes differ, so that only neighbours are mixed.
    """

    name: str = "random-mixture"

    def fit(self, train: Sample, seed: int) -> Means:
        """See `Method`."""
        outcomes = by_id(train).outcomes
        right, cost = outcomes.right.mean(0), outcomes.nano_usd.mean(0)
        slopes = np.array(_hull_slopes(right, cost))
        nearest = np.abs(np.diff(np.log(slopes))).min(initial=1.0)
        return Means(right, cost, 0.9 * float(nearest), seed)


def _hull_slopes(right: Floats, cost: Floats) -> list[float]:
    """Right answers for one more nano-dollar, along the upper hull of the arms from the cheapest to the best."""
    at = int(np.lexsort((-right, cost))[0])
    slopes = []
    while (better := right > right[at]).any():
        gains = np.where(better, (right - right[at]) / np.where(better, np.maximum(cost - cost[at], 1e-9), 1.0), -1.0)
        slopes.append(float(gains.max()))
        at = int(np.lexsort((-right, -gains))[0])
    return slopes


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Training requests. `tfidf`: (N, V); `right`, `nano_usd`: (N, A); `count`: neighbours that are averaged."""

    embedding: Embedding
    tfidf: csr_matrix
    right: Floats
    nano_usd: Floats
    count: int

    def forecast(self, features: Features, prompt_tokens: Floats) -> Forecasts:
        """See `Forecaster`."""
        asked = self.embedding.tfidf(features)
        parts = [_nearest(asked[i : i + _CHUNK], self.tfidf, self.count) for i in range(0, len(features), _CHUNK)]
        near = np.concatenate(parts) if parts else np.zeros((0, self.count), dtype=np.int64)
        return forecasts_of(self.right[near].mean(1), self.nano_usd[near].mean(1))


@dataclass(frozen=True, slots=True)
class NearestNeighbours:
    """Means of the k nearest training requests, by the cosine of tf-idf n-grams; k by leaving one out."""

    name: str = "nearest-neighbours"

    def fit(self, train: Sample, seed: int) -> Neighbours:
        """See `Method`."""
        sample = by_id(train)
        embedding = fit_embedding(sample.features, seed)
        tfidf, right = embedding.tfidf(sample.features), sample.outcomes.right
        asked = np.sort(np.random.default_rng(seed).permutation(len(sample))[:_MAX_QUERIES])
        counts = [count for count in _COUNTS if count < len(sample)] or [len(sample) - 1]
        near = _nearest(tfidf[asked], tfidf, max(counts), own=asked)
        errors = [float(((right[near[:, :count]].mean(1) - right[asked]) ** 2).mean()) for count in counts]
        return Neighbours(embedding, tfidf, right, sample.outcomes.nano_usd, counts[int(np.argmin(errors))])


def _nearest(asked: csr_matrix, known: csr_matrix, count: int, own: Ints | None = None) -> Ints:
    """(M, count) rows of `known`, the nearest first. `own`: (M,) the row of each that is itself, left out."""
    cosines: NDArray[np.float32] = (asked @ known.T).toarray()
    if own is not None:
        cosines[np.arange(len(own)), own] = -1.0
    return np.argsort(-cosines, axis=1, kind="stable")[:, :count].astype(np.int64)


@dataclass(frozen=True, slots=True)
class SomeArms:
    """Forecasts of some arms, none of the others. `arms`: theirs among `num_arms`."""

    fitted: Forecaster
    arms: tuple[int, ...]
    num_arms: int

    def forecast(self, features: Features, prompt_tokens: Floats) -> Forecasts:
        """See `Forecaster`."""
        found = self.fitted.forecast(features, prompt_tokens[:, list(self.arms)])
        return widened(found, self.arms, self.num_arms)


def _fit_some(method: Method, train: Sample, arms: Sequence[int], seed: int) -> SomeArms:
    kept = tuple(sorted(arms))
    return SomeArms(method.fit(train.columns(kept), seed), kept, len(train.outcomes.arms))


def _models(outcomes: Outcomes) -> dict[str, tuple[int, ...]]:
    """The arms of each model, the cheapest first, models with one budget too."""
    alone = {arm.model: (number,) for number, arm in enumerate(outcomes.arms)}
    return alone | outcomes.budgets()


@dataclass(frozen=True, slots=True)
class RoutingOnly:
    """Chooses the model; the budget is the same for all. `budget`: its place, 0 the cheapest, -1 the dearest.

    A model with fewer budgets takes its dearest.
    """

    method: Method
    budget: int = -1

    @property
    def name(self) -> str:
        """See `Method`."""
        return f"{self.method.name}, routing only, budget {self.budget}"

    def fit(self, train: Sample, seed: int) -> SomeArms:
        """See `Method`."""
        models = _models(train.outcomes).values()
        return _fit_some(
            self.method, train, [arms[max(min(self.budget, len(arms) - 1), -len(arms))] for arms in models], seed
        )


@dataclass(frozen=True, slots=True)
class AllocationOnly:
    """Chooses the budget of one model. `model`: by name; that of the most accurate arm if None."""

    method: Method
    model: str | None = None

    @property
    def name(self) -> str:
        """See `Method`."""
        return f"{self.method.name}, allocation only" + (f", {self.model}" if self.model else "")

    def fit(self, train: Sample, seed: int) -> SomeArms:
        """See `Method`. Raises KeyError for a model that the table lacks."""
        outcomes = train.outcomes
        model = self.model if self.model is not None else outcomes.arms[outcomes.strongest].model
        return _fit_some(self.method, train, _models(outcomes)[model], seed)


@dataclass(frozen=True, slots=True)
class Stepwise:
    """`groups`: the arms of each model."""

    fitted: Forecaster
    groups: tuple[tuple[int, ...], ...]

    def forecast(self, features: Features, prompt_tokens: Floats) -> Forecasts:
        """See `Forecaster`."""
        found = self.fitted.forecast(features, prompt_tokens)
        return replace(found, right=self._drawn_together(found.right), nano_usd=self._drawn_together(found.nano_usd))

    def _drawn_together(self, values: Floats) -> Floats:
        drawn = np.empty_like(values)
        for arms in self.groups:
            mean = values[:, list(arms)].mean(1, keepdims=True)
            drawn[:, list(arms)] = mean + _WITHIN * (values[:, list(arms)] - mean)
        return drawn


@dataclass(frozen=True, slots=True)
class RouteThenAllocate:
    """Chooses the model by its forecasts' mean over its budgets, then its budget.

    Forecasts of a model's arms are drawn to their mean until they differ too little to change which model is chosen.
    As chances and costs are drawn by the same factor, the choice within the model is at the same price.
    """

    method: Method

    @property
    def name(self) -> str:
        """See `Method`."""
        return f"{self.method.name}, route then allocate"

    def fit(self, train: Sample, seed: int) -> Stepwise:
        """See `Method`."""
        return Stepwise(self.method.fit(train, seed), tuple(_models(train.outcomes).values()))
