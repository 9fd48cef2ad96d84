"""Files of examples: one a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pointsman.core import BadRequest

__all__ = ["decoded", "filled_lines"]


def filled_lines(path: Path, expected: str) -> list[tuple[str, str]]:
    """The lines of a file that are not blank, each with where it stands.

    Lines end at line feeds only: JSON may hold every other character that Python breaks lines at.

    Raises:
        BadRequest: `bad_examples` where the file cannot be read or has no such line; it says what was `expected`.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as exc:
        raise BadRequest(f"cannot read {str(path)!r}: {exc.strerror}", code="bad_examples") from exc
    except UnicodeDecodeError as exc:
        raise BadRequest(f"{path} is not text (UTF-8): {exc.reason}", code="bad_examples") from exc
    found = [(f"{path} line {number}", line) for number, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise BadRequest(f"{path} holds no requests; expected {expected}", code="bad_examples")
    return found


def decoded(line: str, where: str) -> Any:
    """A line's JSON. Raises BadRequest ``bad_examples``."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise BadRequest(f"{where}: not JSON: {exc}", code="bad_examples") from exc
