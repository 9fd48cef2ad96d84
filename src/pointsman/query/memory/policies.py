"""Who decides whether a near text's answer may stand: what every policy of semantic memory has in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Choice", "Near", "Policy"]


@dataclass(frozen=True, slots=True)
class Near:
    """A stored text beside the one that is asked. `similarity` is the cosine of their n-grams, 0 to 1."""

    entry: int
    text: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Choice:
    """What a policy makes of a lookup.

    Attributes:
        near: the candidate.
        score: what the policy decided by; the upper end of a band for P(wrong), or 1 - similarity.
        answers: whether the candidate's answer may be given, audits apart.
    """

    near: Near
    score: float
    answers: bool


class Policy(Protocol):
    """Decides, and learns from lookups whose true answer came to be known."""

    num_candidates: int
    """How many near texts it wants to see."""
    adds_known: bool
    """Whether a text is kept to compare with although the candidate's answer was right for it."""

    def choose(self, asked: str, found: Sequence[Near]) -> Choice:
        """Chooses among the nearest texts, at least one, the nearest first. Mutates nothing but random state."""
        ...

    def learn(self, asked: str, choice: Choice, wrong: Sequence[tuple[Near, bool]]) -> None:
        """Takes each candidate that is still kept, the chosen one among them, and whether its answer proved wrong."""
        ...

    def forget(self, entry: int) -> None:
        """An entry is kept no more."""
        ...
