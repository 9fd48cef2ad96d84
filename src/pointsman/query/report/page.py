"""The report as one file of HTML: no script, no font, no picture from anywhere else, and nothing unescaped.

Light or dark as the reader's system is. Below every chart stands what is seen in it, and its numbers as a table; where
there is nothing to draw, a sentence says what is missing.
"""

from collections.abc import Callable, Sequence
from html import escape

from pointsman.core.entries import COST_KINDS
from pointsman.query.amounts import amount, in_unit, percent, spread_amount, spread_percent
from pointsman.query.intervals import Estimate
from pointsman.query.report.collecting import NUM_BINS, Bin, Collected, Expected
from pointsman.query.report.drawing import Axis, Point, axis_for, bars, scatter, stacked
from pointsman.query.report.heating import token_maps, unit_maps
from pointsman.query.report.html import figure, legend, moment, note, section, table
from pointsman.query.report.style import STYLE
from pointsman.query.report.summary import strip

_UNKNOWN = "unknown"
_CHOSEN = "as it was chosen"


def to_html(found: Collected, name: str) -> str:
    """The page. `name`: of the ledger."""
    sections = [part(found) for part in _SECTIONS]
    title = f"Ledger {name}"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" '
        f'content="light dark"><title>{escape(title)}</title><style>{STYLE}</style></head>\n'
        f"<body><main><h1>{escape(title)}</h1>\n{''.join(sections)}</main></body></html>\n"
    )


def _overview(found: Collected) -> str:
    chosen, total, named = found.chosen, found.savings[0], found.named
    saved = _estimate(total.saved, lambda item: spread_amount(item, found.kind), total.unknown)
    share = "" if total.share is None else f", {spread_percent(total.share)}"
    right = _estimate(chosen.billed_quality, spread_percent, "no answer is known to be right or wrong")
    rows = [
        ("from", moment(found.first_us)),
        ("to", moment(found.last_us)),
        ("requests", f"{chosen.num_requests:,} settled, {chosen.num_unsettled:,} not, {chosen.num_audited:,} audited"),
        ("billed", f"{amount(total.billed, found.kind)}, audits {amount(total.audits, found.kind)} more"),
        ("saved against the reference arm", f"{saved}{share}"),
        ("answers that were right", right),
    ]
    if named.count:
        told = f"{named.count:,}, billed {amount(named.came, found.kind)}; they have no reference arm and stand apart"
        rows.insert(3, ("requests for a named model", told))
    return section("Overview", strip(found) + table("What this ledger holds", ("", "value"), rows))


def _cost_and_quality(found: Collected) -> str:
    """Every arm as if it had answered all, and what was chosen."""
    points, rows, others = [], [], []
    for number, (arm, replayed) in enumerate(found.arms.items()):
        forecast = found.forecasts.get(arm)
        cost, quality = replayed.cost.best, replayed.quality.best
        if cost is None and quality is None and forecast is None:
            others.append(arm)
            continue
        measured = _estimate(cost, lambda item: _each(item, found.kind), _code(replayed.cost.unknown))
        right = _estimate(quality, spread_percent, _code(replayed.quality.unknown))
        rows.append((arm, measured, right, *_expected(forecast, found.kind)))
        points += _point(arm, cost, quality, forecast, found.kind, colour=number)
    if found.chosen.num_requests:
        billed, quality = found.chosen.billed, found.chosen.billed_quality
        exact = Estimate(billed, billed, billed)
        right = _estimate(quality, spread_percent, "not judged")
        expected = found.expected if found.expected.count else None
        rows.append((_CHOSEN, amount(billed * _per(found.kind), found.kind), right, *_expected(expected, found.kind)))
        points += _point(_CHOSEN, exact, quality, expected, found.kind, is_marked=True)
    chart = _arms_chart(points, found.kind) or note("No arm has both a cost and a quality, known or forecast.")
    head = ("arm", _each_words(found.kind), "right", "forecast cost", "forecast right")
    numbers = table("Each arm, had it answered all requests", head, rows) if rows else ""
    left_out = f"Not compared, since no policy forecast them for other requests: {', '.join(others)}." if others else ""
    return section("Cost against quality", chart + numbers + (note(left_out) if others else ""))


