"""The stored texts that are nearest to a text: cosine of hashed n-grams, by brute force over one matrix.

Vectors have `DIMENSION` float32 entries, 2 KB a text, and length 1. A lookup reads the whole matrix of its group once:
100,000 rows are 205 MB. Rows of a group are in no order; a removed row is replaced by the last one.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pointsman.core.ngrams import ngrams

__all__ = ["DIMENSION", "ROW_BYTES", "Rows", "Vector", "vector_of"]

DIMENSION: Final = 512
"""Chosen; see docs/query.md for what lookups take."""
ROW_BYTES: Final = 4 * DIMENSION
_FIRST_ROWS: Final = 4

Vector: TypeAlias = NDArray[np.float32]


def vector_of(text: str) -> Vector:
    """(DIMENSION,) float32 of length 1; all zeros for a text without words."""
    vector = np.zeros(DIMENSION, np.float32)
    found = ngrams(text, DIMENSION)
    vector[list(found)] = list(found.values())
    return vector


class Rows:
    """Texts of one group: entry and vector of each."""

    def __init__(self) -> None:
        self._entries: list[int] = []
        self._place: dict[int, int] = {}
        self._matrix: NDArray[np.float32] = np.empty((_FIRST_ROWS, DIMENSION), np.float32)  # (capacity, DIMENSION)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size_bytes(self) -> int:
        """What one lookup reads."""
        return len(self._entries) * ROW_BYTES

    def add(self, entry: int, vector: Vector) -> None:
        """Adds an entry that is not there."""
        count = len(self._entries)
        if count == len(self._matrix):
            grown = np.empty((2 * count, DIMENSION), np.float32)
            grown[:count] = self._matrix
            self._matrix = grown
        self._matrix[count] = vector
        self._place[entry] = count
        self._entries.append(entry)

    def remove(self, entry: int) -> None:
        """Removes an entry that is there."""
        place, last = self._place.pop(entry), self._entries.pop()
        if last != entry:
            self._entries[place], self._place[last] = last, place
            self._matrix[place] = self._matrix[len(self._entries)]

    def nearest(self, vector: Vector, count: int) -> list[tuple[int, float]]:
        """Entry and cosine of the `count` nearest, the nearest first; of equal ones the older entry first."""
        similarities = self._matrix[: len(self._entries)] @ vector  # (rows,) float32
        if count < len(similarities):
            least = np.partition(similarities, -count)[-count]
            places = np.flatnonzero(similarities >= least)
        else:
            places = np.arange(len(similarities))
        found = [(self._entries[place], float(similarities[place])) for place in places.tolist()]
        return sorted(found, key=lambda one: (-one[1], one[0]))[:count]
