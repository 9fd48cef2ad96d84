"""The page stands alone, escapes everything, shows what it is given and leaves out what it is not."""

import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from xml.dom import minidom

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.bench.simulated import Traffic, simulate
from pointsman.core import Cost, Decision, Forecast
from pointsman.core.entries import Entry, Settled
from pointsman.query.amounts import brief
from pointsman.query.report import collect, to_html
from pointsman.query.report.drawing import Axis, Point, axis_for, cut, heat_map, scatter

ENTRIES = [replace(item.entry, level="token" if n % 3 else "query") for n, item in enumerate(simulate(1_500, 1))]
GRID = ((0.0, 0.5, 1.0), (1.0, 0.25, 0.0))
HEADINGS = [
    *("Overview", "Cost against quality", "Savings by level", "Calibration", "Cost forecast against billed"),
    *("Decisions over time", "Token heat map", "Unit heat map"),
]


class Page(HTMLParser):
    """Counts elements; refuses any that fetches, and tags that do not close."""

    EMPTY = frozenset({"meta"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, _ in attrs:
            assert name not in ("src", "href", "srcset", "data", "action", "xlink:href")
            assert not name.startswith("on")
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.EMPTY:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def page(entries: list[Entry], **more: object) -> str:
    return to_html(collect(lambda: entries, **more), "ledger.db")


def headings(text: str) -> list[str]:
    return re.findall(r"<h2>(.*?)</h2>", text)


def test_the_page_stands_alone_and_every_figure_has_a_table() -> None:
    text = page(ENTRIES)
    found = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "use", "image"} & set(found.tags)
    assert "url(" not in text
    assert "@import" not in text
    assert "prefers-color-scheme:dark" in text
    assert "//" not in text.replace("</", ""), "no address of any network"
    assert headings(text) == HEADINGS
    assert found.tags.count("h1") == 1
    assert found.tags.count("svg") == found.tags.count("figure") == found.tags.count("figcaption") == 5
    for section in re.findall(r"<section>.*?</section>", text, re.DOTALL):
        assert ("<svg" in section) <= ("<table>" in section)
        assert section.count("<table>") == section.count("<caption>")
    for caption in re.findall(r"<figcaption>(.*?)</figcaption>", text):
        assert re.search(r"Each .+\.", caption), "it says what is seen"
    for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        assert 'role="img"' in svg
        assert re.search(r'aria-label="[^"]+"', svg)
        minidom.parseString(svg)


def test_all_that_is_drawn_lies_within_its_picture() -> None:
    text = page(
        ENTRIES, token_grids={"sim-1": GRID}, unit_grids={"wide": ((0.5,) * 256,) * 64, "high": ((1.0,),) * 200}
    )
    for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        width, height = map(float, re.findall(r'viewBox="0 0 (\d+) (\d+)"', svg)[0])
        for name, value in re.findall(r' (x|x1|x2|cx|y|y1|y2|cy)="([-\d.]+)"', svg):
            assert 0 <= float(value) <= (width if "x" in name else height)
        for x, y, across, up in re.findall(r"M([\d.]+) ([\d.]+)h([\d.]+)v([\d.]+)h", svg):
            assert float(x) + float(across) <= width
            assert float(y) + float(up) <= height


def test_the_numbers_are_those_that_were_computed() -> None:
    found = collect(lambda: ENTRIES)
    text = to_html(found, "ledger.db")
    assert f"{sum(1 for e in ENTRIES if e.audit or (e.decision.is_audited)):,} audited" in text
    assert sum(sum(span.values()) for span in found.times) == len(ENTRIES)
    assert sum(item.count for item in found.calibration) == len(ENTRIES)
    assert found.calibration_error is not None
    assert found.calibration_error < 0.05
    assert f"{100 * found.calibration_error:.1f} %" in text
    for arm, item in found.costs.items():
        mine = [e for e in ENTRIES if e.decision.arm == arm]
        assert item.came == sum(e.billed.cost.nano_usd for e in mine)
    assert set(found.arms) == {"small", "middle", "large"}
    assert [item.level for item in found.savings] == [None, "query", "token"]


def test_a_forecaster_that_is_too_sure_is_seen() -> None:
    sure = [item.entry for item in simulate(1_500, 1, Traffic(overconfidence=0.3))]
    assert collect(lambda: sure).calibration_error > 0.15


def test_whatever_the_ledger_holds_is_escaped() -> None:
    evil = "<script>alert('&\"')</script>"
    entries = []
    for item in simulate(200, 1, Traffic(audited=0.5)):
        decision = replace(item.entry.decision, forecasts=(*item.entry.decision.forecasts, forecast(evil)))
        entries.append(replace(item.entry, level=evil, decision=replace(decision, arm=evil)))
    text = to_html(collect(lambda: entries), evil)
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert evil in Page(text).texts


def forecast(arm: str) -> Forecast:
    return Forecast(arm, 0.5, Cost(1, 1, 1_000, 0, 0.1))


def test_heat_maps_are_drawn_where_there_are_some() -> None:
    assert page(ENTRIES[:50], token_grids={}, unit_grids=None).count("This ledger holds none") == 2
    lines = ((1.0, 1.0, 0.5), (0.0,))
    text = page(ENTRIES[:50], token_grids={"sim-3": lines, "gone": lines}, unit_grids={"sim-1": GRID})
    arm = ENTRIES[3].decision.arm
    assert f"{arm}, request sim-3" in text
    assert "an answer, request gone" in text
    token, unit = text.split("<h2>Unit heat map</h2>")
    rows = '<th scope="row">1 to 3</th><td>0</td><td>1</td><td>2</td></tr>\n<tr><th scope="row">4 to 4</th><td>1</td>'
    assert token.count(rows) == 2
    assert '<th scope="row">1 attention</th><td>1 of 3</td><td>50.0 %</td>' in unit
    assert '<th scope="row">1 MLP</th><td>1 of 3</td><td>41.7 %</td>' in unit


@given(st.lists(st.lists(st.sampled_from([0.0, 0.03, 0.5, 1.0]), min_size=1, max_size=90), min_size=1, max_size=9))
def test_a_heat_map_covers_every_cell_once(rows: list[list[float]]) -> None:
    """The slow twin: a rectangle a cell; narrow cells of one shade are drawn together."""
    svg = minidom.parseString(heat_map("t", rows, ["name"] * len(rows)))
    covered = 0.0
    for path in svg.getElementsByTagName("path"):
        for across in re.findall(r"M[\d.]+ [\d.]+h([\d.]+)v", path.getAttribute("d")):
            covered += float(across)
    size = max(2.5, min(16.0, (720 - 24 - 8 - 6.8 * 4) / max(map(len, rows))))
    expected = sum(map(len, rows)) * (size - (size >= 6))
    assert covered == pytest.approx(expected, abs=0.06 * sum(map(len, rows)))
    shades = {round(20 * share) for row in rows for share in row}
    assert len(svg.getElementsByTagName("path")) == len(shades)


@pytest.mark.parametrize("kind", ["nano_usd", "completion_tokens", "moved_bytes", "seconds"])
def test_any_cost_can_be_shown_also_one_that_is_nothing(kind: str) -> None:
    Page(page(ENTRIES, kind=kind))


def test_a_ledger_that_says_little_says_so() -> None:
    empty = page([])
    Page(empty)
    assert headings(empty) == HEADINGS
    assert "no_requests" in empty
    assert tiles(empty)["Requests"] == ("0", "this ledger is empty")
    assert tiles(empty)["Routing"] == ("none", "no policy decided a request")
    assert empty.count('<p class="note">') == len(HEADINGS) - 1, "a sentence for each picture that is not there"
    bare = [Entry("r", 5, "query", Decision("a", "r", "v"), billed=Settled("a", Cost.zero(), None))]
    text = page(bare)
    Page(text)
    assert "no_choice" in text
    assert "no answer is known to be right or wrong" in text
    assert "Nothing was billed in USD" in text
    assert "Not compared, since no policy forecast them for other requests: a." in text


def tiles(text: str) -> dict[str, tuple[str, str]]:
    """Name, value and remark of each."""
    found = re.findall(r'<div><dt>(.*?)</dt><dd class="value[^>]*>(.*?)</dd><dd>(.*?)</dd></div>', text)
    return {unescape(name): (unescape(value), unescape(more)) for name, value, more in found}


def test_the_owner_sees_first_what_it_came_to() -> None:
    found = collect(lambda: ENTRIES)
    shown = tiles(to_html(found, "l"))
    total = found.savings[0]
    assert shown["Requests"] == ("1,500", "2025-11-24 16:00:00 to 16:24:59 UTC")
    assert shown["Billed"][0] == f"{total.billed * 1e-9:.3g} USD"
    assert f"the reference arm alone: {total.reference.value * 1e-9:.3g} USD (" in shown["Billed"][1]
    assert shown["Saved"][0] == f"{100 * total.share.value:.1f} %"
    assert f"{100 * total.share.low:.1f} to {100 * total.share.high:.1f}" in shown["Saved"][1]
    audits = [e for e in ENTRIES if e.audit is not None]
    as_good = sum(e.billed.correct or not e.audit.correct for e in audits)
    assert shown["As good as the reference arm"][0] == f"{100 * as_good / len(audits):.1f} %"
    assert f"of {len(audits):,} audits" in shown["As good as the reference arm"][1]
    assert shown["Routing"] == ("on", "certificate in force: simulated/1; 1,500 of 1,500 decisions under one")


def test_audits_that_were_compared_say_how_many_agree() -> None:
    audited = [e for e in ENTRIES if e.audit is not None]
    entries = [replace(e, audit=replace(e.audit, correct=None, agrees=n % 10 > 0)) for n, e in enumerate(audited)]
    agreeing = sum(n % 10 > 0 for n in range(len(entries)))
    value, more = tiles(page(entries))["Agree with the reference arm"]
    assert value == f"{100 * agreeing / len(entries):.1f} %"
    assert more.startswith("95 % interval ")
    assert more.endswith(f"of {len(entries)} audits")


def test_routing_that_was_switched_off_is_told_with_its_time() -> None:
    off = [
        replace(
            e, decision=Decision("large", "routing_off", "simulated/1"), audit=None, time_us=ENTRIES[-1].time_us + n
        )
        for n, e in enumerate(ENTRIES[:5])
    ]
    late = replace(ENTRIES[0], request_id="late")  # decided before, written after
    text = page([*ENTRIES, *off, late])
    assert tiles(text)["Routing"][0] == "switched off"
    assert tiles(text)["Routing"][1].startswith("since 2025-11-24 16:24:59 UTC")
    assert 'class="value bad"' in text
    again = replace(ENTRIES[0], request_id="again", time_us=off[-1].time_us + 1)
    value, more = tiles(page([*ENTRIES, *off, again]))["Routing"]
    assert value == "on"
    assert more.endswith("; it was off for 5 requests")
    other = replace(again, decision=replace(again.decision, policy_version="other/1", certificate=None))
    assert tiles(page([*ENTRIES, other]))["Routing"] == ("on", "no certificate is in force")


def test_requests_by_name_stand_apart_where_others_have_a_reference() -> None:
    billed = Settled("model/m", Cost(1, 1, 5_000_000_000, 0, 0.1), None)
    named = [
        Entry(f"n-{n}", ENTRIES[0].time_us, "token", Decision("model/m", "named_by_client", "by-name/1"), billed=billed)
        for n in range(3)
    ]
    alone, mixed = collect(lambda: ENTRIES), collect(lambda: [*ENTRIES, *named])
    assert mixed.savings == alone.savings
    assert (mixed.named.count, mixed.named.came) == (3, 15_000_000_000)
    assert mixed.num_requests == len(ENTRIES) + 3
    text = to_html(mixed, "l")
    assert "3 of them asked for a model by name" in tiles(text)["Requests"][1]
    assert "requests by name 15 USD more" in tiles(text)["Billed"][1]
    assert collect(lambda: named).savings[0].num_requests == 3, "where nobody has one, they are all there is"


def test_what_the_ledger_cannot_tell_of_an_arm_is_drawn_as_forecast() -> None:
    """As a server writes it: no chance for other arms, and nobody knows which answers were right."""
    entries = [
        replace(e, decision=replace(e.decision, propensity=1.0), billed=replace(e.billed, correct=None), audit=None)
        for e in ENTRIES
    ]
    text = page(entries)
    assert text.count("hollow") - text.split("</style>")[0].count("hollow") == 4, "three arms and the choice"
    assert "Hollow: at least one" in text
    assert "unknown (no_support)" in text
    assert "hollow" not in page(ENTRIES).split("</style>")[1]


def test_axes_have_round_ticks_within_them() -> None:
    for low, high in ((0.0, 1.0), (0.0, 0.000_37), (-3.0, 12_345.0), (0.5, 0.51)):
        axis = Axis("x", low, high)
        ticks = axis.ticks()
        assert 3 <= len(ticks) <= 7
        assert all(low - 1e-9 <= tick <= high + 1e-9 for tick in ticks)
    assert axis_for("x", [0.0]).high > 0
    assert axis_for("x", [0.9, 1.0], from_zero=False, is_percent=True).high == 1.0


def test_a_marked_point_looks_otherwise() -> None:
    axis = Axis("x", 0.0, 1.0)
    text = scatter("t", [Point(0.5, 0.5, "a"), Point(0.7, 0.7, "b", is_marked=True)], axis, axis)
    assert (text.count("<circle"), text.count("<path")) == (1, 1)


def test_counts_have_whole_ticks() -> None:
    for most in (1.0, 2.0, 7.0, 1_234.0):
        ticks = axis_for("decisions", [most], is_count=True).ticks()
        assert len(ticks) >= 2
        assert all(tick == round(tick) for tick in ticks)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=5))
