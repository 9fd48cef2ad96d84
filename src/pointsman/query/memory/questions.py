"""Generated questions with answers that code computes: the vocabulary of `traffic.py`.

A *meaning* is a family with values for its slots. All wordings of one meaning have one answer. A near duplicate has
almost the same words and another meaning: another number, name, unit or operation, two names swapped, a "not".
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

__all__ = ["FAMILIES", "Family", "Meaning", "draw_meaning", "near_meaning"]

Slots: TypeAlias = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of question.

    Attributes:
        name: of the kind.
        wordings: ways to ask it, with slots in braces.
        choices: of slots that are words.
        numbers: of slots that are numbers, the least and the most.
        answer: the true answer.
        distinct: slots that must differ from each other; a near duplicate may swap them.
    """

    name: str
    wordings: tuple[str, ...]
    choices: Mapping[str, tuple[str, ...]]
    numbers: Mapping[str, tuple[int, int]]
    answer: Callable[[Slots], str]
    distinct: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Meaning:
    """What is asked, whatever the words."""

    family: Family
    slots: tuple[tuple[str, str], ...]

    @property
    def answer(self) -> str:
        return self.family.answer(dict(self.slots))

    def worded(self, wording: int) -> str:
        return self.family.wordings[wording].format(**dict(self.slots))


def draw_meaning(rng: random.Random) -> Meaning:
    """Any meaning of any family."""
    family = rng.choice(FAMILIES)
    while True:
        slots = {name: rng.choice(words) for name, words in family.choices.items()}
        slots |= {name: str(rng.randint(*span)) for name, span in family.numbers.items()}
        if len({slots[name] for name in family.distinct}) == len(family.distinct):
            return Meaning(family, tuple(slots.items()))


def near_meaning(meaning: Meaning, rng: random.Random) -> Meaning:
    """The same in one slot's other words, or with two slots swapped."""
    family, slots = meaning.family, dict(meaning.slots)
    while tuple(slots.items()) == meaning.slots:
        if family.distinct and rng.random() < 0.3:
            first, second = family.distinct
            slots[first], slots[second] = slots[second], slots[first]
            continue
        name = rng.choice(sorted(slots))
        changed = rng.choice(family.choices[name]) if name in family.choices else _other(family.numbers[name], rng)
        if all(slots[other] != changed for other in family.distinct if other != name):
            slots[name] = changed
    return Meaning(family, tuple(slots.items()))


def _other(span: tuple[int, int], rng: random.Random) -> str:
    return str(rng.randint(*span))


_NAMES: Final = tuple("Mina Tom Ada Joris Lena Omar Ruth Ivan Noor Pia Hugo Wanda Emil Sara Kofi Yuki".split())
_PLACES: Final = tuple(
    f"{start}{end}" for start in "Bel Kar Mon Tal Ver Zan Lor Quin bel kar mon tal ver zan lor quin".split()
    for end in "dora mark tania villa stan burg mere ton".split()
)  # fmt: skip
_OBJECTS: Final = tuple(
    "password username address card invoice order email photo subscription voucher account plan "
    "language receipt".split()
)
_WORDS: Final = tuple("lantern marble copper window garden silver bottle ladder pepper saddle tunnel violin".split())
_THINGS: Final = tuple("pencils apples lamps chairs tickets candles".split())


def _calculate(slots: Slots) -> str:
    a, b = int(slots["a"]), int(slots["b"])
    return str({"sum": a + b, "product": a * b, "difference": abs(a - b), "average": (a + b) / 2}[slots["op"]])


def _age(slots: Slots) -> str:
    a, b = int(slots["a"]), int(slots["b"])
    if a == b:
        return "neither"
    return slots["x"] if (a > b) == (slots["cmp"] == "older") else slots["y"]


def _is_prime(slots: Slots) -> str:
    number = int(slots["n"])
    prime = number > 1 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))
    return "yes" if prime != bool(slots["neg"]) else "no"


def _fact(slots: Slots) -> str:
    return f"{slots['attr']}-{zlib.crc32(slots['place'].lower().encode()) % 997}"


