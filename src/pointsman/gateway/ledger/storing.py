"""Stores rows in one transaction; a row that no ledger can hold is told apart from a file that cannot be written."""

import logging
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from pointsman.gateway.ledger.rows import ADD_DECISION, ADD_GRID, ADD_OUTCOME, DROP_GRIDS, Row

RowOf: TypeAlias = tuple[str, Row]
"""A table's name and a row for it."""

_STATEMENTS = {"decisions": ADD_DECISION, "outcomes": ADD_OUTCOME, "grids": ADD_GRID}
_BAD_ROW = (sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError, OverflowError, UnicodeError)

_LOG = logging.getLogger("pointsman.gateway.ledger")


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of rows: stored, decisions of requests that had one, and rows that cannot be stored."""

    num_stored: int = 0
    num_repeated: int = 0
    num_refused: int = 0

    def plus(self, other: "Stored") -> "Stored":
        """Both together."""
        return Stored(
            self.num_stored + other.num_stored,
            self.num_repeated + other.num_repeated,
            self.num_refused + other.num_refused,
        )


_Write: TypeAlias = Callable[[sqlite3.Connection, Sequence[RowOf]], Stored]


def store(connection: sqlite3.Connection, rows: Sequence[RowOf]) -> Stored:
    """All rows or, where it raises, none.

    Raises:
        sqlite3.Error: the file cannot be written.
    """
    try:
        return _in_one_transaction(connection, rows, _at_once)
    except _BAD_ROW:
        return _in_one_transaction(connection, rows, _one_by_one)


def _in_one_transaction(connection: sqlite3.Connection, rows: Sequence[RowOf], write: _Write) -> Stored:
    connection.execute("BEGIN IMMEDIATE")
    try:
        stored = write(connection, rows)
        if any(table == "grids" for table, _ in rows):
            connection.execute(DROP_GRIDS)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return stored


def _at_once(connection: sqlite3.Connection, rows: Sequence[RowOf]) -> Stored:
    num_stored = 0
    for table, statement in _STATEMENTS.items():
        of_table = [row for name, row in rows if name == table]
        if of_table:
            num_stored += connection.executemany(statement, of_table).rowcount
    return Stored(num_stored, len(rows) - num_stored)


def _one_by_one(connection: sqlite3.Connection, rows: Sequence[RowOf]) -> Stored:
    """The slow way, once a row of a batch is bad."""
    total = Stored()
    for table, row in rows:
        try:
            is_new = connection.execute(_STATEMENTS[table], row).rowcount == 1
        except _BAD_ROW as exc:
            _LOG.error("a row of %s for %r cannot be stored: %s", table, row[0], type(exc).__name__)
            total = total.plus(Stored(num_refused=1))
        else:
            total = total.plus(Stored(int(is_new), int(not is_new)))
    return total
