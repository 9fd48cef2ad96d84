"""Clues of logic grids: what each demands, as a test, as JSON, and in several wordings.

A value is told by its category's phrases (`the owner of the cat`), and what is said of a person by its verbs (`has the
cat`). Houses count from 1 in text and JSON, and from 0 in tests.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from pointsman.embedded.puzzles.puzzle import Json, capital, equal, linear, same
from pointsman.embedded.puzzles.search import Test

CATEGORIES: Final[Mapping[str, tuple[str, ...]]] = {
    "pets": ("cat", "dog", "fox", "horse", "parrot", "snake"),
    "drinks": ("tea", "milk", "coffee", "juice", "water", "cider"),
    "colours": ("red", "blue", "green", "white", "yellow", "black"),
    "jobs": ("baker", "smith", "doctor", "farmer", "sailor", "painter"),
    "games": ("chess", "tennis", "golf", "bridge", "darts", "poker"),
}
"""Besides people. No word stands for two things."""

_PHRASES: Final[Mapping[str, tuple[str, ...]]] = {
    "people": ("{}",),
    "pets": ("the owner of the {}", "the person with the {}", "whoever keeps the {}"),
    "drinks": ("the {} drinker", "the person who drinks {}", "whoever drinks {}"),
    "colours": ("the person in the {} house", "whoever lives in the {} house"),
    "jobs": ("the {}", "the person who is the {}"),
    "games": ("the {} player", "the person who plays {}"),
}
_VERBS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "people": (("is {}", "is not {}"),),
    "pets": (("has the {}", "does not have the {}"), ("owns the {}", "does not own the {}")),
    "drinks": (("drinks {}", "does not drink {}"), ("drinks {}", "never drinks {}")),
    "colours": (("lives in the {} house", "does not live in the {} house"),),
    "jobs": (("is the {}", "is not the {}"), ("works as the {}", "does not work as the {}")),
    "games": (("plays {}", "does not play {}"), ("plays {}", "doesn't play {}")),
    "houses": (("lives in house {}", "does not live in house {}"), ("is in house {}", "is not in house {}")),
}
"""What is said of a person, and its negation."""

_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "people": ("is either {} or {}",),
    "pets": ("has either the {} or the {}", "owns the {} or the {}"),
    "drinks": ("drinks either {} or {}", "drinks {} or {}"),
    "colours": ("lives in either the {} house or the {} house", "lives in the {} house or the {} house"),
    "jobs": ("is either the {} or the {}",),
    "games": ("plays either {} or {}", "plays {} or {}"),
    "houses": ("lives in either house {} or house {}", "is in house {} or house {}"),
}
"""What is said of a person who can have one of the two only."""

_RELATIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "next": (
        "{0} lives next to {1}",
        "{0} and {1} are neighbours",
        "{0} lives beside {1}",
        "{0} is a direct neighbour of {1}",
    ),
    "left": ("{0} lives somewhere to the left of {1}", "{1} lives somewhere to the right of {0}"),
    "directly_left": (
        "{0} lives directly to the left of {1}",
        "{0} lives immediately left of {1}",
        "{1} lives directly to the right of {0}",
    ),
    "between": ("{0} lives somewhere between {1} and {2}", "{0} lives between {2} and {1}, not necessarily next door"),
}
KINDS: Final = ("equal", "not_equal", "next", "left", "directly_left", "between", "either", "if")

_TESTS: Final[Mapping[str, Callable[..., bool]]] = {
    "equal": lambda a, b: a == b,
    "not_equal": lambda a, b: a != b,
    "next": lambda a, b: abs(a - b) == 1,
    "left": lambda a, b: a < b,
    "directly_left": lambda a, b: a + 1 == b,
    "between": lambda a, b, c: min(b, c) < a < max(b, c),
}


@dataclass(frozen=True, slots=True)
class Value:
    """A word of a category; `number` is its place among all values of the grid. Of `houses` the word is a number."""

    category: str
    word: str
    number: int = -1


@dataclass(frozen=True, slots=True)
class Clue:
    """What is demanded: of values, or of two clues where the kind is `either` or `if`."""

    kind: str
    values: tuple[Value, ...] = ()
    parts: "tuple[Clue, ...]" = ()

    def test(self) -> Test:
        """For the search."""
        if self.parts:
            return self._joined()
        places = [value for value in self.values if value.category != "houses"]
        holds = _TESTS[self.kind]
        if len(places) < len(self.values):  # a house is only ever the second of two
            house = int(self.values[1].word) - 1
            return Test((places[0].number,), lambda a: holds(a, house))
        return Test(tuple(value.number for value in places), holds)

    def _joined(self) -> Test:
        first, second = (part.test() for part in self.parts)
        num, is_if = len(first.values), self.kind == "if"
        numbers = tuple(dict.fromkeys(first.values + second.values))  # a value may stand in both parts
        index = [numbers.index(value) for value in first.values + second.values]

        def holds(*houses: int) -> bool:
            at = [houses[place] for place in index]
            return first.holds(*at[:num]) != is_if or second.holds(*at[num:])

        return Test(numbers, holds)

    def to_json(self) -> Json:
        """As a constraint."""
        if self.parts:
            first, second = (part.to_json() for part in self.parts)
            return {"type": "if", "if": first, "then": second} if self.kind == "if" else _any(first, second)
        names = [value.word for value in self.values]
        match self.kind:
            case "equal" | "not_equal":
                right = self.values[1]
                made = equal(names[0], int(right.word)) if right.category == "houses" else same(*names)
                return made if self.kind == "equal" else {**made, "type": "different"}
            case "next":
                return _any(_step(names[0], names[1], 1), _step(names[1], names[0], 1))
            case "left":
                return _before(names[0], names[1])
            case "directly_left":
                return _step(names[0], names[1], 1)
        a, b, c = names
        return _any(_all(_before(b, a), _before(a, c)), _all(_before(c, a), _before(a, b)))

    def write(self, rng: random.Random) -> str:
        """A sentence without its full stop."""
        match self.kind:
            case "equal" | "not_equal":
                subject, said = self.values
                pair = rng.choice(_VERBS[said.category])
                return f"{_phrase(rng, subject)} {pair[self.kind == 'not_equal'].format(said.word)}"
            case "if":
                first, second = (part.write(rng) for part in self.parts)
                return f"if {first}, then {second}" if rng.random() < 0.5 else f"if {first}, {second}"
            case "either":
                return self._either(rng)
        return rng.choice(_RELATIONS[self.kind]).format(*(_phrase(rng, value) for value in self.values))

    def _either(self, rng: random.Random) -> str:
        """`Lena has either the cat or the dog` where that is what the parts say, else `..., or ..., or both`."""
        (subject, one), (other_subject, other) = (part.values for part in self.parts)
        if subject == other_subject and one.category == other.category:
            said = rng.choice(_CHOICES[one.category]).format(one.word, other.word)
            return f"{_phrase(rng, subject)} {said}"
        first, second = (part.write(rng) for part in self.parts)
        return rng.choice((f"{first}, or {second}, or both", f"either {first} or {second}, or both"))


def _phrase(rng: random.Random, value: Value) -> str:
    return rng.choice(_PHRASES[value.category]).format(value.word)


def sentence(clue: Clue, rng: random.Random) -> str:
    """With its capital letter and full stop."""
    return capital(clue.write(rng)) + "."


def _step(left: str, right: str, by: int) -> Json:
    return linear([(1, right), (-1, left)], "==", by)


def _before(left: str, right: str) -> Json:
    return linear([(1, left), (-1, right)], "<", 0)


def _any(*parts: Json) -> Json:
    return {"type": "or", "any": list(parts)}


def _all(*parts: Json) -> Json:
    return {"type": "and", "all": list(parts)}
