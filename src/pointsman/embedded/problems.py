"""What a problem is, how its answer is checked, and what is kept from training.

A family makes problems from a random generator, a difficulty and a split. `train` and `test` differ by what they may
use: some wordings, names and number ranges occur in `test` only, chosen by a fixed hash, so no seed can leak them. The
text of a test problem has at least one held-out wording, so it cannot have been trained on.

A problem can be answered in two modes. `direct` is the answer alone; `steps` is worked steps, `=>`, and the answer.
"""

import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Split = Literal["train", "test"]
Mode = Literal["direct", "steps"]

MODES: tuple[Mode, ...] = ("direct", "steps")
DIFFICULTIES = range(1, 9)
ARROW = " =>"
"""Stands between the worked steps and the answer."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One question with its answer.

    Attributes:
        family: the family's name.
        difficulty: 1 to 8; what it counts is said by the family.
        story: what is told; empty where a question stands alone.
        question: what is asked about it.
        steps: the worked steps that lead to the answer.
        answer: the only right answer.
    """

    family: str
    difficulty: int
    story: str
    question: str
    steps: str
    answer: str

    @property
    def prompt(self) -> str:
        """What a user would write."""
        return f"{self.story} {self.question}" if self.story else self.question

    def response(self, mode: Mode) -> str:
        """What a perfect model writes, with the space that parts it from the control token."""
        return f" {self.answer}" if mode == "direct" else f" {self.steps}{ARROW} {self.answer}"

    def is_right(self, output: str) -> bool:
        """Whether `output` ends in the answer: all of it without an arrow, else what follows the last arrow."""
        return output.rpartition(ARROW)[2].strip() == self.answer


Generate = Callable[[random.Random, int, Split], tuple[Problem, ...]]
"""A family: tells one story for a split, and asks about it: first a problem of the difficulty, then perhaps others."""


def fixed_hash(*parts: object) -> int:
    """A number that `parts` have in every process and version."""
    return zlib.crc32("\x1f".join(map(str, parts)).encode())


def is_held_out(*parts: object, one_in: int) -> bool:
    """Whether what `parts` name is kept from training: one of `one_in`, for good."""
    return fixed_hash(*parts) % one_in == 0
