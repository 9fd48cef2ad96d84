"""The cheapest setting of the policy that may be promised to lose little against the reference arm.

Two dials: the price of a nano-dollar in right answers, and the caution with which the policy leaves the reference arm.
A request is answered by the arm of most `right - price * cost - caution * disagreement`, where the disagreement is the
forecast chance that exactly one of the arm and the reference is right. It is what makes a loss hard to bound: settings
that save the same differ most in it.

Learn then test (Angelopoulos et al., arXiv 2110.01052), Pareto testing (Laufer-Goldshtein et al., arXiv 2210.07913):
on forecasts of held-out training rows the settings are ordered by how surely they would pass; on the calibration rows
they are tested in that order by the betting bound on paired losses, until one fails. The cheapest that passed is taken.

Covered: requests drawn like the calibration rows, all settings that were looked at. Not covered: other traffic. Under a
shift of tasks the promise is worth nothing by itself (query-numbers: broken in 43 to 93 % of resplits); see `fallback`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointsman.core import BadRequest
from pointsman.core.risk import mean_is_below
from pointsman.query.forecasting import Forecasts
from pointsman.query.frontier import best_of, prices_of
from pointsman.query.outcomes import Floats, Ints, Outcomes

__all__ = ["Certified", "Promise", "Setting", "certify", "choose", "losses_of"]

_CAUTIONS = (0.0, 0.03, 0.1, 0.2, 0.4)
_PRICES = 40
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
class Setting:
    """Both dials. `price` infinite and `caution` 0 is the cheapest arm always."""

    price: float
    caution: float


@dataclass(frozen=True, slots=True)
class Certified:
    """A setting that passed, or none: then everything goes to the reference arm.

    Attributes:
        setting: None where nothing that saves passed.
        num_tested: settings, in the order that was fixed before.
        num_passed: of them.
        nano_usd: mean of the calibration rows under the setting; `reference_nano_usd` under the reference arm.
        loss: mean of the calibration rows, against what is kept; what is promised is the bound, not this.
    """

    setting: Setting | None
    num_tested: int
    num_passed: int
    nano_usd: float
    reference_nano_usd: float
    loss: float

    @property
    def saving(self) -> float:
        """Share of the reference arm's cost, on the calibration rows."""
        return 1 - self.nano_usd / self.reference_nano_usd


def choose(forecasts: Forecasts, reference: int, setting: Setting | None, most_novel: float = 1.0) -> Ints:
    """(N,) arms. Requests above `most_novel` go to the reference arm, as all do without a setting."""
    if setting is None:
        return np.full(len(forecasts.right), reference, dtype=np.int64)
    right = np.minimum(np.maximum(forecasts.right, 0), 1)
    at = right[:, [reference]]
    value = forecasts.right - setting.caution * (right * (1 - at) + at * (1 - right))
    value[:, reference] = forecasts.right[:, reference]
    if math.isinf(setting.price):
        chosen = forecasts.nano_usd.argmin(axis=1)
    else:
        chosen = best_of(value - setting.price * forecasts.nano_usd, forecasts.nano_usd)
    return np.where(forecasts.novelty > most_novel, reference, chosen).astype(np.int64)


def losses_of(outcomes: Outcomes, reference: int, arms: Ints, kept: float = 1.0) -> Floats:
    """(N,) from -1 to `kept`: how much more right that share of the reference arm was than the arm taken."""
    return np.asarray(kept * outcomes.right[:, reference] - outcomes.right[np.arange(len(arms)), arms])


def certify(
    held_out: tuple[Forecasts, Outcomes],
    calibration: tuple[Forecasts, Outcomes],
    reference: int,
    promise: Promise,
    most_novel: float = 1.0,
) -> Certified:
    """The cheapest setting that passes. `held_out`: training rows and forecasts of them by what had not seen them.

    Raises:
        BadRequest: `too_few_rows` where no setting could pass, however good; says how many are needed.
    """
    forecasts, outcomes = calibration
    if len(outcomes) < promise.fewest_rows:
        problem = f"{len(outcomes)} calibration rows cannot promise to lose at most {promise.slack:g} with confidence"
        needed = f"{promise.confidence:g}; expected {promise.fewest_rows} or more, and some times that to save much"
        raise BadRequest(f"{problem} {needed}", code="too_few_rows")
    ordered = _ordered(*held_out, reference, promise, len(outcomes), most_novel)
    rows = np.arange(len(outcomes))
    billed = float(outcomes.nano_usd[:, reference].mean())
    best: tuple[float, Setting, float] | None = None
    num_passed = 0
    for setting in ordered:
        arms = choose(forecasts, reference, setting, most_novel)
        losses = losses_of(outcomes, reference, arms, promise.kept)
        if not mean_is_below(promise.loss, losses.tolist(), (-1.0, promise.kept), promise.confidence):
            break
        num_passed += 1
        cost = float(outcomes.nano_usd[rows, arms].mean())
        if cost < (best[0] if best else billed):
            best = cost, setting, float(losses.mean())
    cost, chosen, loss = best if best else (billed, None, 0.0)
    return Certified(chosen, min(num_passed + 1, len(ordered)), num_passed, cost, billed, loss)


def _ordered(
    forecasts: Forecasts, outcomes: Outcomes, reference: int, promise: Promise, num_rows: int, most_novel: float
) -> list[Setting]:
    """By how surely each would pass on `num_rows` rows; those that save less and pass less surely are left out."""
    found = []
    rows = np.arange(len(outcomes))
    for setting in _grid(forecasts):
        arms = choose(forecasts, reference, setting, most_novel)
        losses = losses_of(outcomes, reference, arms, promise.kept)
        spread = max(float(losses.std()), 1e-6)
        sureness = (promise.loss - float(losses.mean())) * math.sqrt(num_rows) / spread
        cost = float(outcomes.nano_usd[rows, arms].mean())
        found.append((sureness, cost, setting))
    front: list[tuple[float, Setting]] = []
    cheapest = math.inf
    for sureness, cost, setting in sorted(found, key=lambda each: (-each[0], each[1])):
        if cost < cheapest:  # what is dearer and less sure is never worth a test
            cheapest = cost
            front.append((sureness, setting))
    return [setting for sureness, setting in front if sureness > -_NORMAL_95]


def _grid(forecasts: Forecasts) -> list[Setting]:
    prices: NDArray[np.float64] = prices_of(forecasts, _PRICES)
    return [Setting(float(price), caution) for caution in _CAUTIONS for price in prices if not math.isinf(price)]
