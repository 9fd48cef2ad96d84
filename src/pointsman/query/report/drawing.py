"""Charts as SVG, drawn with the colours of the page that they stand in, so that they follow its light or dark.

Each has a title for screen readers; the page gives the same numbers as a table. Every text is escaped here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from pointsman.query.amounts import short

_WIDTH, _HEIGHT = 720.0, 320.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 76.0, 24.0, 16.0, 48.0  # px around what is drawn
NUM_COLOURS = 8


@dataclass(frozen=True, slots=True)
class Point:
    """A dot with its name, which may be empty; `x_range` and `y_range` are drawn as lines through it."""

    x: float
    y: float
    name: str
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    is_marked: bool = False


@dataclass(frozen=True, slots=True)
class Axis:
    """What a direction means, and from where to where it goes; `is_percent`: shares from 0 to 1."""

    label: str
    low: float
    high: float
    is_percent: bool = False

    def share(self, value: float) -> float:
        """Where a value is, 0 at the low end, kept within the axis."""
        return min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)

    def ticks(self) -> list[float]:
        """About five round numbers."""
        rough = (self.high - self.low) / 5
        size = 10 ** math.floor(math.log10(rough))
        step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        return [step * number for number in range(first, math.floor(self.high / step + 1e-9) + 1)]

    def shown(self, value: float) -> str:
        """A tick's text."""
        return f"{100 * value:.3g} %" if self.is_percent else short(value)


def axis_for(label: str, values: Sequence[float], *, from_zero: bool = True, is_percent: bool = False) -> Axis:
    """Around all values, with some room."""
    low, high = min(values), max(values)
    low = min(low, 0.0) if from_zero else low
    room = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    high = min(high + room, 1.0) if is_percent and high <= 1 else high + room
    low = low if from_zero and low == 0 else low - room
    return Axis(label, max(low, 0.0) if is_percent else low, high if high > low else low + 1.0, is_percent)


def scatter(title: str, points: Sequence[Point], x: Axis, y: Axis, *, diagonal: bool = False) -> str:
    """Dots, the marked ones as diamonds; `diagonal`: with the line on which both are equal."""
    parts = [_frame(x, y)]
    if diagonal:
        low, high = max(x.low, y.low), min(x.high, y.high)
        parts.append(_line(_at(low, low, x, y), _at(high, high, x, y), "same"))
    for number, point in enumerate(points):
        place = _at(point.x, point.y, x, y)
        colour = f"c{number % NUM_COLOURS if point.name else 0}"
        if point.x_range is not None:
            low, high = point.x_range
            parts.append(_line(_at(low, point.y, x, y), _at(high, point.y, x, y), f"span {colour}"))
        if point.y_range is not None:
            low, high = point.y_range
            parts.append(_line(_at(point.x, low, x, y), _at(point.x, high, x, y), f"span {colour}"))
        parts.append(_dot(place, colour, point))
        if point.name:
            is_right = place[0] > _WIDTH * 0.7
            anchor, shift = ("end", -9) if is_right else ("start", 9)
            parts.append(_text(place[0] + shift, place[1] + (18 if point.is_marked else -7), point.name, anchor))
    return _svg(title, "".join(parts), _HEIGHT)


def bars(title: str, items: Sequence[tuple[str, float, tuple[float, float]]], x: Axis) -> str:
    """One bar a name, with its interval; a bar begins at zero."""
    height, left = 34.0, 150.0
    width = _WIDTH - left - _RIGHT
    zero = left + width * x.share(0.0)
    parts = []
    for number, (name, value, (low, high)) in enumerate(items):
        middle = _TOP + height * (number + 0.5)
        end = left + width * x.share(value)
        parts.append(_text(left - 8, middle + 4, name, "end"))
        parts.append(_rect(min(zero, end), middle - 9, abs(end - zero), 18, f"c{number % NUM_COLOURS}"))
        parts.append(_line((left + width * x.share(low), middle), (left + width * x.share(high), middle), "whisker"))
    bottom = _TOP + height * len(items)
    parts.append(_line((zero, _TOP), (zero, bottom), "axis"))
    parts += [_text(left + width * x.share(tick), bottom + 16, x.shown(tick), "middle", "tick") for tick in x.ticks()]
    parts.append(_text(left + width / 2, bottom + 36, x.label, "middle", "label"))
    return _svg(title, "".join(parts), bottom + 46)


