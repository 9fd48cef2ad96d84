"""What stands for the sentence encoders of the published routers, computed from the training rows.

Vectors: the request's embedding where features have one (`Features.extra`), centred; else latent semantic analysis, the
`_DIMS` main directions of the hashed n-grams weighted by rarity (tf-idf). Either has length 1. The published routers
use encoders of 22 million to 8 billion parameters; LLMRouterBench (arXiv 2601.07206) finds little difference between
them, but on kinds of requests that are new, n-grams carry over less than an encoder does.

Axes: N requests, F hashed n-grams, V of them kept, D directions, S surface features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags
from sklearn.utils.extmath import randomized_svd

from pointsman.query.forecasting import Features
from pointsman.query.outcomes import Floats

__all__ = ["Embedding", "fit_embedding", "unit"]

_DIMS = 128  # chosen; 64 close up to 6 points less of the gap, 256 about as much
_MAX_SHARE = 0.25  # an n-gram in more of the rows weighs little and costs most of the time; chosen
_CLIP = 3.0  # standard deviations of a surface feature; chosen
_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Embedding:
    """What was learned of N training requests.

    Attributes:
        buckets: (V,) n-grams that are kept, rising.
        rarity: (V,) 1 + log((1 + N) / (1 + rows with the n-gram)).
        directions: (V, D).
        center: (S,) means of the surface features; `scale`: (S,) their deviations.
        extra_center: (X,) mean of the extra features, X is 0 where there are none.
    """

    buckets: NDArray[np.int64]
    rarity: NDArray[np.float32]
    directions: NDArray[np.float32]
    center: Floats
    scale: Floats
    extra_center: NDArray[np.float32]

    def tfidf(self, features: Features) -> csr_matrix:
        """(N, V) rows of length 1, or 0 where no n-gram is known."""
        return _weighted(features.ngrams[:, self.buckets], self.rarity)

    def vectors(self, features: Features) -> Floats:
        """(N, D) or (N, X), rows of length 1, or 0 where nothing is known of a request."""
        if len(self.extra_center):
            return unit(features.extra.astype(np.float64) - self.extra_center)
        return unit(np.asarray(self.tfidf(features) @ self.directions, dtype=np.float64))

    def surface(self, features: Features) -> Floats:
        """(N, S) standardised and clipped, rows of a length of about 1."""
        plain = np.clip((features.surface - self.center) / self.scale, -_CLIP, _CLIP)
        return np.asarray(plain / np.sqrt(max(plain.shape[1], 1)))

    def dense(self, features: Features) -> Floats:
        """(N, D + S) vectors and surface, for regressions."""
        return np.hstack([self.vectors(features), self.surface(features)])


def fit_embedding(features: Features, seed: int) -> Embedding:
    """Of N training requests, in an order that does not matter to the caller (see `by_id`)."""
    num_rows = len(features)
    seen = np.bincount(features.ngrams.indices, minlength=features.ngrams.shape[1])
    buckets = np.flatnonzero((seen > 0) & (seen <= _MAX_SHARE * num_rows))
    rarity = (1 + np.log((1 + num_rows) / (1 + seen[buckets]))).astype(np.float32)
    scale = features.surface.std(0)
    has_extra = features.extra.shape[1] > 0
    return Embedding(
        buckets=buckets.astype(np.int64),
        rarity=rarity,
        directions=_directions(_weighted(features.ngrams[:, buckets], rarity), 1 if has_extra else _DIMS, seed),
        center=features.surface.mean(0),
        scale=np.where(scale > _TINY, scale, 1.0),
        extra_center=features.extra.mean(0) if has_extra else np.zeros(0, dtype=np.float32),
    )


def unit(rows: Floats) -> Floats:
    """Rows scaled to length 1; zeros stay."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), _TINY))


def _directions(weighted: csr_matrix, dims: int, seed: int) -> NDArray[np.float32]:
    """(V, D) the main ones by a randomised decomposition (Halko, Martinsson and Tropp, 2011)."""
    most = min(weighted.shape) - 1
    if most < 1:
        return np.zeros((weighted.shape[1], 1), dtype=np.float32)
    _, _, found = randomized_svd(weighted, min(dims, most), n_iter=2, random_state=seed)
    return np.ascontiguousarray(found.T, dtype=np.float32)


def _weighted(counts: csr_matrix, rarity: NDArray[np.float32]) -> csr_matrix:
    weighted = (counts @ diags(rarity)).tocsr()
    lengths = np.sqrt(np.asarray(weighted.multiply(weighted).sum(1))).ravel()
    return (diags(1 / np.maximum(lengths, _TINY)) @ weighted).tocsr()
