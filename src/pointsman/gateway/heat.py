"""Heat maps of a few answers for the ledger: which model wrote each token, and which units were read for it.

At most one answer a second of each level is drawn, after its client has it, so that a busy server spends nothing on
this; the ledger keeps the last few. A map holds numbers and nothing of what was asked or answered. Not drawn: answers
of programs and upstreams, of models without units, of a whole model (a budget of 1), and those that broke off.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from pointsman.gateway.ledger.rows import MOST_CELLS, MOST_PLACES, Grid

if TYPE_CHECKING:
    from pointsman.gateway.ledger import Ledger

__all__ = ["Draw", "HeatMaps", "Rows", "lines", "places"]

LINE_TOKENS = 64
"""Tokens of a line. Chosen: so many squares of a readable size are as wide as a page."""

SPAN_S = 1.0
"""Between two maps of a level. Chosen."""

Rows: TypeAlias = tuple[tuple[float, ...], ...]

Draw: TypeAlias = Callable[[], Rows | None]
"""Makes a map's rows, as `ledger.Grid` has them; None where there is nothing to see."""


class HeatMaps:
    """Gives maps to a ledger.

    Args:
        ledger: that keeps them.
        clock: seconds that only grow.
    """

    def __init__(self, ledger: Ledger, clock: Callable[[], float] = time.monotonic) -> None:
        self._ledger, self._clock = ledger, clock
        self._last_s: dict[str, float] = {}

    def keep(self, request_id: str, level: str, draw: Draw) -> None:
        """Draws the map of an answer, unless the last one of its level is too near. Neither waits nor does I/O.

        Raises:
            BadRequest: `ledger_closed`.
        """
        now_s = self._clock()
        if now_s - self._last_s.get(level, -SPAN_S) < SPAN_S:
            return
        rows = draw()
        if rows:
            self._last_s[level] = now_s
            self._ledger.add_grid(Grid(request_id, level, rows))


def lines(shares: Sequence[float]) -> Rows:
    """The first `MOST_CELLS` numbers of a text's tokens, in lines."""
    told = tuple(shares[:MOST_CELLS])
    return tuple(told[at : at + LINE_TOKENS] for at in range(0, len(told), LINE_TOKENS))


def places(rows: Sequence[Sequence[float]]) -> Rows:
    """Of each row the first places, as many as a grid of so many rows holds."""
    most = min(MOST_PLACES, MOST_CELLS // max(1, len(rows)))
    return tuple(tuple(row[:most]) for row in rows)
