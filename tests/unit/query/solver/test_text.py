"""Texts: what the generators write is read as what they meant, and what changes a meaning is not read at all."""

import random
import re
from collections.abc import Sequence
from itertools import product

import pytest

from pointsman.core import Cost
from pointsman.core.asking import Question, Reply
from pointsman.embedded.puzzles import PLANNING, Puzzle, draw_grid, draw_plan
from pointsman.embedded.puzzles.clues import KINDS, sentence
from pointsman.embedded.puzzles.grids import draw_clue, draw_secret, header, is_true
from pointsman.query.solver import Answer, solve
from pointsman.query.solver.evaluating import holds
from pointsman.query.solver.text import Reading, read_problem, recognise

HEAD = (
    "There are three houses in a row, numbered 1 to 3 from left to right. One person lives in each house. "
    "The people are Ann, Bo and Cy. The pets are cat, dog and fox. The colours are red, blue and green. "
    "Everyone has a different pet and a different colour. "
)


class Chooser:
    """Takes the option that starts with a word, as sure as it is told."""

    def __init__(self, word: str, confidence: float = 1.0) -> None:
        self.word, self.confidence = word, confidence
        self.asked: list[tuple[Question, str]] = []

    def answer(self, asked: Sequence[tuple[Question, str]]) -> list[Reply]:
        self.asked += asked
        return [
            Reply(next(o for o in q.options if o.startswith(self.word)), self.confidence, "test", Cost(7, 0, 0, 0, 0.0))
            for q, _ in asked
        ]


def grid(clue: str, question: str = "Where does everyone live?", chooser: Chooser | None = None) -> Reading:
    return read_problem(f"{HEAD}{clue} {question}", chooser)


def is_as_drawn(puzzle: Puzzle, answer: Answer) -> bool:
    solution = answer.solution or {}
    return (answer.verdict, answer.objective) == (puzzle.verdict, puzzle.objective) and all(
        solution[name] == value for name, value in puzzle.answers.items()
    )


@pytest.mark.parametrize("variant", ["plain", "several", "infeasible"])
@pytest.mark.parametrize("size", [3, 4])
def test_grids(size: int, variant: str) -> None:
    for seed in range(8):
        puzzle = draw_grid(seed, size, variant)  # type: ignore[arg-type]
        reading = read_problem(puzzle.text)
        assert (reading.reason, reading.num_chosen) == (None, 0), reading.sentence
        assert reading.problem is not None
        assert is_as_drawn(puzzle, solve(reading.problem)), puzzle.text


@pytest.mark.parametrize("variant", ["plain", "several", "infeasible"])
@pytest.mark.parametrize("family", PLANNING)
def test_plans(family: str, variant: str) -> None:
    for seed, size in product(range(4), (3, 4, 5)):
        puzzle = draw_plan(family, seed, size, variant)  # type: ignore[arg-type]
        reading = read_problem(puzzle.text)
        assert reading.problem is not None, (reading.reason, reading.sentence)
        assert is_as_drawn(puzzle, solve(reading.problem)), puzzle.text


@pytest.mark.parametrize("kind", KINDS)
def test_every_wording_of_a_clue_says_what_its_test_says(kind: str) -> None:
    """All ways to place the values of a clue, by the generator's test and by the constraint that is read."""
    seen = set()
    for seed in range(120):
        rng = random.Random(f"{kind}/{seed}")
        secret = draw_secret(rng, 3)
        clue = draw_clue(rng, secret, kind)
        text = sentence(clue, rng)
        words = "|".join(value.word for value in secret.values)
        seen.add(re.sub(rf"\b(?:{words}|\d)\b", "_", text, flags=re.IGNORECASE))
        reading = read_problem(f"{header(rng, secret)} {text} Where does everyone live?")
        assert reading.problem is not None, (text, reading.sentence)
        told = reading.problem.constraints[-1]
        for houses in product((1, 2, 3), repeat=len(clue.test().values)):
            moved = list(secret.houses)
            for value, house in zip(clue.test().values, houses, strict=True):
                moved[value] = house
            other = type(secret)(secret.size, secret.categories, secret.values, tuple(moved))
            solution = {value.word: house for value, house in zip(secret.values, moved, strict=True)}
            assert holds(told, solution) == is_true(clue, other), text
    assert len(seen) > 3


