"""What differs between two texts, as features of "the answer of one is wrong for the other".

The words of which one text has more than the other say most: "please" harms nothing, "minutes" for "seconds" changes
the answer. So each such word is a feature, hashed, beside a few that say what kind of difference there is.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from pointsman.query.memory.guards import Signature, signature

__all__ = ["ENTRY_FEATURES", "NUM_SHARED", "Features", "features"]

Features = dict[int, float]

_KINDS: Final = (
    "bias",
    "far",
    "numbers",
    "polarity",
    "quoted",
    "code",
    "names",
    "symbols",
    "order",
    "words",
    "same_words",
)
_HASHED: Final = 4096  # words in so many places; chosen
NUM_SHARED: Final = len(_KINDS) + _HASHED
_TOPIC: Final = 0.5  # weight of "numbers differ in a text with this word"; chosen
ENTRY_FEATURES: Final = 2  # an entry's own offset and slope
_WORD: Final = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?|\d+(?:[.,]\d+)*|[^\s.,;:!?]")


@dataclass(frozen=True, slots=True)
class _Read:
    """A text, read once. `plain` are the words that no guard looks at, or polarity."""

    plain: Counter[str]
    guards: Signature


def features(asked: str, kept: str, similarity: float, entry: int) -> Features:
    """Index and value. Below `NUM_SHARED` they belong to all entries; the last two are the entry's own, negative."""
    one, other = _read(asked), _read(kept)
    differing = [*(one.plain - other.plain), *(other.plain - one.plain)]
    guards = [_differ(a, b) for a, b in zip(one.guards, other.guards, strict=True)]
    is_reordered = any(a != b and not d for a, b, d in zip(one.guards, other.guards, guards, strict=True))
    same_words = not differing and not any(guards)
    values = (1.0, 1 - similarity, *guards, float(is_reordered), len(differing) / 8, float(same_words))
    found = {index: value for index, value in enumerate(values) if value}
    for word in differing:
        found[_hashed(word)] = 1.0
    for kind, value in enumerate(guards):
        for word in one.plain & other.plain if value else ():
            found[_hashed(f"{kind} {word}")] = _TOPIC
    found[-ENTRY_FEATURES * entry - 1] = 1.0
    found[-ENTRY_FEATURES * entry - 2] = 1 - similarity
    return found


def _hashed(text: str) -> int:
    return len(_KINDS) + zlib.crc32(text.encode()) % _HASHED


def _differ(one: tuple[str, ...], other: tuple[str, ...]) -> float:
    """How much two guards differ, order apart: 0, or from 1 for one item to 2 for many."""
    if one == other:
        return 0.0
    first, second = Counter(one), Counter(other)
    count = (first - second).total() + (second - first).total()
    return 2 - 1 / count if count else 0.0


@lru_cache(maxsize=8192)
def _read(text: str) -> _Read:
    guards = signature(text)
    numbers, _, quoted, _, names, _ = guards
    guarded = {*numbers, *(name.lower() for name in names), *(word for one in quoted for word in one.lower().split())}
    words = (word for word in _WORD.findall(text.lower()) if not word[0].isdigit() and word not in guarded)
    return _Read(Counter(words), guards)
