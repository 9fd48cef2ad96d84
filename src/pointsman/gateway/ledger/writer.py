"""Writes the ledger: callers leave records in a queue, and one thread stores them, many in one transaction.

A call to `append` or `settle` takes about a microsecond: it neither waits nor touches the disk, nor turns a record into
a row. The thread gathers for at most 0.1 s or 500 rows, and each transaction reaches the disk.

Covered: a clean end (`close`, or the end of the process) loses nothing. A killed process or a lost machine loses what
was not stored yet: the rows of the last 0.2 s, or the last 500, as long as the thread keeps up (see `docs/query.md` for
its speed). The queue has no limit, so nothing is dropped and nobody waits; it is counted (`most_queued`). Where the
file cannot be written, because it is locked or its disk is full, rows stay in memory, the failure is logged and told by
`status`, and beyond `max_held` they go to a ledger beside it, `NAME.overflow`, which the next `open_ledger` takes in.
Not covered: that the file beside it cannot be written either; then memory grows, and `close` raises with the number.
"""

import atexit
import hashlib
import logging
import os
import queue
import sqlite3
import struct
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from pointsman.core import BadRequest, InternalError, Outcome, PointsmanError
from pointsman.core.entries import Entry
from pointsman.gateway.ledger.overflow import overflow_of, spill, take_in
from pointsman.gateway.ledger.rows import Grid, decision_row, grid_row, outcome_row
from pointsman.gateway.ledger.schema import connect, explained
from pointsman.gateway.ledger.storing import RowOf, Stored, store

_BATCH_S, _BATCH_ROWS, _TICK_S = 0.1, 500, 0.01
"""How long and for how many rows a transaction waits, and how often the thread looks. Chosen."""

_RETRY_S = 0.5
"""Between tries to write to a file that cannot be written. Chosen."""

_Record: TypeAlias = Entry | tuple[str, Outcome] | Grid
_Item: TypeAlias = _Record | threading.Event
"""An event is set once all that was added before it has been stored, or has failed to be."""

_LOG = logging.getLogger("pointsman.gateway.ledger")


@dataclass(frozen=True, slots=True)
class LedgerStatus:
    """How the writing goes.

    Attributes:
        num_queued: rows that are not stored yet.
        most_queued: the most that there were at once.
        num_stored: rows in the file since it was opened.
        num_repeated: decisions of requests that had one already; the first stays.
        num_refused: rows that no ledger can hold, such as counts beyond 64 bits; each is logged.
        num_overflowed: rows in the file beside it.
        failure: why the file cannot be written now; None while it can.
    """

    num_queued: int
    most_queued: int
    num_stored: int
    num_repeated: int
    num_refused: int
    num_overflowed: int
    failure: str | None


