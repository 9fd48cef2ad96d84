"""The policy behind `auto`: from a request and what its client wants to an arm, with the reason.

It forecasts every arm once and takes one, in one of three ways:

- `quality`: the share of the reference arm's right answers to keep. The certificate's setting, where it promises as
  much; else the reference arm, and the reason says so. This is also what happens when a client wants nothing.
- `max_cost`: the arm most likely right among those that are forecast to cost no more.
- `price`: what a right answer is worth; the arm of most worth less cost.

A policy with sequences may take a look first (`sequences.py`): one arm or two are called, and whether their answers
agree decides who answers. Under a certificate it does so where the certificate was made with looks; `max_cost` holds
for all that is called at worst.

Costs are of one kind, nano-dollars or bytes moved, which the forecaster has learned; `kind` says which.

An arm may cost less for one request than for others like it, where its model has read the conversation before
(`discounts`). `max_cost` and `price` take every arm at its discounted cost. A certificate was tested on costs without
discounts, so its setting decides by these. If what it takes was to save, and the discounts leave nothing of that, the
reference arm answers in its place, and no other arm ever does for its discount.

Covered: a request that goes to the reference arm like that loses nothing, whatever the discounts are, since the
reference arm has all of its own right answers. Not covered: what would have been won there. A certificate bounds a
mean; where what it takes is right and the reference arm is not more often in such conversations than elsewhere, that
no longer makes up for what is lost elsewhere.

Unknown is not yes: without a certificate, or where a request is unlike what was calibrated, the reference arm answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from pointsman.core import BadRequest, OverBudget
from pointsman.core.records import SEQUENCE
from pointsman.query.certifying import Setting, courses_of
from pointsman.query.difficulty.serving import Server
from pointsman.query.embedding import Embedder, extra_of
from pointsman.query.forecasting import Forecasts
from pointsman.query.outcomes import Floats
from pointsman.query.promise import Promise
from pointsman.query.sequences import Courses, Sequences

__all__ = ["Certificate", "Choice", "Kind", "Policy", "Quote", "Reason", "Steps", "Wish"]

Kind = Literal["nano_usd", "moved_bytes"]
Reason = Literal[
    "certified",
    "reference_without_certificate",
    "reference_above_certificate",
    "reference_for_novel_request",
    "reference_with_prompt_cache",
    "within_max_cost",
    "worth_its_price",
]

POLICY_VERSION: Final = "joint/1"
_LEAST: Final = 1.0
"""What a discount leaves of a cost; forecasts are above 0, and ledgers count whole nano-dollars."""


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
        setting: of the dials.
        most_novel: requests above this go to the reference arm.
        usual_novelty: that the mean of requests like the calibration rows does not exceed, see `shift.py`.
        num_rows: of calibration.
        saving: share of the reference arm's cost on them.
        arms: that it was made for, in order; another set of arms needs another certificate.
        data: sha256 of the calibration outcomes.
        num_taken: calibration rows that something ahead of the arms answered; with these the promise is about all that
            answers, without any about the arms alone.
    """

    promise: Promise
    setting: Setting
    most_novel: float
    usual_novelty: float
    num_rows: int
    saving: float
    arms: tuple[str, ...]
    data: str
    num_taken: int = 0


@dataclass(frozen=True, slots=True)
class Quote:
    """What is expected of one arm: `right`, from 0 to 1, and `cost` in the policy's kind."""

    arm: str
    right: float
    cost: float


@dataclass(frozen=True, slots=True)
class Steps:
    """What is done about one request that is looked at first.

    Attributes:
        first: the arm that is called first, whose votes are looked at, or two, whose answers are compared.
        if_agree: who answers where they agree; what was called has its answer at hand.
        if_differ: who answers where they do not, or cannot be compared.
        agree: the chance that they agree.
        quote: what is expected of all of it, under the name of the sequence.
    """

    first: tuple[str, ...]
    if_agree: str
    if_differ: str
    agree: float
    quote: Quote

    def answers(self, *, agrees: bool) -> str:
        """Who answers after what was seen."""
        return self.if_agree if agrees else self.if_differ

    def __str__(self) -> str:
        called = " and ".join(self.first)
        who = "its votes" if len(self.first) == 1 else "their answers"
        return f"{called} first; where {who} agree ({self.agree:.0%}), {self.if_agree} answers, else {self.if_differ}"


