"""Mixed traffic through any choice of levels, replayed from tables: which track answers, whether rightly, for how much.

In order: memory (the real one, cold), parts, solver, programs, and for what is left one of the model arms. A part of a
request goes the same way. `walk` runs through the traffic once and gives a `Plan`: for every text what answers it, or
that a model does. `replay` gives rightness and bytes of a plan for any choice of arms; so a hundred settings are tried
in a second, and only the one that is taken walks again, since what memory keeps depends on what was answered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pointsman.bench.arms import MODEL_LEVELS, Question
from pointsman.bench.tracks import Said
from pointsman.core import Cost
from pointsman.embedded.traffic import Asked
from pointsman.query.memory import Memory, Request, Settings, Store
from pointsman.query.outcomes import Floats, Ints, Outcomes
from pointsman.query.parts import join, may_ask_several, split

__all__ = ["LEVELS", "TRACKS", "Level", "Part", "Plan", "Replayed", "level_of", "replay", "walk"]

Level: TypeAlias = Literal["program", "memory", "solver", "parts", "query", "token", "unit"]
LEVELS: Final[tuple[Level, ...]] = ("program", "memory", "solver", "parts", "query", "token", "unit")
TRACKS: Final = ("memory", "program", "solver", "small", "large", "token", "unit")
"""Where bytes are moved."""

_KEY: Final = "a client"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the traffic with everything that is known of its texts.

    Attributes:
        traffic: requests, in order.
        questions: by text.
        outcomes: of the arms; costs are bytes.
        finals: (N, A) what each arm answered, without its steps.
        rows: by text, its row in `outcomes`.
        said: by text, what programs and the solver say.
    """

    traffic: Sequence[Asked]
    questions: Mapping[str, Question]
    outcomes: Outcomes
    finals: Sequence[Sequence[str]]
    rows: Mapping[str, int]
    said: Mapping[str, Said]


@dataclass(slots=True)
class Leaf:
    """What answers one text.

    Attributes:
        kind: `row`: a model; `fixed`: a program or the solver; `copy`: memory; `joined`: its parts.
        spent: bytes by track besides those of a model.
        row: of a model's outcomes.
        is_right: of a fixed answer.
        source: the leaf that is copied.
        is_semantic: whether it was asked in other words.
        parts: leaves that are joined.
        question: what is asked, for judging a semantic copy.
    """

    kind: Literal["row", "fixed", "copy", "joined"]
    spent: dict[str, int] = field(default_factory=dict)
    row: int = -1
    is_right: bool = False
    answer: str = ""
    source: int = -1
    is_semantic: bool = False
    parts: tuple[int, ...] = ()
    question: Question | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """`leaves` in the order in which they were settled, and of each request the one that answers it."""

    leaves: Sequence[Leaf]
    tops: Sequence[int]


@dataclass(frozen=True, slots=True)
class Replayed:
    """Of N requests.

    Attributes:
        right: (N,) 0 or 1.
        credit: (N,) the same, and at most what the reference arm gets where no model answered: what tracks get right
            and the reference arm does not is no reason to lose elsewhere.
        moved: (N, T) bytes by track.
        kinds: (N,) of the leaf that answered.
        wrong_semantic: semantic answers of memory that were wrong, and all of them.
        by_arm: of requests and parts that models answered, how many each did.
    """

    right: Floats
    credit: Floats
    moved: Floats
    kinds: tuple[str, ...]
    wrong_semantic: tuple[int, int]
    by_arm: Ints

    @property
    def total(self) -> Floats:
        """(N,) bytes."""
        return np.asarray(self.moved.sum(1))


def level_of(arm: str) -> str:
    """The level that an arm of the table belongs to: token, unit, or query for whole models."""
    return next((level for mark, level in MODEL_LEVELS.items() if mark in arm), "query")


def _track_of(arm: str) -> str:
    level = level_of(arm)
    return level if level != "query" else "small" if "/small" in arm else "large"


