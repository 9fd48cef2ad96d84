"""Pictures as SVG. Wide decisions are drawn from left to right, and past ``MAX_BOXES`` one box says so instead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape

from pointsman.program.picture.graph import ADVANCE, COLOURS, INDENT, LINE, PAD_X, Box, Graph, Link, text_size
from pointsman.program.picture.layout import LOOP, Layout, Route
from pointsman.program.picture.states import graphs
from pointsman.program.table.machine import Program

__all__ = ["to_svg"]


MAX_BOXES: Final = 300
_WIDE: Final = 1400  # px; wider decisions are drawn from left to right
_MARGIN: Final = 24.0  # px
_PAPER, _INK, _EDGE = "#fcfcfa", "#1f2933", "#7b8794"


def to_svg(program: Program) -> str:
    """All functions of a program as one picture, the entry's first."""
    parts, top, width = [], _MARGIN, 0.0
    for graph in graphs(program):
        text, (wide, high) = _drawn(_small(graph))
        heading = max(wide, len(graph.heading) * ADVANCE * 1.1)
        parts.append(_text(_MARGIN, top + 14, graph.heading, 'font-size="13" font-weight="600"'))
        parts.append(f'<g transform="translate({_MARGIN},{top + 30:.1f})">{text}</g>')
        top, width = top + 30 + high + 2 * _MARGIN, max(width, heading)
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
    return Graph(graph.heading, [Box((text,), text, "goto")])


def _drawn(graph: Graph) -> tuple[str, tuple[float, float]]:
    layout = Layout(graph, sideways=False)
    if layout.extent()[0] > _WIDE and not layout.loops:
        layout = Layout(graph, sideways=True)
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
    return _lines(x, y, width, height, route.link.lines, route.link.title, "label", f'fill="{_PAPER}"')


def _svg_box(layout: Layout, index: int) -> str:
    box = layout.graph.boxes[index]
    x, y = layout.corner(index)
    width, height = box.size()
    fill, stroke = COLOURS[box.kind]
    radius = {"state": 5, "test": 8}.get(box.kind, min(height / 2, 14))
    style = f'rx="{radius:.0f}" fill="{fill}" stroke="{stroke}" stroke-width="1.2"'
    text = _lines(x, y, width, height, box.lines, box.title, "box", style, bold=box.kind == "state")
    for link in layout.loops:
        if link.source == index:
            text += _svg_loop(x + width, y, height, link)
            y += text_size(link.lines)[1]
    return text


def _svg_loop(x: float, y: float, height: float, link: Link) -> str:
    wide, high = text_size(link.lines)
    top, bottom = y + min(height, high) * 0.25, y + min(height, high) * 0.75
    path = f"M{x:.1f},{top:.1f} C{x + LOOP:.1f},{top - 6:.1f} {x + LOOP:.1f},{bottom + 6:.1f} {x:.1f},{bottom:.1f}"
    line = f'<path d="{path}" fill="none" stroke="{_EDGE}" stroke-width="1.2"/>' + _arrow(x, bottom, [(7, -5), (8, 2)])
    style = f'fill="{_PAPER}"'
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
        muted = ' fill="#52606d"' if (bold and i) or (kind == "label" and not line.startswith(("▸", INDENT))) else ""
        place = x + PAD_X if left else x + width / 2
        anchor = "start" if left else "middle"
        texts.append(_text(place, first + i * LINE, line, f'text-anchor="{anchor}"{weight}{muted}'))
    return f"<g><title>{escape(title)}</title>{rect}{''.join(texts)}</g>"


def _text(x: float, y: float, text: str, style: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(text)}</text>'