class Ledger:
    """An open ledger. Any thread may call it; `close` it, or use it in a `with`."""

    def __init__(self, path: Path, connection: sqlite3.Connection, key: bytes, max_held: int) -> None:
        self._path, self._connection, self._key, self._max_held = path, connection, key, max_held
        self._queue: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._held: list[RowOf] = []
        self._totals = Stored()
        self._most_queued = self._num_overflowed = 0
        self._failure: str | None = None
        self._is_closing = self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def status(self) -> LedgerStatus:
        """Numbers of now."""
        totals, queued = self._totals, self._queue.qsize() + len(self._held)
        return LedgerStatus(
            *(queued, max(queued, self._most_queued), totals.num_stored, totals.num_repeated, totals.num_refused),
            *(self._num_overflowed, self._failure),
        )

    def append(self, entry: Entry) -> None:
        """Adds a decision; outcomes in the entry are ignored, `settle` adds them. Neither waits nor does I/O.

        Raises:
            BadRequest: `ledger_closed`.
        """
        self._put(entry)

    def settle(self, request_id: str, outcome: Outcome) -> None:
        """Adds what a request came to, or its audit; a later one replaces it. Neither waits nor does I/O.

        Raises:
            BadRequest: `ledger_closed`.
        """
        self._put((request_id, outcome))

    def add_grid(self, grid: Grid) -> None:
        """Adds a heat map. Neither waits nor does I/O. Raises BadRequest `ledger_closed`."""
        self._put(grid)

    def digest(self, request: bytes) -> bytes:
        """16 bytes by which the same request is known again, and from which nobody without the key can guess it."""
        return hashlib.blake2b(request, key=self._key, digest_size=16).digest()

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Waits until what was added before is on the disk; False where that takes longer or fails. Blocks."""
        done = threading.Event()
        self._put(done)
        return done.wait(timeout_s) and not self._held

    def close(self) -> None:
        """Stores all that is left and closes the file. Blocks; a second call does nothing.

        Raises:
            InternalError: `ledger_unwritten` with the number of rows that neither file could take.
        """
        if self._is_closing:
            return
        self._is_closing = True
        atexit.unregister(self.close)
        self._queue.put(threading.Event())  # wakes the thread
        self._thread.join()
        self._is_closed = True
        self._store(self._taken())  # what another thread added meanwhile
        if self._held:
            self._spill()
        self._connection.close()
        if self._held:
            problem = f"{len(self._held)} rows could not be written to {str(self._path)!r}: {self._failure}"
            raise InternalError(problem, code="ledger_unwritten")

    def _put(self, item: _Item) -> None:
        if self._is_closing:
            raise BadRequest(f"the ledger {str(self._path)!r} is closed", code="ledger_closed")
        self._queue.put(item)

    def _run(self) -> None:
        """The thread: gathers, stores, and begins again until the ledger closes."""
        while not self._is_closing:
            try:
                first = self._queue.get(timeout=_RETRY_S if self._held else None)
            except queue.Empty:
                self._store([])
                continue
            until = time.monotonic() + _BATCH_S
            is_urgent = isinstance(first, threading.Event)
            while not is_urgent and time.monotonic() < until and self._queue.qsize() < _BATCH_ROWS:
                time.sleep(_TICK_S)
                is_urgent = self._is_closing
            self._store([first, *self._taken(_BATCH_ROWS - 1)])
        while taken := self._taken(_BATCH_ROWS):
            self._store(taken)

    def _taken(self, most: int | None = None) -> list[_Item]:
        """What is in the queue, at most so much."""
        self._most_queued = max(self._most_queued, self._queue.qsize() + len(self._held))
        found: list[_Item] = []
        while most is None or len(found) < most:
            try:
                found.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return found

    def _store(self, items: Sequence[_Item]) -> None:
        """One transaction with what is held from before; then tells those who wait. Raises nothing."""
        self._held += [row for item in items if (row := self._row_of(item)) is not None]
        if self._held:
            try:
                self._totals = self._totals.plus(store(self._connection, self._held))
                self._held, self._failure = [], None
            except sqlite3.Error as exc:
                self._failed(explained(exc, self._path))
        for item in items:
            if isinstance(item, threading.Event):
                item.set()

    def _row_of(self, item: _Item) -> RowOf | None:
        """None for an event, and for what is no record, which is counted."""
        try:
            if isinstance(item, Entry):
                return "decisions", decision_row(item)
            if isinstance(item, Grid):
                return "grids", grid_row(item)
            if isinstance(item, tuple):
                return "outcomes", outcome_row(*item)
        except (AttributeError, TypeError, ValueError, struct.error) as exc:
            _LOG.error("a %s cannot be stored: %s", type(item).__name__, type(exc).__name__)
            self._totals = self._totals.plus(Stored(num_refused=1))
        return None

    def _failed(self, error: PointsmanError) -> None:
        if self._failure is None:
            _LOG.error("%s (%s); rows are held in memory and tried again", error.message, error.code)
        self._failure = error.message
        if len(self._held) > self._max_held:
            self._spill()

    def _spill(self) -> None:
        """Puts what is held into the file beside it, where that can be done."""
        try:
            spill(self._path, self._held)
        except PointsmanError as error:
            _LOG.error("%s (%s); %d rows are held in memory", error.message, error.code, len(self._held))
            return
        self._num_overflowed += len(self._held)
        _LOG.error("%d rows went to %s", len(self._held), overflow_of(self._path))
        self._held = []


def open_ledger(
    path: Path | str, *, key: bytes | None = None, max_held: int = 10_000, timeout_s: float = 5.0
) -> Ledger:
    """Opens a ledger for writing, or makes one; takes in what an earlier failure left in `NAME.overflow`.

    Args:
        path: of the file, whose folder exists.
        key: of `Ledger.digest`, 16 to 64 secret bytes; None makes one that ends with this process.
        max_held: rows that are held in memory while the file cannot be written.
        timeout_s: how long another program may hold the file.

    Raises:
        BadRequest: `no_ledger`, `invalid_ledger`, `ledger_locked` (see `schema.connect`), or `invalid_key`.
        Unsupported: `ledger_too_new`.
    """
    if key is not None and not 16 <= len(key) <= 64:
        raise BadRequest(f"the key has {len(key)} bytes; expected 16 to 64", code="invalid_key", param="key")
    path = Path(path)
    connection = connect(path, timeout_s=timeout_s)
    try:
        take_in(path, connection)
    except BaseException:
        connection.close()
        raise
    return Ledger(path, connection, key or os.urandom(32), max_held)
