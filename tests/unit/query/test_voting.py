"""Votes: who wins, and that what is not asked for could not have changed it."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.query.voting import Votes, count_votes, wave, winner

ANSWERS = ("a", "b", "c", "d", "e", None)


def plain_winner(answers: list[str | None]) -> int:
    """The slow twin: counts each different answer in the order in which it was first given."""
    counts: dict[str, int] = {}
    for answer in answers:
        if answer is not None:
            counts[answer] = counts.get(answer, 0) + 1
    most = max(counts.values(), default=0)
    return next((answers.index(answer) for answer, count in counts.items() if count == most), 0)


def is_open(answers: list[str | None], num_votes: int) -> bool:
    """Whether what is left can change who wins, by trying everything that it may say."""
    left = num_votes - len(answers)
    if not answers:
        return True
    now = answers[plain_winner(answers)]
    outcomes = {(full := [*answers, *rest])[plain_winner(full)] for rest in product(ANSWERS, repeat=left)}
    return outcomes != {now} or (now is None and left > 0)


def needed(answers: list[str | None], num_votes: int) -> int:
    """The smallest number that can decide, by trying everything."""
    left = num_votes - len(answers)
    return next(
        number
        for number in range(left + 1)
        if any(not is_open([*answers, *said], num_votes) for said in product(ANSWERS, repeat=number))
    )


@pytest.mark.parametrize(
    ("answers", "num_votes", "asked"),
    [
        ([], 3, 2), (["a", "a"], 3, 0), (["a", "b"], 3, 1), ([None, None], 3, 1), (["a", None], 3, 0), ([], 5, 3),
        (["a", "a", "b"], 5, 1), (["a", "b", "c"], 5, 1), (["a", "b", "b"], 5, 1), ([], 4, 2), (["a", "b"], 4, 1),
        (["b", "a", "a", "b"], 5, 1), ([None, None, None], 3, 0),
    ],
)  # fmt: skip
def test_waves_by_hand(answers: list[str | None], num_votes: int, asked: int) -> None:
    assert wave(answers, num_votes) == asked


@settings(deadline=None)
@given(st.integers(3, 5), st.lists(st.sampled_from(ANSWERS), max_size=5))
def test_a_wave_is_the_smallest_number_that_can_decide(num_votes: int, answers: list[str | None]) -> None:
    answers = answers[:num_votes]
    assert wave(answers, num_votes) == needed(answers, num_votes)


@settings(deadline=None)
@given(st.integers(3, 9), st.data())
def test_stopping_early_answers_what_all_votes_would(num_votes: int, data: st.DataObject) -> None:
    all_of_them = data.draw(st.lists(st.sampled_from(ANSWERS), min_size=num_votes, max_size=num_votes))
    asked: list[str | None] = []
    while number := wave(asked, num_votes):
        asked = all_of_them[: len(asked) + number]
    full, early = plain_winner(all_of_them), winner(asked)
    assert early == full
    votes = count_votes(asked, num_votes)
    assert (votes.asked, votes.of) == (len(asked), num_votes)
    assert votes.agreed == max(1, sum(one is not None and one == asked[early] for one in asked))


@given(st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=9))
def test_the_winner_is_the_first_of_most_votes(answers: list[str | None]) -> None:
    assert winner(answers) == plain_winner(answers)


def test_unanimous_is_said_of_those_that_were_asked() -> None:
    assert count_votes(["a", "a"], 3) == Votes(2, 3, 2)
    assert count_votes(["a", "a"], 3).is_unanimous
    assert not count_votes(["a", None], 3).is_unanimous
    assert not count_votes([None, None, None], 3).is_unanimous
