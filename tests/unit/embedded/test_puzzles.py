"""Puzzles: the grid's search against all ways, clues that are all needed, and the same puzzle for the same seed."""

import random
from itertools import permutations, product

import pytest

from pointsman.core import NotFound
from pointsman.embedded.puzzles import PLANNING, draw_grid, draw_plan
from pointsman.embedded.puzzles.clues import KINDS, Clue
from pointsman.embedded.puzzles.grids import draw_clue, draw_clues, draw_secret
from pointsman.embedded.puzzles.search import count_solutions


def count_all(size: int, clues: list[Clue]) -> int:
    """All permutations of every category, each clue tried."""
    tests = [clue.test() for clue in clues]
    found = 0
    for way in product(permutations(range(size)), repeat=size):
        houses = [house for category in way for house in category]
        found += all(test.holds(*(houses[value] for value in test.values)) for test in tests)
    return found


@pytest.mark.parametrize("seed", range(12))
def test_the_search_counts_what_trying_everything_counts(seed: int) -> None:
    rng = random.Random(seed)
    secret = draw_secret(rng, 3)
    clues = [draw_clue(rng, secret, rng.choice(KINDS), holds=rng.random() < 0.9) for _ in range(rng.randint(0, 6))]
    assert count_solutions(3, [clue.test() for clue in clues], limit=1_000) == count_all(3, clues)


@pytest.mark.parametrize("seed", range(6))
def test_every_clue_is_needed(seed: int) -> None:
    rng = random.Random(seed)
    clues = draw_clues(rng, draw_secret(rng, 3))
    assert count_all(3, clues) == 1
    for clue in clues:
        assert count_all(3, [other for other in clues if other != clue]) > 1


def test_a_seed_names_a_puzzle() -> None:
    assert draw_grid(1, 4) == draw_grid(1, 4) != draw_grid(2, 4)
    for family in PLANNING:
        assert draw_plan(family, 1, 4) == draw_plan(family, 1, 4) != draw_plan(family, 2, 4)


def test_what_cannot_be_drawn() -> None:
    with pytest.raises(NotFound):
        draw_plan("sudoku", 1, 4)
    with pytest.raises(ValueError, match="3 to 6"):
        draw_grid(1, 7)
