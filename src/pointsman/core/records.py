"""The records that every level shares: what an answer cost, why it was chosen, what came of it."""

from dataclasses import dataclass
from typing import Self


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
class Decision:
    """Which arm answers, and why.

    Attributes:
        arm: the arm's name, such as `program/bill` or `upstream/local`.
        reason: a stable, snake_case reason code.
        policy_version: the version of the policy that decided.
    """

    arm: str
    reason: str
    policy_version: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an arm gave back.

    Attributes:
        output: the answer's text.
        cost: what was billed, not what was forecast.
        correct: whether the output was right, or None where nobody knows.
    """

    output: str
    cost: Cost
    correct: bool | None
