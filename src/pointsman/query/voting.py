"""Several samples of one model vote on the answer; those that can no longer change it are never asked for.

The answer of most votes wins, of equals the one that was given first. What cannot be compared (None: an empty answer, a
sample that failed) is an answer of its own: it agrees with nothing, and wins where nothing else was said.

Samples are asked for in waves. A wave is the smallest number that can decide: if all of it gave one answer, the vote
would be over. Fewer could not decide, whatever they said, so a wave asks for nothing that going one by one would have
saved, and takes fewer rounds: 2 of 3 at once, then the third if those differ; 3 of 5, then by what is still open.
(Adaptive consistency, Aggarwal et al., arXiv 2305.11860, stops where a change is unlikely; here it is impossible.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["FEWEST_VOTES", "Votes", "count_votes", "wave", "winner"]

FEWEST_VOTES = 3
"""Of two the first wins whatever the second says."""


@dataclass(frozen=True, slots=True)
class Votes:
    """How a vote went: samples that were `asked` for, `of` how many at most, and how many `agreed` with the winner."""

    asked: int
    of: int
    agreed: int

    @property
    def is_unanimous(self) -> bool:
        """Whether nobody who was asked said anything else. A look at an arm that votes sees this."""
        return self.agreed == self.asked


def winner(answers: Sequence[str | None]) -> int:
    """The first vote for the answer of most votes; 0 where none can be compared.

    Raises ValueError where there are no votes.
    """
    return max(range(len(answers)), key=lambda place: _num_equal(answers, place))


def count_votes(answers: Sequence[str | None], num_votes: int) -> Votes:
    """Of `answers`, at least one, out of `num_votes`."""
    return Votes(len(answers), num_votes, max(_num_equal(answers, winner(answers)), 1))


def wave(answers: Sequence[str | None], num_votes: int) -> int:
    """How many samples to ask for next; 0 where the outcome stands.

    The one that leads decides soonest: votes for another bring nothing that as many for it do not.
    """
    left = num_votes - len(answers)
    firsts = {answer: place for place, answer in reversed(list(enumerate(answers))) if answer is not None}
    leader = answers[winner(answers)] if firsts else None
    return next(number for number in range(left + 1) if _decides(answers, firsts, leader, number, left - number))


def _decides(
    answers: Sequence[str | None], firsts: Mapping[str, int], leader: str | None, number: int, left: int
) -> bool:
    """Whether the leader wins with so many votes more, whatever those that are left then say."""
    count = number + (0 if leader is None else answers.count(leader))
    return count >= left and all(
        answers.count(other) + left < count + (place > firsts[leader])  # of equals the first wins
        for other, place in firsts.items()
        if leader is not None and other != leader
    )


def _num_equal(answers: Sequence[str | None], place: int) -> int:
    return 0 if answers[place] is None else answers.count(answers[place])
