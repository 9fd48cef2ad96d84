"""The page stands alone, escapes everything, shows what it is given and leaves out what it is not."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.dom import minidom

import pytest

from pointsman.bench.simulated import Traffic, simulate
from pointsman.core import Cost, Decision, Forecast
from pointsman.core.entries import Entry, Settled
from pointsman.query.report import collect, to_html
from pointsman.query.report.drawing import Axis, Point, axis_for, scatter

ENTRIES = [replace(item.entry, level="token" if n % 3 else "query") for n, item in enumerate(simulate(1_500, 1))]
GRID = ((0.0, 0.5, 1.0), (1.0, 0.25, 0.0))


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
    assert headings(text) == [
        *("Overview", "Cost against quality", "Savings by level", "Calibration", "Cost forecast against billed"),
        "Decisions over time",
    ]
    assert found.tags.count("svg") == found.tags.count("figure") == 5
    for section in re.findall(r"<section>.*?</section>", text, re.DOTALL):
        assert "<table>" in section
        assert "<caption>" in section
    for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        assert 'role="img"' in svg
        assert re.search(r'aria-label="[^"]+"', svg)
        minidom.parseString(svg)


def test_all_that_is_drawn_lies_within_its_picture() -> None:
    text = page(ENTRIES, token_grids=[GRID])
    for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        width, height = map(float, re.findall(r'viewBox="0 0 (\d+) (\d+)"', svg)[0])
        for name, value in re.findall(r' (x|x1|x2|cx|y|y1|y2|cy)="([-\d.]+)"', svg):
            assert 0 <= float(value) <= (width if "x" in name else height)


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


def test_heat_maps_are_there_only_with_their_data() -> None:
    assert not {"Token heat map", "Unit heat map"} & set(headings(page(ENTRIES[:50], token_grids=[], unit_grids=None)))
    text = page(ENTRIES[:50], token_grids=[GRID, GRID], unit_grids=[GRID])
    assert headings(text)[-2:] == ["Token heat map", "Unit heat map"]
    assert text.count('class="cell"') == 18
    assert "50.0 %" in text


@pytest.mark.parametrize("kind", ["nano_usd", "completion_tokens", "moved_bytes", "seconds"])
def test_any_cost_can_be_shown_also_one_that_is_nothing(kind: str) -> None:
    Page(page(ENTRIES, kind=kind))


def test_a_ledger_that_says_little_says_so() -> None:
    empty = page([])
    Page(empty)
    assert headings(empty) == ["Overview", "Cost against quality", "Savings by level"]
    assert "no_requests" in empty
    bare = [Entry("r", 5, "query", Decision("a", "r", "v"), billed=Settled("a", Cost.zero(), None))]
    text = page(bare)
    Page(text)
    assert "no_choice" in text
    assert "no answer is known to be right or wrong" in text
    assert headings(text)[-1] == "Decisions over time"


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
