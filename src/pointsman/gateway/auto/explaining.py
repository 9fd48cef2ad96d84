"""What can be told of recent requests: which tracks were tried, and what came of them. No prompts, no outputs.

A bounded number of requests is kept, in this process only, and each is told to the API key that asked it.
"""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pointsman.core import Cost, Decision, NotFound
from pointsman.gateway.auto.asked import Looked, Plan
from pointsman.gateway.auto.telling import Standard, certificate_told, forecasts_told, saved
from pointsman.query.voting import Votes

if TYPE_CHECKING:  # numpy is loaded where there is a policy only
    from pointsman.gateway.auto.conversations import Turn
    from pointsman.query.policy import Steps

__all__ = ["AuditTrail", "Trail", "Trails"]


@dataclass(frozen=True, slots=True)
class AuditTrail:
    """What became of an audit.

    Attributes:
        state: `pending`, `done`, `failed`, `is_reference` where the reference arm answered anyway, or `skipped_*`.
        cost: of the second answer.
        agrees: whether both final answers are the same, see `auditing.py`; None where that is not known.
    """

    state: str
    cost: Cost | None = None
    agrees: bool | None = None


@dataclass(slots=True)
class Trail:
    """One request. Written while it goes on.

    Attributes:
        request_id: its name.
        owner: who asked, as a keyed hash.
        time_us: when, microseconds in UTC.
        tried: tracks in order, with what each of them said.
        level, decision, plan facts: once it is decided.
        standard: what decisions were measured by then.
        answered_by: the arm, as the answer's headers name it.
        billed: what it took; None where that is not known.
        missed: what tracks took that did not answer, and what was read of a model to choose.
        state: `open`, `answered`, `unsettled` where the bill is not known, or `failed`.
        audit: None where it was not drawn for one.
        parts: names of the requests that it was split into.
        arm: who answers.
        votes: how the answer was elected.
        steps, looked: what is called and looked at first, and what came of it.
        turn, cache_saves: what a model has read of the conversation before, and what that saves its arms.
    """

    request_id: str
    owner: bytes
    time_us: int
    tried: list[tuple[str, str]] = field(default_factory=list)
    level: str | None = None
    decision: Decision | None = None
    dials: dict[str, str | float] = field(default_factory=dict)
    counted: dict[str, str] = field(default_factory=dict)
    novelty: float | None = None
    standard: Standard | None = None
    answered_by: str | None = None
    billed: Cost | None = None
    missed: Cost = field(default_factory=Cost.zero)
    state: str = "open"
    audit: AuditTrail | None = None
    parts: list[str] = field(default_factory=list)
    arm: str | None = None
    votes: Votes | None = None
    steps: Steps | None = None
    looked: Looked | None = None
    turn: Turn | None = None
    cache_saves: Mapping[str, float] = field(default_factory=dict)

    def decided(self, plan: Plan, standard: Standard | None) -> None:
        """Takes over what a plan says, but its text."""
        self.level, self.decision, self.novelty, self.standard = plan.level, plan.decision, plan.novelty, standard
        self.counted, self.votes, self.missed = dict(plan.counted), plan.votes, plan.missed
        self.arm, self.steps, self.looked = plan.arm, plan.steps, plan.looked
        self.turn, self.cache_saves = plan.turn, plan.cache_saves
        self.dials = {} if plan.spec is None else dict(plan.spec.settings)

    def told(self) -> dict[str, Any]:
        """As JSON."""
        decision = self.decision
        return {
            "id": self.request_id,
            "time_us": self.time_us,
            "state": self.state,
            "tried": [{"track": track, "reason": reason} for track, reason in self.tried],
            "level": self.level,
            "arm": self.answered_by if decision is None else self.arm,
            "reason": None if decision is None else decision.reason,
            "policy": None if decision is None else decision.policy_version,
            "dials": self.dials,
            "votes": self.votes,
            "sequence": self.steps if self.looked is None else self.looked.told(),
            "forecasts": [] if decision is None else forecasts_told(decision, self.standard, self.counted),
            "prompt_cache": self._prompt_cache(),
            "novelty": self.novelty,
            "billed": self.billed,
            "missed": self.missed,
            "saved_against_reference": None
            if decision is None
            else saved(decision, self.billed, self.missed, self.standard),
            "certificate": None if self.standard is None else certificate_told(self.standard.certificate),
            "audit": self.audit,
            "parts": self.parts,
        }

    def _prompt_cache(self) -> dict[str, Any] | None:
        """What the cache saves, or what switching loses; None where no model has read the conversation before."""
        if self.turn is None or self.turn.read is None:
            return None
        read, saves = self.turn.read, {arm: round(nano_usd) for arm, nano_usd in self.cache_saves.items()}
        kept = self.arm in saves
        return {"model": read.model, "prompt_tokens": read.prompt_tokens, "saves_nano_usd": saves, "is_kept": kept}


class Trails:
    """The last `most` requests."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._secret = os.urandom(32)
        self._kept: OrderedDict[str, Trail] = OrderedDict()

    def open(self, request_id: str, api_key: str | None, time_us: int) -> Trail:
        """Begins one, and gives up the oldest where there are too many."""
        trail = self._kept[request_id] = Trail(request_id, self._owner(api_key), time_us)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return trail

    def find(self, request_id: str, api_key: str | None) -> Trail:
        """One by its name, for who asked it.

        Raises:
            NotFound: `request_not_found`; another's request is told in the same way as none.
        """
        trail = self._kept.get(request_id.removeprefix("chatcmpl-"))
        if trail is None or trail.owner != self._owner(api_key):
            problem = (
                f"no recent request to auto has this name and this API key; the last {self._most} of this process "
                "are kept, under the name in the header x-request-id"
            )
            raise NotFound(problem, code="request_not_found")
        return trail

    def _owner(self, api_key: str | None) -> bytes:
        """A request without a key belongs to whoever has none."""
        told = b"none" if api_key is None else b"key " + api_key.encode()
        return hashlib.blake2b(told, key=self._secret, digest_size=16).digest()