def _arms_chart(points: Sequence[Point], kind: str) -> str:
    if not points:
        return ""
    x = axis_for(_each_words(kind), [end for point in points for end in point.x_range or ()])
    right = [end for point in points for end in point.y_range or ()]
    y = axis_for("share of answers that are right", right, from_zero=False, is_percent=True)
    seen = (
        "Each dot is an arm: what it costs, and how many of its answers are right, had it answered all requests. Cheap "
        "and good is at the top left. The diamond is what was chosen, each request by itself. Lines are 95 % intervals."
    )
    if any(point.is_hollow for point in points):
        seen += " Hollow: at least one of its two numbers is forecast, since the ledger cannot tell it."
    return figure(scatter("Cost against the share of right answers, for each arm", points, x, y), seen)


def _point(
    name: str,
    cost: Estimate | None,
    quality: Estimate | None,
    forecast: Expected | None,
    kind: str,
    *,
    is_marked: bool = False,
    colour: int = 0,
) -> list[Point]:
    """The dot; none where a number is neither known nor forecast."""
    is_known = cost is not None and quality is not None
    if forecast is not None:
        mean, share = forecast.cost / forecast.count, forecast.right / forecast.count
        cost, quality = cost or Estimate(mean, mean, mean), quality or Estimate(share, share, share)
    if cost is None or quality is None:
        return []
    value, low, high = (in_unit(item * _per(kind), kind) for item in (cost.value, cost.low, cost.high))
    ends = (low, high), (quality.low, quality.high)
    return [Point(value, quality.value, name, *ends, is_marked, not is_known, colour)]


def _expected(forecast: Expected | None, kind: str) -> tuple[str, str]:
    if forecast is None:
        return "not forecast", "not forecast"
    mean = forecast.cost / forecast.count
    return amount(mean * _per(kind), kind), percent(forecast.right / forecast.count)


def _savings(found: Collected) -> str:
    items, rows = [], []
    for item in found.savings:
        level = item.level or "all levels"
        saved = _estimate(item.saved, lambda value: spread_amount(value, found.kind), _code(item.unknown))
        share = _UNKNOWN if item.share is None else spread_percent(item.share)
        counts = f"{item.num_requests:,}", f"{item.num_audited:,}"
        rows.append((level, *counts, amount(item.billed, found.kind), amount(item.audits, found.kind), saved, share))
        if item.saved is not None:
            value, low, high = (in_unit(end, found.kind) for end in (item.saved.value, item.saved.low, item.saved.high))
            items.append((level, value, (low, high)))
    chart = note("No savings are known: only the reference arm's own answers (audits) say what it would have billed.")
    if items:
        axis = axis_for(f"saved, {_words(found.kind)}", [end for *_, ends in items for end in ends])
        seen = (
            "Each bar is what the requests of a level saved against the reference arm, which would otherwise have "
            "answered them; left of zero it cost more. Lines are 95 % intervals."
        )
        chart = figure(bars("What each level saved, with 95 % intervals", items, axis), seen)
    head = ("level", "requests", "audited", "billed", "audits", "saved", "share")
    return section("Savings by level", chart + table("Against the reference arm", head, rows))


def _calibration(found: Collected) -> str:
    filled = [(number, item) for number, item in enumerate(found.calibration) if item.count]
    error = found.calibration_error
    if error is None:
        missing = "No answer with a forecast is known to be right or wrong, so that forecasts cannot be judged."
        return section("Calibration", note(missing))
    points = [Point(item.forecast / item.count, item.came / item.count, "") for _, item in filled]
    across, up = (Axis(label, 0.0, 1.0, is_percent=True) for label in ("forecast to be right", "share that is right"))
    seen = (
        "Each dot is a tenth of the scale: of the answers with that forecast, how many were right. On the dashed line "
        f"forecasts are honest; below it they promise too much. Expected calibration error: {percent(error)}."
    )
    chart = scatter("Forecast against observed share of right answers", points, across, up, diagonal=True)
    rows = [
        (
            f"{number * 100 // NUM_BINS} to {(number + 1) * 100 // NUM_BINS} %",
            f"{item.count:,}",
            percent(item.forecast / item.count),
            percent(item.came / item.count),
        )
        for number, item in filled
    ]
    head = ("forecast", "answers", "mean forecast", "right")
    return section("Calibration", figure(chart, seen) + table("By tenths of the forecast", head, rows))


