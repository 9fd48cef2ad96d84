"""The compilation cache: JSON files named by the hash of what they were made from.

A program is looked up by the IR of everything it reaches, a machine by the IR of its function, and a differential test
by the machines it was run on, so that an edit which leaves the tables equal stops there. Entries are written whole or
not at all and may be deleted at any time. An entry that cannot be read as what it should be is made anew, and a folder
that cannot be written is left alone after one line in the log.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import pointsman
from pointsman.core import PointsmanError
from pointsman.program.ir import content_hash

__all__ = ["Cache", "compiler_version", "default_folder"]

T = TypeVar("T")

_LOG = logging.getLogger("pointsman.program")
_told: set[Path] = set()  # folders that the log has named


def default_folder() -> Path:
    """``$XDG_CACHE_HOME/pointsman``, or ``~/.cache/pointsman``."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "pointsman"


@cache
def compiler_version() -> str:
    """Changes with the compiler's own files, so that a new compiler never reads an old one's results."""
    here = Path(__file__).parent
    files = sorted(here.rglob("*.py"))
    return content_hash(pointsman.__version__, [(str(f.relative_to(here)), *_stamp(f)) for f in files])


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


class Cache:
    """``folder`` None: nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.hits = 0

    def get(self, kind: str, key: str, read: Callable[[Any], T]) -> T | None:
        """``read`` of what was kept, or None where there is nothing, or nothing that ``read`` takes."""
        if self.folder is None:
            return None
        try:
            found = read(json.loads((self.folder / f"{kind}-{key}.json").read_text(encoding="utf-8")))
        except OSError:
            return None
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError, PointsmanError):
            return None  # half of it was lost, or somebody else wrote it: made again
        self.hits += 1
        return found

    def put(self, kind: str, key: str, data: Any) -> None:
        """Keeps it, or says once in the log that this folder takes nothing."""
        if self.folder is None:
            return
        target = self.folder / f"{kind}-{key}.json"
        temporary = self.folder / f".{kind}-{key}.{os.getpid()}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(data, separators=(",", ":")), encoding="utf-8")
            temporary.replace(target)
        except OSError as exc:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            if self.folder not in _told:
                _told.add(self.folder)
                _LOG.warning("warning: nothing is cached: cannot write to %s: %s", self.folder, exc.strerror)
            self.folder = None
