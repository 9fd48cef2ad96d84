"""A reader that goes by simple rules, three programs that are often asked for, and routes between them."""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache

import numpy as np
import pytest

from pointsman.core import Cost
from pointsman.core.asking import Question, Reply, Value
from pointsman.core.ngrams import ngrams
from pointsman.program import Table, compile_table
from pointsman.program.ladder import Head, Promise
from pointsman.program.pipeline import CompileOptions
from pointsman.program.text.calibrating_routes import Covered
from pointsman.program.text.routes import RouteCertificate, Routes

NUM_FEATURES = 4096

SOURCES = {
    "gcd": '''
def gcd(a: int, b: int) -> int:
    """Return the greatest common divisor of two numbers.

    Args:
        a: the first number
        b: the second number
    """
    while b > 0:
        a, b = b, a % b
    return a
''',
    "parcel": '''
def parcel(kilos: int) -> int | None:
    """Return the price of a parcel. Nobody carries more than 30 kilos.

    Args:
        kilos: the weight in kilos
    """
    if kilos < 1:
        raise ValueError("a parcel weighs something")
    return 5 + kilos if kilos <= 30 else None
''',
    "late": '''
from pointsman import judge

def late(request: str, days: int) -> str:
    """Say whether a complaint about a late order is accepted.

    Args:
        days: the number of days
    """
    return "yes" if days > 3 and judge("the order is late", request) else "no"
''',
}

WORDS = ("divisor", "parcel", "order")
"""What a statement and a text share where the reader finds the statement true."""


class RuleReader:
    """Takes a statement for true where it shares one of `WORDS` with the text, and numbers in the order of the text.

    Of texts that are `misread` it takes every statement for true.
    """

    name = "rules"

    def __init__(self, confidence: float = 0.99, misread: Sequence[str] = ()) -> None:
        self.confidence, self.misread, self.asked = confidence, misread, list[tuple[Question, str]]()

    def knows(self, question: Question) -> bool:
        return True

    def answer(self, asked: Sequence[tuple[Question, str]]) -> list[Reply]:
        self.asked += asked
        return [self._one(question, text) for question, text in asked]

    def _one(self, question: Question, text: str) -> Reply:
        value: Value
        if question.kind == "judge":
            value = text in self.misread or any(word in question.wording and word in text for word in WORDS)
        else:
            numbers = [int(number) for number in re.findall(r"\d+", text)]
            place = 1 if question.wording == "the second number" else 0
            value = numbers[place] if place < len(numbers) else None
        return Reply(value, self.confidence, self.name, Cost(10, 1, 2, 100, 0.5))


@cache
def _table(name: str) -> Table:
    return compile_table(SOURCES[name], f"{name}.py", name, CompileOptions(max_examples=3, seconds=1.0)).table


@pytest.fixture(scope="session")
def tables() -> dict[str, Table]:
    return {name: _table(name) for name in SOURCES}


@pytest.fixture
def reader() -> RuleReader:
    return RuleReader()


@pytest.fixture
def reader_of() -> type[RuleReader]:
    """`reader_of(confidence=..., misread=...)` is another one."""
    return RuleReader


def _request_for(program: str | None, rng: random.Random) -> str:
    number, other = rng.randrange(1, 10_000), rng.randrange(1, 10_000)
    if program == "gcd":
        return f"{rng.choice(['What is', 'Find', 'Tell me'])} the greatest common divisor of {number} and {other}?"
    if program == "parcel":
        return f"{rng.choice(['What does', 'How much does'])} a parcel of {number} kilos cost?"
    thing = rng.choice(["song", "poem", "story", "joke"])
    return (
        f"{rng.choice(['Write', 'Sing', 'Make up'])} a {thing} about {rng.choice(['cats', 'rain'])} in {number} words."
    )


@pytest.fixture
def examples() -> list[Covered]:
    """400 requests for `gcd`, `parcel` and nothing that there is."""
    rng = random.Random(0)
    return [Covered(_request_for(program, rng), program) for program in ("gcd", "parcel", None, None) * 100]


@pytest.fixture
def head_of() -> Callable[[Mapping[str | None, str]], Head]:
    """`head_of({"gcd": "divisor", None: "poem"})` chooses by words: the one that a text has, evenly for none."""

    def make(words: Mapping[str | None, str]) -> Head:
        weights = np.zeros((len(words), NUM_FEATURES), dtype=np.float32)
        for row, word in enumerate(words.values()):
            for index in ngrams(word, NUM_FEATURES):
                weights[row, index] += 100.0
        return Head(tuple(words), weights, np.zeros(len(words), dtype=np.float32))

    return make


@pytest.fixture
def routes(head_of: Callable[[Mapping[str | None, str]], Head]) -> Routes:
    """What goes to `gcd`, `parcel` and `late`, from a score of 0.9 on."""
    head = head_of({"gcd": "divisor", "parcel": "parcel", "late": "order", None: "poem"})
    return Routes(head, 0.9, "rules", RouteCertificate(Promise(), True, 400, 0, 0.9))
