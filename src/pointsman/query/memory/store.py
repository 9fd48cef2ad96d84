"""Where memory is kept: SQLite, in a file or in the process, so that it survives a restart.

What is kept of a request: two keyed hashes, and its last message's text where semantic memory compares texts. Numbers
of what was learned are rows of numbers, and states are JSON; nothing is unpickled.

Writes are committed every `_WRITES` and at the end, so that a crash loses at most the last few: this is a memory of
answers, and they can be asked again. One process writes one file. The only module where sqlite3's exceptions are
translated.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

from pointsman.core import BadRequest, Cost

__all__ = ["Kept", "Row", "Store"]

P = ParamSpec("P")
R = TypeVar("R")

_VERSION: Final = 1
_WRITES: Final = 64
_ENTRY: Final = (
    "tenant, key, context, text, is_near, size_bytes, uses, priority, answer, arm, kept_at_s, prompt_tokens, "
    "completion_tokens, nano_usd, moved_bytes, seconds"
)
_SCHEMA: Final = f"""
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS entries (
    entry INTEGER PRIMARY KEY AUTOINCREMENT, {_ENTRY.replace("key,", "key UNIQUE,", 1)});
CREATE TABLE IF NOT EXISTS weights (tenant BLOB, feature INTEGER, mean REAL, precision REAL,
    PRIMARY KEY (tenant, feature)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS certificates (tenant BLOB PRIMARY KEY, state TEXT NOT NULL);
"""
_UNOWNED: Final = """
DELETE FROM weights WHERE feature < 0 AND (-feature - 1) / 2 NOT IN (SELECT entry FROM entries);
"""  # weights of entries that are gone; `pairs.py` numbers them so


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer that was given.

    Attributes:
        answer: its text.
        cost: what it took when it was asked.
        arm: who gave it, such as `upstream/large`.
        kept_at_s: when, seconds since 1970.
    """

    answer: str
    cost: Cost
    arm: str
    kept_at_s: float


@dataclass(frozen=True, slots=True)
class Row:
    """An answer with what it is found by; `text` is empty where only the very same request finds it."""

    tenant: bytes
    key: bytes
    context: bytes
    text: str
    is_near: bool
    size_bytes: int
    uses: int
    priority: float
    kept: Kept


def _translated(method: Callable[P, R]) -> Callable[P, R]:
    """A method whose sqlite3 errors are ours."""

    @wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except sqlite3.OperationalError as exc:
            problem = f"cannot use the memory's file: {exc}; expected a file that one process may write"
            raise BadRequest(problem, code="cannot_open_memory") from exc
        except (sqlite3.Error, ValueError, TypeError) as exc:
            problem = f"the memory's file is damaged or something else: {exc}; delete it to begin with an empty one"
            raise BadRequest(problem, code="bad_memory") from exc

    return call


class Store:
    """The tables. Every method blocks on the disk.

    Args:
        path: the file, made if it is missing; None for this process only.

    Raises:
        BadRequest: `cannot_open_memory` for a file that cannot be used, `bad_memory` for one that is damaged, of
            another version or something else. Every method raises these.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._num_writes = 0
        self._connection = self._open(path)

    @_translated
    def _open(self, path: Path | None) -> sqlite3.Connection:
        connection = sqlite3.connect(path or ":memory:", check_same_thread=False)
        try:
            _check(connection)
            connection.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; {_SCHEMA}")
            connection.execute(f"PRAGMA user_version = {_VERSION}")
            connection.execute(_UNOWNED)
            connection.commit()
        except BaseException:
            connection.close()
            raise
        return connection

    @_translated
    def about(self, name: str) -> bytes | None:
        """A value that is kept by name."""
        row = self._connection.execute("SELECT value FROM about WHERE name = ?", (name,)).fetchone()
        return None if row is None else bytes(row[0])

    @_translated
    def set_about(self, name: str, value: bytes) -> None:
        with self._writing() as connection:
            connection.execute("INSERT OR REPLACE INTO about VALUES (?, ?)", (name, value))

    def secret(self) -> bytes:
        """32 random bytes that were drawn when the file was made; hashes of keys and requests are keyed by them."""
        found = self.about("secret")
        if found is None:
            found = secrets.token_bytes(32)
            self.set_about("secret", found)
            self.commit()
        return found

    @_translated
    def add(self, row: Row) -> int:
        """Keeps a row in the place of one with its key; returns its number, which is never used again."""
        cost = row.kept.cost
        values = (
            *(row.tenant, row.key, row.context, row.text, row.is_near, row.size_bytes, row.uses, row.priority),
            *(row.kept.answer, row.kept.arm, row.kept.kept_at_s, cost.prompt_tokens, cost.completion_tokens),
            *(cost.nano_usd, cost.moved_bytes, cost.seconds),
        )
        marks = ", ".join("?" * len(values))
        with self._writing() as connection:
            done = connection.execute(f"INSERT OR REPLACE INTO entries ({_ENTRY}) VALUES ({marks})", values)  # noqa: S608  our own names
        assert done.lastrowid is not None
        return done.lastrowid

    @_translated
    def drop(self, entries: Iterable[int]) -> None:
        with self._writing() as connection:
            connection.executemany("DELETE FROM entries WHERE entry = ?", [(entry,) for entry in entries])

    @_translated
    def used(self, entry: int, uses: int, priority: float) -> None:
        """Notes a use."""
        with self._writing() as connection:
            connection.execute("UPDATE entries SET uses = ?, priority = ? WHERE entry = ?", (uses, priority, entry))

    @_translated
    def kept(self, entry: int) -> Kept | None:
        """The answer of an entry; None where it is kept no more."""
        names = "answer, prompt_tokens, completion_tokens, nano_usd, moved_bytes, seconds, arm, kept_at_s"
        row = self._connection.execute(f"SELECT {names} FROM entries WHERE entry = ?", (entry,)).fetchone()  # noqa: S608  our own names
        return None if row is None else Kept(str(row[0]), Cost(*row[1:6]), row[6], row[7])

    @_translated
    def rows(self) -> list[tuple[int, Row]]:
        """Every entry, the older first, without answers' texts."""
        names = _ENTRY.replace("answer", "''")
        found = self._connection.execute(f"SELECT entry, {names} FROM entries ORDER BY entry")  # noqa: S608  our own names
        return [(row[0], _row(row)) for row in found]

    @_translated
    def learned(self, tenant: bytes) -> tuple[list[tuple[int, float, float]], list[list[Any]]]:
        """Weights (feature, mean, precision) and bands of one API key; both empty where nothing was learned."""
        weights = self._connection.execute("SELECT feature, mean, precision FROM weights WHERE tenant = ?", (tenant,))
        state = self._connection.execute("SELECT state FROM certificates WHERE tenant = ?", (tenant,)).fetchone()
        return [(int(f), float(m), float(p)) for f, m, p in weights], [] if state is None else list(
            json.loads(state[0])
        )

    @_translated
    def learn(self, tenant: bytes, weights: Iterable[tuple[int, float, float]], bands: list[list[Any]]) -> None:
        with self._writing() as connection:
            rows = [(tenant, *weight) for weight in weights]
            connection.executemany("INSERT OR REPLACE INTO weights VALUES (?, ?, ?, ?)", rows)
            connection.execute("INSERT OR REPLACE INTO certificates VALUES (?, ?)", (tenant, json.dumps(bands)))

    @property
    def is_due(self) -> bool:
        """Whether enough was written for a commit."""
        return self._num_writes >= _WRITES

    @_translated
    def commit(self) -> None:
        self._connection.commit()
        self._num_writes = 0

    @_translated
    def close(self) -> None:
        self._connection.commit()
        self._connection.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        yield self._connection
        self._num_writes += 1


def _check(connection: sqlite3.Connection) -> None:
    """Raises ValueError for a file that is not ours or not whole."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (num_tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if version != _VERSION and num_tables:
        raise ValueError(f"it has version {version}, expected {_VERSION}")
    (checked,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if checked != "ok":
        raise ValueError(checked)


def _row(row: tuple[Any, ...]) -> Row:
    """A row of `entries`, its number first."""
    kept = Kept(row[9], Cost(*row[12:17]), row[10], row[11])
    return Row(row[1], row[2], row[3], row[4], bool(row[5]), row[6], row[7], row[8], kept)
