"""Hashed features of a text: words, pairs of words and letters, as indices into a vector of fixed length.

    ngrams("It came broken", 4096)   # {17: 0.41, 902: 0.41, ...}, of length 1

The hash is the same in every process and version, so weights that were fitted elsewhere fit here.
"""

import math
import re
import zlib
from collections import Counter

_WORD = re.compile(r"[a-z]+|[0-9]+|[^\sa-z0-9]")
_LETTERS = 4  # of an n-gram of letters; chosen: shorter ones are in every text


def ngrams(text: str, num_features: int) -> dict[int, float]:
    """Indices below `num_features` with their weights, whose squares sum to 1; none for a text without words.

    A feature that occurs n times counts 1 + log n. Digits count as their number of digits too, so that a number which
    was never seen is like others of its length.
    """
    words = _WORD.findall(text.lower())
    shapes = ["#" * len(word) for word in words if word.isdigit()]
    pairs = [f"{first} {second}" for first, second in zip(["^", *words], [*words, "$"], strict=True)]
    letters = [part for word in words for part in _letters(f"<{word}>")]
    counts: Counter[int] = Counter()
    for kind, parts in (("w", words), ("s", shapes), ("p", pairs), ("l", letters)):
        counts.update(zlib.crc32(f"{kind}\x1f{part}".encode()) % num_features for part in parts)
    weights = {index: 1 + math.log(count) for index, count in counts.items()}
    length = math.sqrt(sum(weight * weight for weight in weights.values()))
    return {index: weight / length for index, weight in weights.items()} if words else {}


def _letters(word: str) -> list[str]:
    return [word[start : start + _LETTERS] for start in range(max(len(word) - _LETTERS + 1, 1))]
