"""What a docstring says of a function and of its parameters."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["first_line", "parameter_words"]

_PARAMETER: Final = re.compile(r"\s+\*{0,2}(\w+)(?: *\([^)]*\))?:\s*(.+)")
_FIELD: Final = re.compile(r"\s*:param (?:\w+ )?(\w+):\s*(.+)")


def first_line(docstring: str) -> str:
    """The summary."""
    return docstring.strip().partition("\n")[0]


def parameter_words(docstring: str) -> dict[str, str]:
    """What each parameter is: the lines of ``Args:`` (Google's style) or ``:param x:``, up to the first full stop.

    Only the first line of a description is read.
    """
    found: dict[str, str] = {}
    is_inside = False
    for line in docstring.splitlines():
        if line.strip() in {"Args:", "Arguments:", "Parameters:"}:
            is_inside = True
        elif line.strip() and not line.startswith((" ", "\t")):
            is_inside = False
        match = _FIELD.fullmatch(line) or (_PARAMETER.fullmatch(line) if is_inside else None)
        if match is not None:
            found.setdefault(match[1], re.split(r"[.;](?:\s|$)", match[2])[0].strip())
    return found
