"""Memory over generated traffic, request by request: one run of one policy, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from pointsman.core import Unverified
from pointsman.query.memory import Budget, Look, Memory, Prices, Request, Settings, ShareController, Store, same_words
from pointsman.query.memory.policies import Policy
from pointsman.query.memory.rivals import PerEntry, Static
from pointsman.query.memory.share import Reference
from pointsman.query.memory.traffic import Asked

__all__ = ["BUDGET", "DELTA", "PRICES", "RIVALS", "Ran", "SharePoint", "run_policy", "run_share"]

DELTA: Final = 0.02
RIVALS: Final[dict[str, Callable[[], Policy]]] = {
    "vcache": lambda: PerEntry(DELTA),
    "static_80": lambda: Static(0.8),
    "static_90": lambda: Static(0.9),
    "static_95": lambda: Static(0.95),
}
PRICES: Final = Prices(kept_nano_usd_per_byte=0.01, moved_nano_usd_per_byte=0.001)
"""Chosen so that the best share is inside of (0, 1): 1 MB is kept for the price of a tenth of a call a request."""
BUDGET: Final = Budget(nano_usd_per_request=150_000)


@dataclass
class Ran:
    """What one run gave. `possible`: requests whose meaning was asked before in other words only."""

    num_requests: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    possible: int = 0
    call_nano_usd: int = 0

    @property
    def hits(self) -> int:
        return self.reasons["semantic_hit"]

    @property
    def wrong_hits(self) -> int:
        return self.wrong["semantic_hit"]


def run_policy(requests: list[Asked], settings: Settings, make_policy: Callable[[], Policy] | None = None) -> Ran:
    """All requests of one API key. Raises Unverified `wrong_answer` where exact memory gives another answer."""
    memory = Memory(Store(), settings, make_policy=make_policy)
    ran, texts, meanings = Ran(len(requests)), set[str](), set[str]()
    for asked in requests:
        ran.possible += asked.meaning in meanings and asked.text not in texts
        texts.add(asked.text)
        meanings.add(asked.meaning)
        _step(memory, asked, ran)
    memory.close()
    return ran


def _step(memory: Memory, asked: Asked, ran: Ran) -> Look:
    look = memory.look("bench", Request.of(asked.body))
    ran.reasons[look.reason] += 1
    if look.kept is None:
        ran.call_nano_usd += asked.cost.nano_usd
        memory.keep(look, asked.answer, asked.cost, "large")
    elif not same_words(look.kept.answer, asked.answer):
        if look.reason == "exact_hit":
            raise Unverified(f"exact memory gives another answer to {asked.text!r}", code="wrong_answer")
        ran.wrong[look.reason] += 1
    return look


@dataclass(frozen=True, slots=True)
class SharePoint:
    """A run at one share: nano-dollars a request of the second half, calls and memory."""

    share: float
    nano_usd: float
    hit_rate: float


def run_share(requests: list[Asked], share: float, controller: ShareController | None = None) -> SharePoint:
    """All requests at a share; the first half warms up, and is what the controller watches."""
    mean_call = sum(asked.cost.nano_usd for asked in requests) / len(requests)
    capacity = BUDGET.capacity_bytes(share, PRICES)
    memory = Memory(Store(), Settings(capacity, audited=BUDGET.audited(share, mean_call), delta=DELTA, seed=1))
    half, moved, ran = len(requests) // 2, 0, Ran()
    for number, asked in enumerate(requests):
        if number == half:
            moved, ran = 0, Ran(len(requests) - half)
        look = _step(memory, asked, ran)
        moved += look.cost.moved_bytes if capacity else 0
        if controller is not None and number < half and look.key:
            worth = memory.worth(look.key)
            if worth is not None:
                semantic = look.reason == "semantic_hit"
                key = look.key
                controller.watch(Reference(key, worth.size_bytes, asked.cost.nano_usd, look.cost.moved_bytes, semantic))
    memory.close()
    spent = (ran.call_nano_usd + moved * PRICES.moved_nano_usd_per_byte) / ran.num_requests
    hits = ran.reasons["exact_hit"] + ran.hits
    return SharePoint(share, spent + capacity * PRICES.kept_nano_usd_per_byte, hits / ran.num_requests)
