"""Audits: the reference arm answers some requests too, after the client has its answer, which it never changes.

A request is drawn by chance alone, so whoever answers it has no say in it. What an audit finds:

- *agreement*, always, which the ledger keeps: the final answers of both texts are the same (`query/comparing.py`). Two
  texts that agree can both be wrong, and two that say the same in other words disagree.
- *correctness*, only with the comparer `reference_is_right`: the reference arm's answer is taken for the right one, so
  that the client's answer is right where both agree. By default it stays unknown.

Audits that wait are bounded, and so are those that run at once. What cannot be audited is skipped and counted.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final

from pointsman.core import PointsmanError
from pointsman.core.entries import Entry
from pointsman.gateway.auto.asked import Asked
from pointsman.gateway.auto.asking import Answered
from pointsman.gateway.auto.explaining import AuditTrail, Trail
from pointsman.gateway.auto.recording import Recorder
from pointsman.gateway.boundary import explained
from pointsman.gateway.tap import Heard
from pointsman.query.comparing import agree

__all__ = ["Auditor"]

_MOST_WAITING: Final = 100
"""Audits that wait. Chosen: each holds a request's body and an answer."""

_LOG = logging.getLogger("pointsman.gateway")


class Auditor:
    """Draws requests, and has the reference arm answer them in the background.

    Args:
        share: of requests.
        most: audits at once.
        is_reference_right: whether the reference arm's answer is taken for the right one.
        ask: has the reference arm answer unseen.
        recorder: keeps what comes of it.
        seed: of the draws; None for one of the system's.
    """

    def __init__(
        self,
        share: float,
        most: int,
        *,
        is_reference_right: bool,
        ask: Callable[[Asked], Awaitable[Answered]],
        recorder: Recorder,
        seed: int | None = None,
    ) -> None:
        self._share, self._is_reference_right, self._ask, self._recorder = share, is_reference_right, ask, recorder
        self._rng = random.Random(seed)  # noqa: S311  a sample, no secret
        self._turns = asyncio.Semaphore(most)
        self._tasks: set[asyncio.Task[None]] = set()
        self._counts: Counter[str] = Counter()
        self._is_stopping = False

    def draws(self) -> bool:
        """Whether a request is audited; asked once a request, and by chance alone."""
        is_drawn = self._rng.random() < self._share
        self._counts["drawn"] += is_drawn
        return is_drawn

    def begin(self, asked: Asked, trail: Trail, entry: Entry, heard: Heard) -> None:
        """Audits a request that was drawn, once its answer is complete. Does not wait."""
        if entry.billed is None:
            self._ended(trail, entry, "skipped_no_bill")
        elif entry.decision.arm == entry.reference:
            if self._is_reference_right:
                entry = self._recorder.judged(entry, correct=True)
            self._ended(trail, entry, "is_reference")
        elif self._is_stopping or len(self._tasks) >= _MOST_WAITING:
            self._ended(trail, entry, "skipped_stopping" if self._is_stopping else "skipped_too_many")
        else:
            trail.audit = AuditTrail("pending")
            task = asyncio.ensure_future(self._audit(asked, trail, entry, heard.text))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Ends what runs and waits; both are counted as skipped."""
        self._is_stopping = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def told(self) -> dict[str, Any]:
        """Numbers, as JSON."""
        return {"share": self._share, "num_waiting": len(self._tasks), **self._counts}

    async def _audit(self, asked: Asked, trail: Trail, entry: Entry, text: str) -> None:
        request_id = entry.request_id
        try:
            async with self._turns:
                answered = await self._ask(asked)
        except asyncio.CancelledError:
            self._ended(trail, entry, "skipped_stopping")
            raise
        except PointsmanError as error:
            _LOG.warning("%s: its audit failed: %s (%s)", request_id, error.message, error.code)
            self._ended(trail, entry, "failed")
            return
        except Exception as exc:  # noqa: BLE001  the edge of a task: logged and counted
            explained(exc, request_id)
            self._ended(trail, entry, "failed")
            return
        self._compare(trail, entry, text, answered)

    def _compare(self, trail: Trail, entry: Entry, text: str, answered: Answered) -> None:
        if not answered.bill.is_known:
            self._ended(trail, entry, "failed")
            return
        agrees, cost = agree(text, answered.text), answered.bill.cost
        self._counts["agree" if agrees else "disagree"] += 1
        if self._is_reference_right:
            entry = self._recorder.judged(entry, correct=agrees)
        is_right = True if self._is_reference_right else None
        self._ended(trail, self._recorder.audited(entry, cost, correct=is_right, agrees=agrees), "done")
        trail.audit = AuditTrail("done", cost, agrees)

    def _ended(self, trail: Trail, entry: Entry, state: str) -> None:
        self._counts[state] += 1
        trail.audit = AuditTrail(state)
        self._recorder.observe(entry)
