"""Requests in free words for ten small programs: which one is asked for, and with what parameters?

Difficulty is the program, in no order, two of them for the first and the last. Lists are copied as they stand, code
reads their numbers.
"""

import random
import re

from pointsman.core.asking import asks_for
from pointsman.embedded.problems import Problem, Split
from pointsman.embedded.reading.asking import Asker
from pointsman.embedded.reading.programs import PROGRAMS
from pointsman.embedded.wording import ENDINGS, ONSETS

_FRAMES = (
    "{r}",
    "{r}",
    "{r}",
    "{r}",
    "Hello. {r}",
    "Hi, {r}",
    "{r} Thank you.",
    "{r} Thanks.",
    "I have a question. {r}",
)
_PARTIAL_SHARE = 0.15


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
    return framed(rng, asked.wording.write(rng, split, fresh=True, **told)), values


def partial_request(rng: random.Random, name: str) -> tuple[str, dict[str, str | None]]:
    """A request that leaves something out, with None for it. These have the same wordings in both splits."""
    wording, asked = rng.choice(PROGRAMS[name].partial), PROGRAMS[name]
    values = {parameter: _value(rng, name, parameter) for parameter in asked.parameters}
    stated: dict[str, str | None] = {key: value if f"{{{key}}}" in wording else None for key, value in values.items()}
    return framed(rng, wording.format(**values)), stated


def framed(rng: random.Random, request: str) -> str:
    """A request, perhaps with a greeting or thanks."""
    return rng.choice(_FRAMES).format(r=" ".join(request.split()))  # a wording's choice may be no word


def generate(rng: random.Random, difficulty: int, split: Split) -> tuple[Problem, ...]:
    """A request with every parameter, stated or not, and whether it is for this program and for two others."""
    names = list(PROGRAMS)
    name = names[difficulty - 1] if rng.random() < 0.7 else rng.choice(names)
    is_partial = split == "train" and rng.random() < _PARTIAL_SHARE
    text, values = partial_request(rng, name) if is_partial else request(rng, split, name)
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