@dataclass(frozen=True, slots=True)
class Choice:
    """The arm taken, why, and all that it was chosen from. With `steps` it is the arm that is called first."""

    arm: str
    reason: Reason
    quotes: tuple[Quote, ...]
    novelty: float
    steps: Steps | None = None


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
        sequences: what looks there are; None where they do not pay.
        embedder: that the forecaster has learned with; None where there was none.
    """

    arms: tuple[str, ...]
    reference: str
    kind: Kind
    server: Server
    certificate: Certificate | None
    version: str
    sequences: Sequences | None = None
    embedder: Embedder | None = None

    def __post_init__(self) -> None:
        if self.certificate is not None and self.certificate.setting.looks and self.sequences is None:
            problem = "the certificate takes looks, and the policy has no sequences; calibrate again"
            raise BadRequest(problem, code="other_certificate")
        if self.certificate is not None and self.certificate.arms != self.arms:
            problem = (
                f"the certificate is for {', '.join(self.certificate.arms)}; the policy has {', '.join(self.arms)}"
            )
            raise BadRequest(f"{problem}; calibrate again", code="other_certificate")
        if self.reference not in self.arms:
            problem = f"the reference arm {self.reference!r} is none of {', '.join(self.arms)}"
            raise BadRequest(problem, code="unknown_arm")

    def decide(
        self,
        text: str,
        prompt_tokens: Floats,
        wish: Wish,
        available: Sequence[str] | None = None,
        discounts: Floats | None = None,
    ) -> Choice:
        """The arm for one request, or its steps.

        Args:
            text: of the request.
            prompt_tokens: (A,) counted of each arm's prompt.
            wish: of the client.
            available: arms that run now; all where None.
            discounts: (A,) from 0 up, in the policy's kind: what each arm costs less than it is forecast; nothing where
                None. Quotes are less these.

        Raises:
            BadRequest: `reference_unavailable` where the reference arm does not run.
            OverBudget: `max_cost_too_low` where every arm is forecast to cost more; says the least. Of a sequence all
                that is called at worst counts.
        """
        extra = extra_of(self.embedder, [text])
        whole = self.server.forecast(text, prompt_tokens, None if extra is None else extra[0])
        forecasts = whole if discounts is None else _discounted(whole, discounts)
        runs = np.array([available is None or name in available for name in self.arms])
        if not runs[self.arms.index(self.reference)]:
            raise BadRequest(f"the reference arm {self.reference!r} does not run", code="reference_unavailable")
        quotes = tuple(
            Quote(name, float(np.clip(forecasts.right[0, i], 0, 1)), float(forecasts.nano_usd[0, i]))
            for i, name in enumerate(self.arms)
        )
        courses, reason = self._taken(whole, forecasts, runs, wish)
        steps = self._steps(courses, forecasts) if courses.look[0] >= 0 else None
        arm = self.arms[int(courses.arm[0])] if steps is None else steps.first[0]
        return Choice(arm, reason, quotes, float(forecasts.novelty[0]), steps)

    def _taken(
        self, whole: Forecasts, forecasts: Forecasts, runs: NDArray[np.bool_], wish: Wish
    ) -> tuple[Courses, Reason]:
        """The course for one request. `whole`: without discounts, by which a certificate's setting decides."""
        sequences = self.sequences or Sequences.none(len(self.arms))
        if wish.max_cost is not None:
            least = float(forecasts.nano_usd[0, runs].min())
            if least > wish.max_cost:
                problem = f"no arm is forecast to cost {wish.max_cost:g} {self.kind} or less; the least is"
                raise OverBudget(f"{problem} {least:.6g}", code="max_cost_too_low")
            return sequences.courses(forecasts, 0.0, runs=runs, most=wish.max_cost), "within_max_cost"
        if wish.price is not None:
            return sequences.courses(forecasts, 1 / wish.price, runs=runs), "worth_its_price"
        courses, reason = self._certified(whole, runs, wish.quality)
        if reason == "certified" and self._saves_no_more(courses, whole, forecasts):
            return Courses.alone(np.array([self.arms.index(self.reference)])), "reference_with_prompt_cache"
        return courses, reason

    def _certified(
        self, forecasts: Forecasts, runs: NDArray[np.bool_], quality: float | None
    ) -> tuple[Courses, Reason]:
        reference, certificate = self.arms.index(self.reference), self.certificate
        alone = Courses.alone(np.array([reference]))
        if certificate is None:
            return alone, "reference_without_certificate"
        if quality is not None and not certificate.promise.keeps(quality):
            return alone, "reference_above_certificate"
        if forecasts.novelty[0] > certificate.most_novel:
            return alone, "reference_for_novel_request"
        running = _without(forecasts, runs)
        return courses_of(running, reference, certificate.setting, sequences=self.sequences, runs=runs), "certified"

    def _saves_no_more(self, courses: Courses, whole: Forecasts, forecasts: Forecasts) -> bool:
        """Whether a course is cheaper than the reference arm, and with discounts for both is not."""
        reference = self.arms.index(self.reference)
        saved, left = (float(costs.nano_usd[0, reference]) - self._cost(courses, costs) for costs in (whole, forecasts))
        return saved > 0 >= left

    def _cost(self, courses: Courses, forecasts: Forecasts) -> float:
        """What one request's course costs, on average where a look comes first."""
        if courses.look[0] < 0:
            return float(forecasts.nano_usd[0, courses.arm[0]])
        assert self.sequences is not None
        return self.sequences.expected(courses, forecasts)[1]

    def _steps(self, courses: Courses, forecasts: Forecasts) -> Steps:
        assert self.sequences is not None
        first = tuple(self.arms[arm] for arm in self.sequences.looks[int(courses.look[0])].arms)
        if_differ, if_agree = (self.arms[int(arm)] for arm in courses.after[0])
        right, cost = self.sequences.expected(courses, forecasts)
        quote = Quote(SEQUENCE + "+".join(first), right, cost)
        return Steps(first, if_agree, if_differ, float(courses.agree[0]), quote)


def _discounted(forecasts: Forecasts, discounts: Floats) -> Forecasts:
    """With arms that cost less, but not less than `_LEAST` for it."""
    cost = forecasts.nano_usd
    return replace(forecasts, nano_usd=np.minimum(cost, np.maximum(cost - discounts, _LEAST)))


def _without(forecasts: Forecasts, runs: NDArray[np.bool_]) -> Forecasts:
    """With arms that do not run so dear and so wrong that they are never taken."""
    right = np.where(runs, forecasts.right, -1e9)
    cost = np.where(runs, forecasts.nano_usd, np.inf)
    return Forecasts(right, np.where(np.isfinite(cost), cost, 1e30), forecasts.novelty)
