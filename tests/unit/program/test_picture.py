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
from pointsman.program.picture.graph import COLOURS, Box, Graph, Link
from pointsman.program.picture.layout import Layout
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


def lines_of(svg: str) -> list[str]:
    return [text.text or "" for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def titles_of(svg: str) -> list[str]:
    return [title.text or "" for title in ElementTree.fromstring(svg).iter(f"{SVG}title")]


def marks(svg: str) -> dict[str, tuple[bool, bool]]:
    """By the text of boxes: whether they have the colour of questions, and whether they have bars."""
    found = {}
    for group in ElementTree.fromstring(svg).iter(f"{SVG}g"):
        for part, following in itertools.zip_longest(list(group), list(group)[1:]):
            rect = part.find(f"{SVG}rect")
            if rect is not None and rect.attrib["class"] == "box":
                text = " ".join(line.text or "" for line in part.findall(f"{SVG}text"))
                bars = following is not None and following.attrib.get("class") == "asks"
                found[text] = (rect.attrib["fill"] == COLOURS["question"][0], bars)
    return found


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


# -- questions to a reader ---------------------------------------------------------------------------------------------

WORDINGS = (
    "what the passenger wants",
    "the airline cancelled or moved the flight",
    "the passenger or a relative is ill or has died",
    "how many days later the passenger wants to fly",
)
LOOP = """
from pointsman import choose, judge

def f(messages: list, n: int) -> int:
    total = 0
    for m in messages:
        text = str(m)
        if n > 3 and judge("it says\\n \\"<no>\\" & more", text):
            total += 1
    return total
"""


def test_the_legend_has_name_kind_wording_and_answers_of_each_question(example: Examples) -> None:
    lines = lines_of(to_svg(example("airline")))
    assert {"?1", "?2", "?3", "?4", "choose", "judge", "extract", *WORDINGS} <= set(lines)
    assert {"cancel, change, complain, something else", "yes or no", "an int, or nothing", "22 tokens"} <= set(lines)
    dot = to_dot(example("airline"))
    assert "?1: choose, 'what the passenger wants' of message: cancel, change, complain, something else" in dot


def test_a_program_without_questions_has_no_legend(example: Examples) -> None:
    svg, dot = to_svg(example("refund")), to_dot(example("refund"))
    assert "legend" not in svg + dot
    assert COLOURS["question"][0] not in svg + dot


def test_a_picture_with_questions_can_be_looked_at(example: Examples) -> None:
    svg = to_svg(example("airline"))
    root = ElementTree.fromstring(svg)
    assert float(root.attrib["width"]) < 1600
    assert float(root.attrib["height"]) < 2500
    for text in root.iter(f"{SVG}text"):
        if text.attrib.get("text-anchor") != "middle":
            assert float(text.attrib["x"]) + len(text.text or "") * 7.4 < float(root.attrib["width"])


def test_boxes_name_questions_and_their_tooltips_write_them_out(example: Examples) -> None:
    svg = to_svg(example("airline"))
    for wording in WORDINGS:
        assert lines_of(svg).count(wording) == 1  # in the legend
    titles = set(titles_of(svg))
    assert {
        "judge('the airline cancelled or moved the flight', message)?",
        "choose('what the passenger wants', message) == 'cancel'?",
        "message states 'how many days later the passenger wants to fly'?",
        "not judge('the passenger or a relative is ill or has died', message)",
    } <= titles
    dot = to_dot(example("airline"))
    assert 'label="?2", tooltip="judge(\'the airline cancelled or moved the flight\', message)?"' in dot


def test_questions_look_unlike_exact_decisions_and_bars_say_where_one_is_asked(example: Examples) -> None:
    found = marks(to_svg(example("airline")))
    assert found["ticket.checked_in?"] == (False, False)
    assert found["return 'voucher'"] == (False, False)
    assert found["?1"] == found["?2"] == found["?3"] == found["?4 is stated?"] == (True, True)
    assert found["?1 == 'cancel'?"] == found["?4 <= 1?"] == (True, False)  # asked above
    asking = [line for line in to_dot(example("airline")).splitlines() if "peripheries=2" in line]
    assert all('label="?' in line for line in asking)
    assert sum('label="?1' in line for line in asking) == 1


def test_the_ways_out_of_a_choice_are_its_options(example: Examples) -> None:
    assert "'cancel', 'change'" in lines_of(to_svg(example("airline")))


def test_outcomes_that_ask_have_bars_and_those_that_know_do_not() -> None:
    source = """
from pointsman import choose, extract

def f(message: str, n: int) -> int | None:
    if n > 5:
        return extract(int, "how many", message)
    return len(choose("which", ("a", "b"), message)) + n
"""
    svg = to_svg(compile_source(source, "f"))
    assert overlapping(svg) == []
    found = marks(svg)
    assert found["return len(?1) + n"] == (False, True)
    assert found["return ?2"] == found["return None"] == (False, False)


def test_rows_of_several_states_that_ask_have_the_colour_of_questions() -> None:
    program = compile_source(LOOP, "f")
    svg = to_svg(program)
    assert overlapping(svg) == []
    amber = [
        [text.text or "" for text in group.findall(f"{SVG}text")]
        for group in ElementTree.fromstring(svg).iter(f"{SVG}g")
        if (rect := group.find(f"{SVG}rect")) is not None
        and rect.attrib["class"] == "label"
        and rect.attrib["fill"] == COLOURS["question"][0]
    ]
    assert any("?1" in " ".join(lines) for lines in amber)
    assert all("?" in " ".join(lines) for lines in amber)
    assert f'fontcolor="{COLOURS["question"][1]}"' in to_dot(program)


def test_the_words_of_questions_are_escaped() -> None:
    program = compile_source(LOOP, "f")
    svg, dot = to_svg(program), to_dot(program)
    assert any('"<no>" & more' in line for line in lines_of(svg))
    assert any('"<no>" & more' in title for title in titles_of(svg))
    plain = re.sub(r'"(?:[^"\\]|\\.)*"', "", dot)
    assert '"' not in plain
    assert "<no>" not in plain
    (legend,) = re.findall(r'^    legend0 \[.*label="((?:[^"\\]|\\.)*)"', dot, re.MULTILINE)
    assert "it says\\\\n" in legend  # the two characters of repr, and no line break of Graphviz
    assert legend.endswith("\\l")


def test_a_long_question_is_cut_in_the_legend_and_whole_in_its_tooltip() -> None:
    options = tuple(f"option number {i}" for i in range(40))
    wording = " ".join(["a wording of many words"] * 20)
    source = f"from pointsman import choose\n\ndef f(m: str) -> str:\n    return choose({wording!r}, {options!r}, m)\n"
    program = compile_source(source, "f")
    svg = to_svg(program)
    assert float(ElementTree.fromstring(svg).attrib["width"]) < 1000
    assert any(wording in title and ", ".join(options) in title for title in titles_of(svg))
    assert len(lines_of(svg)) < 20
    assert "option number 39" in to_dot(program)


def test_a_link_past_several_boxes_is_straight() -> None:
    graph = Graph("", boxes=[Box((f"a box {i}" + "!" * (i % 3) * 9,), "", "test") for i in range(6)])
    graph.links += [Link(i, i + 1, ("yes",)) for i in range(5)]
    graph.links += [Link(0, 5, ("no",)), Link(1, 5, ("no",))]
    layout = Layout(graph, sideways=False)
    for route in layout.routes[5:]:
        passing = [layout.items[i].at for i in route.items[2:-1]]
        assert len(set(passing)) == 1
