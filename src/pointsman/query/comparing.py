r"""What a text comes to, so that answers can be compared: for audits, for votes, and for looks at two answers.

The final answer is the last line that is not blank, or what stands in it behind a mark that people and models put
before an answer (`=>`, `->`, `####`, `answer:`, `answer is`, `\boxed{`). Where that holds a number, the last number of
it, without thousands separators; else the words in small letters, without runs of white space and without full stops,
quotes and asterisks around them. Two texts that agree can both be wrong, and two that say the same in other words
disagree.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["agree", "final_answer"]

_NUMBER: Final = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
_AROUND: Final = " .\"'*`}$"
_MARK: Final = re.compile(r"=>|->|####|\banswer(?:\s+is\b:?|:)|\\boxed\{", re.IGNORECASE)


def final_answer(text: str) -> str:
    """What a text comes to, as the module says; empty where there is nothing to compare."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return ""
    *_, last = _MARK.split(lines[-1])
    told = last if last.strip(_AROUND) else lines[-1]
    numbers = _NUMBER.findall(told)
    if not numbers:
        return " ".join(told.casefold().split()).strip(_AROUND)
    number = str(numbers[-1]).replace(",", "")
    return number.rstrip("0").rstrip(".") if "." in number else number


def agree(one: str, other: str) -> bool:
    """Whether two texts come to the same; two empty ones do not."""
    final = final_answer(one)
    return bool(final) and final == final_answer(other)