def _units(slots: Slots) -> str:
    per = {"hours": 3600, "days": 86_400}[slots["v"]] // {"minutes": 60, "seconds": 1}[slots["u"]]
    return str(int(slots["n"]) * per)


FAMILIES: Final = (
    Family(
        "calculate",
        (
            "What is the {op} of {a} and {b}?",
            "Please compute the {op} of {a} and {b}.",
            "Give me the {op} of {a} and {b}",
            "Could you work out the {op} of {a} and {b}?",
            "I have the numbers {a} and {b}. Which number is their {op}?",
            "The {op} of {b} and {a}, please.",
        ),
        {"op": ("sum", "product", "difference", "average")},
        {"a": (2, 99), "b": (2, 99)},
        _calculate,
    ),
    Family(
        "pay",
        (
            "{name} buys {n} {thing} at {p} dollars each. How much does {name} pay?",
            "How much does {name} pay for {n} {thing} that cost {p} dollars each?",
            "What do {n} {thing} cost {name} at {p} dollars a piece?",
            "Each of the {n} {thing} costs {p} dollars, and {name} takes them all. What is the price?",
        ),
        {"name": _NAMES, "thing": _THINGS},
        {"n": (2, 40), "p": (2, 60)},
        lambda slots: str(int(slots["n"]) * int(slots["p"])),
    ),
    Family(
        "age",
        (
            "{x} is {a} years old and {y} is {b} years old. Who is {cmp}?",
            "{x} has the age of {a} and {y} that of {b}. Which of them is {cmp}?",
            "Who is {cmp}: {x}, who is {a}, or {y}, who is {b}?",
            "Say who is {cmp}, if {x} is {a} years old and {y} {b}.",
        ),
        {"x": _NAMES, "y": _NAMES, "cmp": ("older", "younger")},
        {"a": (3, 90), "b": (3, 90)},
        _age,
        ("x", "y"),
    ),
    Family(
        "prime",
        (
            "Is {n} {neg}a prime number?",
            "Tell me whether {n} is {neg}a prime number.",
            "Would you say that {n} is {neg}a prime?",
            "Is it true that {n} is {neg}a prime?",
        ),
        {"neg": ("", "not ")},
        {"n": (2, 400)},
        _is_prime,
    ),
    Family(
        "fact",
        (
            "What is the {attr} of {place}?",
            "Tell me the {attr} of {place}.",
            "Do you know the {attr} of {place}?",
            "I need the {attr} of {place}, please.",
            "Which {attr} does {place} have?",
        ),
        {"attr": ("capital", "currency", "anthem", "population", "president"), "place": _PLACES},
        {},
        _fact,
    ),
    Family(
        "help",
        (
            "How do I {verb} my {object} {where}?",
            "How can I {verb} my {object} {where}?",
            "What should I do to {verb} my {object} {where}?",
            "I want to {verb} my {object} {where}. How?",
            "Please explain how to {verb} my {object} {where}.",
            "Hello, I would like to {verb} my {object} {where}, what are the steps?",
        ),
        {
            "verb": ("change", "delete", "find", "share", "verify", "print"),
            "object": _OBJECTS,
            "where": ("on the website", "on the phone", "in the shop"),
        },
        {},
        lambda slots: f"{slots['verb']}/{slots['object']}/{slots['where']}",
    ),
    Family(
        "units",
        (
            "How many {u} are {n} {v}?",
            "Convert {n} {v} to {u}.",
            "{n} {v} is how many {u}?",
            "Please tell me how many {u} there are in {n} {v}.",
        ),
        {"u": ("minutes", "seconds"), "v": ("hours", "days")},
        {"n": (2, 60)},
        _units,
    ),
    Family(
        "reverse",
        (
            'Reverse the word "{w}".',
            'What is "{w}" in reverse?',
            'Write "{w}" backwards, please.',
            'Spell the word "{w}" from its end to its start.',
        ),
        {"w": _WORDS},
        {},
        lambda slots: slots["w"][::-1],
    ),
)
