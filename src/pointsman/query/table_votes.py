"""Arms of a table's samples that vote: `ARM?n=3`, as a server has them.

Samples are asked for in the order in which the table has them, as a server asks (`voting.py`): what it would not ask
for is neither counted nor paid. Each costs what a sample of the arm costs on average for that request.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np

from pointsman.core import BadRequest
from pointsman.query.outcomes import Ints, Outcomes, TableArm
from pointsman.query.voting import FEWEST_VOTES, Votes, count_votes, wave, winner

__all__ = ["Answered", "all_polls", "answers_of", "polls_of", "with_votes"]

_NAMED: Final = re.compile(r"(?P<arm>.+)[?&]n=(?P<votes>[1-9]\d?)")


class Answered(Protocol):
    """What is known of one arm's answers to one request."""

    @property
    def ans(self) -> str | None:
        """The answer, where the table says."""

    @property
    def samples(self) -> Sequence[tuple[float, float, str | None]] | None:
        """Score, tokens and answer of each."""


@dataclass(frozen=True, slots=True)
class _Poll:
    right: float
    answer: str
    votes: Votes


def polls_of(names: Collection[str], wanted: Sequence[str]) -> dict[str, tuple[str, int]]:
    """Those of `wanted` that a table's arms can be made into, by voting: which arm, and how many votes."""
    found = {name: _NAMED.fullmatch(name) for name in wanted if name not in names}
    return {
        name: (match["arm"], int(match["votes"]))
        for name, match in found.items()
        if match is not None and match["arm"] in names and int(match["votes"]) >= FEWEST_VOTES
    }


def all_polls(names: Sequence[str], cells: Sequence[Mapping[str, Answered]], votes: int) -> list[tuple[str, int]]:
    """Of each arm that has so many samples with answers for every request.

    Raises BadRequest: `bad_outcomes` where there is none.
    """
    found = [(name, votes) for name in names if _can_vote(cells, name, votes)]
    if not found:
        problem = f"no arm has {votes} samples with answers for every request; leave --votes out"
        raise BadRequest(problem, code="bad_outcomes", param="votes")
    return found


def with_votes(single: Outcomes, cells: Sequence[Mapping[str, Answered]], polls: Sequence[tuple[str, int]]) -> Outcomes:
    """With an arm for each poll: of which arm, and of how many votes. `cells`: of each row, by arm.

    Prompt tokens are those of all votes, which may be asked for; bills and completions are of those that were.

    Raises BadRequest: `bad_outcomes` where an arm lacks samples with answers.
    """
    for name, votes in polls:
        if not _can_vote(cells, name, votes):
            problem = f"not every request has {votes} samples with answers of {name!r}; leave that arm out"
            raise BadRequest(problem, code="bad_outcomes", param="arms")
    at = [single.index(name) for name, _ in polls]
    held = [[_poll(row[name], votes) for name, votes in polls] for row in cells]
    answers = [
        _numbered([_answer(row[name]) for name in single.names] + [poll.answer for poll in found])
        for row, found in zip(cells, held, strict=True)
    ]
    asked = np.array([[poll.votes.asked for poll in row] for row in held], dtype=np.float64)
    most = np.array([votes for _, votes in polls], dtype=np.float64)
    return replace(
        single,
        arms=single.arms + tuple(_voting(single.arms[i], votes) for i, (_, votes) in zip(at, polls, strict=True)),
        right=np.hstack([single.right, [[poll.right for poll in row] for row in held]]),
        nano_usd=np.hstack([single.nano_usd, asked * single.nano_usd[:, at]]),
        prompt_tokens=np.hstack([single.prompt_tokens, most * single.prompt_tokens[:, at]]),
        completion_tokens=np.hstack([single.completion_tokens, asked * single.completion_tokens[:, at]]),
        answers=np.array(answers, dtype=np.int64),
        agreement=np.hstack([single.agreement, [[p.votes.agreed / p.votes.asked for p in row] for row in held]]),
    )


def answers_of(names: Sequence[str], cells: Sequence[Mapping[str, Answered]]) -> Ints:
    """(N, A) equal numbers for equal answers of one request, -1 where there is none."""
    return np.array([_numbered([_answer(row[name]) for name in names]) for row in cells], dtype=np.int64)


def _voting(arm: TableArm, votes: int) -> TableArm:
    return replace(arm, name=f"{arm.name}{'&' if '?' in arm.name else '?'}n={votes}", num_samples=votes)


def _poll(cell: Answered, votes: int) -> _Poll:
    """As a server asks: in waves, until the outcome stands."""
    cast = (cell.samples or [])[:votes]
    answers = [str(answer) for _, _, answer in cast]
    asked = 0
    while more := wave(answers[:asked], votes):
        asked += more
    won = winner(answers[:asked])
    return _Poll(float(cast[won][0] >= 1), answers[won], count_votes(answers[:asked], votes))


def _can_vote(cells: Sequence[Mapping[str, Answered]], name: str, votes: int) -> bool:
    """Whether the first so many samples are there and all have answers: what says nothing has no vote."""
    cast = ((row[name].samples or [])[:votes] for row in cells)
    return all(len(samples) == votes and all(answer is not None for _, _, answer in samples) for samples in cast)


def _answer(cell: Answered) -> str | None:
    """Of one call: of several samples the first, since that is what one call would have shown."""
    return cell.ans if cell.ans is not None or not cell.samples else cell.samples[0][2]


def _numbered(answers: Sequence[str | None]) -> list[int]:
    """Equal numbers for equal answers of one request, -1 where there is none; an empty answer equals no other."""
    known: dict[str | int, int] = {}
    keys = [None if answer is None else answer or place for place, answer in enumerate(answers)]
    return [-1 if key is None else known.setdefault(key, len(known)) for key in keys]