def stacked(title: str, columns: Sequence[Sequence[float]], x_ends: tuple[str, str], label: str) -> str:
    """One column a span of time; the parts of a column from below, one colour a series."""
    y = axis_for(label, [sum(column) for column in columns] or [1.0])
    x = Axis("", 0.0, float(max(1, len(columns))))
    parts = [_frame(None, y)]
    for number, column in enumerate(columns):
        below = 0.0
        for series, value in enumerate(column):
            (left, bottom), (right, top) = _at(number, below, x, y), _at(number + 1, below + value, x, y)
            if value:
                parts.append(_rect(left + 1, top, right - left - 2, bottom - top, f"c{series % NUM_COLOURS}"))
            below += value
    for place, anchor, text in ((_LEFT, "start", x_ends[0]), (_WIDTH - _RIGHT, "end", x_ends[1])):
        parts.append(_text(place, _HEIGHT - _BOTTOM + 18, text, anchor, "tick"))
    return _svg(title, "".join(parts), _HEIGHT)


def heat_map(title: str, rows: Sequence[Sequence[float]]) -> str:
    """Cells from empty (0) to full colour (1)."""
    size = max(4.0, min(18.0, (_WIDTH - 2 * _RIGHT) / max(map(len, rows))))
    cells = [
        f'<rect x="{_RIGHT + size * j:.1f}" y="{_TOP + size * i:.1f}" width="{size - 1:.1f}" height="{size - 1:.1f}" '
        f'class="cell" fill-opacity="{share:.3f}"/>'
        for i, row in enumerate(rows)
        for j, share in enumerate(row)
    ]
    width = max(_WIDTH, 2 * _RIGHT + size * max(map(len, rows)))
    return _svg(title, "".join(cells), 2 * _TOP + size * len(rows), width)


def _frame(x: Axis | None, y: Axis) -> str:
    """Both axes; a chart without x has its own texts there."""
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    parts = [_line((_LEFT, bottom), (right, bottom), "axis"), _line((_LEFT, _TOP), (_LEFT, bottom), "axis")]
    for tick in y.ticks():
        height = bottom - (bottom - _TOP) * y.share(tick)
        parts += [_line((_LEFT, height), (right, height), "grid")]
        parts += [_text(_LEFT - 8, height + 4, y.shown(tick), "end", "tick")]
    parts.append(_text(_LEFT, 11, y.label, "start", "label"))
    if x is not None:
        places = [(_LEFT + (right - _LEFT) * x.share(tick), x.shown(tick)) for tick in x.ticks()]
        parts += [_text(place, bottom + 18, text, "middle", "tick") for place, text in places]
        parts.append(_text((_LEFT + right) / 2, _HEIGHT - 8, x.label, "middle", "label"))
    return "".join(parts)


def _at(x: float, y: float, across: Axis, up: Axis) -> tuple[float, float]:
    width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    return _LEFT + width * across.share(x), _HEIGHT - _BOTTOM - height * up.share(y)


def _dot(place: tuple[float, float], colour: str, point: Point) -> str:
    x, y = place
    told = f"<title>{escape(point.name)}</title>"
    if point.is_marked:
        return f'<path d="M{x:.1f} {y - 8:.1f}l8 8-8 8-8-8z" class="{colour} marked">{told}</path>'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" class="{colour}">{told}</circle>'


def _line(start: tuple[float, float], end: tuple[float, float], kind: str) -> str:
    return f'<line x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" class="{kind}"/>'


def _rect(x: float, y: float, width: float, height: float, kind: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(0.5, width):.1f}" height="{height:.1f}" class="{kind}"/>'


def _text(x: float, y: float, text: str, anchor: str, kind: str = "name") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(text)}</text>'


def _svg(title: str, inside: str, height: float, width: float = _WIDTH) -> str:
    named = escape(title, quote=True)
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{named}">'
        f"<title>{escape(title)}</title>{inside}</svg>"
    )
