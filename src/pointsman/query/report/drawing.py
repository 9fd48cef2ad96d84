"""Charts as SVG, drawn with the colours of the page that they stand in, so that they follow its light or dark.

Each has a title for screen readers; the page gives the same numbers as a table. Every text is escaped here. Names are
put where they hide no other name and no dot, as far as there is room; a long one is cut in the middle.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from pointsman.query.amounts import brief

_WIDTH, _HEIGHT = 720.0, 320.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 76.0, 24.0, 24.0, 48.0  # px around what is drawn
_LETTER, _LINE = 6.8, 15.0  # px of a letter at most, and of a line; chosen for the page's 12 px
_LONGEST = 38  # letters of a name in a picture; chosen
_DOWN = (-22.0, 6.0, -8.0, *(side * 16.0 * line + side for line in range(2, 9) for side in (-1, 1)))
"""Where the top of a name may be below its dot, the best first. Chosen."""

_NUM_SHADES = 20
NUM_COLOURS = 8


@dataclass(frozen=True, slots=True)
class Point:
    """A dot with its name, which may be empty; `x_range` and `y_range` are drawn as lines through it.

    `colour` is a number of the page's series; a hollow dot is a forecast, and a marked one a diamond.
    """

    x: float
    y: float
    name: str
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    is_marked: bool = False
    is_hollow: bool = False
    colour: int = 0


@dataclass(frozen=True, slots=True)
class Axis:
    """What a direction means, and from where to where it goes.

    `is_percent`: shares from 0 to 1; `is_count`: whole numbers.
    """

    label: str
    low: float
    high: float
    is_percent: bool = False
    is_count: bool = False

    def share(self, value: float) -> float:
        """Where a value is, 0 at the low end, kept within the axis."""
        return min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)

    def ticks(self) -> list[float]:
        """About five round numbers."""
        rough = max((self.high - self.low) / 5, 1.0 if self.is_count else 0.0)
        size = 10 ** math.floor(math.log10(rough))
        step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        return [step * number for number in range(first, math.floor(self.high / step + 1e-9) + 1)]

    def shown(self, value: float) -> str:
        """A tick's text."""
        return f"{100 * value:.3g} %" if self.is_percent else brief(value)


def axis_for(
    label: str, values: Sequence[float], *, from_zero: bool = True, is_percent: bool = False, is_count: bool = False
) -> Axis:
    """Around all values, with some room."""
    low, high = min(values), max(values)
    low = min(low, 0.0) if from_zero else low
    room = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    high = min(high + room, 1.0) if is_percent and high <= 1 else high + room
    low = low if from_zero and low == 0 else low - room
    return Axis(label, max(low, 0.0) if is_percent else low, high if high > low else low + 1.0, is_percent, is_count)


def scatter(title: str, points: Sequence[Point], x: Axis, y: Axis, *, diagonal: bool = False) -> str:
    """Dots, the marked ones as diamonds; `diagonal`: with the line on which both are equal."""
    parts = [_frame(x, y)]
    if diagonal:
        low, high = max(x.low, y.low), min(x.high, y.high)
        parts.append(_line(_at(low, low, x, y), _at(high, high, x, y), "same"))
    places = [_at(point.x, point.y, x, y) for point in points]
    for point, place in zip(points, places, strict=True):
        colour = "chosen" if point.is_marked else f"c{point.colour % NUM_COLOURS}"
        if point.x_range is not None:
            low, high = point.x_range
            parts.append(_line(_at(low, point.y, x, y), _at(high, point.y, x, y), f"span {colour}"))
        if point.y_range is not None:
            low, high = point.y_range
            parts.append(_line(_at(point.x, low, x, y), _at(point.x, high, x, y), f"span {colour}"))
        parts.append(_dot(place, colour, point))
    parts += _names(places, [cut(point.name) for point in points])
    return _svg(title, "".join(parts), _HEIGHT)


def _names(places: Sequence[tuple[float, float]], names: Sequence[str]) -> list[str]:
    """Each name beside its dot, at the first place that is free; at the first one where none is."""
    taken = [(x - 8, y - 8, x + 8, y + 8) for x, y in places]
    parts = []
    for (x, y), name in zip(places, names, strict=True):
        if name:
            width = _LETTER * len(name)
            tried = [
                (left, top)
                for down in _DOWN
                for left, top in ((x + 10, y + down), (x - 10 - width, y + down))
                if _LEFT <= left <= _WIDTH - width and 0 <= top <= _HEIGHT - _BOTTOM - _LINE
            ] or [(min(max(x + 10, _LEFT), _WIDTH - width), min(max(y - 22, 0.0), _HEIGHT - _BOTTOM - _LINE))]
            boxes = [(left, top, left + width, top + _LINE) for left, top in tried]
            box = next((box for box in boxes if not any(_overlap(box, other) for other in taken)), boxes[0])
            taken.append(box)
            is_left = box[0] < x
            parts.append(_text(box[2] if is_left else box[0], box[1] + 12, name, "end" if is_left else "start"))
    return parts


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def cut(name: str) -> str:
    """A name that fits into a picture."""
    half = (_LONGEST - 1) // 2
    return name if len(name) <= _LONGEST else f"{name[:half]}…{name[-half:]}"


