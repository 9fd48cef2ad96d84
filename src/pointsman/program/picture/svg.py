"""Pictures as SVG. Past ``MAX_BOXES`` one box says so instead.

Decisions go down; where that is wide, they go from left to right if that is narrower. Amber boxes depend on what a
reader answers, and bars at their sides say that the question is asked there, which costs a call.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final
from xml.sax.saxutils import escape

from pointsman.program.picture.graph import ADVANCE, COLOURS, INDENT, LINE, PAD_X, PAD_Y, Box, Graph, Link, text_size
from pointsman.program.picture.layout import LOOP, Layout, Route
from pointsman.program.picture.legend import column_places, legend_rows
from pointsman.program.picture.states import graphs
from pointsman.program.table.machine import Program

__all__ = ["to_svg"]


MAX_BOXES: Final = 300
_WIDE: Final = 1400  # px; wider decisions are drawn from left to right
_MARGIN: Final = 24.0  # px
_BAR: Final = 4.0  # px from the side of a box that asks
_PAPER, _INK, _MUTED, _EDGE = "#fcfcfa", "#1f2933", "#52606d", "#7b8794"


def to_svg(program: Program) -> str:
    """All functions of a program as one picture, the entry's first."""
    parts, top, width = [], _MARGIN, 0.0
    for graph in graphs(program):
        parts.append(_text(_MARGIN, top + 14, graph.heading, 'font-size="13" font-weight="600"'))
        width = max(width, len(graph.heading) * ADVANCE * 1.1)
        top += 30
        for text, (wide, high) in (_legend(graph), _drawn(_small(graph))):
            parts.append(f'<g transform="translate({_MARGIN},{top:.1f})">{text}</g>' if text else "")
            top, width = top + high, max(width, wide)
        top += 2 * _MARGIN
    size = f'width="{width + 2 * _MARGIN:.0f}" height="{top:.0f}"'
    view = f'viewBox="0 0 {width + 2 * _MARGIN:.0f} {top:.0f}"'
    font = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {view} role="img" '
        f'font-family="{font}" font-size="12" fill="{_INK}">'
        f"<title>{escape(program.entry)}</title>"
        f'<rect class="paper" width="100%" height="100%" rx="8" fill="{_PAPER}"/>{"".join(parts)}</svg>\n'
    )


def _small(graph: Graph) -> Graph:
    if len(graph.boxes) <= MAX_BOXES:
        return graph
    text = f"{len(graph.boxes)} boxes: too many to draw"
    return Graph(graph.heading, graph.legend, [Box((text,), text, "goto")])


def _legend(graph: Graph) -> tuple[str, tuple[float, float]]:
    """The questions by name, and how boxes and labels show that one is asked."""
    if not graph.legend:
        return "", (0.0, 0.0)
    rows, parts, y = legend_rows(graph.legend), [], 0.0
    wide, high = text_size((rows[-1].name,))
    places = column_places(rows, wide + 16)
    for row in rows:
        parts.append(_rectangle(Box((row.name,), row.title, "question", asks=True), 0.0, y, (wide, high)))
        texts = [
            _text(x, y + PAD_Y + 12 + i * LINE, line, "" if column == 1 else f'fill="{_MUTED}"')
            for column, (x, lines) in enumerate(zip(places, row.columns, strict=False))
            for i, line in enumerate(lines)
        ]
        parts.append(f'<g class="legend"><title>{escape(row.title)}</title>{"".join(texts)}</g>')
        y += high + (row.num_lines() - 1) * LINE + 6
    x = 0.0
    for text, asks in _keys(graph):
        parts.append(
            _lines(x, y, wide, high, ("?",), text, "label", _label_style(asks=True))
            if asks is None
            else _rectangle(Box(("?",), text, "question", asks), x, y, (wide, high))
        )
        parts.append(_text(x + wide + 16, y + PAD_Y + 12, text, f'fill="{_MUTED}"'))
        x += wide + 16 + len(text) * ADVANCE + 24
    return "".join(parts), (max(x, places[-1]), y + high + _MARGIN)


def _keys(graph: Graph) -> Iterator[tuple[str, bool | None]]:
    """The marks that the graph has, each with whether its box asks (None: it is a label)."""
    if any(box.asks for box in graph.boxes):
        yield "asked here: a call to a reader", True
    if any(box.kind == "question" and not box.asks for box in graph.boxes):
        yield "its answer is known already", False
    if any(link.asks for link in graph.links):
        yield "needs an answer: a call to a reader", None


def _label_style(*, asks: bool) -> str:
    return f'fill="{COLOURS["question"][0] if asks else _PAPER}"'


