"""Logic grids of three to six houses: a secret solution, and clues that leave it alone, each of them needed.

True clues of all kinds are drawn until the search counts one solution, then every clue without which it still does is
dropped. Of a grid with several solutions one more clue is dropped; one without any has a clue that is not so.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from pointsman.embedded.puzzles.clues import CATEGORIES, KINDS, Clue, Value, sentence
from pointsman.embedded.puzzles.puzzle import Json, Puzzle, Variant, equal, listed, same
from pointsman.embedded.puzzles.search import count_solutions
from pointsman.embedded.wording import draw_names

SIZES = range(3, 7)
_WEIGHTS = (2, 3, 3, 3, 3, 2, 2, 2)
"""How often each kind of clue is drawn; equalities are rare, since they tell most."""

_NUMBERS = {3: "three", 4: "four", 5: "five", 6: "six"}
_VERB_QUESTIONS = {
    "pets": ("Who has the {}?", "Who owns the {}?"),
    "drinks": ("Who drinks {}?",),
    "colours": ("Who lives in the {} house?",),
    "jobs": ("Who is the {}?",),
    "games": ("Who plays {}?",),
}


@dataclass(frozen=True, slots=True)
class Grid:
    """The categories, people first, and where everything secretly is: the house of each value, from 1."""

    size: int
    categories: tuple[str, ...]
    values: tuple[Value, ...]
    houses: tuple[int, ...]

    def of(self, category: str) -> tuple[Value, ...]:
        """The values of a category."""
        return tuple(value for value in self.values if value.category == category)


def draw_secret(rng: random.Random, size: int) -> Grid:
    """Categories, values and a solution."""
    categories = ("people", *rng.sample(list(CATEGORIES), size - 1))
    words = [draw_names(rng, "train", size), *(rng.sample(CATEGORIES[one], size) for one in categories[1:])]
    values = [
        Value(category, word, size * place + index)
        for place, category in enumerate(categories)
        for index, word in enumerate(words[place])
    ]
    houses = [house for _ in categories for house in rng.sample(range(1, size + 1), size)]
    return Grid(size, categories, tuple(values), tuple(houses))


def is_true(clue: Clue, grid: Grid) -> bool:
    """Whether the secret satisfies it."""
    test = clue.test()
    return test.holds(*(grid.houses[value] - 1 for value in test.values))


def draw_clue(rng: random.Random, grid: Grid, kind: str, *, holds: bool = True) -> Clue:
    """A clue of a kind that is true of the secret, or that is not."""
    while True:
        clue = _drawn(rng, grid, kind)
        if clue is not None and is_true(clue, grid) == holds:
            return clue


def _drawn(rng: random.Random, grid: Grid, kind: str) -> Clue | None:
    match kind:
        case "equal" | "not_equal":
            return _said(rng, grid, kind)
        case "either":
            return _either(rng, grid)
        case "if":
            first, second = (_said(rng, grid, rng.choice(("equal", "equal", "not_equal"))) for _ in range(2))
            if first is None or second is None or first.values[0] == second.values[0]:
                return None
            return Clue("if", parts=(first, second))
    return Clue(kind, tuple(rng.sample(grid.values, 3 if kind == "between" else 2)))


def _said(rng: random.Random, grid: Grid, kind: str) -> Clue | None:
    """An equality or its opposite; a house in one of four."""
    subject = rng.choice(grid.values)
    if rng.random() < 0.25:
        return Clue(kind, (subject, _house(rng, grid)))
    said = rng.choice(grid.values)
    return None if said.category == subject.category else Clue(kind, (subject, said))


def _either(rng: random.Random, grid: Grid) -> Clue | None:
    first = _said(rng, grid, "equal")
    if first is None:
        return None
    if rng.random() < 0.5:
        subject, said = first.values
        other = _house(rng, grid) if said.category == "houses" else rng.choice(grid.of(said.category))
        return None if other == said else Clue("either", parts=(first, Clue("equal", (subject, other))))
    second = _said(rng, grid, "equal")
    return None if second is None or second.values[0] == first.values[0] else Clue("either", parts=(first, second))


def _house(rng: random.Random, grid: Grid) -> Value:
    return Value("houses", str(rng.randint(1, grid.size)))


def draw_clues(rng: random.Random, grid: Grid) -> list[Clue]:
    """Clues that leave the secret alone, each of them needed."""
    clues: dict[Clue, None] = {}
    step = 2 * grid.size
    while True:
        for _ in range(step):
            clues[draw_clue(rng, grid, rng.choices(KINDS, _WEIGHTS)[0])] = None
        step = 2
        if count_solutions(grid.size, [clue.test() for clue in clues]) == 1:
            break
    kept = list(clues)
    rng.shuffle(kept)
    for clue in tuple(kept):
        rest = [other for other in kept if other != clue]
        if count_solutions(grid.size, [other.test() for other in rest]) == 1:
            kept = rest
    return kept


def draw_grid(seed: object, size: int, variant: Variant = "plain") -> Puzzle:
    """The grid that a seed names. Raises ValueError for a size that is not of `SIZES`."""
    if size not in SIZES:
        raise ValueError(f"a grid of {size}; expected {SIZES.start} to {SIZES.stop - 1}")
    rng = random.Random(f"{seed}/grid/{size}/{variant}")  # noqa: S311
    grid = draw_secret(rng, size)
    clues = draw_clues(rng, grid)
    if variant == "several":
        del clues[rng.randrange(len(clues))]
    elif variant == "infeasible":
        kind = rng.choice([kind for kind in KINDS if kind != "not_equal"])
        clues.insert(rng.randrange(len(clues) + 1), draw_clue(rng, grid, kind, holds=False))
    sentences = [sentence(clue, rng) for clue in clues]
    question, answers, extra = _question(rng, grid, asks_all=variant == "several")
    problem = _problem(grid, clues, sentences, extra, list(answers))
    story = " ".join([header(rng, grid), *sentences])
    if variant == "plain":
        return Puzzle("grid", size, story, question, problem, "unique", answers)
    return Puzzle("grid", size, story, question, problem, variant, {})


def header(rng: random.Random, grid: Grid) -> str:
    """The houses, who and what there is, and that everything differs."""
    number = _NUMBERS[grid.size]
    row = (
        f"There are {number} houses in a row, numbered 1 to {grid.size} from left to right.",
        f"{number.capitalize()} houses stand in a row and are numbered 1 to {grid.size} from left to right.",
    )
    lists = [f"The {one} are {listed([v.word for v in grid.of(one)])}." for one in grid.categories]
    things = listed([f"a different {one.removesuffix('s')}" for one in grid.categories[1:]])
    return " ".join([rng.choice(row), "One person lives in each house.", *lists, f"Everyone has {things}."])


def _question(rng: random.Random, grid: Grid, *, asks_all: bool) -> tuple[str, dict[str, object], list[Json]]:
    """The question, the right values of what it asks for, and constraints that tie `answer` to the grid."""
    house_of = dict(zip(grid.values, grid.houses, strict=True))
    people = grid.of("people")
    if asks_all:
        return "What is the full arrangement?", {one.word: house_of[one] for one in grid.values}, []
    if rng.random() < 0.2:
        return "Where does everyone live?", {one.word: house_of[one] for one in people}, []
    if rng.random() < 0.4:
        person = rng.choice(people)
        asked = rng.choice(("In which house does {} live?", "Where does {} live?"))
        return asked.format(person.word), {person.word: house_of[person]}, []
    thing = rng.choice([value for value in grid.values if value.category != "people"])
    who = next(one for one in people if house_of[one] == house_of[thing])
    ties: list[Json] = [
        {"type": "if", "if": same(one.word, thing.word), "then": equal("answer", one.word)} for one in people
    ]
    return rng.choice(_VERB_QUESTIONS[thing.category]).format(thing.word), {"answer": who.word}, ties


def _problem(
    grid: Grid, clues: Sequence[Clue], sentences: Sequence[str], extra: Sequence[Json], asks: Sequence[str]
) -> Json:
    variables: list[Json] = [{"type": "int", "name": v.word, "low": 1, "high": grid.size} for v in grid.values]
    if extra:
        variables.append({"type": "named", "name": "answer", "values": [one.word for one in grid.of("people")]})
    rules: list[Json] = [
        {"type": "all_different", "variables": [v.word for v in grid.of(one)], "name": one} for one in grid.categories
    ]
    told = [
        {**clue.to_json(), "name": f"clue {number}", "text": text}
        for number, (clue, text) in enumerate(zip(clues, sentences, strict=True), 1)
    ]
    return {"variables": variables, "constraints": [*rules, *told, *extra], "asks": list(asks)}