def _costs(found: Collected) -> str:
    if not found.costs:
        missing = "No request was forecast and billed; a policy forecasts what each arm costs."
        return section("Cost forecast against billed", note(missing))
    order = list(found.arms)
    points = [_forecast_point(arm, item, found.kind, order) for arm, item in found.costs.items()]
    ends = [end for point in points for end in (point.x, point.y)]
    across, up = (axis_for(f"{label}, {_each_words(found.kind)}", ends) for label in ("forecast", "billed"))
    seen = "Each dot is an arm: its mean forecast and its mean bill. Above the dashed line it costs more than forecast."
    chart = figure(scatter("Forecast against billed cost, for each arm", points, across, up, diagonal=True), seen)
    rows = [
        (
            arm,
            f"{item.count:,}",
            amount(item.forecast / item.count * _per(found.kind), found.kind),
            amount(item.came / item.count * _per(found.kind), found.kind),
            f"{100 * (item.came / item.forecast - 1):+.1f} %" if item.forecast else _UNKNOWN,
        )
        for arm, item in found.costs.items()
    ]
    head = ("arm", "answers", "forecast", "billed", "billed over forecast")
    numbers = table(f"Means for each arm, {_each_words(found.kind)}", head, rows)
    return section("Cost forecast against billed", chart + numbers)


def _forecast_point(arm: str, item: Bin, kind: str, order: Sequence[str]) -> Point:
    forecast, came = (in_unit(total / item.count * _per(kind), kind) for total in (item.forecast, item.came))
    return Point(forecast, came, arm, colour=order.index(arm) if arm in order else len(order))


def _times(found: Collected) -> str:
    if found.first_us is None or found.last_us is None:
        return section("Decisions over time", note("There are none yet."))
    arms = [arm for arm in found.arms if any(span[arm] for span in found.times)]
    rest = [sum(span.values()) - sum(span[arm] for arm in arms) for span in found.times]
    names = [*arms, "other arms"] if any(rest) else arms
    columns = [
        [*(span[arm] for arm in arms), *([more] if any(rest) else [])]
        for span, more in zip(found.times, rest, strict=True)
    ]
    ends = moment(found.first_us), moment(found.last_us)
    seen = f"Each column is one of {len(columns)} equal spans of time; its colours are the arms that answered."
    chart = figure(stacked("Decisions over time, by arm", columns, ends, "decisions"), seen, legend(names))
    width = (found.last_us - found.first_us) / len(columns)
    rows = [
        (moment(found.first_us + round(width * number)), *(f"{value:,}" for value in column))
        for number, column in enumerate(columns)
    ]
    return section("Decisions over time", chart + table("Decisions from each time on", ("from", *names), rows))


_SECTIONS: tuple[Callable[[Collected], str], ...] = (
    *(_overview, _cost_and_quality, _savings, _calibration, _costs, _times),
    *(lambda found: token_maps(found.token_maps), lambda found: unit_maps(found.unit_maps)),
)


def _estimate(found: Estimate | None, shown: Callable[[Estimate], str], reason: str | None) -> str:
    return f"{_UNKNOWN} ({reason})" if found is None else shown(found)


def _code(unknown: str | None) -> str:
    """Of a reason, where there is little room."""
    return (unknown or "").partition(":")[0]


def _per(kind: str) -> int:
    """Requests that a mean cost is told for: money of one alone has too many zeros."""
    return 1_000 if kind == "nano_usd" else 1


def _each(found: Estimate, kind: str) -> str:
    return spread_amount(found.scaled(_per(kind)), kind)


def _each_words(kind: str) -> str:
    return f"{_words(kind)} for 1,000 requests" if kind == "nano_usd" else f"{_words(kind)} a request"


def _words(kind: str) -> str:
    """`nano_usd` is money for a reader: its unit alone."""
    unit = COST_KINDS[kind]
    return unit if kind == "nano_usd" else f"{kind.replace('_', ' ')}"
