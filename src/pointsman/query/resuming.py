"""Files to which a long job appends a JSON line for each thing that it has done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["lines_done"]


def lines_done(path: Path) -> list[Any]:
    """What is there, in order; nothing where there is no file. A last line that a kill has cut off is removed."""
    if not path.exists():
        return []
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        path.write_bytes(whole)
    return [json.loads(line) for line in whole.splitlines()]
