"""What the short names of questions stand for, as columns of lines: kind, wording, answers, price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pointsman.program.picture.graph import ADVANCE, cut
from pointsman.program.rows import Entry

__all__ = ["LegendRow", "column_places", "legend_rows"]

_WIDTHS: Final = (8, 46, 46, 12)  # characters of the columns; chosen
_MAX_LINES: Final = 4
_GAP: Final = 20.0  # px between columns


@dataclass(frozen=True, slots=True)
class LegendRow:
    """A question: its name, its columns, and the whole text for a tooltip."""

    name: str
    columns: tuple[tuple[str, ...], ...]
    title: str

    def num_lines(self) -> int:
        return max(map(len, self.columns))


def legend_rows(entries: Sequence[Entry]) -> list[LegendRow]:
    return [_row(entry) for entry in entries]


def _row(entry: Entry) -> LegendRow:
    texts = (entry.kind, entry.wording, entry.answers, f"{entry.price_tokens} tokens")
    columns = tuple(cut(text, width, _MAX_LINES) for text, width in zip(texts, _WIDTHS, strict=True))
    title = f"{entry.name}: {entry.kind}, {entry.wording!r} of {entry.text}: {entry.answers}; {texts[3]}"
    return LegendRow(entry.name, columns, title)


def column_places(rows: Sequence[LegendRow], first: float) -> list[float]:
    """Where, in px from the left, each column begins, and where the last one ends."""
    places = [first]
    for lines in zip(*(row.columns for row in rows), strict=True):
        longest = max(len(line) for texts in lines for line in texts)
        places.append(places[-1] + longest * ADVANCE + _GAP)
    return places
