"""Hybrid LLM (Ding et al., arXiv 2404.14618): a router between a small arm and a large one, by expected quality gap.

It predicts the chance that the small arm is no worse than the large one, or not by more than a margin, and sends a
request to the small one where that passes a threshold. The small arm is the cheapest, the large one that which is
right most often; of other arms it knows nothing, and they are never chosen. The paper's encoder (DeBERTa) is a
logistic regression over this package's features here. Costs are means in training.

Quality here is the share of an arm's samples that were right. Where every share is 0 or 1, the three kinds are one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import expit

from pointsman.query.forecasting import Features, Forecasts, Sample
from pointsman.query.outcomes import Floats
from pointsman.query.rivals.embedding import Embedding, fit_embedding
from pointsman.query.rivals.regression import Logistic, tuned_logistic
from pointsman.query.rivals.shaping import by_id, forecasts_of, widened

__all__ = ["Hybrid", "Kind", "best_margin"]

Kind = Literal["deterministic", "probabilistic", "transformed"]


@dataclass(frozen=True, slots=True)
class Pair:
    """A fitted router. `arms`: small and large, or one that is both; `nano_usd`: theirs."""

    embedding: Embedding
    suffices: Logistic
    arms: tuple[int, ...]
    num_arms: int
    level: float
    nano_usd: Floats

    def forecast(self, features: Features, prompt_tokens: Floats) -> Forecasts:
        """See `Forecaster`. The small arm loses to the large one as often as it does not suffice."""
        lost = 1 - expit(self.suffices.logits(self.embedding.dense(features)))
        right = self.level - np.column_stack([lost, np.zeros_like(lost)])[:, -len(self.arms) :]
        return widened(forecasts_of(right, self.nano_usd), self.arms, self.num_arms)


@dataclass(frozen=True, slots=True)
class Hybrid:
    """The three kinds differ in the labels that the small arm gets (sections 3.1 to 3.3).

    deterministic: 1 where its quality is no less than the large arm's.
    probabilistic: the chance that a sample of it is no worse than one of the large arm's.
    transformed: 1 where it is no less than the large arm's less the margin that separates requests best.
    """

    kind: Kind = "transformed"

    @property
    def name(self) -> str:
        """See `Method`."""
        return f"hybrid-llm-{self.kind}"

    def fit(self, train: Sample, seed: int) -> Pair:
        """See `Method`."""
        sample = by_id(train)
        outcomes, cost = sample.outcomes, sample.outcomes.nano_usd.mean(0)
        small, large = int(np.argmin(cost)), outcomes.strongest
        embedding = fit_embedding(sample.features, seed)
        labels = self._labels(outcomes.right[:, small], outcomes.right[:, large])
        suffices = tuned_logistic(embedding.dense(sample.features), labels, seed)
        arms = (small, large) if small != large else (large,)
        level = float(outcomes.right[:, large].mean())
        return Pair(embedding, suffices, arms, len(cost), level, cost[list(arms)])

    def _labels(self, small: Floats, large: Floats) -> Floats:
        if self.kind == "probabilistic":
            return np.asarray(1 - large * (1 - small))
        margin = best_margin(large - small) if self.kind == "transformed" else 0.0
        return (small >= large - margin).astype(np.float64)


def best_margin(gaps: Floats) -> float:
    """The margin t >= 0 that makes labels differ most between requests (section 3.3), the least of equals.

    `gaps`: (N,) by how much the large arm is better. A mean of absolute differences of labels of 0 and 1 is
    2 m (1 - m) where m is their mean.
    """
    margins = np.unique(np.maximum(gaps, 0.0))
    means = np.searchsorted(np.sort(gaps), margins, side="right") / len(gaps)
    return float(margins[np.argmax(means * (1 - means))])
