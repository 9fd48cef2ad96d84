"""Rows and a state, as drivers of compiled programs show them: which row applies?

Tables are random trees of decisions, none of a real program: what is learned is to select, whatever the program.
Difficulty is the number of rows less one, up to `MOST_ROWS`; above that more values are shown. No table is kept for
`test`: there are few of so few rows, and a real program may have any of them. What is new there is the state.
"""

import random

from pointsman.core.asking import LETTERS
from pointsman.core.selecting import MOST_ROWS, Row, short, state_text
from pointsman.embedded.problems import Problem, Split
from pointsman.embedded.reading.form import rows_text

_SHARED_SHARE = 0.3
"""How often a decision stands in two branches."""


def _table(rng: random.Random, num_rows: int) -> list[Row]:
    """Rows of a random tree, by the order in which branches were split, as a walk by breadth gives them."""
    leaves: list[Row] = [()]
    num_facts = 0
    while len(leaves) < num_rows:
        shallowest = min(range(len(leaves)), key=lambda place: len(leaves[place]))
        index = rng.randrange(len(leaves)) if rng.random() < 0.5 else shallowest
        needs = leaves[index]
        known = {fact for fact, _ in needs}
        others = [fact for fact in range(num_facts) if fact not in known]
        fact = rng.choice(others) if others and rng.random() < _SHARED_SHARE else num_facts
        num_facts += fact == num_facts
        leaves[index : index + 1] = [(*needs, (fact, False)), (*needs, (fact, True))]
    if rng.random() < 0.3:
        rng.shuffle(leaves)
    return leaves


def generate(rng: random.Random, difficulty: int, split: Split) -> tuple[Problem, ...]:  # noqa: ARG001  see above
    """One table with the states of up to six visits."""
    num_rows = min(MOST_ROWS, difficulty + 1)
    rows = _table(rng, num_rows)
    return tuple(_visit(rng, difficulty, rows) for _ in range(6))


def _visit(rng: random.Random, difficulty: int, rows: list[Row]) -> Problem:
    right = rng.randrange(len(rows))
    facts = dict(rows[right])
    if rng.random() < 0.7:  # what is off the path is known as well, where it can be computed at all
        for row in rows:
            for fact, _ in row:
                if fact not in facts and rng.random() < 0.8:
                    facts[fact] = rng.random() < 0.5
    most = max(2, difficulty - 2)
    values = _values(rng, most)
    results = [_values(rng, most) for _ in rows]
    return Problem("routing", difficulty, rows_text(rows), state_text(values, results, facts), "", LETTERS[right])


def _values(rng: random.Random, most: int) -> list[str]:
    return [_value(rng) for _ in range(min(most, rng.choice((0, 1, 1, 2, 2, 3, most))))]


def _value(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.6:
        return short(rng.randrange(10 ** rng.randint(1, 7)) * rng.choice((1, 1, 1, -1)))
    if kind < 0.75:
        return short([0] * rng.randrange(200))
    if kind < 0.85:
        return short(rng.choice((True, False, None)))
    return short("a" * rng.randrange(100)) if kind < 0.93 else short(round(rng.uniform(-10, 10), rng.randint(1, 3)))
