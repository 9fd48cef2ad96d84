"""Reads a ledger, also while it is being written, a few thousand entries at a time."""

import struct
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from pointsman.core import BadRequest
from pointsman.core.entries import Entry
from pointsman.gateway.ledger.rows import SELECT_ENTRIES, Grid, entry_of, grid_of
from pointsman.gateway.ledger.schema import check, connect_reader, translated

_PAGE = 4_000
"""Entries that one statement reads: a statement that stays open keeps the writer's log from being emptied. Chosen."""

_TIMEOUT_S = 5.0


def read_entries(path: Path | str, since: int = 0) -> Iterator[Entry]:
    """The entries decided at `since` (microseconds, UTC) or later, in the order in which they were written.

    Each is as it stood when it was read: one whose outcome comes later has None there. All rows are looked through,
    whatever `since` is.

    Raises:
        BadRequest: `no_ledger`, `invalid_ledger` or `ledger_locked`; see `schema.connect`.
        Unsupported: `ledger_too_new`.
    """
    path, place = Path(path), 0
    with closing(connect_reader(path, timeout_s=_TIMEOUT_S)) as connection:
        while True:
            with translated(path):
                select = SELECT_ENTRIES[check(connection, path)]
                rows = connection.execute(select, (place, since, _PAGE)).fetchall()
            for row in rows:
                yield _entry(row, path)
            if len(rows) < _PAGE:
                return
            place = rows[-1][0]


def count_entries(path: Path | str) -> int:
    """How many entries there are now. Raises as `read_entries`."""
    path = Path(path)
    with closing(connect_reader(path, timeout_s=_TIMEOUT_S)) as connection, translated(path):
        (count,) = connection.execute("SELECT coalesce(max(seq), 0) FROM decisions").fetchone()
    return int(count)


def read_grids(path: Path | str, level: str, limit: int = 3) -> list[Grid]:
    """The latest heat maps of a level. Raises as `read_entries`."""
    path = Path(path)
    statement = "SELECT request_id, level, num_columns, shares FROM grids WHERE level = ? ORDER BY seq DESC LIMIT ?"
    with closing(connect_reader(path, timeout_s=_TIMEOUT_S)) as connection, translated(path):
        return [grid_of(row) for row in connection.execute(statement, (level, limit))]


def _entry(row: Sequence[Any], path: Path) -> Entry:
    try:
        return entry_of(row)
    except (ValueError, TypeError, struct.error, BadRequest) as exc:
        problem = f"row {row[0]} of the ledger {str(path)!r} does not hold an entry: {exc}"
        raise BadRequest(problem, code="invalid_ledger") from exc
