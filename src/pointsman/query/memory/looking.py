"""How a memory works, and what it says to a request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from pointsman.core import BadRequest, Cost
from pointsman.query.memory.refusing import Refusal
from pointsman.query.memory.store import Kept

if TYPE_CHECKING:  # numpy stays out of exact memory
    from pointsman.query.memory.semantic import Seen

__all__ = ["Look", "LookReason", "Settings", "same_words"]

LookReason: TypeAlias = Literal["exact_hit", "semantic_hit", "miss", "unsure", "audited"] | Refusal


@dataclass(frozen=True, slots=True)
class Settings:
    """How a memory works.

    Attributes:
        capacity_bytes: of all entries, with their vectors.
        seconds_to_live: from when an answer was asked.
        is_semantic: whether requests in other words may be answered.
        has_guards: whether numbers, names, negations, quotes and code must agree for that.
        delta: the most of semantic answers that may be wrong.
        confidence: with which that holds.
        audited: share of possible semantic answers that are asked all the same.
        saved: what entries are kept for, money or bytes.
        allowed: reasons of `refuses` that are waived.
        default_temperature: of the model, where a request names none.
        max_chars: of a text that semantic memory compares.
        seed: of the audits.
    """

    capacity_bytes: int = 256 << 20
    seconds_to_live: float = 7 * 86_400.0
    is_semantic: bool = True
    has_guards: bool = True
    delta: float = 0.02
    confidence: float = 0.95
    audited: float = 0.05
    saved: Literal["nano_usd", "moved_bytes"] = "nano_usd"
    allowed: frozenset[Refusal] = frozenset()
    default_temperature: float = 0.0
    max_chars: int = 4_000
    seed: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.audited <= 1:
            problem = f"audited is {self.audited!r}; expected a share from 0 to 1"
            raise BadRequest(problem, code="invalid_share", param="audited")
        if not self.seconds_to_live > 0:
            problem = f"seconds_to_live is {self.seconds_to_live!r}; expected more than 0"
            raise BadRequest(problem, code="invalid_time", param="seconds_to_live")


@dataclass(frozen=True, slots=True)
class Look:
    """What memory says to a request.

    Attributes:
        kept: the answer; None where another arm has to be asked.
        reason: why.
        cost: of the lookup.
        risk: the most that is promised of the answer being another one than the other arm's: 0, or delta.
        tenant: who asked, as a keyed hash.
        key: of the entry that answered, else of the request; empty where nothing may be kept.
        context, text, seen: what `keep` needs besides.
    """

    kept: Kept | None = field(repr=False)
    reason: LookReason
    cost: Cost
    risk: float = 0.0
    tenant: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)
    context: bytes = field(default=b"", repr=False)
    text: str = field(default="", repr=False)
    seen: Seen | None = field(default=None, repr=False)


def same_words(one: str, other: str) -> bool:
    """Whether two answers are the same, apart from case and white space."""
    return one.casefold().split() == other.casefold().split()
