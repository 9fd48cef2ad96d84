"""FrugalGPT (Chen, Zaharia and Zou, arXiv 2305.05176, section 3): a cascade that stops at the first good answer.

A fixed list of up to three arms is called in turn; after each call a scorer g tells from request and answer how likely
the answer is right, and the answer is returned where that passes the place's threshold. List and thresholds are those
that are right most often on the training rows at a mean cost within a budget; budgets are the dial.

Differences: the paper's scorer reads the answer's text (DistilBERT), this one its length, how far the arm's samples
agree, and whether it equals the answer before, since tables keep no texts of answers. It is a logistic regression over
these and a ridge regression of the request, which is held out for training rows. Lists rise in mean cost where the
paper tries all orders, which loses nothing unless a dearer arm is worth asking first. Thresholds are searched at
`_LEVELS` quantiles of scores. A fit takes 1 s for 7 arms; its time grows with the third power of their number.

Axes: N requests, A arms, D inputs, L levels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from pointsman.query.forecasting import Sample
from pointsman.query.outcomes import Floats, Outcomes
from pointsman.query.rivals.embedding import Embedding, fit_embedding
from pointsman.query.rivals.played import Played
from pointsman.query.rivals.regression import Linear, Logistic, fit_logistic, fit_ridge, held_out_ridge
from pointsman.query.rivals.shaping import by_id

__all__ = ["Frugal", "FrugalCascade", "Plan"]

_LEVELS = 16  # chosen; the released code tries 40
_BUDGETS = 25  # chosen
_PENALTY = 1.0  # of four inputs at most; chosen


@dataclass(frozen=True, slots=True)
class Plan:
    """`arms` in order; `thresholds`: scores at which the answer of each but the last is returned."""

    arms: tuple[int, ...]
    thresholds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Scorers:
    """What tells whether an answer is right.

    Attributes:
        request: of A targets, how often each arm is right.
        alone: for each arm, of request and answer.
        after: for each two arms, of the second's score alone and whether it gave the first's answer.
        center: (2, A) means of the answers' features, `scale` likewise their deviations.
    """

    embedding: Embedding
    request: Linear
    alone: tuple[Logistic, ...]
    after: Mapping[tuple[int, int], Logistic]
    center: Floats
    scale: Floats

    def scores(self, sample: Sample) -> Floats:
        """(N, A) of each arm's answer when it is called first."""
        request = self.request.predict(self.embedding.dense(sample.features))
        answers = _standardised(_answer_features(sample.outcomes), self.center, self.scale)
        return _scored(self.alone, request, answers)

    def scores_after(self, first: int, second: int, alone: Floats, outcomes: Outcomes) -> Floats:
        """(N,) of the second arm's answer when the first was called before."""
        return self.after[first, second].logits(_pair_inputs(alone[:, second], outcomes, first, second))


@dataclass(frozen=True, slots=True)
class FrugalCascade:
    """A fitted cascade: for each of D budgets (`nano_usd`, rising) a plan."""

    scorers: Scorers
    nano_usd: Floats
    plans: tuple[Plan, ...]

    def play(self, test: Sample) -> Played:
        """See `Cascade`. The dial is the budget: mean nano-dollars that a plan kept within on the training rows."""
        alone = self.scorers.scores(test)
        results = [self._played(plan, alone, test.outcomes) for plan in self.plans]
        return Played(self.nano_usd, np.array([cost for cost, _ in results]), np.array([right for _, right in results]))

    def _played(self, plan: Plan, alone: Floats, outcomes: Outcomes) -> tuple[float, float]:
        asks = np.ones(len(outcomes), dtype=bool)
        cost = right = 0.0
        for place, arm in enumerate(plan.arms):
            cost += float(outcomes.nano_usd[asks, arm].sum())
            returns = asks
            if place < len(plan.thresholds):
                before = plan.arms[place - 1]
                scores = self.scorers.scores_after(before, arm, alone, outcomes) if place else alone[:, arm]
                returns = asks & (scores >= plan.thresholds[place])
            right += float(outcomes.right[returns, arm].sum())
            asks = asks & ~returns
        return cost / len(outcomes), right / len(outcomes)


@dataclass(frozen=True, slots=True)
class Frugal:
    """The method."""

    name: str = "frugal-gpt"

    def fit(self, train: Sample, seed: int) -> FrugalCascade:
        """See `CascadeMethod`."""
        sample = by_id(train)
        outcomes = sample.outcomes
        order = [int(arm) for arm in np.argsort(outcomes.nano_usd.mean(0), kind="stable")]
        scorers, held_out = _fit_scorers(sample, order, seed)
        tried = list(_tried(outcomes, order, scorers, held_out))
        right, cost = (
            np.concatenate([getattr(each, name).ravel() for each in tried]) for name in ("right", "nano_usd")
        )
        least, most = cost.min(), cost[right >= right.max() - 1e-12].min()
        budgets = np.unique(np.geomspace(least, most, _BUDGETS))
        starts = np.cumsum([0, *(each.right.size for each in tried)])
        plans = []
        for budget in budgets:
            best = int(np.lexsort((cost, -np.where(cost <= budget * (1 + 1e-9), right, -1.0)))[0])
            at = int(np.searchsorted(starts, best, side="right")) - 1
            plans.append(tried[at].plan(best - int(starts[at])))
        return FrugalCascade(scorers, budgets, tuple(plans))


