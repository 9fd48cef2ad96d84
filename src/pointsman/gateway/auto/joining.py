"""A request of several questions, taken apart, and its answers put together again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pointsman.core import Cost, Decision
from pointsman.gateway.auto.asked import Asked, Plan
from pointsman.gateway.auto.tracks import POLICY
from pointsman.gateway.tap import Bill, Heard

if TYPE_CHECKING:
    from pointsman.query.parts import Split

__all__ = ["PARTS", "Parts", "joined", "parts_of"]

PARTS: Final = "parts"
"""The arm that joins what others answered."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A request that was split, and each part as a request of its own."""

    split: Split
    asked: tuple[Asked, ...]

    @property
    def names(self) -> list[str]:
        """Of the requests that the parts are."""
        return [part.call.request_id for part in self.asked]


def parts_of(asked: Asked) -> Parts | str:
    """The parts, or why the request stays whole.

    A limit of the whole answer (`max_tokens`, `stop`) cannot be kept by answers that are written apart.
    """
    from pointsman.query.parts import split

    if asked.text is None:
        return "not_one_text"
    if asked.is_shaped or asked.is_limited:
        return "has_limits"
    found = split(asked.text)
    if len(found.texts) < 2:
        return found.reason
    return Parts(found, tuple(asked.part(n, text, len(found.texts)) for n, text in enumerate(found.texts, 1)))


def joined(parts: Parts, heard: Sequence[Heard]) -> Plan | str:
    """One answer of all, with all that it took; or that a part has none."""
    from pointsman.query.parts import join

    if not all(one.is_answer for one in heard):
        return "part_failed"
    text = join(parts.split, [one.text for one in heard])
    cost = sum((one.cost for one in heard if one.cost is not None), Cost.zero())
    is_known = all(one.billed is not None for one in heard)
    missed = sum((one.missed for one in heard), Cost.zero())
    return Plan(Decision(PARTS, "split", POLICY), "query", text, cost, before=Bill(is_known=is_known), missed=missed)
