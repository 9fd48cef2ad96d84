"""The pieces of the page. Every text is escaped here, but for `inside`, which is HTML already."""

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

from pointsman.query.report.drawing import NUM_COLOURS

MANY_ROWS = 12
"""From how many rows on a table is folded away. Chosen."""


def section(title: str, inside: str) -> str:
    """A part of the page under its heading."""
    return f"<section><h2>{escape(title)}</h2>\n{inside}</section>\n"


def figure(svg: str, caption: str, legend: str = "") -> str:
    """A picture and, below it, what is seen; it scrolls where the window is narrow."""
    return f'<figure><div class="wide">{svg}</div><figcaption>{legend}{escape(caption)}</figcaption></figure>\n'


def note(text: str) -> str:
    """A sentence."""
    return f'<p class="note">{escape(text)}</p>\n'


def legend(names: Sequence[str], first_class: str = "c") -> str:
    """The colours of series, in their order."""
    keys = "".join(
        f'<span class="key"><i class="{first_class}{number % NUM_COLOURS}"></i>{escape(name)}</span>'
        for number, name in enumerate(names)
    )
    return f'<span class="keys">{keys}</span>'


def table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The first cell of a row names it. A long table is folded away until the reader wants it."""
    heading = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in row[1:])}</tr>\n'
        for row in rows
    )
    whole = (
        f'<div class="wide"><table><caption>{escape(caption)}</caption><thead><tr>{heading}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>\n"
    )
    if len(rows) < MANY_ROWS:
        return whole
    return f"<details><summary>{escape(caption)}: {len(rows)} rows</summary>{whole}</details>\n"


def moment(time_us: int | None) -> str:
    """A time for people."""
    if time_us is None:
        return "never"
    return datetime.fromtimestamp(time_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