def test_names_of_a_few_dots_hide_neither_each_other_nor_a_dot(places: list[tuple[float, float]]) -> None:
    axis = Axis("x", 0.0, 1.0)
    points = [Point(x, y, f"arm number {number}") for number, (x, y) in enumerate(places)]
    svg = minidom.parseString(scatter("t", points, axis, axis))
    boxes = []
    for text in svg.getElementsByTagName("text"):
        if text.getAttribute("class") == "name":
            width = 6.8 * len(text.firstChild.data)
            end, base = float(text.getAttribute("x")), float(text.getAttribute("y"))
            left = end - width if text.getAttribute("text-anchor") == "end" else end
            boxes.append((left, base - 12, left + width, base + 3))
    assert len(boxes) == len(points)
    for number, one in enumerate(boxes):
        assert 0 <= one[0] <= one[2] <= 721
        for other in boxes[:number]:
            assert not (one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3])


def test_a_long_name_is_cut_in_the_middle_of_a_picture_only() -> None:
    name = "organisation/model-of-great-length?reasoning_effort=high&max_tokens=800"
    assert cut("short") == "short"
    assert cut(name) == "organisation/model…igh&max_tokens=800"
    axis = Axis("x", 0.0, 1.0)
    text = scatter("t", [Point(0.5, 0.5, name)], axis, axis)
    assert "<title>organisation/model-of-great-length?reasoning_effort=high&amp;max_tokens=800</title>" in text


@given(st.floats(-1e15, 1e15))
def test_numbers_are_short_and_close_to_what_they_are(value: float) -> None:
    told = brief(value)
    factor = {"T": 1e12, "G": 1e9, "M": 1e6}.get(told[-1], 1.0)
    assert float(told.rstrip(" TGM").replace(",", "")) * factor == pytest.approx(value, rel=6e-3, abs=1e-12)
    assert "e" not in told or 0 < abs(value) < 1e-9
