"""What is given up when memory is full: what is expected to save least per byte.

The priority of an entry is age + uses x worth / bytes, where `worth` is what one use saves and the age is the priority
of what was last given up, so that entries that are used no more sink (GreedyDual-Size-Frequency; Cherkasova, HP Labs
1998). An entry that is worth less per byte than all others is given up at once when it comes. O(log n) an operation,
by a heap with stale items that are skipped.

Not covered: fairness between API keys. They share one capacity, and one that asks much displaces others' entries.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

from pointsman.core import BadRequest

__all__ = ["Shelf", "Worth"]


@dataclass(frozen=True, slots=True)
class Worth:
    """What the shelf knows of an entry: its bytes, what one use saves, uses, and the priority that follows."""

    size_bytes: int
    saved: float
    uses: int
    priority: float
    turn: int  # of the operation that gave the priority; the older of two equal ones goes first


class Shelf:
    """Which entries are kept within a capacity. Holds no answers.

    Raises:
        BadRequest: `invalid_capacity` for one below 0.
    """

    def __init__(self, capacity_bytes: int) -> None:
        if capacity_bytes < 0:
            raise BadRequest(f"capacity_bytes is {capacity_bytes}; expected 0 or more", code="invalid_capacity")
        self.capacity_bytes, self.kept_bytes, self.age = capacity_bytes, 0, 0.0
        self._kept: dict[int, Worth] = {}
        self._heap: list[tuple[float, int, int]] = []  # priority, turn, entry
        self._turn = 0

    def __contains__(self, entry: int) -> bool:
        return entry in self._kept

    def __len__(self) -> int:
        return len(self._kept)

    def worth(self, entry: int) -> Worth:
        return self._kept[entry]

    def put(self, entry: int, size_bytes: int, saved: float, uses: int = 1, priority: float | None = None) -> list[int]:
        """Adds an entry, or one that was kept elsewhere with its priority; returns those to give up, it may be one."""
        self.drop(entry)
        found = self.age + uses * saved / size_bytes if priority is None else priority
        self.kept_bytes += size_bytes
        self._file(entry, size_bytes, saved, uses, found)
        return self._give_up()

    def touch(self, entry: int) -> None:
        """Counts a use of an entry that is kept."""
        old = self._kept[entry]
        uses = old.uses + 1
        self._file(entry, old.size_bytes, old.saved, uses, self.age + uses * old.saved / old.size_bytes)

    def drop(self, entry: int) -> None:
        """Forgets an entry, if it is kept."""
        old = self._kept.pop(entry, None)
        self.kept_bytes -= old.size_bytes if old else 0

    def resize(self, capacity_bytes: int) -> list[int]:
        """Sets the capacity; returns what to give up."""
        self.capacity_bytes = capacity_bytes
        return self._give_up()

    def _file(self, entry: int, size_bytes: int, saved: float, uses: int, priority: float) -> None:
        self._turn += 1
        self._kept[entry] = Worth(size_bytes, saved, uses, priority, self._turn)
        heapq.heappush(self._heap, (priority, self._turn, entry))
        if len(self._heap) > 4 * len(self._kept) + 64:  # stale items
            self._heap = [(worth.priority, worth.turn, key) for key, worth in self._kept.items()]
            heapq.heapify(self._heap)

    def _give_up(self) -> list[int]:
        given_up = []
        while self.kept_bytes > self.capacity_bytes:
            priority, turn, entry = heapq.heappop(self._heap)
            worth = self._kept.get(entry)
            if worth is not None and worth.turn == turn:
                self.drop(entry)
                self.age = max(self.age, priority)
                given_up.append(entry)
        return given_up