class _Walk:
    """State of one run through a part."""

    def __init__(self, part: Part, levels: frozenset[str], arms: Ints) -> None:
        self._part, self._levels, self._arms = part, levels, arms
        settings = Settings(saved="moved_bytes", seed=0)
        self._memory = Memory(Store(), settings) if "memory" in levels else None
        self._kept: dict[bytes, int] = {}
        self.leaves: list[Leaf] = []

    def settle(self, text: str, *, is_part: bool = False) -> tuple[int, str, Cost]:
        """The leaf that answers, its answer, and what it took."""
        if self._memory is None:
            return self._unknown(text, {}, is_part=is_part)
        look = self._memory.look(_KEY, Request.of({"messages": [{"role": "user", "content": text}]}))
        spent = {"memory": look.cost.moved_bytes}
        if look.kept is not None:
            source = self._kept[look.key]
            is_semantic = look.reason == "semantic_hit"
            question = self._part.questions[text]
            leaf = Leaf("copy", spent, source=source, is_semantic=is_semantic, question=question)
            return self._add(leaf), look.kept.answer, look.cost
        number, answer, cost = self._unknown(text, spent, is_part=is_part)
        self._memory.keep(look, answer, cost, "pointsman")
        if look.key:
            self._kept[look.key] = number
        return number, answer, cost

    def close(self) -> None:
        if self._memory is not None:
            self._memory.close()

    def _add(self, leaf: Leaf) -> int:
        self.leaves.append(leaf)
        return len(self.leaves) - 1

    def _unknown(self, text: str, spent: dict[str, int], *, is_part: bool) -> tuple[int, str, Cost]:
        if "parts" in self._levels and not is_part:
            found = split(text)
            if len(found.texts) > 1:
                settled = [self.settle(one, is_part=True) for one in found.texts]
                answer = join(found, [answer for _, answer, _ in settled])
                leaf = Leaf("joined", spent, parts=tuple(number for number, _, _ in settled))
                return self._add(leaf), answer, sum((cost for _, _, cost in settled), _cost(spent))
        said, question = self._part.said[text], self._part.questions[text]
        is_several = not is_part and may_ask_several(text)  # which neither of both is asked then, as on the server
        for track, one in (("solver", said.solver), ("program", said.program)):
            if track in self._levels and not is_several:
                spent[track] = one.moved_bytes
                if one.answer is not None:
                    leaf = Leaf("fixed", spent, is_right=question.is_right(one.answer), answer=one.answer)
                    return self._add(leaf), one.answer, _cost(spent)
        row = self._part.rows[text]
        arm = int(self._arms[row])
        cost = _cost(spent) + Cost(0, 0, 0, int(self._part.outcomes.nano_usd[row, arm]), 0.0)
        return self._add(Leaf("row", spent, row=row)), self._part.finals[row][arm], cost


def _cost(spent: Mapping[str, int]) -> Cost:
    return Cost(0, 0, 0, sum(spent.values()), 0.0)


def walk(part: Part, levels: frozenset[str], arms: Ints) -> Plan:
    """Which track answers each request, where model arms are chosen as in `arms`, (rows,)."""
    going = _Walk(part, levels, arms)
    tops = [going.settle(asked.text)[0] for asked in part.traffic]
    going.close()
    return Plan(going.leaves, tops)


@dataclass(slots=True)
class _State:
    right: float
    is_model: bool
    moved: NDArray[np.float64]


def replay(plan: Plan, part: Part, arms: Ints, reference: int) -> Replayed:
    """What becomes of a plan under other arms, (rows,)."""
    columns = {track: place for place, track in enumerate(TRACKS)}
    of_arm = [columns[_track_of(name)] for name in part.outcomes.names]
    right, bytes_of = part.outcomes.right, part.outcomes.nano_usd
    states: list[_State] = []
    num_semantic = num_wrong = 0
    by_arm = np.zeros(len(of_arm), dtype=np.int64)
    for leaf in plan.leaves:
        moved = np.zeros(len(TRACKS))
        for track, spent in leaf.spent.items():
            moved[columns[track]] += spent
        if leaf.kind == "row":
            arm = int(arms[leaf.row])
            moved[of_arm[arm]] += bytes_of[leaf.row, arm]
            by_arm[arm] += 1
            states.append(_State(float(right[leaf.row, arm]), True, moved))
        elif leaf.kind == "fixed":
            states.append(_State(float(leaf.is_right), False, moved))
        elif leaf.kind == "copy":
            source = states[leaf.source]
            is_right = source.right
            if leaf.is_semantic and leaf.question is not None:
                is_right = float(leaf.question.is_right(_answer(plan, part, arms, leaf.source)))
                num_semantic, num_wrong = num_semantic + 1, num_wrong + (not is_right)
            states.append(_State(is_right, source.is_model, moved))
        else:
            its = [states[number] for number in leaf.parts]
            states.append(_State(min(one.right for one in its), False, moved + sum(one.moved for one in its)))
    tops = [states[number] for number in plan.tops]
    found = np.array([one.right for one in tops])
    ref = np.array([right[part.rows[asked.text], reference] for asked in part.traffic])
    credit = np.where([one.is_model for one in tops], found, np.minimum(found, ref))
    kinds = tuple(plan.leaves[number].kind for number in plan.tops)
    return Replayed(found, credit, np.array([one.moved for one in tops]), kinds, (num_wrong, num_semantic), by_arm)


def _answer(plan: Plan, part: Part, arms: Ints, number: int) -> str:
    leaf: Any = plan.leaves[number]
    while leaf.kind == "copy":
        leaf = plan.leaves[leaf.source]
    if leaf.kind == "joined":
        return "\n".join(_answer(plan, part, arms, one) for one in leaf.parts)
    return part.finals[leaf.row][int(arms[leaf.row])] if leaf.kind == "row" else str(leaf.answer)
