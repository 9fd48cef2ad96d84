"""Work on large structures: a chain of 100,000 rules is as deep as it is long, and made of millions of objects.

Python 3.11 keeps Python frames on the heap, so a high limit costs memory and not the C stack. The cyclic collector
would look through all of the structure again and again, a third of the time, and find nothing: it is immutable.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["deep_recursion"]

_LIMIT = 1_000_000


@contextmanager
def deep_recursion() -> Iterator[None]:
    """Raises the recursion limit and pauses the cyclic collector while the block runs."""
    limit, collecting = sys.getrecursionlimit(), gc.isenabled()
    sys.setrecursionlimit(max(limit, _LIMIT))
    gc.disable()
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)
        if collecting:
            gc.enable()
