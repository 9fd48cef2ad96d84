"""The compilation cache: JSON files named by the hash of what they were made from.

A program is looked up by the IR of everything it reaches, a machine by the IR of its function, and a differential test
by the machines it was run on, so that an edit which leaves the tables equal stops there. Entries are written whole or
not at all and may be deleted at any time.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pointsman
from pointsman.program.ir import content_hash

__all__ = ["Cache", "compiler_version", "default_folder"]


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

    def get(self, kind: str, key: str) -> Any | None:
        if self.folder is None:
            return None
        try:
            data = json.loads((self.folder / f"{kind}-{key}.json").read_text())
        except (OSError, ValueError):
            return None  # not there, or half of it was lost: made again
        self.hits += 1
        return data

    def put(self, kind: str, key: str, data: Any) -> None:
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self.folder / f"{kind}-{key}.json"
        temporary = self.folder / f".{kind}-{key}.{os.getpid()}"
        temporary.write_text(json.dumps(data, separators=(",", ":")))
        temporary.replace(target)
