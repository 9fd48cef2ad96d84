"""Closed-book questions about a small invented world: who lives where, does what, and what the towns are known for.

The world is drawn once from a fixed seed and never told in a prompt; a model knows it from training or not at all.
People are asked about by a Zipf law of their rank, so that a small model, which sees and holds less, loses the rare
ones. Difficulty is the eighth of the ranks that a person is in, 1 for the best known. Questions follow one to three
facts (`the river of the town of the friend of ...`); some people's chains are kept for the test, the facts themselves
are not, because an untold fact cannot be known.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import accumulate

from pointsman.embedded.problems import DIFFICULTIES, Problem, Split, is_held_out
from pointsman.embedded.wording import ENDINGS, ONSETS, Wording

NUM_PEOPLE = 160
NUM_TOWNS = 24
ZIPF_EXPONENT = 0.7
TOWN_ENDINGS = "ville burg ford port".split()
JOBS = "baker smith doctor farmer tailor sailor miller painter".split()
PETS = "cat dog horse goat parrot snake fox owl".split()
DISHES = "soup bread cake fish rice stew pie cheese".split()
COLOURS = "red blue green white black brown pink grey".split()

PERSON_RELATIONS = ("town", "job", "pet", "friend")
TOWN_RELATIONS = ("dish", "colour", "mayor")

ONE = {
    "town": Wording(
        "[In what town|Where] does {x} [live|stay]?",
        "[Tell|Say] the [town|home] of {x}.",
        "What is the [town|home] of {x}?",
    ),
    "job": Wording(
        "What is the [job|work] of {x}?",
        "[Tell|Say] the [job|work] of {x}.",
        "What work does {x} [do|have]?",
    ),
    "pet": Wording(
        "What is the pet of {x}?",
        "[Tell|Say] the pet of {x}.",
        "What pet does {x} [have|own]?",
        "What does {x} [have|own] as pet?",
    ),
    "friend": Wording("Who is the [friend|mate] of {x}?", "[Tell|Say] the [friend|mate] of {x}."),
    "dish": Wording("What is the [dish|food] of {x}?", "[Tell|Say] the [dish|food] of {x}."),
    "colour": Wording("What is the [colour|flag] of {x}?", "[Tell|Say] the [colour|flag] of {x}."),
    "mayor": Wording("Who is the [mayor|head] of {x}?", "[Tell|Say] the [mayor|head] of {x}."),
}
"""How to ask for the last relation of a chain; `{x}` is a name or a phrase for the chain before."""


@dataclass(frozen=True, slots=True)
class World:
    """Every fact, by entity and relation; `people` are in order of rank."""

    people: tuple[str, ...]
    facts: Mapping[tuple[str, str], str]


@cache
def world() -> World:
    """The one world there is."""
    rng = random.Random("the world of facts")  # noqa: S311  an invented world
    names = [a + b for a in ONSETS for b in ENDINGS if not is_held_out("name", a, b, one_in=4)]
    people = rng.sample(names, NUM_PEOPLE)
    towns = rng.sample([a + b for a in ONSETS for b in TOWN_ENDINGS], NUM_TOWNS)
    facts: dict[tuple[str, str], str] = {}
    for person in people:
        facts[person, "town"] = rng.choice(towns)
        facts[person, "job"] = rng.choice(JOBS)
        facts[person, "pet"] = rng.choice(PETS)
        facts[person, "friend"] = rng.choice([other for other in people if other != person])
    for town in towns:
        facts[town, "dish"] = rng.choice(DISHES)
        facts[town, "colour"] = rng.choice(COLOURS)
        facts[town, "mayor"] = rng.choice(people)
    return World(tuple(people), facts)


@cache
def _ranks(difficulty: int) -> tuple[range, tuple[float, ...]]:
    """The ranks of one difficulty and their cumulative Zipf weights."""
    size = NUM_PEOPLE // len(DIFFICULTIES)
    ranks = range(size * (difficulty - 1), size * difficulty)
    return ranks, tuple(accumulate((rank + 1) ** -ZIPF_EXPONENT for rank in ranks))


def training_weights() -> tuple[float, ...]:
    """How often training asks about each difficulty, so that over all of them people follow the Zipf law."""
    return tuple(_ranks(difficulty)[1][-1] for difficulty in DIFFICULTIES)


def _draw_path(rng: random.Random) -> tuple[str, ...]:
    """One to three relations, each of what the one before leads to."""
    path: list[str] = []
    kind = "person"
    for _ in range(rng.choices((1, 2, 3), (5, 3, 2))[0]):
        relations = PERSON_RELATIONS if kind == "person" else TOWN_RELATIONS
        path.append(rng.choice(relations))
        if path[-1] not in ("friend", "mayor", "town"):
            break
        kind = "town" if path[-1] == "town" else "person"
    return tuple(path)


def generate(rng: random.Random, difficulty: int, split: Split) -> tuple[Problem, ...]:
    """A question about someone of the ranks of `difficulty`; `test` asks uniformly within them."""
    ranks, weights = _ranks(difficulty)
    rank = rng.choice(ranks) if split == "test" else rng.choices(ranks, cum_weights=weights)[0]
    person = world().people[rank]
    path = _draw_path(rng)
    while len(path) > 1 and is_held_out("chain", person, *path, one_in=5) != (split == "test"):
        path = _draw_path(rng)
    phrase, entity, trace = person, person, []
    for relation in path[:-1]:
        phrase = f"the {relation} of {phrase}"
    for relation in path:
        value = world().facts[entity, relation]
        trace.append(f"{entity} {relation} {value}")
        entity = value
    question = ONE[path[-1]].write(rng, split, fresh=True, x=phrase)
    return (Problem("facts", difficulty, "", question, "; ".join(trace), entity),)
