"""Loops over one request, compiled by numba where it is installed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

__all__ = ["compiled"]


@cache
def compiled(loop: Callable[..., Any]) -> Callable[..., Any] | None:
    """The loop as machine code; None without numba.

    Compiled at the first call, which takes about half a second; kept on disk where the package's folder can be written.
    """
    try:
        import numba
    except ImportError:
        return None
    untyped: Any = numba  # its decorators lack the types
    try:
        found: Callable[..., Any] = untyped.njit(cache=True)(loop)
    except RuntimeError:  # nowhere to keep compiled code
        found = untyped.njit(loop)
    return found
