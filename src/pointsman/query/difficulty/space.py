"""The coordinates that learners see: the texts' main directions, standardised surface features, and waves of those.

Texts: counts are weighted by rarity (tf-idf) and projected to the `_TEXT_DIMS` main directions of the training texts
(latent semantic analysis). Waves: random Fourier features (Rahimi and Recht, 2007) of the surface, so that a linear
learner can follow "neither short nor long". 128 directions give what 300 gave on four outcome tables.

Axes: N requests, V n-grams that occur in training, K text directions, S surface features, R waves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags
from sklearn.utils.extmath import randomized_svd

from pointsman.query.forecasting import Features
from pointsman.query.outcomes import Floats

__all__ = ["SURFACE_SHARE", "Points", "Space", "fit_space", "unit"]

_TEXT_DIMS = 128
_WAVES = 200
_WAVELENGTH = 1.0  # exp(-|a - b|^2 / 2 * this) of surfaces of length about 1; chosen, 0.5 to 2 differ little
_CLIP = 3.0
SURFACE_SHARE = 0.7
"""Of the surface beside the texts, in similarities."""

Singles = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Points:
    """Requests in a space: `text` (N, K + X), `surface` (N, S) and `waves` (N, R), float64."""

    text: Floats
    surface: Floats
    waves: Floats

    def rows(self, index: NDArray[np.bool_]) -> Points:
        """Some of the requests."""
        return Points(self.text[index], self.surface[index], self.waves[index])

    @property
    def mixed(self) -> Floats:
        """Everything, in proportions that were chosen: (N, K + X + R + S)."""
        return np.hstack([self.text, 0.7 * self.waves, 0.5 * self.surface])

    @property
    def directions(self) -> Floats:
        """(N, K + X + S) of length 1, for similarities."""
        return unit(np.hstack([unit(self.text), SURFACE_SHARE * unit(self.surface)]))


@dataclass(frozen=True, slots=True)
class Space:
    """How features become points. Arrays only, so that it can be stored.

    Attributes:
        buckets: (V,) rising.
        projection: (V, K) float32, with the weights of rarity in it.
        center: (S + X,) mean of surface and extra features; `scale` likewise.
        frequencies: (S, R); phases: (R,).
    """

    buckets: NDArray[np.int64]
    rarity: Singles
    projection: Singles
    center: Floats
    scale: Floats
    frequencies: Floats
    phases: Floats

    @property
    def num_extra(self) -> int:
        """X."""
        return len(self.center) - len(self.frequencies)

    def points(self, features: Features) -> Points:
        """Of N requests."""
        weighted = _normalised(features.ngrams[:, self.buckets], self.rarity)
        text = np.asarray(weighted @ self.projection, dtype=np.float64)
        surface, extra = self.standardised(np.hstack([features.surface, features.extra]), features.surface.shape[1])
        waves = np.sqrt(2 / len(self.phases)) * np.cos(surface @ self.frequencies + self.phases)
        return Points(np.hstack([text, extra]), surface, waves)

    def standardised(self, plain: Floats, num_surface: int) -> tuple[Floats, Floats]:
        """(..., S) and (..., X) of plain features (..., S + X), S of them surface."""
        plain = np.minimum(np.maximum((plain - self.center) / self.scale, -_CLIP), _CLIP)
        surface, extra = plain[..., :num_surface], plain[..., num_surface:]
        return surface / np.sqrt(num_surface), extra / np.sqrt(max(extra.shape[-1], 1))


def fit_space(features: Features, seed: int) -> Space:
    """The space of N training requests."""
    rng = np.random.default_rng(seed)
    seen = np.diff(features.ngrams.tocsc().indptr)
    buckets = np.flatnonzero(seen)
    rarity = (1 + np.log((1 + len(features)) / (1 + seen[buckets]))).astype(np.float32)
    weighted = _normalised(features.ngrams[:, buckets], rarity)
    dims = max(min(_TEXT_DIMS, min(weighted.shape) - 1), 1)
    svd_seed = int(rng.integers(2**31))
    if len(buckets):
        _, _, directions = randomized_svd(weighted, dims, n_iter=2, random_state=svd_seed)
    else:  # a table that keeps no texts
        directions = np.zeros((dims, 0))
    plain = np.hstack([features.surface, features.extra])
    scale = plain.std(0)
    num_surface = features.surface.shape[1]
    return Space(
        buckets=buckets.astype(np.int64),
        rarity=rarity,
        projection=np.ascontiguousarray(directions.T, dtype=np.float32),
        center=plain.mean(0),
        scale=np.where(scale > 1e-9, scale, 1.0),
        frequencies=rng.normal(size=(num_surface, _WAVES)) * np.sqrt(_WAVELENGTH),
        phases=rng.uniform(0, 2 * np.pi, _WAVES),
    )


def _normalised(counts: csr_matrix, rarity: Singles) -> csr_matrix:
    weighted = (counts @ diags(rarity)).tocsr()
    lengths = np.sqrt(np.asarray(weighted.multiply(weighted).sum(1))).ravel()
    return diags(1 / np.maximum(lengths, 1e-9)) @ weighted


def unit(rows: Floats) -> Floats:
    """Rows of length 1, or 0."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9))
