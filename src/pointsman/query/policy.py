"""The policy behind `auto`: from a request and what its client wants to an arm, with the reason.

It forecasts every arm once and takes one, in one of three ways:

- `quality`: the share of the reference arm's right answers to keep. The certificate's setting, where it promises as
  much; else the reference arm, and the reason says so. This is also what happens when a client wants nothing.
- `max_cost`: the arm most likely right among those that are forecast to cost no more.
- `price`: what a right answer is worth; the arm of most worth less cost.

Costs are of one kind, nano-dollars or bytes moved, which the forecaster has learned; `kind` says which.

Unknown is not yes: without a certificate, or where a request is unlike what was calibrated, the reference arm answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from pointsman.core import BadRequest, OverBudget
from pointsman.query.certifying import Promise, Setting, choose
from pointsman.query.difficulty.serving import Server
from pointsman.query.forecasting import Forecasts
from pointsman.query.frontier import best_of
from pointsman.query.outcomes import Floats

__all__ = ["Certificate", "Choice", "Kind", "Policy", "Quote", "Reason", "Wish"]

Kind = Literal["nano_usd", "moved_bytes"]
Reason = Literal[
    "certified",
    "reference_without_certificate",
    "reference_above_certificate",
    "reference_for_novel_request",
    "within_max_cost",
    "worth_its_price",
]

POLICY_VERSION: Final = "joint/1"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client wants of an answer; at most one is given.

    Attributes:
        quality: share of the reference arm's right answers to keep, above 0 and up to 1.
        max_cost: most that the answer may be forecast to cost, in the policy's kind.
        price: what a right answer is worth, in the policy's kind.
    """

    quality: float | None = None
    max_cost: float | None = None
    price: float | None = None

    def __post_init__(self) -> None:
        given = [name for name in ("quality", "max_cost", "price") if getattr(self, name) is not None]
        if len(given) > 1:
            raise BadRequest(f"{' and '.join(given)} are given; expected one of them", code="invalid_parameter")
        if self.quality is not None and not 0 < self.quality <= 1:
            raise BadRequest(f"quality is {self.quality!r}; expected a share up to 1", code="invalid_parameter")
        for name in given:
            if not getattr(self, name) > 0 or getattr(self, name) == float("inf"):
                raise BadRequest(f"{name} is {getattr(self, name)!r}; expected more than 0", code="invalid_parameter")


@dataclass(frozen=True, slots=True)
class Certificate:
    """What was promised, of which arms, from which data.

    Attributes:
        promise: what is kept, with which confidence.
        setting: of both dials.
        most_novel: requests above this go to the reference arm.
        usual_novelty: that the mean of requests like the calibration rows does not exceed, see `shift.py`.
        num_rows: of calibration.
        saving: share of the reference arm's cost on them.
        arms: that it was made for, in order; another set of arms needs another certificate.
        data: sha256 of the calibration outcomes.
    """

    promise: Promise
    setting: Setting
    most_novel: float
    usual_novelty: float
    num_rows: int
    saving: float
    arms: tuple[str, ...]
    data: str


@dataclass(frozen=True, slots=True)
class Quote:
    """What is expected of one arm: `right`, from 0 to 1, and `cost` in the policy's kind."""

    arm: str
    right: float
    cost: float


@dataclass(frozen=True, slots=True)
class Choice:
    """The arm taken, why, and all that it was chosen from."""

    arm: str
    reason: Reason
    quotes: tuple[Quote, ...]
    novelty: float


@dataclass(frozen=True, slots=True)
class Policy:
    """Arms, a fitted forecaster of them, and perhaps a certificate.

    Attributes:
        arms: names, as the forecaster has learned them.
        reference: that savings and losses are counted against.
        kind: of costs.
        server: forecasts one request.
        certificate: None until `pointsman calibrate query`, and where it was dropped.
        version: of everything that decides; a digest.
    """

    arms: tuple[str, ...]
    reference: str
    kind: Kind
    server: Server
    certificate: Certificate | None
    version: str

    def __post_init__(self) -> None:
        if self.certificate is not None and self.certificate.arms != self.arms:
            problem = (
                f"the certificate is for {', '.join(self.certificate.arms)}; the policy has {', '.join(self.arms)}"
            )
            raise BadRequest(f"{problem}; calibrate again", code="other_certificate")
        if self.reference not in self.arms:
            problem = f"the reference arm {self.reference!r} is none of {', '.join(self.arms)}"
            raise BadRequest(problem, code="unknown_arm")

    def decide(self, text: str, prompt_tokens: Floats, wish: Wish, available: Sequence[str] | None = None) -> Choice:
        """The arm for one request. `prompt_tokens`: (A,) counted of each arm's prompt; `available`: arms that run now.

        Raises:
            BadRequest: `reference_unavailable` where the reference arm does not run.
            OverBudget: `max_cost_too_low` where every arm is forecast to cost more; says the least.
        """
        forecasts = self.server.forecast(text, prompt_tokens)
        runs = np.array([available is None or name in available for name in self.arms])
        if not runs[self.arms.index(self.reference)]:
            raise BadRequest(f"the reference arm {self.reference!r} does not run", code="reference_unavailable")
        quotes = tuple(
            Quote(name, float(np.clip(forecasts.right[0, i], 0, 1)), float(forecasts.nano_usd[0, i]))
            for i, name in enumerate(self.arms)
        )
        arm, reason = self._taken(_without(forecasts, runs), wish)
        return Choice(self.arms[arm], reason, quotes, float(forecasts.novelty[0]))

    def _taken(self, forecasts: Forecasts, wish: Wish) -> tuple[int, Reason]:
        right, cost = forecasts.right[0], forecasts.nano_usd[0]
        if wish.max_cost is not None:
            if cost.min() > wish.max_cost:
                problem = f"no arm is forecast to cost {wish.max_cost:g} {self.kind} or less; the least is"
                raise OverBudget(f"{problem} {cost.min():.6g}", code="max_cost_too_low")
            return _best(np.where(cost <= wish.max_cost, right, -np.inf), cost), "within_max_cost"
        if wish.price is not None:
            return _best(right * wish.price - cost, cost), "worth_its_price"
        return self._certified(forecasts, wish.quality)

    def _certified(self, forecasts: Forecasts, quality: float | None) -> tuple[int, Reason]:
        reference, certificate = self.arms.index(self.reference), self.certificate
        if certificate is None:
            return reference, "reference_without_certificate"
        if quality is not None and not certificate.promise.keeps(quality):
            return reference, "reference_above_certificate"
        if forecasts.novelty[0] > certificate.most_novel:
            return reference, "reference_for_novel_request"
        return int(choose(forecasts, reference, certificate.setting)[0]), "certified"


def _best(value: Floats, cost: Floats) -> int:
    return int(best_of(value[None, :], cost[None, :])[0])


def _without(forecasts: Forecasts, runs: np.ndarray) -> Forecasts:
    """With arms that do not run so dear and so wrong that they are never taken."""
    right = np.where(runs, forecasts.right, -1e9)
    cost = np.where(runs, forecasts.nano_usd, np.inf)
    return Forecasts(right, np.where(np.isfinite(cost), cost, 1e30), forecasts.novelty)
