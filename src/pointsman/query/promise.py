"""What is promised, and in which order things are tested that might keep it.

Learn then test with a fixed sequence: each test may err as often as is promised, as long as the first that fails ends
them. So what would pass most surely comes first, by rows that are not those of the test.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pointsman.core import BadRequest
from pointsman.query.outcomes import Floats

__all__ = ["Promise", "Tried", "surest_first"]

T = TypeVar("T")

_NORMAL_95 = 1.645


@dataclass(frozen=True, slots=True)
class Promise:
    """What is promised, with this confidence: share right >= `kept` * the reference arm's share right - `loss`.

    `Promise()` allows a point; `Promise.of_quality(0.99)` keeps 99 % of what the reference arm gets right.
    """

    loss: float = 0.01
    confidence: float = 0.95
    kept: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.loss < 1 or not 0.5 <= self.confidence < 1 or not 0 < self.kept <= 1 or self.slack <= 0:
            problem = f"a loss of {self.loss!r}, {self.kept!r} of the quality, with confidence {self.confidence!r}"
            expected = "expected a loss from 0, a share of up to 1, some slack, and a confidence from 0.5 to below 1"
            raise BadRequest(f"{problem} cannot be promised; {expected}", code="bad_promise")

    @classmethod
    def of_quality(cls, quality: float, confidence: float = 0.95) -> Promise:
        """Of a share of the reference arm's quality."""
        return cls(0.0, confidence, quality)

    @property
    def slack(self) -> float:
        """What may be lost of a reference arm that is always right."""
        return self.loss + 1 - self.kept

    def keeps(self, quality: float) -> bool:
        """Whether that share of the reference arm's right answers is promised.

        A loss in points promises none: it is all of what a reference arm gets right that is seldom right.
        """
        return self.loss == 0 and quality <= self.kept

    @property
    def fewest_rows(self) -> int:
        """With which a setting that loses nothing can pass: no bound says more of fewer."""
        return math.ceil(math.log(1 - self.confidence) / math.log1p(-self.slack / (1 + self.slack)))


@dataclass(frozen=True, slots=True)
class Tried(Generic[T]):
    """Something that may be certified, on rows that are not those of the test.

    Attributes:
        what: it.
        losses: (N,) on these rows.
        doubt: forecast share of requests on which it and the reference arm come out differently.
        cost: mean.
    """

    what: T
    losses: Floats
    doubt: float
    cost: float

    def sureness(self, promise: Promise, num_rows: int) -> float:
        """How surely it would pass on so many rows, in standard deviations.

        These are of what came and of what was forecast, half each: of settings that lost nothing here all would be as
        sure, and the cheapest be tested first, though it leaves the reference arm most often.
        """
        variance = (float(self.losses.var()) + self.doubt) / 2
        return (promise.loss - float(self.losses.mean())) * math.sqrt(num_rows / max(variance, 1e-9))


def surest_first(tried: Iterable[Tried[T]], promise: Promise, num_rows: int) -> list[T]:
    """In the order in which they are tested. Those that cost more and pass less surely than another are left out."""
    front: list[T] = []
    cheapest = math.inf
    ranked = [(one.sureness(promise, num_rows), one) for one in tried]
    for sureness, one in sorted(ranked, key=lambda each: (-each[0], each[1].cost)):
        if one.cost < cheapest and sureness > -_NORMAL_95:  # what is dearer and less sure is never worth a test
            cheapest = one.cost
            front.append(one.what)
    return front
