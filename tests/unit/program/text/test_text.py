"""Requests in free words: what is asked for each parameter, what is read, and what is asked back."""

from collections.abc import Sequence
from typing import Any

import pytest

from pointsman.core import Cost
from pointsman.core.asking import Question, Reply
from pointsman.program import Table, compile_table
from pointsman.program.docstrings import parameter_words
from pointsman.program.pipeline import CompileOptions
from pointsman.program.recorded import RecordedAnswers
from pointsman.program.text import fill, summary_of, wanted_of

FAST = CompileOptions(max_examples=3, seconds=1.0)
SCALE = '''
def scale(items: list[int], factor: float, label: str | None = None) -> list:
    """Return a list times a factor, in order.

    Args:
        items: the list. Of ints.
        factor (float): the factor; above 0.
            Not read.
        label: the label
    """
    return [label, *(item * factor for item in items)]
'''


def table_of(source: str, name: str) -> Table:
    return compile_table(source, "f.py", name, FAST).table


@pytest.fixture(scope="module")
def scale() -> Table:
    return table_of(SCALE, "scale")


def test_what_docstrings_say() -> None:
    assert parameter_words("Scale.\n\nArgs:\n    a: one.  Two.\n    *b: more\n\nReturns:\n    c: no\n") == {
        "a": "one",
        "b": "more",
    }
    assert parameter_words(":param int n: how many; at least 1") == {"n": "how many"}
    assert parameter_words("a: nothing of the kind") == {}


def test_parameters_are_asked_for_in_the_docstrings_words(scale: Table) -> None:
    readable, others = wanted_of(scale)
    assert others == {}
    assert [(one.question, one.is_needed) for one in readable.values()] == [
        (Question("extract", "the list", "span"), True),
        (Question("extract", "the factor", "float"), True),
        (Question("extract", "the label", "span"), False),
    ]
    assert summary_of(scale) == "a list times a factor"


def test_what_is_said_about_a_program_is_kept(scale: Table, tmp_path: Any) -> None:
    from pointsman.program import load_table

    scale.save(tmp_path / "scale.route.json")
    assert load_table(tmp_path / "scale.route.json").parameters == scale.parameters


def test_a_request_is_read(scale: Table) -> None:
    reader = RecordedAnswers({"the list": "3, -4 and 5", "the factor": 2.5, "the label": None})
    filled = fill(scale, "scale 3, -4 and 5 by 2.5", reader)
    assert filled.inputs == {"items": [3, -4, 5], "factor": 2.5}
    assert filled.missing == ()


def test_what_is_missing_is_asked_for(scale: Table) -> None:
    reader = RecordedAnswers({"the list": "many", "the factor": None, "the label": "x"})
    filled = fill(scale, "scale many", reader)
    assert filled.missing == ("the list", "the factor")
    assert filled.question == "Please tell me the list and the factor."
    assert fill(scale, "scale many", reader, {"items": [1], "factor": 2.0}).missing == ()


def test_what_is_given_is_not_read_and_the_rest_comes_in_one_batch(scale: Table) -> None:
    batches: list[list[str]] = []

    class Counting:
        def answer(self, asked: Sequence[tuple[Question, str]]) -> list[Reply]:
            batches.append([question.wording for question, _ in asked])
            return [Reply(None, 0.7, "x", Cost(1, 0, 0, 5, 0.0)) for _ in asked]

    filled = fill(scale, "r", Counting(), {"items": [1]})
    assert batches == [["the factor", "the label"]]
    assert (filled.confidence, filled.cost) == (0.7, Cost(2, 0, 0, 10, 0.0))


@pytest.mark.parametrize(
    ("annotation", "question"),
    [
        ("bool", Question("judge", "x", "bool")),
        ("int | None", Question("extract", "x", "int")),
        ("Optional[int]", Question("extract", "x", "int")),
        ("Literal['a', 'b']", Question("extract", "x", "option", ("a", "b"))),
        ("list[str]", Question("extract", "x", "span")),
        ("dict[str, int]", None),
        ("", None),
    ],
)
def test_kinds_of_parameters(annotation: str, question: Question | None) -> None:
    declared = f": {annotation}" if annotation else ""
    source = f"from typing import Literal, Optional\n\ndef f(x{declared}):\n    return x"
    readable, others = wanted_of(table_of(source, "f"))
    if question is None:
        assert (readable, others) == ({}, {"x": "x"})
    else:
        assert readable["x"].question == question


def test_the_request_itself_is_a_parameter() -> None:
    table = table_of("def f(request: str, n: int):\n    return len(request) + n", "f")
    filled = fill(table, "add 4", RecordedAnswers({"n": 4}))
    assert filled.inputs == {"request": "add 4", "n": 4}


@pytest.mark.parametrize(
    ("said", "request_text", "items"),
    [
        ("4,", "sort [4, 1, 4, 9]", [4, 1, 4, 9]),
        ("1, 4", "sort 4 1, 4 9 now", [4, 1, 4, 9]),
        ("3, -4 and 5", "scale 3, -4 and 5, 6 by 2.5", [3, -4, 5, 6]),
        ("6 9", "merge 6 9 and 8 778", [6, 9]),
        ("7", "nothing of the kind", [7]),
    ],
)
def test_a_part_of_a_list_stands_for_all_of_it(said: str, request_text: str, items: list[int]) -> None:
    table = table_of("def f(items: list[int]):\n    return items", "f")
    assert fill(table, request_text, RecordedAnswers({"items": said})).inputs == {"items": items}


@pytest.mark.parametrize(("kind", "digits"), [("int", 5000), ("float", 400)])
def test_numbers_that_cannot_be_held_are_asked_for(kind: str, digits: int) -> None:
    table = table_of(f"def f(items: list[{kind}]):\n    return items", "f")
    number = "9" * digits
    assert fill(table, f"sort 1 {number}", RecordedAnswers({"items": number})).missing == ("items",)
    assert fill(table, "sort 1 99", RecordedAnswers({"items": "99"})).inputs == {"items": [1, 99]}
