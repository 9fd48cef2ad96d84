"""What several arms answered to the same requests, and what each answer cost.

Axes: N requests, A arms. Money is in nano-dollars, as float64 here, because averages of it are wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointsman.core import BadRequest

__all__ = ["PARTS", "Outcomes", "TableArm", "Taken"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TableArm:
    """One arm of a table.

    Attributes:
        name: as the table has it, with `?n=3` behind it where three samples of one arm vote.
        model: the part of the name that arms with other budgets share.
        budget: what the table calls its budget; empty where it has none.
        num_samples: that vote.
    """

    name: str
    model: str
    budget: str = ""
    num_samples: int = 1


PARTS = "parts"
"""By whom a request is taken that was split: its parts go through everything again, and to arms among others."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Requests that something ahead of the arms answers, so that none of these is asked: a program, the solver.

    Attributes:
        by: who takes each of N requests, "" for those that nothing takes.
        right: (N,) of these answers; 0 where nothing took the request.
        nano_usd: (N,) from 0 up: what the answer took, or what it took to find out that nothing takes the request.
    """

    by: tuple[str, ...]
    right: Floats
    nano_usd: Floats

    @property
    def is_taken(self) -> NDArray[np.bool_]:
        """(N,)."""
        return np.array([bool(name) for name in self.by], dtype=np.bool_)

    @property
    def sure_right(self) -> Floats:
        """(N,) what is right whatever arms are chosen. The parts of a request may go to others than was seen."""
        return np.where([name == PARTS for name in self.by], 0.0, self.right)

    def rows(self, at: Ints) -> Taken:
        """Some of the requests."""
        return Taken(tuple(self.by[i] for i in at), self.right[at], self.nano_usd[at])


@dataclass(frozen=True, slots=True)
class Outcomes:
    """N requests that A arms have all answered.

    Attributes:
        ids: of the requests, all different.
        texts: the requests, "" where a table does not keep them.
        tasks: the kind of each request, for leaving kinds out; it is never a feature.
        arms: what answered.
        right: (N, A) share of an arm's samples that were right, from 0 to 1.
        nano_usd: (N, A) billed, above 0.
        prompt_tokens: (N, A) counted before the call, NaN where unknown.
        completion_tokens: (N, A) NaN where unknown.
        answers: (N, A) equal numbers in one row are equal answers, -1 where unknown.
        agreement: (N, A) share of the samples of an arm that vote which gave its answer, of those that were asked for;
            NaN for arms of one sample.
        taken: requests that no arm gets, as far as the table knows of any.
    """

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    tasks: tuple[str, ...]
    arms: tuple[TableArm, ...]
    right: Floats
    nano_usd: Floats
    prompt_tokens: Floats
    completion_tokens: Floats
    answers: Ints
    agreement: Floats
    taken: Taken | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the arms."""
        return tuple(arm.name for arm in self.arms)

    @property
    def strongest(self) -> int:
        """The arm that is right most often; of equals the cheapest. It is the reference arm."""
        return int(np.lexsort((self.nano_usd.mean(0), -self.right.mean(0)))[0])

    def rows(self, index: Ints | Sequence[int]) -> Outcomes:
        """Some of the requests, in the order of `index`."""
        at = np.asarray(index, dtype=np.int64)
        changes: dict[str, Any] = {name: tuple(getattr(self, name)[i] for i in at) for name in _COLUMNS}
        taken = None if self.taken is None else self.taken.rows(at)
        return replace(self, **changes, taken=taken, **{name: getattr(self, name)[at] for name in _MATRICES})

    def left_for_arms(self) -> Outcomes:
        """The requests that nothing ahead of the arms takes."""
        return self if self.taken is None else replace(self.rows(np.flatnonzero(~self.taken.is_taken)), taken=None)

    def named(self, names: Sequence[str]) -> Outcomes:
        """Some of the arms, in that order. Raises BadRequest `unknown_arm`."""
        return self.columns([self.index(name) for name in names])

    def columns(self, index: Sequence[int]) -> Outcomes:
        """Some of the arms."""
        at = np.asarray(index, dtype=np.int64)
        changes: dict[str, Any] = {name: getattr(self, name)[:, at] for name in _MATRICES}
        return replace(self, arms=tuple(self.arms[i] for i in at), **changes)

    def index(self, name: str) -> int:
        """Of an arm by its name. Raises BadRequest: `unknown_arm`."""
        if name not in self.names:
            problem = f"there is no arm {name!r} with a price in the table; there is {', '.join(self.names)}"
            raise BadRequest(problem, code="unknown_arm", param="arms")
        return self.names.index(name)

    def budgets(self) -> dict[str, tuple[int, ...]]:
        """The arms of each model that has several budgets, the cheapest first."""
        cost = self.nano_usd.mean(0)
        models: dict[str, list[int]] = {}
        for number, arm in enumerate(self.arms):
            models.setdefault(arm.model, []).append(number)
        ordered = {model: tuple(sorted(arms, key=lambda arm: cost[arm])) for model, arms in models.items()}
        return {model: arms for model, arms in ordered.items() if len(arms) > 1}


_COLUMNS = ("ids", "texts", "tasks")
_MATRICES = ("right", "nano_usd", "prompt_tokens", "completion_tokens", "answers", "agreement")
