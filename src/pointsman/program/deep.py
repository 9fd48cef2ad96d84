"""Recursion over deep structures: a chain of 100,000 rules is as deep as it is long.

Python 3.11 keeps Python frames on the heap, so a high limit costs memory and not the C stack.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["deep_recursion"]

_LIMIT = 1_000_000


@contextmanager
def deep_recursion() -> Iterator[None]:
    """Raises the recursion limit while the block runs."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _LIMIT))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
