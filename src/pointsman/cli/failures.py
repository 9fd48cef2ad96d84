"""How an error of ours ends a command: one line for people, and the exit status."""

from __future__ import annotations

from pointsman.core import InternalError, PointsmanError

__all__ = ["exit_status", "shown"]

_NEGATIVE_CODES = frozenset({"compile_mismatch", "wrong_answer"})
"""Errors that are the answer no, and not a fault of what was asked."""


def exit_status(error: PointsmanError) -> int:
    """1 for the answer no or a defect of ours, 2 for wrong use or input."""
    return 1 if isinstance(error, InternalError) or error.code in _NEGATIVE_CODES else 2


def shown(error: PointsmanError, where: str = "") -> str:
    """``error [code]: where: message``; the code is left out where the message has it."""
    label = "" if error.code in error.message else f" [{error.code}]"
    return f"error{label}: {where and where + ': '}{error.message}"
