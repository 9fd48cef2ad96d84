"""How sure a rung must be: found from its answers to examples, for any share of errors among what it may answer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from pointsman.core.asking import Question

__all__ = ["Limits", "Tried", "limits_for"]

NEVER: Final = math.inf
"""A confidence that no reply has."""

Key: TypeAlias = tuple[str, Question]


@dataclass(frozen=True, slots=True)
class Tried:
    """What a rung said of an example: how sure it was, and whether that was the reference's answer."""

    rung: str
    question: Question
    confidence: float
    is_right: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """The least confidence at which a rung's answer to a question stands; ``NEVER`` where none is given."""

    least: Mapping[Key, float] = field(default_factory=dict)

    def of(self, rung: str, question: Question) -> float:
        return self.least.get((rung, question), NEVER)


def limits_for(tried: Iterable[Tried], error: float) -> Limits:
    """The least confidence for each rung and question from which on at most ``error`` of the answers seem wrong.

    One error more than was seen is counted, so that few examples give no limit: of n right answers, none is trusted
    where 1 / (n + 1) is more than ``error``. This is a choice of settings; what they risk is for ``core.risk`` to say,
    on other examples.
    """
    by_key: dict[Key, list[tuple[float, bool]]] = {}
    for one in tried:
        by_key.setdefault((one.rung, one.question), []).append((one.confidence, one.is_right))
    return Limits({key: _limit(answers, error) for key, answers in by_key.items()})


def _limit(answers: list[tuple[float, bool]], error: float) -> float:
    ordered = sorted(answers, key=lambda answer: -answer[0])
    least, num_wrong = NEVER, 0
    for number, (confidence, is_right) in enumerate(ordered, 1):
        num_wrong += not is_right
        is_last_of_equals = number == len(ordered) or ordered[number][0] < confidence
        if is_last_of_equals and (num_wrong + 1) / (number + 1) <= error:
            least = confidence
    return least
