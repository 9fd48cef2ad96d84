"""What is drawn: boxes and links with their lines of text, and how large text is.

Long texts are cut to a few lines, and are whole in the tooltip (``title``).
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from pointsman.program.rows import Entry

__all__ = ["ADVANCE", "COLOURS", "INDENT", "LINE", "PAD_X", "PAD_Y", "Box", "Graph", "Link", "cut", "leaf", "text_size"]


# px; the advance is that of the widest usual monospace font (0.62 em) at 12 px
ADVANCE, LINE, PAD_X, PAD_Y = 7.4, 16.0, 11.0, 7.0

INDENT: Final = "\u00a0\u00a0"
COLOURS: Final = {  # kind -> fill, stroke
    "state": ("#e7effa", "#4a78b5"),
    "test": ("#f3f4f6", "#8a97a8"),
    "question": ("#fdf0d3", "#b7791f"),
    "return": ("#e4f3e8", "#3f8f5a"),
    "raise": ("#fbe8e5", "#c0564a"),
    "goto": ("#e7effa", "#4a78b5"),
}


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of text; ``kind`` is a key of ``COLOURS``. ``asks``: to get there costs a question to a reader."""

    lines: tuple[str, ...]
    title: str
    kind: str
    asks: bool = False

    def size(self) -> tuple[float, float]:
        return text_size(self.lines)

    def decides(self) -> bool:
        return self.kind in {"test", "question"}


@dataclass(frozen=True, slots=True)
class Link:
    """An arrow between two boxes, by number, with a label where it has lines. ``asks``: some row of it asks."""

    source: int
    target: int
    lines: tuple[str, ...] = ()
    title: str = ""
    dashed: bool = False
    asks: bool = False


@dataclass(slots=True)
class Graph:
    """One function's picture before it has places; ``legend`` tells what the names of its questions stand for."""

    heading: str
    legend: Sequence[Entry] = ()
    boxes: list[Box] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)

    def add(self, box: Box) -> int:
        self.boxes.append(box)
        return len(self.boxes) - 1


def text_size(lines: Sequence[str]) -> tuple[float, float]:
    return max(map(len, lines), default=0) * ADVANCE + 2 * PAD_X, len(lines) * LINE + 2 * PAD_Y


def cut(text: str, width: int, lines: int = 1) -> tuple[str, ...]:
    """The text in at most so many lines, the last one shortened."""
    wrapped = textwrap.wrap(text, width) or [text]
    if len(wrapped) > lines:
        wrapped = [*wrapped[: lines - 1], wrapped[lines - 1][: width - 1] + "…"]
    return tuple(wrapped)


def leaf(text: str, steps: Sequence[str] = (), *, title: str, asks: bool = False) -> Box:
    """A return, raise or goto, with the steps just before it."""
    lines = [line for step in steps[:3] for line in cut(step, 34)] + (["…"] if len(steps) > 3 else [])
    return Box((*lines, *cut(text, 34, 3)), title, text.partition(" ")[0], asks)