REFUSED = [
    "Ann has the cat unless Bo has the dog.",
    "It is not true that Ann has the cat.",
    "Ann does not have the cat unless Bo has it.",
    "Ann has the cat or the dog or the fox.",
    "Ann probably has the cat.",
    "Ann might live next to the owner of the cat.",
    "Neither Ann nor Bo has the cat.",
    "Both Ann and Bo live next to the owner of the cat.",
    "Ann has the cat only if Bo has the dog.",
    "Ann has the cat except on Sundays.",
    "Ann used to have the cat.",
    "Ann does not live to the left of the owner of the cat.",
    "Ann never does not have the cat.",
    "Ann lives two houses away from Bo.",
    "Ann lives at least two houses to the left of Bo.",
    "Ann lives in house 4.",
    "Ann has the cat and Bo has the dog.",
    "The owner of the cat or the dog lives in house 2.",
    "Ann is Bo.",
    "Ann has the horse.",
    "She has the cat.",
    "Ann lives next to Ann.",
    "If Ann has the cat, then Bo might have the dog.",
    "Ann has the cat if and only if Bo has the dog.",
    "All cats are grey.",
    "Ann likes the cat.",
    "Ann drinks the cat.",
    "Ann owns the red house.",
    "Ann never plays the cat.",
    "Ann has the cat or drinks the dog.",
    "Ann likes the owner of the cat.",
    "Ann keeps the person in the red house.",
    "Ann has the neighbour of the cat.",
    "The person who does not have the cat lives in house 2.",
    "The brother of the owner of the cat lives in house 2.",
]


@pytest.mark.parametrize("clue", REFUSED)
def test_what_no_pattern_says_is_not_read(clue: str) -> None:
    reading = grid(clue)
    assert (reading.problem, reading.reason, reading.sentence) == (None, "sentence_not_read", clue)


DOUBTED = [
    clue
    for clue in REFUSED
    if re.search(r"unless|probably|might|nor|Both|only|except|used|never does|two|or the", clue)
]


@pytest.mark.parametrize("clue", DOUBTED)
def test_no_model_is_asked_about_a_doubtful_sentence(clue: str) -> None:
    chooser = Chooser("")
    assert grid(clue, chooser=chooser).reason == "sentence_not_read"
    assert not chooser.asked


def houses(reading: Reading) -> set[tuple[int, int]]:
    """Where Ann and the cat can be."""
    assert reading.problem is not None
    clue = reading.problem.constraints[-1]
    return {(a, c) for a, c in product((1, 2, 3), repeat=2) if holds(clue, {"Ann": a, "cat": c, "Bo": 3})}


def test_negations_turn_the_meaning_round() -> None:
    said, denied = grid("Ann has the cat."), grid("Ann doesn't have the cat.")
    assert houses(said) | houses(denied) == set(product((1, 2, 3), repeat=2))
    assert not houses(said) & houses(denied)
    beside, apart = grid("Ann lives next to the cat."), grid("Ann does not live next to the cat.")
    assert houses(apart) == set(product((1, 2, 3), repeat=2)) - houses(beside)


def test_a_model_chooses_where_a_sentence_has_two_readings() -> None:
    clue = "Ann lives to the left of the owner of the cat."
    assert grid(clue).reason == "sentence_not_read"
    anywhere, directly = (grid(clue, chooser=Chooser(word)) for word in ("anywhere", "directly"))
    assert houses(anywhere) == {(1, 2), (1, 3), (2, 3)}
    assert houses(directly) == {(1, 2), (2, 3)}
    assert (anywhere.num_chosen, anywhere.cost.prompt_tokens) == (1, 7)


def test_a_model_has_to_be_sure() -> None:
    clue = "Ann lives to the left of the owner of the cat."
    reading = grid(clue, chooser=Chooser("anywhere", 0.89))
    assert (reading.problem, reading.reason, reading.sentence) == (None, "not_sure", clue)
    assert grid(clue, chooser=Chooser("anywhere", float("nan"))).reason == "not_sure"
    assert grid(clue, chooser=Chooser("nothing")).reason == "sentence_not_read"


def test_a_model_chooses_among_candidates_where_no_pattern_fits() -> None:
    chooser = Chooser("neighbours")
    reading = grid("Ann can hear the cat through the wall.", chooser=chooser)
    assert houses(reading) == {(1, 2), (2, 1), (2, 3), (3, 2)}
    negative = Chooser("different")
    grid("Ann is afraid of the cat and has not got it.", chooser=negative)
    assert [o.split()[0] for o in negative.asked[0][0].options] == ["different", "separate,", "nothing"]


