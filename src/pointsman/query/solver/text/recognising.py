"""Whether a text is a problem of a kind that can be read here, by a few words that such texts share. No model.

It takes some 3 microseconds on a puzzle (2026-11-26). A text that passes may still not be readable.
"""

import re
from typing import Final, Literal

__all__ = ["MAX_TEXT", "TextKind", "recognise"]

TextKind = Literal["grid", "assignment", "knapsack", "schedule"]

MAX_TEXT: Final = 20_000
"""Characters; longer texts are not problems of this kind."""

_CUES: Final[tuple[tuple[TextKind, tuple[str, ...], re.Pattern[str]], ...]] = (
    ("grid", ("houses", "from left to right"), re.compile(r"\bthe people are\b")),
    ("assignment", ("share these jobs", "exactly one"), re.compile(r"\bjobs?\b")),
    ("knapsack", (" bag ", " kg"), re.compile(r"\bworth\b")),
    ("schedule", ("machine", "one job at a time"), re.compile(r"\bhours?\b")),
)


def recognise(text: str) -> TextKind | None:
    """The kind of problem that a text may be; None where it is none."""
    if len(text) > MAX_TEXT or "?" not in text:
        return None
    told = text.casefold()
    for kind, words, pattern in _CUES:
        if all(word in told for word in words) and pattern.search(told):
            return kind
    return None
