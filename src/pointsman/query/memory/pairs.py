"""What differs between two texts, as features of "the answer of one is wrong for the other".

The words of which one text has more than the other say most: "please" harms nothing, "minutes" for "seconds" changes
the answer. So each such word is a feature, hashed, beside a few that say what kind of difference there is.
"""

from __future__ import annotations

import math
import re
import zlib
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from pointsman.query.memory.guards import POLARITY, signature

__all__ = ["ENTRY_FEATURES", "NUM_SHARED", "Features", "features"]

Features = dict[int, float]

_KINDS: Final = ("bias", "far", "numbers", "names", "quoted", "polarity", "order", "much", "same_words")
_HASHED: Final = 4096  # words in so many places; chosen
NUM_SHARED: Final = len(_KINDS) + _HASHED
ENTRY_FEATURES: Final = 2  # an entry's own offset and slope
_WORD: Final = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?|\d+(?:[.,]\d+)*|[^\s.,;:!?]")


@dataclass(frozen=True, slots=True)
class _Read:
    """A text, read once."""

    words: tuple[str, ...]
    counts: Counter[str]
    guards: tuple[tuple[str, ...], ...]


def features(asked: str, kept: str, similarity: float, entry: int) -> Features:
    """Index and value. Below `NUM_SHARED` they belong to all entries; the last two are the entry's own, negative."""
    one, other = _read(asked), _read(kept)
    differing = [*(one.counts - other.counts), *(other.counts - one.counts)]
    numbers, _, quoted, code, names, _ = (a != b for a, b in zip(one.guards, other.guards, strict=True))
    kinds = {
        "bias": 1.0,
        "far": 1 - similarity,
        "numbers": float(numbers),
        "names": float(names),
        "quoted": float(quoted or code),
        "polarity": float(any(word in POLARITY or word.endswith("n't") for word in differing)),
        "order": float(_order(one, other) != _order(other, one)),
        "much": math.log1p(len(differing)),
        "same_words": float(not differing),
    }
    found = {index: value for index, name in enumerate(_KINDS) if (value := kinds[name])}
    words = [word for word in differing if not word[0].isdigit()]
    for word in words:
        found[len(_KINDS) + zlib.crc32(word.encode()) % _HASHED] = 1 / math.sqrt(len(words))
    found[-ENTRY_FEATURES * entry - 1] = 1.0
    found[-ENTRY_FEATURES * entry - 2] = 1 - similarity
    return found


def _order(one: _Read, other: _Read) -> list[str]:
    """The words that both texts have once, as one has them."""
    return [word for word in one.words if one.counts[word] == other.counts[word] == 1]


@lru_cache(maxsize=8192)
def _read(text: str) -> _Read:
    words = tuple(_WORD.findall(text.lower()))
    return _Read(words, Counter(words), signature(text))
