"""Settles requests: in the ledger, in what can be explained, and for the guard. Nothing here waits or does I/O."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pointsman.core import BadRequest, Cost, Decision, Outcome
from pointsman.core.entries import Entry, Settled
from pointsman.gateway.auto.explaining import Trail
from pointsman.gateway.auto.guarding import Guard
from pointsman.gateway.tap import Heard

if TYPE_CHECKING:
    from pointsman.gateway.ledger import Ledger

__all__ = ["Recorder"]


class Recorder:
    """Keeps the books.

    Args:
        ledger: where decisions and bills are written; None for nowhere.
        guard: that is fed with settled requests; None where there is no policy.
        clock: seconds since 1970.
    """

    def __init__(self, ledger: Ledger | None, guard: Guard | None, clock: Callable[[], float] = time.time) -> None:
        self._ledger, self._guard, self._clock = ledger, guard, clock
        self.num_settled = self.num_unsettled = self.num_audits = 0

    @property
    def has_ledger(self) -> bool:
        """Whether anything is written."""
        return self._ledger is not None

    def now_us(self) -> int:
        """Microseconds since 1970, UTC."""
        return int(self._clock() * 1e6)

    def named(self, request_id: str, time_us: int, level: str, heard: Heard, policy: str) -> None:
        """A request whose model the client named, after its answer."""
        if self._ledger is None or not heard.arm:
            return
        decision = Decision(heard.arm, heard.reason or "named_by_client", policy)
        self._ledger.append(Entry(request_id, time_us, level, decision))
        self._settle(request_id, heard)

    def settled(self, trail: Trail, heard: Heard) -> Entry:
        """A request to `auto`, after its answer or its failure. The entry has no audit yet."""
        assert trail.decision is not None
        assert trail.level is not None
        reference = None if trail.standard is None else trail.standard.reference
        entry = Entry(trail.request_id, trail.time_us, trail.level, trail.decision, reference)
        if self._ledger is not None:
            self._ledger.append(entry)
        cost = self._settle(trail.request_id, heard, _other(trail.arm, trail.decision))
        trail.answered_by, trail.billed = heard.arm or None, cost
        if not heard.is_answer:
            trail.state = "failed"
        else:
            trail.state = "unsettled" if cost is None else "answered"
        if cost is None:
            return entry
        return replace(entry, billed=Settled(trail.arm or trail.decision.arm, cost, None, missed=heard.missed))

    def judged(self, entry: Entry, *, correct: bool) -> Entry:
        """Says whether the client's answer was right; a later outcome in the ledger replaces the first."""
        assert entry.billed is not None
        if self._ledger is not None:
            other = _other(entry.billed.arm, entry.decision)
            outcome = Outcome("", entry.billed.cost, correct, arm=other, missed=entry.billed.missed)
            self._ledger.settle(entry.request_id, outcome)
        return replace(entry, billed=replace(entry.billed, correct=correct))

    def told_right(self, trail: Trail, *, correct: bool) -> None:
        """Keeps what whoever asked says of the answer. What is said last counts.

        Raises:
            BadRequest: `no_ledger`, `is_joined` for a request that was split, `not_settled`.
        """
        if self._ledger is None:
            raise BadRequest("no ledger is kept; start the server with --ledger FILE", code="no_ledger")
        if trail.parts:
            problem = f"the request was split; say it of its parts: {', '.join(trail.parts)}"
            raise BadRequest(problem, code="is_joined")
        if trail.billed is None or trail.decision is None:
            problem = f"the request is {trail.state}, and has no bill; expected one that was answered"
            raise BadRequest(problem, code="not_settled")
        other = _other(trail.arm, trail.decision)
        self._ledger.settle(trail.request_id, Outcome("", trail.billed, correct, arm=other, missed=trail.missed))

    def audited(self, entry: Entry, cost: Cost, *, correct: bool | None, agrees: bool) -> Entry:
        """The reference arm's second answer, whether it was right, and whether it agrees with the client's."""
        assert entry.reference is not None
        self.num_audits += 1
        if self._ledger is not None:
            outcome = Outcome("", cost, correct, arm=entry.reference, is_audit=True, agrees=agrees)
            self._ledger.settle(entry.request_id, outcome)
        return replace(entry, audit=Settled(entry.reference, cost, correct, agrees))

    def observe(self, entry: Entry) -> None:
        """Gives a request, with its audit where it has one, to the guard."""
        if self._guard is not None and entry.billed is not None:
            self._guard.observe(entry)

    def told(self) -> dict[str, Any]:
        """Numbers, as JSON."""
        return {
            "num_settled": self.num_settled,
            "num_unsettled": self.num_unsettled,
            "num_audits": self.num_audits,
            "writing": None if self._ledger is None else self._ledger.status,
        }

    def close(self) -> None:
        """Writes what is left. Blocks. Raises InternalError `ledger_unwritten`."""
        if self._ledger is not None:
            self._ledger.close()

    def _settle(self, request_id: str, heard: Heard, other: str | None = None) -> Cost | None:
        """The bill, where it is known."""
        cost = heard.billed if heard.is_answer else None
        if cost is None:
            self.num_unsettled += 1
            return None
        self.num_settled += 1
        if self._ledger is not None:
            self._ledger.settle(request_id, Outcome("", cost, None, arm=other, missed=heard.missed))
        return cost


def _other(arm: str | None, decision: Decision) -> str | None:
    """Who answered, where the decision does not name it."""
    return None if arm == decision.arm else arm
