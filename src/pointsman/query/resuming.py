"""Files to which a long job appends a JSON line for each thing that it has done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pointsman.core import BadRequest

__all__ = ["lines_done"]


def lines_done(path: Path) -> list[Any]:
    """What is there, in order; nothing where there is no file. A last line that a kill has cut off is removed.

    Raises BadRequest: `bad_lines` for a line that is no JSON.
    """
    if not path.exists():
        return []
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        path.write_bytes(whole)
    return [_decoded(line, path, number) for number, line in enumerate(whole.splitlines(), 1)]


def _decoded(line: bytes, path: Path, number: int) -> Any:
    try:
        return json.loads(line)
    except ValueError as exc:
        problem = f"{path}, line {number}: {exc}; expected a JSON line of a job that was begun before"
        raise BadRequest(f"{problem}. Remove the file, or name another", code="bad_lines") from exc
