"""What is worth compiling next: kinds of requests, counted and in order."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from pointsman.core import UpstreamError
from pointsman.program import Table
from pointsman.program.text.routes import Routes
from pointsman.program.text.suggesting import Suggestion, kind_of_request, suggest

Tables = Mapping[str, Table]


@pytest.mark.parametrize(
    "requests",
    [
        ("Is 7 prime?", "Is 1009 prime?", "Is -3 prime?", "Is 2.5 prime?"),
        ("What is due on 2024-02-29?", "What is due on 29/2/2024?", "What is due on 12:30?"),
        ("Sort 4, 1, 9", "Sort 3, 2", "Sort 3, 2 and 1", "Sort 3, 2, and 1", "Sort 3; 2", "Sort 3 2 1 0", "Sort 5,4,3"),
        ('Translate "good day" please', 'Translate "yes" please', "Translate 'good day' please"),
        ("Write to Bob Smith, now", "Write to Ada, now"),
        ("Is  7\nprime?", "Is 7 prime?"),
    ],
    ids=["numbers", "dates", "lists", "quotations", "names", "space"],
)
def test_requests_that_differ_in_these_only_are_of_one_kind(requests: tuple[str, ...]) -> None:
    assert len({kind_of_request(request) for request in requests}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Is 7 prime?", "Is 7 even?"),
        ("Sort 4, 1, 9", "Sort 4"),
        ("What's the age of Bob's car?", "What's the price of Bob's car?"),
        ("write to Ada", "write to ada"),
        ("What is 7 + 8?", "What is 7 * 8?"),
    ],
)
def test_other_requests_are_of_others(one: str, other: str) -> None:
    assert kind_of_request(one) != kind_of_request(other)


@pytest.mark.parametrize(
    ("request_text", "kind"),
    [
        ("Sort 4, 1 and 9 for Ada Lovelace", "Sort #... for *"),
        ('Say "hi" to 3 people', 'Say "..." to # people'),
        ("x" * 200, "x" * 120),
    ],
)
def test_a_kind_has_marks_for_what_differs(request_text: str, kind: str) -> None:
    assert kind_of_request(request_text) == kind


REQUESTS = [
    "a poem about 3 cats",
    "the divisor of 84",
    "a song about rain",
    "the divisor of 84 and 36",
    "the divisor of 12",
    "a poem about 9 cats",
    "a poem about 10 cats",
    "a parcel of 4 kilos",
]


def test_kinds_that_are_not_routed_are_counted_the_most_frequent_first(
    tables: Tables, routes: Routes, reader: Any
) -> None:
    ticks: list[int] = []
    found, num_routed = suggest(tables, routes, reader, REQUESTS, ticks.append)
    assert (num_routed, ticks) == (2, [1] * len(REQUESTS))
    assert [(one.count, one.kind) for one in found] == [
        (3, "a poem about # cats"),
        (2, "the divisor of #"),
        (1, "a song about rain"),
    ]
    poem, divisor, _ = found
    assert (poem.program, poem.missing, poem.example) == (None, (), "a poem about 3 cats")
    assert divisor == Suggestion("the divisor of #", 2, "gcd", 0.0, ("the second number",), "the divisor of 84")
    assert divisor.to_json()["missing"] == ("the second number",)


def test_of_equally_frequent_kinds_the_nearest_comes_first(tables: Tables, routes: Routes, reader: Any) -> None:
    strict = replace(routes, threshold=2.0)
    found, num_routed = suggest(tables, strict, reader, ["a poem", "a parcel of 4 kilos", "the poem"])
    assert num_routed == 0
    assert [one.kind for one in found] == ["a parcel of # kilos", "a poem", "the poem"]
    assert found[0].program == "parcel"
    assert found[0].score == pytest.approx(0.99, abs=0.01)


def test_the_best_of_a_kind_stands_for_it(tables: Tables, routes: Routes, reader_of: Any) -> None:
    class Sure(reader_of):  # type: ignore[misc]
        """Surer of the longer text."""

        def answer(self, asked: Any) -> Any:
            return [
                replace(reply, confidence=0.8 if "44" in text else 0.5)
                for reply, (_, text) in zip(super().answer(asked), asked, strict=True)
            ]

    requests = ["a parcel of 4 kilos", "a parcel of 44 kilos", "a parcel of 3 kilos"]
    (one,), _ = suggest(tables, routes, Sure(), requests)
    assert (one.count, one.example) == (3, "a parcel of 44 kilos")
    assert one.score == pytest.approx(0.8, abs=0.01)


def test_nothing_is_asked_for(tables: Tables, routes: Routes, reader: Any) -> None:
    assert suggest(tables, routes, reader, []) == ([], 0)


def test_a_long_example_is_cut(tables: Tables, routes: Routes, reader: Any) -> None:
    (one,), _ = suggest(tables, routes, reader, ["a poem " * 100])
    assert len(one.example) == 120


def test_what_the_reader_raises_is_raised(tables: Tables, routes: Routes) -> None:
    class Broken:
        def answer(self, asked: Any) -> Any:
            raise UpstreamError("down", retryable=True)

    with pytest.raises(UpstreamError, match="down"):
        suggest(tables, routes, Broken(), ["the divisor of 84 and 36"])
