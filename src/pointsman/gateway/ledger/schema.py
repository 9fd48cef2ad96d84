"""The ledger's file: its tables, how it is opened, and what SQLite's errors mean here (the one place that says so).

Two tables of rows that are only ever added, which triggers hold to, and a third for pictures, which are not books:

    decisions   one row a request, with what the policy knew
    outcomes    answers: the client's and, where `is_audit`, the reference arm's; the latest of its kind counts, so that
                a correction is a row too
    grids       numbers of token and unit heat maps: of each level the last `MOST_GRIDS`, the oldest make room

Money is integer nano-dollars, bytes are integers, times are microseconds since 1970 in UTC. `PRAGMA application_id`
says that a file is a ledger, `user_version` which form it has. Form 1 lacks the last columns of outcomes, and its grids
are never removed; opening it for writing makes it form 2, and reading leaves it as it is.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pointsman.core import BadRequest, PointsmanError, Unsupported

VERSION = 2
"""Of the tables below. A file of a newer one is refused, since rows could not be understood."""

_APPLICATION_ID = 0x504D4C47  # "PMLG"

_TABLES = """
CREATE TABLE decisions (
    seq INTEGER PRIMARY KEY,
    request_id TEXT NOT NULL UNIQUE,
    time_us INTEGER NOT NULL,
    level TEXT NOT NULL,
    arm TEXT NOT NULL,
    reason TEXT NOT NULL,
    policy TEXT NOT NULL,
    certificate TEXT,
    propensity REAL NOT NULL CHECK (propensity > 0 AND propensity <= 1),
    is_audited INTEGER NOT NULL CHECK (is_audited IN (0, 1)),
    dials TEXT NOT NULL,        -- JSON: {name: number}
    forecasts TEXT NOT NULL,    -- JSON: [[arm, right, low, high, the five numbers of a cost], ...]
    reference TEXT,
    features BLOB,              -- float64, little end first
    digest BLOB
) STRICT;
CREATE TABLE outcomes (
    seq INTEGER PRIMARY KEY,
    request_id TEXT NOT NULL,
    is_audit INTEGER NOT NULL CHECK (is_audit IN (0, 1)),
    arm TEXT,                   -- NULL: the decision's
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    nano_usd INTEGER NOT NULL,
    moved_bytes INTEGER NOT NULL,
    seconds REAL NOT NULL,
    correct INTEGER CHECK (correct IN (0, 1)),
    agrees INTEGER CHECK (agrees IN (0, 1)),
    missed TEXT                 -- JSON: the five numbers of a cost; NULL: nothing
) STRICT;
CREATE INDEX outcomes_by_request ON outcomes (request_id, is_audit);
CREATE TABLE grids (
    seq INTEGER PRIMARY KEY,
    request_id TEXT NOT NULL,
    level TEXT NOT NULL,
    num_columns INTEGER NOT NULL CHECK (num_columns > 0),
    shares BLOB NOT NULL        -- float64 from 0 to 1, row after row
) STRICT;
"""

_FROM_1 = (
    "ALTER TABLE outcomes ADD COLUMN agrees INTEGER CHECK (agrees IN (0, 1))",
    "ALTER TABLE outcomes ADD COLUMN missed TEXT",
    "DROP TRIGGER grids_keep_UPDATE",
    "DROP TRIGGER grids_keep_DELETE",
)
"""What makes form 2 of form 1."""

_GUARD = """
CREATE TRIGGER {table}_keep_{verb} BEFORE {verb} ON {table}
BEGIN SELECT RAISE(ABORT, 'a ledger is only added to'); END;
"""

_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_BROKEN = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def connect(path: Path, *, timeout_s: float) -> sqlite3.Connection:
    """For writing; makes the file where there is none. Every commit reaches the disk (`synchronous=FULL`).

    Raises:
        BadRequest: `no_ledger` where it cannot be opened, `invalid_ledger` where it is another kind of file or broken,
            `ledger_locked` where another program holds it for longer than `timeout_s`.
        Unsupported: `ledger_too_new`.
    """
    with translated(path):
        connection = sqlite3.connect(path, timeout=timeout_s, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("BEGIN IMMEDIATE")
            if _is_empty(connection):
                _create(connection)
            if check(connection, path) == 1:
                for statement in (*_FROM_1, f"PRAGMA user_version={VERSION}"):
                    connection.execute(statement)
            connection.execute("COMMIT")
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
        except BaseException:
            connection.close()
            raise
        return connection


def connect_reader(path: Path, *, timeout_s: float) -> sqlite3.Connection:
    """For reading only, also while another thread or process writes. Raises as `connect`."""
    if not path.is_file():
        raise BadRequest(f"there is no ledger {str(path)!r}; expected a file of this program", code="no_ledger")
    with translated(path):
        uri = f"{path.resolve().as_uri()}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, timeout=timeout_s, isolation_level=None)
        try:
            check(connection, path)
        except BaseException:
            connection.close()
            raise
        return connection


def check(connection: sqlite3.Connection, path: Path) -> int:
    """The form of the file, which is a ledger and of a form that this program knows. Raises as `connect`."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != _APPLICATION_ID or version < 1:
        raise BadRequest(f"{str(path)!r} is a database, but not a ledger of pointsman", code="invalid_ledger")
    if version > VERSION:
        problem = f"{str(path)!r} has form {version} of a ledger; expected at most {VERSION}, so use a newer pointsman"
        raise Unsupported(problem, code="ledger_too_new")
    return int(version)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Gives SQLite's errors as ours."""
    try:
        yield
    except sqlite3.Error as exc:
        raise explained(exc, path) from exc


def explained(exc: sqlite3.Error, path: Path) -> PointsmanError:
    """The error of ours for one of SQLite's; the primary code is the low byte of an extended one."""
    code = getattr(exc, "sqlite_errorcode", 0) & 0xFF
    if code in _BUSY:
        problem = f"another program holds the ledger {str(path)!r}; expected it to let go within the time allowed"
        return BadRequest(problem, code="ledger_locked")
    if code in _BROKEN:
        problem = f"{str(path)!r} is not a ledger, or is broken ({exc}); expected a file of this program"
        return BadRequest(problem, code="invalid_ledger")
    return BadRequest(f"cannot use the ledger {str(path)!r}: {exc}", code="no_ledger")


def _is_empty(connection: sqlite3.Connection) -> bool:
    (count,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    return bool(count == 0 and application == 0)


def _create(connection: sqlite3.Connection) -> None:
    for statement in _TABLES.split(";\n"):
        if statement.strip():
            connection.execute(statement)
    for table in ("decisions", "outcomes"):
        for verb in ("UPDATE", "DELETE"):
            connection.execute(_GUARD.format(table=table, verb=verb))
    connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version={VERSION}")
