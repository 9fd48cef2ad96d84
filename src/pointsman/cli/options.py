"""Options that several commands share, and checks of values that typer itself does not make."""

from __future__ import annotations

import math
from typing import Annotated, TypeAlias

import typer

__all__ = ["TrustOpaque", "finite_seconds"]

TrustOpaque: TypeAlias = Annotated[
    bool, typer.Option("--trust-opaque", help="Import and run the original for opaque parts.")
]


def finite_seconds(value: float) -> float:
    """A callback. Raises typer.BadParameter."""
    if not (math.isfinite(value) and value >= 0):
        raise typer.BadParameter(f"{value} is not a number of seconds from 0 up")
    return value