def _drawn(graph: Graph) -> tuple[str, tuple[float, float]]:
    layout = Layout(graph, sideways=False)
    if layout.extent()[0] > _WIDE and not layout.loops:
        layout = min(layout, Layout(graph, sideways=True), key=lambda one: one.extent()[0])
    lines = [_svg_route(layout, route) for route in layout.routes]
    labels = [_svg_label(layout, route) for route in layout.routes if route.label is not None]
    boxes = [_svg_box(layout, i) for i in range(len(graph.boxes))]
    return "".join([*lines, *labels, *boxes]), layout.extent()


def _svg_route(layout: Layout, route: Route) -> str:
    path, (x, y), back = layout.line(route)
    dash = ' stroke-dasharray="4 3"' if route.link.dashed else ""
    line = f'<path d="{path}" fill="none" stroke="{_EDGE}" stroke-width="1.2"{dash}/>'
    step = 7 if back else -7
    corners = [(step, -3.5), (step, 3.5)] if layout.sideways else [(-3.5, step), (3.5, step)]
    return line + _arrow(x, y, corners)


def _arrow(x: float, y: float, corners: Sequence[tuple[float, float]]) -> str:
    points = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in ((0.0, 0.0), *corners))
    return f'<polygon points="{points}" fill="{_EDGE}"/>'


def _svg_label(layout: Layout, route: Route) -> str:
    assert route.label is not None
    item = layout.items[route.label]
    x, y = layout.corner(route.label)
    width, height = layout.turned(item.across, item.depth)
    return _lines(x, y, width, height, route.link.lines, route.link.title, "label", _label_style(asks=route.link.asks))


def _svg_box(layout: Layout, index: int) -> str:
    box = layout.graph.boxes[index]
    x, y = layout.corner(index)
    width, height = box.size()
    text = _rectangle(box, x, y, (width, height))
    for link in layout.loops:
        if link.source == index:
            text += _svg_loop(x + width, y, height, link)
            y += text_size(link.lines)[1]
    return text


def _rectangle(box: Box, x: float, y: float, size: tuple[float, float]) -> str:
    width, height = size
    fill, stroke = COLOURS[box.kind]
    radius = {"state": 5, "test": 8, "question": 2}.get(box.kind, min(height / 2, 14))
    style = f'rx="{radius:.0f}" fill="{fill}" stroke="{stroke}" stroke-width="1.2"'
    text = _lines(x, y, width, height, box.lines, box.title, "box", style, bold=box.kind == "state")
    if box.asks:
        inset = radius - math.sqrt(max(radius**2 - (radius - _BAR) ** 2, 0.0)) if radius > _BAR else 0.0
        top, high = y + inset, height - 2 * inset  # where the round corners let a bar begin
        bars = f"M{x + _BAR:.1f},{top:.1f} v{high:.1f} M{x + width - _BAR:.1f},{top:.1f} v{high:.1f}"
        text += f'<path class="asks" d="{bars}" stroke="{COLOURS["question"][1]}" stroke-width="1.2"/>'
    return text


def _svg_loop(x: float, y: float, height: float, link: Link) -> str:
    wide, high = text_size(link.lines)
    top, bottom = y + min(height, high) * 0.25, y + min(height, high) * 0.75
    path = f"M{x:.1f},{top:.1f} C{x + LOOP:.1f},{top - 6:.1f} {x + LOOP:.1f},{bottom + 6:.1f} {x:.1f},{bottom:.1f}"
    line = f'<path d="{path}" fill="none" stroke="{_EDGE}" stroke-width="1.2"/>' + _arrow(x, bottom, [(7, -5), (8, 2)])
    style = _label_style(asks=link.asks)
    return line + _lines(x + LOOP - 4, y, wide, high, link.lines, link.title, "label", style)


def _lines(
    x: float, y: float, width: float, height: float, lines: Sequence[str], title: str, kind: str, style: str,
    *, bold: bool = False,
) -> str:  # fmt: skip
    """A rectangle with lines of text in its middle, and the whole text as its tooltip."""
    left = kind == "label" and len(lines) > 1
    first = y + (height - len(lines) * LINE) / 2 + 12
    rect = f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" {style}/>'
    texts = []
    for i, line in enumerate(lines):
        weight = ' font-weight="600"' if bold and i == 0 else ""
        muted = f' fill="{_MUTED}"' if (bold and i) or (kind == "label" and not line.startswith(("▸", INDENT))) else ""
        place = x + PAD_X if left else x + width / 2
        anchor = "start" if left else "middle"
        texts.append(_text(place, first + i * LINE, line, f'text-anchor="{anchor}"{weight}{muted}'))
    return f"<g><title>{escape(title)}</title>{rect}{''.join(texts)}</g>"


def _text(x: float, y: float, text: str, style: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(text)}</text>'
