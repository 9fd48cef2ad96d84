"""Methods that look at an answer before they decide whether to buy another.

They have no forecasts to compare: what they give is played out on rows whose outcomes are known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pointsman.query.forecasting import Sample
from pointsman.query.outcomes import Floats

__all__ = ["Cascade", "CascadeMethod", "Played"]


@dataclass(frozen=True, slots=True)
class Played:
    """What a cascade gave, at D settings of its dial.

    Attributes:
        dial: (D,) the settings, rising; what they mean is the cascade's own.
        nano_usd: (D,) mean over the test rows of what was billed, for every arm that was called.
        right: (D,) mean over the test rows of what the returned answers are worth.
    """

    dial: Floats
    nano_usd: Floats
    right: Floats


class Cascade(Protocol):
    """A cascade that has been fitted."""

    def play(self, test: Sample) -> Played:
        """Decides by answers and what is known of them, never by whether they are right. Mutates nothing."""


class CascadeMethod(Protocol):
    """A way to learn a cascade from outcomes."""

    @property
    def name(self) -> str:
        """By which benchmarks call it."""

    def fit(self, train: Sample, seed: int) -> Cascade:
        """Learns from `train` alone. Deterministic for one seed and numpy version."""
