"""What every estimator and every rival has in common: fitted to outcomes, it forecasts them for other requests.

Axes: N requests, A arms, F hashed n-grams, S surface features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from pointsman.query.outcomes import Floats, Ints, Outcomes

__all__ = ["Features", "Forecaster", "Forecasts", "Method", "Sample"]


@dataclass(frozen=True, slots=True)
class Features:
    """What is computed of requests, once.

    Attributes:
        ngrams: (N, F) how often each hashed word, pair of words and run of letters occurs, float32.
        surface: (N, S) lengths, shares and counts that need no vocabulary.
        extra: (N, X) a model's hidden state or a sentence embedding; X is 0 where there is none.
    """

    ngrams: csr_matrix
    surface: Floats
    extra: NDArray[np.float32]

    def __len__(self) -> int:
        return int(self.surface.shape[0])

    def rows(self, index: Ints | Sequence[int]) -> Features:
        """Of some of the requests, in the order of `index`."""
        at = np.asarray(index, dtype=np.int64)
        return Features(self.ngrams[at], self.surface[at], self.extra[at])


@dataclass(frozen=True, slots=True)
class Sample:
    """Outcomes with the features of their requests."""

    outcomes: Outcomes
    features: Features

    def __len__(self) -> int:
        return len(self.outcomes)

    def rows(self, index: Ints | Sequence[int]) -> Sample:
        """Some of the requests, in the order of `index`."""
        return Sample(self.outcomes.rows(index), self.features.rows(index))

    def columns(self, index: Sequence[int]) -> Sample:
        """Some of the arms."""
        return Sample(self.outcomes.columns(index), self.features)


@dataclass(frozen=True, slots=True)
class Forecasts:
    """Before any arm has answered.

    Attributes:
        right: (N, A) chance that the arm is right. Not clipped to 0 to 1: differences between arms are what choices
            are made of, and clipping changes them.
        nano_usd: (N, A) expected cost, above 0.
        novelty: (N,) from 0 (like what was learned from) to 1 (unlike), zeros where a method does not tell.
    """

    right: Floats
    nano_usd: Floats
    novelty: Floats

    def rows(self, index: Ints | Sequence[int]) -> Forecasts:
        """Of some of the requests, in the order of `index`."""
        at = np.asarray(index, dtype=np.int64)
        return Forecasts(self.right[at], self.nano_usd[at], self.novelty[at])

    def columns(self, index: Sequence[int]) -> Forecasts:
        """Of some of the arms."""
        return Forecasts(self.right[:, list(index)], self.nano_usd[:, list(index)], self.novelty)


class Forecaster(Protocol):
    """A method that has been fitted."""

    def forecast(self, features: Features, prompt_tokens: Floats) -> Forecasts:
        """Of N requests. `prompt_tokens`: (N, A) as counted before a call, NaN where unknown. Mutates nothing."""


class Method(Protocol):
    """A way to learn forecasts from outcomes."""

    @property
    def name(self) -> str:
        """By which benchmarks call it."""

    def fit(self, train: Sample, seed: int) -> Forecaster:
        """Learns from `train` alone. Deterministic for one seed and numpy version."""