def test_inclusive_or_exclusive_is_a_choice() -> None:
    clue = "Either Ann lives in house 1 or the cat lives in house 2."
    assert grid(clue).reason == "sentence_not_read"
    inclusive, exclusive = (grid(clue, chooser=Chooser(word)) for word in ("inclusive", "exclusive"))
    assert houses(inclusive) - houses(exclusive) == {(1, 2)}
    assert houses(grid(clue[:-1] + ", but not both.")) == houses(exclusive)
    assert houses(grid(clue[:-1] + ", or both.")) == houses(inclusive)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no_such_problem"),
        ("What is the capital of France?", "no_such_problem"),
        (HEAD, "no_such_problem"),
        (HEAD + "Where does everyone live? Who has the cat?", "no_question"),
        (HEAD + "Who has the horse?", "question_not_read"),
        (HEAD + "Who is not Ann?", "question_not_read"),
        (HEAD.replace("One person lives in each house. ", "") + "Who has the cat?", "incomplete"),
        (HEAD.replace(" and a different colour", "") + "Who has the cat?", "incomplete"),
        (HEAD.replace("cat, dog and fox", "cat and dog") + "Who has the dog?", "sentence_not_read"),
        (HEAD.replace("1 to 3", "1 to 4") + "Who has the dog?", "sentence_not_read"),
        (HEAD + "x" * 20_000 + " Who has the dog?", "no_such_problem"),
    ],
)
def test_texts_that_are_not_read(text: str, reason: str) -> None:
    assert (read_problem(text).reason, read_problem(text).problem) == (reason, None)


PLAN_REFUSED = [
    ("assignment", "{0} usually cannot do the {1}."),
    ("assignment", "{0} cannot do the {1} and the {2}."),
    ("assignment", "{0} can do the {1}."),
    ("knapsack", "The total worth must be at most 5 coins."),
    ("knapsack", "The bag must weigh at least 3 kg."),
    ("schedule", "The {1} cannot start before hour 3 unless it rains."),
    ("schedule", "The {1} comes before the {2}."),
    ("schedule", "The {1} takes 99999999999999999999 hours."),
]


@pytest.mark.parametrize(("family", "added"), PLAN_REFUSED)
def test_plans_with_a_sentence_that_is_not_understood_are_not_read(family: str, added: str) -> None:
    puzzle = draw_plan(family, 0, 3, "infeasible")
    names = [variable["name"] for variable in puzzle.problem["variables"]]  # type: ignore[attr-defined]
    jobs = re.findall(r"the (\w+)", puzzle.story.split(". ")[0]) if family == "assignment" else names
    clue = added.format(names[0], *jobs[:2])
    reading = read_problem(f"{puzzle.story} {clue} {puzzle.question}")
    assert (reading.problem, reading.sentence) == (None, clue)


def test_the_candidates_of_plans() -> None:
    puzzle = draw_plan("schedule", 0, 3)
    first, second = [task["start"] for task in puzzle.problem["objective"]["tasks"]][:2]  # type: ignore[index]
    clue = f"The {first} comes before the {second}."
    text = f"{puzzle.story} {clue} {puzzle.question}"
    done, begun = (read_problem(text, Chooser(word)) for word in ("finished", "started"))
    assert done.problem is not None
    assert begun.problem is not None
    hours = int(re.findall(rf"The {first} (?:takes|needs) (\d+)", puzzle.story)[0])
    values = [next(c.value for c in p.constraints if c.text == clue) for p in (done.problem, begun.problem)]  # type: ignore[union-attr]
    assert values == [hours, 1]


def test_recognising_asks_no_model_and_knows_the_kind() -> None:
    assert recognise(HEAD + "Who has the cat?") == "grid"
    assert [recognise(draw_plan(family, 1, 4).text) for family in PLANNING] == list(PLANNING)
    assert recognise("There is one machine, which does one job at a time. Why?") is None


def test_reading_is_the_same_each_time() -> None:
    text = draw_grid(3, 4).text
    assert read_problem(text).problem == read_problem(text).problem
    assert draw_grid(3, 4).text == text
