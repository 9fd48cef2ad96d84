"""When the small model hands over to the large one."""

from dataclasses import dataclass
from typing import Protocol


class Stop(Protocol):
    """A rule over the score of the token just proposed and the span that waits for the large model with it."""

    def hands_over(self, score: float, survival: float, num_pending: int) -> bool:
        """Whether to hand over here.

        Args:
            score: of this token, 0 to 1.
            survival: product of the scores of the pending span with this token: the chance that all of it may stand.
            num_pending: tokens of that span, this one counted.
        """


@dataclass(frozen=True, slots=True)
class Below:
    """Where the score is below a threshold (CITER, R2R, Co-LLM, BiLD's fallback, confidence)."""

    threshold: float

    def hands_over(self, score: float, survival: float, num_pending: int) -> bool:
        return score < self.threshold


@dataclass(frozen=True, slots=True)
class After:
    """After so many tokens (speculative decoding)."""

    num_tokens: int

    def hands_over(self, score: float, survival: float, num_pending: int) -> bool:
        return num_pending >= self.num_tokens


@dataclass(frozen=True, slots=True)
class Hazard:
    """Where some pending token is rejected with more than this probability (SpecDec++, arXiv 2405.19715).

    The bounds are on the number of tokens, from 2 to 20 as in its release.
    """

    most: float
    least_tokens: int = 2
    most_tokens: int = 20

    def hands_over(self, score: float, survival: float, num_pending: int) -> bool:
        is_likely = 1 - survival > self.most and num_pending >= self.least_tokens
        return is_likely or num_pending >= self.most_tokens


@dataclass(frozen=True, slots=True)
class Unlikely:
    """Where all of the pending span stands with less than this chance: ours, with a threshold from `prices`."""

    least_survival: float

    def hands_over(self, score: float, survival: float, num_pending: int) -> bool:
        return survival < self.least_survival
