"""Outcome tables from files: one JSON object a line, perhaps compressed by gzip.

    {"id": "q1", "task": "sums", "prompt": "2 + 2 =", "outcomes": {
        "small": {"correct": 1, "input_tokens": 6, "output_tokens": 1, "cost_usd": 0.00001},
        "large/cot": {"correct": 1, "budget": "cot", "input_tokens": 6, "output_tokens": 40, "cost_usd": 0.002}}}

Costs are of one kind for a table: money, or the bytes that an answer moved (`moved_bytes` beside `cost_usd`).
`Outcomes` holds the kind that was asked for in `nano_usd`, whatever its name says.

A row may say that something ahead of the arms took the request, such as a program: `"taken": {"by": "program/gcd",
"correct": 1, "moved_bytes": 0}`, at a cost of zero perhaps; where no arm was asked, `outcomes` is empty. Arms that
refused the request stand in `refused`. What tracks took that did not answer costs besides: `"missed":
{"moved_bytes": 12000}`.

Fails closed on prices: an arm with an unknown price, a price of zero or hidden tokens in any row is left out and named,
or refused where it was asked for by name. A request that lacks one of the arms is left out and counted.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

import msgspec
import numpy as np

from pointsman.core import BadRequest
from pointsman.query.outcomes import Outcomes, TableArm, Taken
from pointsman.query.table_rows import NOTHING_MISSED, Amount, Cell, Row, rows_of
from pointsman.query.table_votes import all_polls, answers_of, polls_of, with_votes

__all__ = ["COST_KINDS", "CostKind", "ReadTable", "Tariff", "read_outcomes", "read_tariffs"]

_NANO = 1e9
_MIN_ROWS = 40
"""Fewer cannot be split into halves that say anything. Chosen."""

CostKind: TypeAlias = Literal["nano_usd", "moved_bytes"]
COST_KINDS: Final[tuple[CostKind, ...]] = get_args(CostKind)
_FIELDS: Final[Mapping[CostKind, str]] = {"nano_usd": "cost_usd", "moved_bytes": "moved_bytes"}


@dataclass(frozen=True, slots=True)
class Tariff:
    """What tokens of an arm cost, in US dollars for a million of them, and each request besides."""

    input_usd: float
    output_usd: float
    request_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class ReadTable:
    """A table and what was left out of it.

    Attributes:
        outcomes: complete in every arm.
        unpriced: arms that were left out, and why.
        num_left_out: requests that lack an arm.
        num_taken: requests that were taken ahead of the arms, so that no arm was asked.
    """

    outcomes: Outcomes
    unpriced: Mapping[str, str]
    num_left_out: int
    num_taken: int = 0

    def notes(self) -> list[str]:
        """What was left out, for people."""
        notes = [f"left out: the arm {arm}, {why}" for arm, why in self.unpriced.items()]
        if self.num_left_out:
            notes.append(f"left out: {self.num_left_out:,} requests that not every arm has answered")
        if self.num_taken:
            notes.append(f"not for arms: {self.num_taken:,} requests that were taken ahead of them")
        return notes


def read_outcomes(
    paths: Sequence[Path],
    arms: Sequence[str] | None = None,
    tariffs: Mapping[str, Tariff] | None = None,
    votes: int | None = None,
    *,
    kind: CostKind = "nano_usd",
    fewest_rows: int = _MIN_ROWS,
    fewest_arms: int = 2,
) -> ReadTable:
    """The table in `paths`, which are read as one.

    Args:
        paths: JSON Lines, or those compressed by gzip.
        arms: only these; all that have a price if None. `ARM?n=3` is an arm of the table, or three of its samples that
            vote, asked for as a server does (`table_votes.py`).
        tariffs: replace the prices of the arms that they name.
        votes: adds `ARM?n=VOTES` for each arm of which every request has so many samples or more, the first so many
            with answers.
        kind: which costs `Outcomes.nano_usd` holds.
        fewest_rows: complete ones that are expected.
        fewest_arms: with a price that are expected.

    Raises:
        BadRequest: `bad_costs` for tariffs, which are money, where bytes were asked for.
        BadRequest: `bad_outcomes` for what cannot be read, a value out of range, an id that occurs twice, or too little
            that is left; `unpriced_arm` for an arm that was asked for and has no price; `unknown_arm`.
    """
    if tariffs and kind != "nano_usd":
        problem = f"tariffs are prices of tokens; expected none where costs are {kind}"
        raise BadRequest(problem, code="bad_costs", param="costs")
    rows = [row for path in paths for row in rows_of(path)]
    _refuse_repeated(rows)
    names = sorted({name for row in rows for name in row.outcomes})
    costs = {name: _costs(rows, name, (tariffs or {}).get(name), kind) for name in names}
    unpriced = {name: cost for name, cost in costs.items() if isinstance(cost, str)}
    polls = polls_of(names, arms or ())
    chosen = _chosen(names, unpriced, arms, polls, fewest_arms)
    kept = [i for i, row in enumerate(rows) if all(_answered(row, name) for name in chosen)]
    if len(kept) < fewest_rows:
        counts = Counter(name for row in rows for name in chosen if _answered(row, name))
        seen = ", ".join(f"{name} {counts[name]}" for name in chosen)
        problem = f"{len(kept)} of {len(rows)} requests have an outcome of every arm ({seen}); expected {fewest_rows}"
        raise BadRequest(f"{problem} or more; name fewer arms", code="bad_outcomes", param="arms")
    billed = np.array([[costs[name][i] for name in chosen] for i in kept], dtype=np.float64)
    shown = {name: str(why) for name, why in unpriced.items()} if arms is None else {}
    found = replace(_assembled([rows[i] for i in kept], chosen, billed), taken=_taken(rows, kept, kind))
    cells = [rows[i].outcomes for i in kept]
    if votes is not None:
        found = with_votes(found, cells, all_polls(chosen, cells, votes))
    elif polls and arms is not None:
        found = with_votes(found, cells, list(polls.values())).named(list(dict.fromkeys(arms)))
    num_taken = sum(row.taken is not None and not row.outcomes for row in rows)
    return ReadTable(found, shown, len(rows) - len(kept) - num_taken, num_taken)


def read_tariffs(path: Path) -> dict[str, Tariff]:
    """Prices by arm: `{"prices": {ARM: [input, output] or [input, output, request]}}`, or that mapping alone.

    US dollars for a million tokens; for a request, US dollars. Raises BadRequest: `bad_costs`.
    """
    try:
        found = msgspec.json.decode(path.read_bytes())
        prices = msgspec.convert(found.get("prices", found), dict[str, list[Amount]])
    except (OSError, AttributeError, msgspec.MsgspecError) as exc:
        problem = f"{path}: expected {{arm: [input USD, output USD] per million tokens}}: {exc}"
        raise BadRequest(problem, code="bad_costs", param="costs") from exc
    for arm, price in prices.items():
        if len(price) not in (2, 3) or not all(map(math.isfinite, price)) or not any(price):
            problem = f"{path}: the price of {arm!r} is {price!r}; expected two or three numbers, not all zero"
            raise BadRequest(problem, code="bad_costs", param="costs")
    return {arm: Tariff(*price) for arm, price in prices.items()}


def _refuse_repeated(rows: Sequence[Row]) -> None:
    if not rows:
        raise BadRequest("the table is empty; expected a JSON object a line", code="bad_outcomes")
    counts = Counter(str(row.id) for row in rows)
    repeated = [name for name, count in counts.items() if count > 1]
    if repeated:
        shown = ", ".join(map(repr, repeated[:3]))
        problem = f"{len(repeated)} ids occur more than once, such as {shown}; expected one line a request"
        raise BadRequest(problem, code="bad_outcomes", param="id")


def _costs(rows: Sequence[Row], name: str, tariff: Tariff | None, kind: CostKind) -> list[float] | str:
    """Nano-dollars or bytes of each row, NaN where the arm has no outcome; or why the arm has no price."""
    found = []
    for row in rows:
        outcome = row.outcomes.get(name)
        if outcome is None:
            found.append(math.nan)
            continue
        if outcome.hidden_reasoning:
            return f"whose tokens are hidden in part, as in {row.id!r}, so that its cost is unknown"
        cost: float | None = getattr(outcome, _FIELDS[kind]) if tariff is None else _priced(outcome, tariff)
        if cost is None:
            return f"whose cost is unknown, as in {row.id!r}"
        if cost == 0:
            return f"whose cost is zero, as in {row.id!r}"
        found.append(cost * _NANO if kind == "nano_usd" else cost)
    return found


def _priced(outcome: Cell, tariff: Tariff) -> float | None:
    read = 0.0 if tariff.input_usd == 0 else outcome.input_tokens
    written = 0.0 if tariff.output_usd == 0 else outcome.output_tokens
    if read is None or written is None:
        return None
    return (read * tariff.input_usd + written * tariff.output_usd) / 1e6 + tariff.request_usd


def _taken(rows: Sequence[Row], kept: Sequence[int], kind: CostKind) -> Taken | None:
    found = [rows[i].taken for i in kept]
    if not any(found) and all(rows[i].missed == NOTHING_MISSED for i in kept):
        return None
    for i, taken in zip(kept, found, strict=True):
        if taken is not None and getattr(taken, _FIELDS[kind]) is None:
            problem = f"{rows[i].id!r} is taken by {taken.by!r} at a cost that is unknown; expected {_FIELDS[kind]}"
            raise BadRequest(problem, code="bad_outcomes", param="taken")
    scale = _NANO if kind == "nano_usd" else 1.0
    return Taken(
        tuple(taken.by if taken else "" for taken in found),
        np.array([taken.correct if taken else 0.0 for taken in found], dtype=np.float64),
        np.array([getattr(rows[i].taken or rows[i].missed, _FIELDS[kind]) * scale for i in kept], dtype=np.float64),
    )


def _chosen(
    names: Sequence[str],
    unpriced: Mapping[str, Any],
    arms: Sequence[str] | None,
    polls: Mapping[str, tuple[str, int]],
    fewest_arms: int,
) -> list[str]:
    """Arms of the table: those that were asked for, and those whose samples vote in these."""
    wanted = list(dict.fromkeys(arms or ()))
    asked = list(dict.fromkeys(polls.get(name, (name, 1))[0] for name in wanted))
    for name in asked:
        if name not in names:
            problem = f"there is no arm {name!r} in the table; there is {', '.join(names)}"
            raise BadRequest(problem, code="unknown_arm", param="arms")
        if name in unpriced:
            problem = f"{name!r} is an arm {unpriced[name]}; give its price with --costs, or leave it out"
            raise BadRequest(problem, code="unpriced_arm", param="arms")
    chosen = asked or [name for name in names if name not in unpriced]
    num_arms = len(wanted) or len(chosen)
    if num_arms < fewest_arms:
        why = "; ".join(f"{name}, {reason}" for name, reason in unpriced.items()) or "no other arm"
        expected = {1: "one", 2: "two"}.get(fewest_arms, fewest_arms)
        problem = f"{num_arms} arms can be used, expected {expected} or more with a price. Left out: {why}"
        raise BadRequest(problem, code="unpriced_arm", param="arms")
    return chosen


def _answered(row: Row, name: str) -> bool:
    return name in row.outcomes and row.outcomes[name].correct is not None


def _assembled(rows: Sequence[Row], names: Sequence[str], nano_usd: Any) -> Outcomes:
    cells = [[row.outcomes[name] for name in names] for row in rows]
    return Outcomes(
        ids=tuple(str(row.id) for row in rows),
        texts=tuple(row.prompt or "" for row in rows),
        tasks=tuple(row.task or row.dataset or "" for row in rows),
        arms=tuple(_arm(name, [row[i] for row in cells]) for i, name in enumerate(names)),
        right=np.array([[cell.correct for cell in row] for row in cells], dtype=np.float64),
        nano_usd=nano_usd,
        prompt_tokens=_tokens(cells, "input_tokens"),
        completion_tokens=_tokens(cells, "output_tokens"),
        answers=answers_of(names, [row.outcomes for row in rows]),
        agreement=np.array([[_or_nan(cell.agreement) for cell in row] for row in cells], dtype=np.float64),
    )


def _tokens(cells: Sequence[Sequence[Cell]], name: str) -> Any:
    return np.array([[_or_nan(getattr(cell, name)) for cell in row] for row in cells], dtype=np.float64)


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _arm(name: str, cells: Sequence[Cell]) -> TableArm:
    budgets = {str(cell.budget) for cell in cells if cell.budget is not None}
    budget = budgets.pop() if len(budgets) == 1 else ""
    return TableArm(name, name.removesuffix(f"/{budget}") if budget else name, budget)
