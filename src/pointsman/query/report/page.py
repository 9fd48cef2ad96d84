"""The report as one file of HTML: no script, no font, no picture from anywhere else, and nothing unescaped.

Light or dark as the reader's system is. What every chart shows stands below it as a table.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from html import escape

from pointsman.core.entries import COST_KINDS
from pointsman.query.amounts import amount, in_unit, percent, spread_amount, spread_percent
from pointsman.query.estimating import Measured
from pointsman.query.intervals import Estimate
from pointsman.query.report.collecting import NUM_BINS, Bin, Collected, Rows
from pointsman.query.report.drawing import (
    NUM_COLOURS,
    Axis,
    Point,
    axis_for,
    bars,
    heat_map,
    scatter,
    stacked,
)
from pointsman.query.report.style import STYLE

_UNKNOWN = "unknown"


def to_html(found: Collected, name: str) -> str:
    """The page. `name`: of the ledger."""
    sections = [section(found) for section in _SECTIONS]
    title = f"Ledger {name}"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" '
        f'content="light dark"><title>{escape(title)}</title><style>{STYLE}</style></head>\n'
        f"<body><main><h1>{escape(title)}</h1>\n{''.join(sections)}</main></body></html>\n"
    )


def _overview(found: Collected) -> str:
    chosen, total = found.chosen, found.savings[0]
    saved = _estimate(total.saved, lambda item: spread_amount(item, found.kind), total.unknown)
    share = "" if total.share is None else f", {spread_percent(total.share)}"
    right = _estimate(chosen.billed_quality, spread_percent, "no answer is known to be right or wrong")
    rows = [
        ("from", _moment(found.first_us)),
        ("to", _moment(found.last_us)),
        ("requests", f"{chosen.num_requests:,} settled, {chosen.num_unsettled:,} not, {chosen.num_audited:,} audited"),
        ("billed", f"{amount(total.billed, found.kind)}, audits {amount(total.audits, found.kind)} more"),
        ("saved against the reference arm", f"{saved}{share}"),
        ("answers that were right", right),
    ]
    return _section("Overview", _table("What this ledger holds", ("", "value"), rows))


def _cost_and_quality(found: Collected) -> str:
    """Every arm as if it had answered all, and what was chosen."""
    points, rows = [], []
    for arm, replayed in found.arms.items():
        cost, quality = replayed.cost.best, replayed.quality.best
        rows.append((arm, _shown_cost(replayed.cost, found.kind), _shown_quality(replayed.quality)))
        if cost is not None and quality is not None:
            points.append(_point(arm, cost, quality, found.kind))
    billed, right = found.chosen.billed, found.chosen.billed_quality
    shown = _estimate(right, spread_percent, "no answer is known to be right or wrong")
    rows.append(("as it was chosen", amount(billed, found.kind), shown))
    if right is not None:
        points.append(_point("as it was chosen", Estimate(billed, billed, billed), right, found.kind, is_marked=True))
    head = ("arm", f"{_words(found.kind)} a request", "right")
    return _section("Cost against quality", _arms_chart(points, found.kind) + _table("Each arm on all", head, rows))


def _arms_chart(points: Sequence[Point], kind: str) -> str:
    if not points:
        return ""
    x = axis_for(f"{_words(kind)} a request", [end for point in points for end in point.x_range or ()])
    y = axis_for("right", [end for point in points for end in point.y_range or ()], from_zero=False, is_percent=True)
    return _figure(scatter("Cost a request against the share that is right, for each arm", points, x, y))


def _point(name: str, cost: Estimate, quality: Estimate, kind: str, *, is_marked: bool = False) -> Point:
    value, low, high = (in_unit(item, kind) for item in (cost.value, cost.low, cost.high))
    return Point(value, quality.value, name, (low, high), (quality.low, quality.high), is_marked)


def _savings(found: Collected) -> str:
    items, rows = [], []
    for item in found.savings:
        level = item.level or "all levels"
        saved = _estimate(item.saved, lambda value: spread_amount(value, found.kind), item.unknown)
        share = _UNKNOWN if item.share is None else spread_percent(item.share)
        counts = f"{item.num_requests:,}", f"{item.num_audited:,}"
        rows.append((level, *counts, amount(item.billed, found.kind), amount(item.audits, found.kind), saved, share))
        if item.saved is not None:
            value, low, high = (in_unit(end, found.kind) for end in (item.saved.value, item.saved.low, item.saved.high))
            items.append((level, value, (low, high)))
    chart = ""
    if items:
        axis = axis_for(f"saved, {_words(found.kind)}", [end for *_, ends in items for end in ends])
        chart = _figure(bars("What each level saved, with 95 % intervals", items, axis))
    head = ("level", "requests", "audited", "billed", "audits", "saved", "share")
    return _section("Savings by level", chart + _table("Against the reference arm", head, rows))


def _calibration(found: Collected) -> str:
    filled = [(number, item) for number, item in enumerate(found.calibration) if item.count]
    error = found.calibration_error
    if error is None:
        return ""
    points = [Point(item.forecast / item.count, item.came / item.count, "") for _, item in filled]
    across, up = (Axis(label, 0.0, 1.0, is_percent=True) for label in ("forecast to be right", "right"))
    chart = _figure(scatter("Forecast against observed share of right answers", points, across, up, diagonal=True))
    rows = [
        (
            f"{percent(number / NUM_BINS)} to {percent((number + 1) / NUM_BINS)}",
            f"{item.count:,}",
            percent(item.forecast / item.count),
            percent(item.came / item.count),
        )
        for number, item in filled
    ]
    told = f"<p>Expected calibration error: {percent(error)}.</p>"
    head = ("forecast", "answers", "mean forecast", "right")
    return _section("Calibration", told + chart + _table("By tenths of the forecast", head, rows))


def _costs(found: Collected) -> str:
    if not found.costs:
        return ""
    points = [_forecast_point(arm, item, found.kind) for arm, item in found.costs.items()]
    ends = [end for point in points for end in (point.x, point.y)]
    across, up = (axis_for(f"{label}, {_words(found.kind)} a request", ends) for label in ("forecast", "billed"))
    chart = _figure(scatter("Forecast against billed cost, for each arm", points, across, up, diagonal=True))
    rows = [
        (
            arm,
            f"{item.count:,}",
            amount(item.forecast / item.count, found.kind),
            amount(item.came / item.count, found.kind),
            f"{100 * (item.came / item.forecast - 1):+.1f} %" if item.forecast else _UNKNOWN,
        )
        for arm, item in found.costs.items()
    ]
    head = ("arm", "answers", "forecast", "billed", "billed over forecast")
    return _section("Cost forecast against billed", chart + _table("Means for each arm", head, rows))


def _forecast_point(arm: str, item: Bin, kind: str) -> Point:
    return Point(in_unit(item.forecast / item.count, kind), in_unit(item.came / item.count, kind), arm)


def _times(found: Collected) -> str:
    if found.first_us is None or found.last_us is None:
        return ""
    arms = [arm for arm in found.arms if any(span[arm] for span in found.times)]
    rest = [sum(span.values()) - sum(span[arm] for arm in arms) for span in found.times]
    names = [*arms, "other arms"] if any(rest) else arms
    columns = [
        [*(span[arm] for arm in arms), *([more] if any(rest) else [])]
        for span, more in zip(found.times, rest, strict=True)
    ]
    ends = _moment(found.first_us), _moment(found.last_us)
    chart = _figure(stacked("Decisions over time, by arm", columns, ends, "decisions"), _legend(names))
    width = (found.last_us - found.first_us) / len(columns)
    rows = [
        (_moment(found.first_us + round(width * number)), *(f"{value:,}" for value in column))
        for number, column in enumerate(columns)
    ]
    return _section("Decisions over time", chart + _table("Decisions from each time on", ("from", *names), rows))


def _token_grids(found: Collected) -> str:
    return _grids("Token heat map", "line", found.token_grids)


def _unit_grids(found: Collected) -> str:
    return _grids("Unit heat map", "unit", found.unit_grids)


def _grids(title: str, row_name: str, grids: Sequence[Rows] | None) -> str:
    if not grids:
        return ""
    parts = []
    for number, rows in enumerate(grids, 1):
        parts.append(_figure(heat_map(f"{title} {number}: a row a {row_name}, a column a place", rows)))
        means = [(str(place), percent(sum(row) / len(row))) for place, row in enumerate(rows)]
        parts.append(_table(f"{title} {number}: mean of each {row_name}", (row_name, "mean"), means))
    return _section(title, "".join(parts))


_SECTIONS: tuple[Callable[[Collected], str], ...] = (
    *(_overview, _cost_and_quality, _savings, _calibration, _costs, _times),
    *(_token_grids, _unit_grids),
)


def _estimate(found: Estimate | None, shown: Callable[[Estimate], str], reason: str | None) -> str:
    return f"{_UNKNOWN} ({reason})" if found is None else shown(found)


def _shown_cost(found: Measured, kind: str) -> str:
    return _estimate(found.best, lambda item: spread_amount(item, kind), found.unknown)


def _shown_quality(found: Measured) -> str:
    return _estimate(found.best, spread_percent, found.unknown)


def _words(kind: str) -> str:
    """`nano_usd` is money for a reader: its unit alone."""
    unit = COST_KINDS[kind]
    return unit if kind == "nano_usd" else f"{kind.replace('_', ' ')}"


def _moment(time_us: int | None) -> str:
    if time_us is None:
        return "never"
    return datetime.fromtimestamp(time_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _section(title: str, inside: str) -> str:
    return f"<section><h2>{escape(title)}</h2>\n{inside}</section>\n"


def _figure(svg: str, caption: str = "") -> str:
    return f"<figure>{svg}{caption and f'<figcaption>{caption}</figcaption>'}</figure>\n"


def _legend(names: Sequence[str]) -> str:
    return "".join(
        f'<span class="key"><i class="c{number % NUM_COLOURS}"></i>{escape(name)}</span>'
        for number, name in enumerate(names)
    )


def _table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The first cell of a row names it."""
    heading = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in row[1:])}</tr>\n'
        for row in rows
    )
    return (
        f'<div class="wide"><table><caption>{escape(caption)}</caption><thead><tr>{heading}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>\n"
    )
