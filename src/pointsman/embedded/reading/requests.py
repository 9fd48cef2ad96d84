"""Requests in free words for ten small programs: which one is asked for, and with what parameters?

Difficulty is the program, in no order, two of them for the first and the last. Lists are copied as they stand, code
reads their numbers.
"""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pointsman.core.asking import asks_for
from pointsman.embedded.problems import Problem, Split
from pointsman.embedded.reading.asking import Asker
from pointsman.embedded.wording import ENDINGS, ONSETS, Wording

_ASK = "[What is|Find|Give me|Tell me]"
_PLEASE = "[Please|Now|Can you|I want you to]"


@dataclass(frozen=True, slots=True)
class Asked:
    """A program that can be asked for.

    Attributes:
        summary: what it does, as its description says.
        parameters: what each parameter is, by its place in a wording; all are numbers, lists of numbers or a word.
        wording: of requests.
    """

    summary: str
    parameters: Mapping[str, str]
    wording: Wording


PROGRAMS: Mapping[str, Asked] = {
    "factorial": Asked(
        "the factorial of a number",
        {"n": "the number"},
        Wording(f"{_ASK} the factorial of {{n}}[.|?]", f"{_PLEASE} compute {{n}} factorial[.|?]",
                "How many ways are there to order {n} [books|cards|people|things]?"),
    ),
    "fibonacci": Asked(
        "a Fibonacci number",
        {"n": "the number"},
        Wording(f"{_ASK} the Fibonacci number at {{n}}[.|?]", f"{_PLEASE} compute Fibonacci number {{n}}[.|?]"),
    ),
    "power": Asked(
        "a number to a power",
        {"base": "the base", "exponent": "the exponent"},
        Wording(f"{_ASK} {{base}} to the [power|exponent] {{exponent}}[.|?]",
                f"{_PLEASE} raise {{base}} to the [power|exponent] {{exponent}}[.|?]"),
    ),
    "gcd": Asked(
        "the greatest common divisor of two numbers",
        {"a": "the first number", "b": "the second number"},
        Wording(f"{_ASK} the greatest common [divisor|factor] of {{a}} and {{b}}[.|?]",
                "What is the [largest|greatest] number that divides {a} and {b}?"),
    ),
    "merge_sorted": Asked(
        "two sorted lists merged into one",
        {"a": "the first list", "b": "the second list"},
        Wording(f"{_PLEASE} merge [the lists|these lists] {{a}} and {{b}}[.|?]",
                f"{_PLEASE} merge the sorted [lists|numbers] {{a}} with {{b}}[.|?]"),
    ),
    "binary_search": Asked(
        "where a number stands in a sorted list",
        {"items": "the list", "target": "the number to find"},
        Wording("[Where|At what place] is {target} in [the list|the sorted list] {items}?",
                f"{_PLEASE} find the place of {{target}} in [the list|the sorted list] {{items}}[.|?]"),
    ),
    "bubble_sort": Asked(
        "a list in order",
        {"items": "the list"},
        Wording(f"{_PLEASE} sort [the list|the numbers|these numbers] {{items}}[.|?]",
                f"{_PLEASE} put [the list|the numbers|these numbers] {{items}} in order[.|?]"),
    ),
    "total": Asked(
        "the sum of a list",
        {"items": "the list"},
        Wording(f"{_ASK} the [sum|total] of {{items}}[.|?]", f"{_PLEASE} add up {{items}}[.|?]"),
    ),
    "count": Asked(
        "how often a number occurs in a list",
        {"items": "the list", "value": "the number to count"},
        Wording("How [often|many times] [does|will] {value} [occur|stand] in {items}?",
                f"{_PLEASE} count how [often|many times] {{value}} is in {{items}}[.|?]"),
    ),
    "is_palindrome": Asked(
        "whether a word is a palindrome",
        {"text": "the word"},
        Wording("Is [the word|the text] {text} a palindrome?", "Is {text} the same [backwards|in reverse]?",
                "[Does|Will] {text} read the same [backwards|in reverse]?"),
    ),
}  # fmt: skip
"""By the name of the function in `examples/`."""


_NUMBERS = ("the base", "the exponent")


def number(rng: random.Random) -> str:
    """Of one to three digits."""
    return str(rng.randrange(10 ** rng.randint(1, 3)))


def numbers(rng: random.Random, *, in_order: bool = False) -> str:
    """A list as it stands in a request."""
    found = [rng.randrange(10 ** rng.randint(1, 3)) for _ in range(rng.randint(2, 9))]
    mark = rng.choice((", ", " ", ", "))
    return mark.join(map(str, sorted(found) if in_order else found))


def word(rng: random.Random) -> str:
    """A made-up word, a palindrome every second time."""
    half = "".join(rng.choice((*ENDINGS, *map(str.lower, ONSETS))) for _ in range(rng.randint(1, 2)))
    return half + half[::-1][rng.randint(0, 1) :] if rng.random() < 0.5 else half


def _value(rng: random.Random, name: str, parameter: str) -> str:
    if parameter == "text":
        return word(rng)
    is_sorted = name in {"merge_sorted", "binary_search"}
    is_list = parameter == "items" or name == "merge_sorted"
    return numbers(rng, in_order=is_sorted) if is_list else number(rng)


def request(rng: random.Random, split: Split, name: str) -> tuple[str, dict[str, str]]:
    """A request for a program, and its parameters as they stand in it."""
    asked = PROGRAMS[name]
    values = {parameter: _value(rng, name, parameter) for parameter in asked.parameters}
    sought = next((key for key in ("value", "target") if key in values), None)
    if sought is not None and rng.random() < 0.5:
        values[sought] = rng.choice(re.findall(r"\d+", values["items"]))
    in_brackets = rng.random() < 0.3
    told = {key: f"[{value}]" if in_brackets and " " in value else value for key, value in values.items()}
    return asked.wording.write(rng, split, fresh=True, **told), values


def generate(rng: random.Random, difficulty: int, split: Split) -> tuple[Problem, ...]:
    """A request with every parameter, and whether it is for this program and for two others."""
    names = list(PROGRAMS)
    name = names[difficulty - 1] if rng.random() < 0.7 else rng.choice(names)
    text, values = request(rng, split, name)
    ask = Asker("requests", difficulty, text)
    problems = [one for key, value in values.items() for one in _asked(ask, PROGRAMS[name].parameters[key], value)]
    others = rng.sample([other for other in names if other != name], 2)
    problems += [ask.judge(asks_for(PROGRAMS[one].summary), holds=one == name) for one in (name, others[0])]
    stated = PROGRAMS[name].parameters.values()
    absent = [what for what in PROGRAMS[others[1]].parameters.values() if what not in stated]
    if absent and rng.random() < 0.3:
        problems += _asked(ask, absent[0], None)
    rng.shuffle(problems)
    return tuple(problems)


def _asked(ask: Asker, what: str, value: str | None) -> tuple[Problem, ...]:
    return (ask.number(what, value),) if "number" in what or what in _NUMBERS else ask.words(what, value)
