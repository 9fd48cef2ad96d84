"""RouteLLM (Ong et al., arXiv 2406.18665): matrix factorisation and similarity-weighted ranking (section 4.2).

Both learn from comparisons and score arms; the paper compares a strong arm with a weak one and sends a request to the
strong one where its chance to win passes a threshold. Here A arms compare: in each request every two arms are
compared, and the one that is right more often wins. Scores become forecasts by what a win is worth against the
reference arm r, the one that is most often right: right_a = right_r + worth * (2 sigma(score_a - score_r) - 1). With
two arms this keeps the paper's order of requests, so that a price sweeps its threshold. Costs are not forecast by
either: an arm's cost is its mean in training.

Differences: vectors stand for OpenAI's embeddings (see `embedding`); every request compares all arms, so that models
need not be merged into tiers for lack of comparisons.

Axes: N training requests, M others, A arms, D vector, H hidden.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from pointsman.query.forecasting import Features, Forecasts, Sample
from pointsman.query.outcomes import Floats, Outcomes
from pointsman.query.rivals.embedding import Embedding, fit_embedding
from pointsman.query.rivals.shaping import by_id, forecasts_of

__all__ = ["MatrixFactorisation", "SimilarityRanking", "bradley_terry"]

Singles = NDArray[np.float32]

_HIDDEN = 128  # the released code's
_NOISE = 0.1  # likewise, added to every coordinate of a vector while training
_EPOCHS = 100  # likewise
_DECAY = 1e-5  # section 4.2
_REQUESTS_A_STEP = 128  # chosen, some 600 comparisons of 7 arms; 64 comparisons in the paper
_RATE = 1e-3  # chosen; 3e-4 in the paper, whose steps are smaller and more
_GAMMA = 10.0  # section 4.2
_CHUNK = 512  # requests at once, for memory


def _wins(outcomes: Outcomes) -> NDArray[np.bool_]:
    """(N, A, A) whether the first arm is right more often than the second."""
    return outcomes.right[:, :, None] > outcomes.right[:, None, :]


def _compared(scores: Floats, worth: Floats | float, reference: tuple[int, float]) -> Floats:
    """(M, A) right, from scores. `reference`: the arm, and how often it was right in training."""
    arm, level = reference
    return np.asarray(level + worth * (2 * expit(scores - scores[:, [arm]]) - 1))


@dataclass(frozen=True, slots=True)
class Factors:
    """Weights of s(M, q) = w2 . (v_M * (W1' v_q + b)).

    Attributes:
        projection: (D, H) W1.
        bias: (H,) b.
        arms: (A, H) v_M, of length 1 as in the released code.
        mix: (H,) w2.
        worth: (A,) share of the training requests in which an arm and the reference arm differ.
        reference: see `_compared`.
    """

    embedding: Embedding
    projection: Singles
    bias: Singles
    arms: Singles
    mix: Singles
    worth: Floats
    reference: tuple[int, float]
    nano_usd: Floats

    def forecast(self, features: Features, prompt_tokens: Floats) -> Forecasts:
        """See `Forecaster`."""
        hidden = self.embedding.vectors(features) @ self.projection + self.bias
        scores = (hidden * self.mix) @ self.arms.T
        return forecasts_of(_compared(scores, self.worth, self.reference), self.nano_usd)


@dataclass(frozen=True, slots=True)
class MatrixFactorisation:
    """Section 4.2. Comparisons without a winner are left out, as in the released code.

    The loss, the noise and Adam are the paper's. A step takes all comparisons of some requests instead of 64
    comparisons, at a rate that suits its size.
    """

    name: str = "routellm-factors"

    def fit(self, train: Sample, seed: int) -> Factors:
        """See `Method`."""
        sample = by_id(train)
        outcomes, reference = sample.outcomes, sample.outcomes.strongest
        embedding = fit_embedding(sample.features, seed)
        wins = _wins(outcomes)
        weights = _descend(embedding.vectors(sample.features).astype(np.float32), wins, seed)
        differs = (wins | wins.transpose(0, 2, 1)).mean(0)[reference]
        level = float(outcomes.right[:, reference].mean())
        return Factors(embedding, *weights, differs, (reference, level), outcomes.nano_usd.mean(0))


def _descend(vectors: Singles, wins: NDArray[np.bool_], seed: int) -> tuple[Singles, Singles, Singles, Singles]:
    """Adam (Kingma and Ba, 2015) on the mean loss of comparisons: -log sigma(s(winner, q) - s(loser, q))."""
    rng = np.random.default_rng(seed)
    width, num_arms = vectors.shape[1], wins.shape[1]
    shapes = ((width, _HIDDEN), (_HIDDEN,), (num_arms, _HIDDEN), (_HIDDEN,))
    spread = (1 / np.sqrt(width), 0.0, 1.0, 1 / np.sqrt(_HIDDEN))
    weights = [(s * rng.standard_normal(shape)).astype(np.float32) for s, shape in zip(spread, shapes, strict=True)]
    first, second = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights]
    decided = np.flatnonzero(wins.any((1, 2)))
    step = 0
    for _ in range(_EPOCHS):
        order = rng.permutation(decided)
        for start in range(0, len(order), _REQUESTS_A_STEP):
            rows = order[start : start + _REQUESTS_A_STEP]
            noise = rng.standard_normal((len(rows), width), dtype=np.float32) * np.float32(_NOISE)
            step += 1
            for i, slope in enumerate(_slopes(weights, vectors[rows] + noise, wins[rows])):
                slope += _DECAY * weights[i]
                first[i] += 0.1 * (slope - first[i])
                second[i] += 0.001 * (slope**2 - second[i])
                change = first[i] / (1 - 0.9**step) / (np.sqrt(second[i] / (1 - 0.999**step)) + 1e-8)
                weights[i] -= np.float32(_RATE) * change.astype(np.float32)
    projection, bias, arms, mix = weights
    return projection, bias, arms / np.linalg.norm(arms, axis=1, keepdims=True), mix


def _slopes(weights: list[Singles], vectors: Singles, wins: NDArray[np.bool_]) -> list[Singles]:
    """Derivatives of the mean loss of the comparisons of some requests. `vectors`: (B, D), `wins`: (B, A, A)."""
    projection, bias, arms, mix = weights
    lengths = np.linalg.norm(arms, axis=1, keepdims=True)
    normed = arms / lengths
    hidden = vectors @ projection + bias  # (B, H)
    scores = (hidden * mix) @ normed.T  # (B, A)
    pull = np.where(wins, expit(scores[:, None, :] - scores[:, :, None]), np.float32(0)) / np.float32(wins.sum())
    by_score = pull.sum(1) - pull.sum(2)  # (B, A): up for each loser, down for each winner
    by_product = by_score @ normed  # (B, H)
    by_hidden = by_product * mix
    by_normed = by_score.T @ (hidden * mix)
    along = (by_normed * normed).sum(1, keepdims=True)
    slopes = [vectors.T @ by_hidden, by_hidden.sum(0), (by_normed - along * normed) / lengths]
    return [*slopes, (by_product * hidden).sum(0)]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Training requests and their comparisons.

    Attributes:
        vectors: (N, D).
        wins: (N, A * A) 1 where the first arm wins, a half for each where neither does, 0 on the diagonal.
    """

    embedding: Embedding
    vectors: Floats
    wins: Floats
    reference: tuple[int, float]
    nano_usd: Floats

    def forecast(self, features: Features, prompt_tokens: Floats) -> Forecasts:
        """See `Forecaster`."""
        vectors = self.embedding.vectors(features)
        parts = range(0, len(vectors), _CHUNK)
        scores = [bradley_terry(self._weighted_wins(vectors[start : start + _CHUNK])) for start in parts]
        found = np.concatenate(scores) if scores else np.zeros((0, len(self.nano_usd)))
        return forecasts_of(_compared(found, 1.0, self.reference), self.nano_usd)

    def _weighted_wins(self, vectors: Floats) -> Floats:
        """(M, A, A) wins, each counting gamma to the power of 1 + similarity, over the mean of these weights.

        Similarity is the cosine over the largest cosine to any training request (section 4.2).
        """
        cosines = vectors @ self.vectors.T  # (M, N)
        largest = cosines.max(1, keepdims=True)
        weights = _GAMMA ** (1 + np.where(largest > 0, cosines / np.where(largest > 0, largest, 1.0), 0.0))
        num_arms = len(self.nano_usd)
        return np.asarray((weights / weights.mean(1, keepdims=True)) @ self.wins).reshape(-1, num_arms, num_arms)


@dataclass(frozen=True, slots=True)
class SimilarityRanking:
    """Section 4.2: for each request a Bradley-Terry model, in which comparisons on similar requests count more.

    A comparison without a winner is half a win for either arm, as in the released code.
    """

    name: str = "routellm-ranking"

    def fit(self, train: Sample, seed: int) -> Ranking:
        """See `Method`."""
        sample = by_id(train)
        outcomes, reference = sample.outcomes, sample.outcomes.strongest
        embedding = fit_embedding(sample.features, seed)
        wins = _wins(outcomes)
        halves = 0.5 * (~wins & ~wins.transpose(0, 2, 1)) * (1 - np.eye(wins.shape[1]))
        level = float(outcomes.right[:, reference].mean())
        table = (wins + halves).reshape(len(outcomes), -1)
        return Ranking(
            embedding, embedding.vectors(sample.features), table, (reference, level), outcomes.nano_usd.mean(0)
        )


def bradley_terry(wins: Floats, steps: int = 30) -> Floats:
    """(M, A) scores, of mean 0, that make (M, A, A) weighted wins likeliest; M models are fitted at once.

    One more win of each arm over each other is added, so that scores are finite where an arm always wins.
    """
    num_arms = wins.shape[1]
    won = wins + (1 - np.eye(num_arms))
    games = won + won.transpose(0, 2, 1)
    scores = np.zeros(wins.shape[:2])
    for _ in range(steps):
        chances = expit(scores[:, :, None] - scores[:, None, :])
        gradient = (won - games * chances).sum(2)
        between = games * chances * (1 - chances)
        curvature = -between + 1 / num_arms  # scores may all rise together; the mean is held at 0
        at = np.arange(num_arms)
        curvature[:, at, at] += between.sum(2)
        change = np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0]
        scores = scores + np.clip(change, -1, 1)
        if np.abs(change).max(initial=0.0) < 1e-9:
            break
    return np.asarray(scores - scores.mean(1, keepdims=True))
