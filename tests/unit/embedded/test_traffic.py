"""Mixed traffic: the same in every process, parts that share no text, and checkers that can tell right from wrong."""

import importlib.util
import inspect
import random
import re
from collections import Counter
from pathlib import Path

import pytest

from pointsman.embedded.problems import ARROW
from pointsman.embedded.reading.programs import PROGRAMS
from pointsman.embedded.traffic import PARTS, SHARES, TRUTHS, Asked, _values, draw_traffic, puzzle_answer

EXAMPLES = Path(__file__).parents[3] / "examples"
NUM = 300


@pytest.fixture(scope="module")
def traffic() -> list[Asked]:
    return draw_traffic(NUM, "test", 3)


def told(asked: Asked) -> str:
    if len(asked.answers) == 1:
        return asked.answers[0]
    return "\n".join(f"{place}) {answer}" for place, answer in enumerate(asked.answers, 1))


def test_a_seed_names_the_same_requests_and_a_shorter_traffic_is_the_beginning(traffic: list[Asked]) -> None:
    assert draw_traffic(NUM, "test", 3) == traffic
    assert draw_traffic(50, "test", 3) == traffic[:50]
    assert draw_traffic(NUM, "test", 4) != traffic


def test_no_text_is_in_two_parts() -> None:
    texts = [{asked.text for seed in (0, 1) for asked in draw_traffic(NUM, part, seed)} for part in PARTS]
    for one in range(len(texts)):
        for other in range(one):
            assert not texts[one] & texts[other]


def test_every_kind_occurs_about_as_often_as_it_should(traffic: list[Asked]) -> None:
    counts = Counter(asked.kind for asked in traffic)
    assert abs(sum(SHARES.values()) - 1) < 1e-9
    for kind, share in SHARES.items():
        assert abs(counts[kind] / NUM - share) < 0.1, kind
        assert counts[kind], kind


def test_what_is_repeated_was_asked_before_and_what_is_near_is_not_the_same(traffic: list[Asked]) -> None:
    for place, asked in enumerate(traffic):
        before = {one.text: one.answers for one in traffic[:place]}
        if asked.kind == "repeated":
            assert before[asked.text] == asked.answers
        if asked.kind == "near":
            assert any(one.task == asked.task and one.text != asked.text for one in traffic[:place])


def test_an_answer_is_right_and_an_altered_one_is_not(traffic: list[Asked]) -> None:
    for asked in traffic:
        right = told(asked)
        assert asked.is_right(right), asked
        assert not asked.is_right(right + "0"), asked
        assert not asked.is_right(""), asked
        assert not asked.is_right("no" + right), asked
        if len(asked.answers) == 1:
            assert asked.is_right(f" some steps{ARROW} {right}")
            assert not asked.is_right(f" {right}{ARROW} 0{right}1")


def test_several_answers_are_right_in_their_order_only(traffic: list[Asked]) -> None:
    several = [asked for asked in traffic if len(asked.answers) > 1]
    assert several
    for asked in several:
        assert asked.is_right("\n\n".join(asked.answers))
        assert not asked.is_right(asked.answers[0])
        if asked.answers[0] != asked.answers[-1]:
            assert not asked.is_right("\n".join(reversed(asked.answers)))
        assert all(asked.question_is_right(place, answer) for place, answer in enumerate(asked.answers))


def test_lists_are_right_with_and_without_spaces() -> None:
    asked = Asked("Sort 3 1.", "program", "bubble_sort", ("[1, 3]",))
    assert asked.is_right("[1,3]")
    assert not asked.is_right("[3, 1]")


@pytest.mark.parametrize("name", PROGRAMS)
def test_truths_are_what_the_programs_say(name: str) -> None:
    path = EXAMPLES / f"{'palindrome' if name == 'is_palindrome' else name}.py"
    spec = importlib.util.spec_from_file_location(f"traffic_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    function = getattr(module, name)
    rng = random.Random(name)
    for _ in range(20):
        values = _values(rng, name)
        kinds = {key: parameter.annotation for key, parameter in inspect.signature(function).parameters.items()}
        arguments = {
            key: [int(found) for found in re.findall(r"\d+", value)] if kinds[key] == list[int] else kinds[key](value)
            for key, value in values.items()
        }
        assert function(**arguments) == TRUTHS[name](values), values


def test_a_puzzle_is_told_by_its_best_value_its_values_or_its_verdict() -> None:
    assert puzzle_answer("optimal", {}, 7) == "7"
    assert puzzle_answer("unique", {"b": 2, "a": "x"}, None) == "x, 2"
    assert puzzle_answer("several", {}, None) == "several"


@pytest.mark.parametrize(
    ("task", "answer", "output", "is_right"),
    [
        ("knapsack", "43", "tent: no\nlamp: yes\nobjective: 43", True),
        ("knapsack", "43", "tent: no\nlamp: yes\nobjective: 42", False),
        ("assignment", "floor, path", "Ann: floor\nBob: path", True),
        ("assignment", "floor, path", "Ann: path\nBob: floor", False),
        ("assignment", "floor, path", "so => floor, path", True),
        ("arithmetic", "4", "answer: 4", False),
    ],
)
def test_a_puzzle_may_be_answered_name_by_name(task: str, answer: str, output: str, is_right: bool) -> None:
    assert Asked("text", "puzzle", task, (answer,)).is_right(output) is is_right
