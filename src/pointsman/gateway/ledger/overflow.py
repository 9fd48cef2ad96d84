"""The ledger beside a ledger, for rows that the ledger itself could not take. It is one too, and can be read as one.

Several processes may write one ledger. One alone at a time uses the file beside it, so that none adds rows to a file
that another is about to remove; a lock on `NAME.overflow.lock` sees to that (POSIX only).
"""

import fcntl
import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from pointsman.core import BadRequest
from pointsman.gateway.ledger.schema import connect, translated
from pointsman.gateway.ledger.storing import RowOf, store

_COLUMNS_OF_PLACE = 1  # `seq`, which the other file gives anew
_TABLES = ("decisions", "outcomes", "grids")
_TIMEOUT_S = 1.0

_LOG = logging.getLogger("pointsman.gateway.ledger")


def overflow_of(path: Path) -> Path:
    """Where it is."""
    return path.with_name(path.name + ".overflow")


def spill(path: Path, rows: Sequence[RowOf]) -> None:
    """Stores rows beside the ledger `path`. Raises as `schema.connect`."""
    beside = overflow_of(path)
    with _alone(beside), closing(connect(beside, timeout_s=_TIMEOUT_S)) as connection, translated(beside):
        store(connection, rows)


def take_in(path: Path, connection: sqlite3.Connection) -> None:
    """Stores in the ledger what stands beside it, then removes that file.

    Where the process dies in between, the next time repeats it: decisions are not doubled, and a repeated outcome says
    the same again. Raises as `schema.connect`.
    """
    beside = overflow_of(path)
    if not beside.exists():
        return
    with _alone(beside):
        _take_in(path, connection, beside)


def _take_in(path: Path, connection: sqlite3.Connection, beside: Path) -> None:
    if not beside.exists():
        return  # another process was quicker
    with closing(connect(beside, timeout_s=_TIMEOUT_S)) as other, translated(beside):
        rows: list[RowOf] = []
        for table in _TABLES:
            found = other.execute(f"SELECT * FROM {table} ORDER BY seq")  # noqa: S608  fixed words
            rows += [(table, tuple(row[_COLUMNS_OF_PLACE:])) for row in found]
    with translated(path):
        stored = store(connection, rows)
    for end in ("", "-wal", "-shm"):
        beside.with_name(beside.name + end).unlink(missing_ok=True)
    _LOG.warning("%d rows of %s are in the ledger now", stored.num_stored, beside)


@contextmanager
def _alone(beside: Path) -> Iterator[None]:
    """Waits until no other process uses the file. Raises BadRequest `no_ledger` where the lock cannot be made."""
    lock = beside.with_name(beside.name + ".lock")
    try:
        held = lock.open("ab")
    except OSError as exc:
        raise BadRequest(f"cannot write {str(lock)!r}: {exc.strerror}", code="no_ledger") from exc
    with held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
