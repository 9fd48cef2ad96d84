"""The records that every level shares: what an answer cost, why it was chosen, what came of it.

Records are values: frozen, equal where their contents are, and hashable. What is outside its range raises.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from pointsman.core.errors import BadRequest

SEQUENCE = "sequence/"
"""Before the arms that are called first, the name under which a sequence is decided on, forecast and billed."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What an answer consumed. Kinds are added to their own kind and never mixed.

    Attributes:
        prompt_tokens: tokens read by models.
        completion_tokens: tokens written by models.
        nano_usd: money, in billionths of a US dollar.
        moved_bytes: bytes of weights and cache that were read to answer.
        seconds: time spent answering.
    """

    prompt_tokens: int
    completion_tokens: int
    nano_usd: int
    moved_bytes: int
    seconds: float

    @classmethod
    def zero(cls) -> Self:
        """The cost of nothing: `c + Cost.zero() == c`."""
        return cls(prompt_tokens=0, completion_tokens=0, nano_usd=0, moved_bytes=0, seconds=0.0)

    def __add__(self, other: "Cost") -> "Cost":
        if not isinstance(other, Cost):
            return NotImplemented
        return Cost(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            nano_usd=self.nano_usd + other.nano_usd,
            moved_bytes=self.moved_bytes + other.moved_bytes,
            seconds=self.seconds + other.seconds,
        )


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is expected of an arm before it answers a request.

    Attributes:
        arm: the arm's name.
        right: the chance that it is right, from 0 to 1.
        cost: what it is expected to bill, on average.
        low: the least that `right` may be, where the forecaster knows; None where it does not.
        high: the most that `right` may be.

    Raises:
        BadRequest: `invalid_forecast` for a chance outside 0 to 1, or bounds that `right` is not between.
    """

    arm: str
    right: float
    cost: Cost
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        low = 0.0 if self.low is None else self.low
        high = 1.0 if self.high is None else self.high
        if not 0 <= low <= self.right <= high <= 1:
            problem = (
                f"the arm {self.arm!r} is forecast right with {self.right!r}, between {self.low!r} and {self.high!r}"
            )
            raise BadRequest(f"{problem}; expected 0 <= low <= right <= high <= 1", code="invalid_forecast")


@dataclass(frozen=True, slots=True)
class Decision:
    """Which arm answers, and why.

    Attributes:
        arm: the arm's name, such as `program/bill` or `upstream/local`.
        reason: a stable, snake_case reason code.
        policy_version: the version of the policy that decided.
        dials: of the arm, by name; finite numbers.
        forecasts: what the policy chose among; empty where it looked at none.
        propensity: the probability with which the policy takes this arm for this request; 1 without chance.
        certificate: the version of the certificate that the decision keeps to; None where there is none.
        is_audited: drawn by chance for an audit, in which the reference arm answers too and its answer is compared.

    Raises:
        BadRequest: `invalid_decision` for a propensity that is not above 0 and at most 1, or a dial that is not finite.
    """

    arm: str
    reason: str
    policy_version: str
    dials: Mapping[str, float] = field(default_factory=dict, hash=False)
    forecasts: tuple[Forecast, ...] = ()
    propensity: float = 1.0
    certificate: str | None = None
    is_audited: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.propensity <= 1:
            problem = f"the propensity of the arm {self.arm!r} is {self.propensity!r}"
            raise BadRequest(f"{problem}; expected a number above 0 and at most 1", code="invalid_decision")
        object.__setattr__(self, "dials", dict(self.dials))  # a copy that the caller cannot change
        for name, value in self.dials.items():
            if not math.isfinite(value):
                problem = f"the dial {name!r} of the arm {self.arm!r} is {value!r}"
                raise BadRequest(f"{problem}; expected a finite number", code="invalid_decision", param="dials")

    @property
    def is_sequence(self) -> bool:
        """Whether several arms may be called in turn, all on one bill; who answers is the outcome's arm."""
        return self.arm.startswith(SEQUENCE)

    def forecast_of(self, arm: str) -> Forecast | None:
        """What was expected of an arm, or None where the policy did not look at it."""
        return next((forecast for forecast in self.forecasts if forecast.arm == arm), None)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an arm gave back.

    Attributes:
        output: the answer's text.
        cost: what was billed, not what was forecast; `cost.seconds` is how long it took.
        correct: whether the output was right, or None where nobody knows.
        arm: who answered, where it was not the arm that the decision names; None otherwise.
        is_audit: an answer of the reference arm for comparison, which no client sees.
        agrees: of an audit, whether it comes to the same as the client's answer, or None where nobody compared.
        missed: what those took that were asked before and did not answer, such as a reader of programs, and what
            a policy read of a model to choose. `cost` is without it, so that it stays what the arm's forecast is about.
    """

    output: str
    cost: Cost
    correct: bool | None
    arm: str | None = None
    is_audit: bool = False
    agrees: bool | None = None
    missed: Cost = field(default_factory=Cost.zero)
