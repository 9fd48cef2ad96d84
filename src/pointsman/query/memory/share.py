"""How much of a budget memory should get: the share at which answers cost least in total, memory included.

A share of the budget, nano-dollars a request, buys memory: most of it bytes that are kept, the rest audits of semantic
answers. More memory saves calls, and costs whether it saves any or not. The controller keeps the last requests as
numbers: which entry answered, or would be kept, its bytes, what the call cost, whether the hit was semantic. From these
it replays every share of a grid, with the eviction that memory itself has (`eviction.py`), and takes the cheapest.

Covered: exact hits at any share, since a request that is given up is known again by its key; semantic hits as far as
memory had them while it was watched. So give memory its largest share while it is watched for the first time. Not
covered: semantic hits that a larger memory than the watched one would have had; traffic that changes faster than the
window. One call of `best` takes 2 us a request and share of the grid.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pointsman.core import BadRequest
from pointsman.query.memory.eviction import Shelf

__all__ = ["GRID", "Budget", "Prices", "Reference", "ShareController", "replayed_nano_usd"]

GRID: Final = tuple(step / 20 for step in range(21))
_LEAST_AUDITED, _MOST_AUDITED = 0.02, 0.2  # chosen; below the first a bad certificate would stand too long


@dataclass(frozen=True, slots=True)
class Prices:
    """What memory costs: to keep a byte for the time of one request, and to read a byte. Nano-dollars."""

    kept_nano_usd_per_byte: float
    moved_nano_usd_per_byte: float = 0.0


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent a request besides calls, and which part of memory's share goes to audits.

    Raises:
        BadRequest: `invalid_budget` for one that is not above 0, or a part that is not from 0 to below 1.
    """

    nano_usd_per_request: float
    explored: float = 0.1

    def __post_init__(self) -> None:
        if not (self.nano_usd_per_request > 0 and 0 <= self.explored < 1):
            problem = (
                f"a budget of {self.nano_usd_per_request!r}, {self.explored!r} of it explored; expected above 0, [0, 1)"
            )
            raise BadRequest(problem, code="invalid_budget")

    def capacity_bytes(self, share: float, prices: Prices) -> int:
        """What memory may keep at a share."""
        return int(share * self.nano_usd_per_request * (1 - self.explored) / prices.kept_nano_usd_per_byte)

    def audited(self, share: float, call_nano_usd: float) -> float:
        """The share of semantic answers to audit, where a call costs so much."""
        bought = share * self.nano_usd_per_request * self.explored / max(call_nano_usd, 1.0)
        return min(max(bought, _LEAST_AUDITED), _MOST_AUDITED)


@dataclass(frozen=True, slots=True)
class Reference:
    """One request as numbers: the key of its entry, the entry's bytes, what a call costs, and bytes read to look."""

    key: bytes
    size_bytes: int
    call_nano_usd: int
    moved_bytes: int
    is_semantic: bool


def replayed_nano_usd(references: Sequence[Reference], share: float, budget: Budget, prices: Prices) -> float:
    """What a request costs at a share: calls, audits, bytes kept and bytes read.

    The first half fills the shelf; the second is counted, since a memory that runs is a full one.
    """
    capacity = budget.capacity_bytes(share, prices)
    mean_call = sum(one.call_nano_usd for one in references) / len(references)
    audited = budget.audited(share, mean_call)
    shelf, numbers, called = Shelf(capacity), dict[bytes, int](), 0.0
    num_warm = len(references) // 2
    for place, one in enumerate(references):
        called = called if place != num_warm else 0.0
        number = numbers.setdefault(one.key, len(numbers))
        if number in shelf:
            shelf.touch(number)
            called += one.call_nano_usd * (audited if one.is_semantic else 0.0)
        else:
            called += one.call_nano_usd
            shelf.put(number, one.size_bytes, one.call_nano_usd)
    counted = references[num_warm:]
    moved = sum(one.moved_bytes for one in counted) * prices.moved_nano_usd_per_byte if capacity else 0.0
    return (called + moved) / len(counted) + capacity * prices.kept_nano_usd_per_byte


class ShareController:
    """Watches requests, and says which share costs least.

    Args:
        budget: what is shared out.
        prices: of memory.
        window: how many of the last requests count.
    """

    def __init__(self, budget: Budget, prices: Prices, window: int = 20_000) -> None:
        self.budget, self.prices = budget, prices
        self._references: deque[Reference] = deque(maxlen=window)

    def watch(self, reference: Reference) -> None:
        """Takes a request that memory does not refuse."""
        self._references.append(reference)

    def curve(self) -> list[tuple[float, float]]:
        """Share and nano-dollars a request, over the grid; nothing before a request was watched."""
        references = tuple(self._references)
        if not references:
            return []
        return [(share, replayed_nano_usd(references, share, self.budget, self.prices)) for share in GRID]

    def best(self) -> float:
        """The cheapest share, the smallest of equal ones; 0 before a request was watched."""
        return min(self.curve(), key=lambda point: (point[1], point[0]), default=(0.0, 0.0))[0]