def _fit_scorers(sample: Sample, order: list[int], seed: int) -> tuple[Scorers, Floats]:
    """The scorers, and (N, A) scores of each row by a fit that did not see it."""
    outcomes = sample.outcomes
    embedding = fit_embedding(sample.features, seed)
    dense = embedding.dense(sample.features)
    request, held_out = fit_ridge(dense, outcomes.right), held_out_ridge(dense, outcomes.right, seed)
    answers = _answer_features(outcomes)
    center, scale = _moments(answers)
    standard = _standardised(answers, center, scale)
    alone = tuple(
        fit_logistic(_inputs(held_out, standard, arm), outcomes.right[:, arm], _PENALTY)
        for arm in range(len(outcomes.arms))
    )
    scores = _scored(alone, held_out, standard)
    after = {
        (first, second): fit_logistic(
            _pair_inputs(scores[:, second], outcomes, first, second), outcomes.right[:, second], _PENALTY
        )
        for first, second in combinations(order, 2)
    }
    return Scorers(embedding, request, alone, after, center, scale), scores


def _scored(scorers: Sequence[Logistic], request: Floats, answers: Floats) -> Floats:
    """(N, A)."""
    return np.column_stack([each.logits(_inputs(request, answers, arm)) for arm, each in enumerate(scorers)])


def _inputs(request: Floats, answers: Floats, arm: int) -> Floats:
    """(N, 4) the request's part, the answer's length and its square, and how far samples agree."""
    length, agreement = answers[:, :, arm]
    return np.column_stack([request[:, arm], length, length**2, agreement])


def _answer_features(outcomes: Outcomes) -> Floats:
    """(2, N, A) the answers' lengths and how far samples agree, NaN where unknown."""
    return np.stack([np.log1p(outcomes.completion_tokens), outcomes.agreement])


def _moments(answers: Floats) -> tuple[Floats, Floats]:
    known = ~np.isnan(answers)
    count = np.maximum(known.sum(1), 1)
    center = np.where(known, answers, 0.0).sum(1) / count
    spread = np.sqrt((np.where(known, answers - center[:, None], 0.0) ** 2).sum(1) / count)
    return center, np.where(spread > 1e-9, spread, 1.0)


def _standardised(answers: Floats, center: Floats, scale: Floats) -> Floats:
    plain = np.clip((answers - center[:, None]) / scale[:, None], -3, 3)
    return np.asarray(np.where(np.isnan(plain), 0.0, plain))


def _pair_inputs(score: Floats, outcomes: Outcomes, first: int, second: int) -> Floats:
    """(N, 2) the second arm's score alone, and whether both answers are equal: 1, -1, or 0 where unknown."""
    one, other = outcomes.answers[:, first], outcomes.answers[:, second]
    is_known = (one >= 0) & (other >= 0)
    return np.column_stack([score, np.where(is_known, np.where(one == other, 1.0, -1.0), 0.0)])


@dataclass(frozen=True, slots=True)
class _Tried:
    """One list of arms on the training rows. `right`, `nano_usd`: means, an axis of levels for each of `edges`."""

    arms: tuple[int, ...]
    edges: tuple[Floats, ...]
    right: Floats
    nano_usd: Floats

    def plan(self, number: int) -> Plan:
        """Of one combination of levels, counted through in order."""
        at = np.unravel_index(number, self.right.shape) if self.edges else ()
        return Plan(self.arms, tuple(float(edges[i]) for edges, i in zip(self.edges, at, strict=True)))


def _tried(outcomes: Outcomes, order: list[int], scorers: Scorers, alone: Floats) -> Iterator[_Tried]:
    """Every list of up to three arms that rises in cost, at every combination of levels."""
    right, cost = outcomes.right, outcomes.nano_usd
    for arm in order:
        yield _Tried((arm,), (), right[:, arm].mean(keepdims=True), cost[:, arm].mean(keepdims=True))
    for first, second in combinations(order, 2):
        edges, returns = _levels(alone[:, first])
        asks = (1 - returns) / len(outcomes)  # (N, L)
        gained = (returns.T @ right[:, first] / len(outcomes))[:, None]
        paid = (cost[:, first].mean() + asks.T @ cost[:, second])[:, None]
        both = (gained + (asks.T @ right[:, second])[:, None])[:, 0]
        yield _Tried((first, second), (edges,), both, paid[:, 0])
        edges_after, returns = _levels(scorers.scores_after(first, second, alone, outcomes))
        gained = gained + asks.T @ (returns * right[:, [second]])  # (L, L)
        for third in order[order.index(second) + 1 :]:
            more = asks.T @ ((1 - returns) * right[:, [third]])
            dearer = asks.T @ ((1 - returns) * cost[:, [third]])
            yield _Tried((first, second, third), (edges, edges_after), gained + more, paid + dearer)


def _levels(scores: Floats) -> tuple[Floats, Floats]:
    """(L,) distinct quantiles of scores, and (N, L) 1 where a score reaches them."""
    edges = np.unique(np.quantile(scores, np.linspace(0, 1, _LEVELS + 2)[1:-1]))
    return edges, (scores[:, None] >= edges).astype(np.float64)
