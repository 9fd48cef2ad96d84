"""Votes of a table's samples against a twin that asks one by one; what is read from files is in `test_reading.py`."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pointsman.query.outcomes import Outcomes, TableArm
from pointsman.query.table_votes import polls_of, with_votes
from pointsman.query.voting import winner


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abc")), min_size=5, max_size=9), st.integers(3, 5))
def test_votes_cost_what_a_server_asks_for_and_end_as_all_would(samples: list[tuple[bool, str]], votes: int) -> None:
    """The slow twin asks one by one until no sample that is left can change who wins."""
    cells = [{"small": Sampled(None, [(float(right), 5.0, answer) for right, answer in samples])}]
    single = Outcomes(
        ("q",), ("",), ("",), (TableArm("small", "small"),), *np.ones((4, 1, 1)), np.zeros((1, 1), int), np.ones((1, 1))
    )
    found = with_votes(single, cells, [("small", votes)])
    answers = [answer for _, answer in samples[:votes]]
    won = answers[winner(answers)]
    asked = next(n for n in range(1, votes + 1) if _is_settled(answers[:n], votes - n, won))
    assert found.nano_usd[0, 1] == asked
    assert found.right[0, 1] == float(next(right for right, answer in samples if answer == won))
    assert found.agreement[0, 1] == answers[:asked].count(won) / asked


def _is_settled(asked: list[str], left: int, won: str) -> bool:
    return all((full := [*asked, *rest])[winner(full)] == won for rest in product("abcd", repeat=left))


@dataclass(frozen=True)
class Sampled:
    ans: str | None
    samples: list[tuple[float, float, str | None]] | None


def test_names_that_are_polls() -> None:
    names = {"a", "b?mode=direct", "c?n=3"}
    wanted = ["a", "a?n=3", "b?mode=direct&n=5", "c?n=3", "c?n=3&n=4", "a?n=2", "z?n=3", "a?n=100", "?n=3"]
    found = {"a?n=3": ("a", 3), "b?mode=direct&n=5": ("b?mode=direct", 5), "c?n=3&n=4": ("c?n=3", 4)}
    assert polls_of(names, wanted) == found
