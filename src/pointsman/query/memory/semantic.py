"""The near texts of one API key, and a policy that decides whether one of them answers.

Only texts with the same context (all earlier messages, all parameters) are compared at all. With guards on, only those
with the same signature (`guards.py`): each pair of context and signature is a group with a matrix of its own, so that
guards do not only refuse but also make lookups short. Guards and the policy are separate switches.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from pointsman.query.memory.guards import Signature, signature
from pointsman.query.memory.nearest import ROW_BYTES, Rows, vector_of
from pointsman.query.memory.policies import Choice, Near, Policy

__all__ = ["Seen", "Semantic"]

_Group: TypeAlias = tuple[bytes, Signature]


@dataclass(frozen=True, slots=True)
class Seen:
    """A lookup that found near texts: what is asked, what was found, what the policy chose, and the bytes read."""

    asked: str
    found: tuple[Near, ...]
    choice: Choice
    moved_bytes: int


class Semantic:
    """The index of one API key.

    Args:
        policy: who decides.
        has_guards: whether signatures have to agree.
    """

    row_bytes = ROW_BYTES
    """Of an entry's vector."""

    def __init__(self, policy: Policy, has_guards: bool) -> None:
        self.policy, self._has_guards = policy, has_guards
        self._groups: dict[_Group, Rows] = {}
        self._texts: dict[int, tuple[_Group, str]] = {}

    def __len__(self) -> int:
        return len(self._texts)

    def add(self, entry: int, context: bytes, text: str) -> None:
        """Adds an entry that is not there."""
        group = self._group(context, text)
        self._groups.setdefault(group, Rows()).add(entry, vector_of(text))
        self._texts[entry] = group, text

    def remove(self, entry: int) -> None:
        """Removes an entry, if it is there, and what the policy knows of it alone."""
        group, _ = self._texts.pop(entry, (None, ""))
        if group is not None:
            rows = self._groups[group]
            rows.remove(entry)
            if not len(rows):
                del self._groups[group]
            self.policy.forget(entry)

    def look(self, context: bytes, text: str) -> Seen | None:
        """What is near, and whether it may answer; None where nothing is to be compared with."""
        rows = self._groups.get(self._group(context, text))
        if rows is None:
            return None
        nearest = rows.nearest(vector_of(text), self.policy.num_candidates)
        found = tuple(Near(entry, self._texts[entry][1], similarity) for entry, similarity in nearest)
        return Seen(text, found, self.policy.choose(text, found), rows.size_bytes)

    def learn(self, seen: Seen, is_wrong: Callable[[int], bool | None]) -> bool:
        """Teaches the policy, once the true answer is known; returns whether the chosen candidate's was right.

        `is_wrong` says whether an entry's answer differs from the true one, None where it is kept no more.
        """
        outcomes = [(near, is_wrong(near.entry)) for near in seen.found]
        known = [(near, wrong) for near, wrong in outcomes if wrong is not None]
        chosen = [wrong for near, wrong in known if near.entry == seen.choice.near.entry]
        if not chosen:
            return False
        self.policy.learn(seen.asked, seen.choice, known)
        return not chosen[0]

    def _group(self, context: bytes, text: str) -> _Group:
        return context, signature(text) if self._has_guards else ()