def bars(title: str, items: Sequence[tuple[str, float, tuple[float, float]]], x: Axis) -> str:
    """One bar a name, with its interval; a bar begins at zero."""
    height, left = 34.0, 150.0
    width = _WIDTH - left - _RIGHT
    zero = left + width * x.share(0.0)
    parts = []
    for number, (name, value, (low, high)) in enumerate(items):
        middle = _TOP + height * (number + 0.5)
        end = left + width * x.share(value)
        parts.append(_text(left - 8, middle + 4, name if len(name) <= 20 else f"{name[:19]}…", "end"))
        parts.append(_rect(min(zero, end), middle - 9, abs(end - zero), 18, f"c{number % NUM_COLOURS}"))
        parts.append(_line((left + width * x.share(low), middle), (left + width * x.share(high), middle), "whisker"))
    bottom = _TOP + height * len(items)
    parts.append(_line((zero, _TOP), (zero, bottom), "axis"))
    parts += [_text(left + width * x.share(tick), bottom + 16, x.shown(tick), "middle", "tick") for tick in x.ticks()]
    parts.append(_text(left + width / 2, bottom + 36, x.label, "middle", "label"))
    return _svg(title, "".join(parts), bottom + 46)


def stacked(title: str, columns: Sequence[Sequence[float]], x_ends: tuple[str, str], label: str) -> str:
    """One column a span of time; the parts of a column from below, one colour a series."""
    y = axis_for(label, [sum(column) for column in columns] or [1.0], is_count=True)
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


def heat_map(title: str, rows: Sequence[Sequence[float]], names: Sequence[str]) -> str:
    """Cells from faint (0) to full colour (1), a row with its name in front; equal neighbours are one shape."""
    width, left = max(map(len, rows)), 8 + _LETTER * max(map(len, names))
    across = max(2.5, min(16.0, (_WIDTH - left - _RIGHT) / width))
    up = max(across, 7.0 if len(rows) <= 64 else 4.0)
    parts = [
        f'<path d="{"".join(_runs(rows, shade, left, across, up))}" class="cell" fill-opacity="{_opacity(shade):.2f}"/>'
        for shade in sorted({_shade(share) for row in rows for share in row})
    ]
    every = 1 if up >= 11 else 2 if up >= 6.5 else 4  # rows to a name, so that names do not overlap
    parts += [
        _text(left - 6, _TOP + up * (number + 0.5) + 4, names[number], "end", "tick")
        for number in range(0, len(rows), every)
    ]
    bottom, step = _TOP + up * len(rows), next(step for step in (1, 2, 4, 8, 16) if step * across >= 28)
    parts += [
        _text(left + across * (number - 0.5), bottom + 16, str(number), "middle", "tick")
        for number in range(step, width + 1, step)
    ]
    return _svg(title, "".join(parts), bottom + 24, max(_WIDTH, left + across * width + _RIGHT))


def _runs(rows: Sequence[Sequence[float]], shade: int, left: float, across: float, up: float) -> Iterator[str]:
    """The parts of a path around all cells of one shade; narrow ones touch, wide ones have a gap between them."""
    gap = 1.0 if across >= 6 else 0.0
    for number, row in enumerate(rows):
        start = 0
        for key, cells in groupby(row, _shade):
            count = len(list(cells))
            if key == shade:
                pieces = [(start, count)] if gap == 0 else [(start + index, 1) for index in range(count)]
                for first, length in pieces:
                    x, y, wide = left + across * first, _TOP + up * number, across * length - gap
                    yield f"M{x:.1f} {y:.1f}h{wide:.1f}v{up - 1:.1f}h-{wide:.1f}z"
            start += count


def _shade(share: float) -> int:
    return round(share * _NUM_SHADES)


def _opacity(shade: int) -> float:
    """Nothing is faint, and not invisible: an empty place is no token."""
    return 0.08 + 0.92 * shade / _NUM_SHADES


def _frame(x: Axis | None, y: Axis) -> str:
    """Both axes; a chart without x has its own texts there."""
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    parts = [_line((_LEFT, bottom), (right, bottom), "axis"), _line((_LEFT, _TOP), (_LEFT, bottom), "axis")]
    for tick in y.ticks():
        height = bottom - (bottom - _TOP) * y.share(tick)
        parts += [_line((_LEFT, height), (right, height), "grid")]
        parts += [_text(_LEFT - 8, height + 4, y.shown(tick), "end", "tick")]
    parts.append(_text(8, 12, y.label, "start", "label"))
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
    kind = f"{colour} hollow" if point.is_hollow else colour
    if point.is_marked:
        return f'<path d="M{x:.1f} {y - 8:.1f}l8 8-8 8-8-8z" class="{kind}">{told}</path>'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" class="{kind}">{told}</circle>'


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
