"""A selector without a model, which reads the text as a perfect one would: for tests, and for what drivers cost."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from pointsman.core import Cost, Unverified
from pointsman.core.selecting import FACTS, Row, Selection

__all__ = ["ReadingSelector"]

_FACT: Final = re.compile(rf"([{FACTS}]) (yes|no)(?=[,.])")


class ReadingSelector:
    """Implements ``core.selecting.Selector``: takes the row of which every fact is told in the state."""

    name = "reading"

    def select(self, rows: Sequence[Row], state: str) -> Selection:
        """Raises Unverified ``no_row`` where not exactly one row fits."""
        told = {(FACTS.index(name), word == "yes") for name, word in _FACT.findall(state.rpartition(";")[2])}
        found = [number for number, row in enumerate(rows) if told.issuperset(row)]
        if len(found) != 1:
            raise Unverified(f"{len(found)} rows fit {state!r}; expected one", code="no_row")
        return Selection(found[0], 1.0, Cost.zero())
