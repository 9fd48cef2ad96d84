"""Pictures are well formed, and nothing in them overlaps."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from pointsman.program.compiler import compile_source
from pointsman.program.ir import Const
from pointsman.program.picture import svg as drawing
from pointsman.program.picture import to_dot, to_svg
from pointsman.program.table.machine import Decide, Machine, Pick, Program, Range, Return, State, Switch, Sym

EXAMPLES = Path(__file__).parents[3] / "examples"
Examples = Callable[[str], Program]
SVG = "{http://www.w3.org/2000/svg}"


def of_states(*states: State) -> Program:
    return Program("f", {"f": Machine("f", "f", (), states)}, {}, {})


@cache
def rectangles(svg: str) -> list[tuple[float, float, float, float]]:
    """(left, top, right, bottom) of boxes and labels, in the coordinates of the whole."""
    found = []
    for group in ElementTree.fromstring(svg).findall(f"{SVG}g"):
        shift = [float(v) for v in re.findall(r"[\d.]+", group.attrib["transform"])]
        for rect in group.iter(f"{SVG}rect"):
            x, y = float(rect.attrib["x"]) + shift[0], float(rect.attrib["y"]) + shift[1]
            found.append((x, y, x + float(rect.attrib["width"]), y + float(rect.attrib["height"])))
    return found


def overlapping(svg: str) -> list[object]:
    pairs = itertools.combinations(rectangles(svg), 2)
    return [(a, b) for a, b in pairs if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]]


@pytest.mark.parametrize("name", sorted(p.stem for p in EXAMPLES.glob("*.py")))
def test_boxes_and_labels_do_not_overlap_and_lie_inside(example: Examples, name: str) -> None:
    svg = to_svg(example(name))
    root = ElementTree.fromstring(svg)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    assert overlapping(svg) == []
    for left, top, right, bottom in rectangles(svg):
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height


@pytest.mark.parametrize("name", ["refund", "dijkstra", "roman"])
def test_text_fits_its_box(example: Examples, name: str) -> None:
    for group in ElementTree.fromstring(to_svg(example(name))).iter(f"{SVG}g"):
        rect = group.find(f"{SVG}rect")
        if rect is not None:
            longest = max(len(text.text or "") for text in group.findall(f"{SVG}text"))
            assert longest * 7.4 < float(rect.attrib["width"])


@pytest.mark.parametrize("name", sorted(p.stem for p in EXAMPLES.glob("*.py")))
def test_dot_is_balanced_and_links_what_it_declares(example: Examples, name: str) -> None:
    dot = to_dot(example(name))
    plain = re.sub(r'"(?:[^"\\]|\\.)*"', "", dot)
    assert plain.count("{") == plain.count("}") > 1
    assert plain.count("[") == plain.count("]")
    assert '"' not in plain
    declared = set(re.findall(r"^    (n\d+_\d+) \[", plain, re.MULTILINE))
    linked = set(re.findall(r"n\d+_\d+", " ".join(re.findall(r"^    n\d+_\d+ -> n\d+_\d+", plain, re.MULTILINE))))
    assert linked <= declared


def test_text_is_escaped() -> None:
    source = "def f(a: str) -> str:\n    if a == '<&\"':\n        return '</svg>'\n    return 'b'\n"
    made = compile_source(source, "f")
    texts = [text.text for text in ElementTree.fromstring(to_svg(made)).iter(f"{SVG}text")]
    assert "return '</svg>'" in texts
    assert '\\"' in to_dot(made)


def test_long_texts_are_cut_and_whole_in_the_tooltip() -> None:
    long = "x" * 200
    svg = to_svg(of_states(State(0, "entry", (("a", Range("bool")),), Return(Const(long)))))
    root = ElementTree.fromstring(svg)
    assert f"return '{long}'" in [title.text for title in root.iter(f"{SVG}title")]
    assert all(len(text.text or "") < 60 for text in root.iter(f"{SVG}text"))


def test_switch_and_pick_are_one_box_with_a_link_for_each_way() -> None:
    days, status = Sym("days", "int"), Sym("status", "str")
    pick = Pick(status, (Const("a"), Const("b")), (Return(Const(1)), Return(Const(2))), Return(Const(3)))
    root = Switch(days, (0, 10), (Return(Const(0)), pick, Return(Const(4))))
    svg = to_svg(of_states(State(0, "entry", (("days", Range("int")), ("status", Range("str"))), root)))
    texts = [text.text for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]
    assert {"days", "< 0", "0 <= … < 10", ">= 10", "status", "'a'", "'b'", "other"} <= set(texts)
    assert overlapping(svg) == []


def test_tests_of_one_value_in_a_row_are_one_box(example: Examples) -> None:
    texts = [t.text for t in ElementTree.fromstring(to_svg(example("income_tax"))).iter(f"{SVG}text")]
    assert texts.count("status") == 1
    assert texts.count("income") == 3


def test_equal_outcomes_of_decisions_are_one_box(example: Examples) -> None:
    texts = [t.text for t in ElementTree.fromstring(to_svg(example("refund"))).iter(f"{SVG}text")]
    assert texts.count("return 'rejected'") == 1


def test_what_is_too_large_is_said_and_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "MAX_BOXES", 2)
    opened = Sym("opened", "bool")
    root = Decide(opened, Return(Const(1)), Return(Const(2)))
    assert "3 boxes: too many to draw" in to_svg(of_states(State(0, "entry", (("opened", Range("bool")),), root)))


def test_a_value_used_in_several_boxes_keeps_its_name() -> None:
    source = "def f(a, k):\n    t = a[k]\n    if t < 1:\n        return 0\n    return t if t < 2 else k\n"
    texts = [t.text for t in ElementTree.fromstring(to_svg(compile_source(source, "f"))).iter(f"{SVG}text")]
    assert {"t1 = a[k]", "t1 < 1?", "t1 < 2?", "return t1"} <= set(texts)


def test_a_picture_is_the_same_every_time(example: Examples) -> None:
    assert to_svg(example("dijkstra")) == to_svg(example("dijkstra"))
