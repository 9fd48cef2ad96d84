"""Records as rows of the ledger's tables and back; every value returns as it was."""

import operator
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec

from pointsman.core import BadRequest, Cost, Decision, Forecast, Outcome
from pointsman.core.entries import Entry, Settled

Row: TypeAlias = tuple[Any, ...]

ADD_DECISION = (
    "INSERT INTO decisions VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (request_id) DO NOTHING"
)
ADD_OUTCOME = "INSERT INTO outcomes VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
ADD_GRID = "INSERT INTO grids VALUES (NULL, ?, ?, ?, ?)"

MOST_CELLS, MOST_PLACES, MOST_GRIDS = 16_384, 256, 16
"""Numbers of a grid and of its rows, and grids of a level that a ledger keeps: at most 2 MiB a level. Chosen."""

DROP_GRIDS = f"""
DELETE FROM grids WHERE seq NOT IN (
    SELECT seq FROM (SELECT seq, row_number() OVER (PARTITION BY level ORDER BY seq DESC) AS place FROM grids)
    WHERE place <= {MOST_GRIDS}
)
"""  # noqa: S608  fixed words
"""All but the last of each level."""

_ANSWER = "arm, prompt_tokens, completion_tokens, nano_usd, moved_bytes, seconds, correct"
_SELECT = f"""
SELECT d.seq, d.request_id, d.time_us, d.level, d.arm, d.reason, d.policy, d.certificate, d.propensity, d.is_audited,
    d.dials, d.forecasts, d.reference, d.features, d.digest,
    {", ".join(f"b.{name}" for name in _ANSWER.split(", "))}, {", ".join(f"a.{name}" for name in _ANSWER.split(", "))},
    {{last}}
FROM decisions d
LEFT JOIN outcomes b ON b.seq = (SELECT max(seq) FROM outcomes WHERE request_id = d.request_id AND is_audit = 0)
LEFT JOIN outcomes a ON a.seq = (SELECT max(seq) FROM outcomes WHERE request_id = d.request_id AND is_audit = 1)
WHERE d.seq > ? AND d.time_us >= ? ORDER BY d.seq LIMIT ?
"""  # noqa: S608  fixed words
SELECT_ENTRIES = {1: _SELECT.format(last="NULL, NULL"), 2: _SELECT.format(last="a.agrees, b.missed")}
"""By form of the file: entries behind a place, from a time on, so many; each with the latest of its outcomes."""

_NOTHING = Cost.zero()
_encoder = msgspec.json.Encoder()
_forecasts_of = msgspec.json.Decoder(
    list[tuple[str, float, float | None, float | None, int, int, int, int, float]], strict=True
).decode
_missed_of = msgspec.json.Decoder(tuple[int, int, int, int, float], strict=True).decode
_dials_of = msgspec.json.Decoder(dict[str, float]).decode


@dataclass(frozen=True, slots=True)
class Grid:
    """Shares from 0 to 1 for a heat map of one request: numbers, and nothing of what was asked or answered.

    Attributes:
        request_id: whose.
        level: `token` (all rows together are the tokens of the answer, in lines: 1 where the large model wrote one, 0.5
            for the small one, 0 where it was looked up) or `unit` (a row a unit of the model, attention and MLP of each
            block from the first on, a column a token: share of the unit's weights that was read for it).
        rows: all of one length, of 1 to `MOST_PLACES`, but for the last row of tokens, which may be shorter; at most
            `MOST_CELLS` numbers.

    Raises:
        BadRequest: `invalid_grid`.
    """

    request_id: str
    level: str
    rows: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        lengths = [len(row) for row in self.rows]
        width = lengths[0] if lengths else 0
        ends = range(1, width + 1) if self.level == "token" else (width,)
        fits = 1 <= width <= MOST_PLACES and sum(lengths) <= MOST_CELLS
        is_even = set(lengths[:-1]) <= {width} and fits and lengths[-1] in ends
        if not is_even or not all(0 <= share <= 1 for row in self.rows for share in row):
            problem = f"the grid of {self.request_id!r} has rows of {sorted(set(lengths))} shares"
            expected = f"one length from 1 to {MOST_PLACES}, of numbers from 0 to 1, {MOST_CELLS} at most"
            raise BadRequest(f"{problem}; expected {expected}", code="invalid_grid")


def decision_row(entry: Entry) -> Row:
    """Of `decisions`, without its place. Raises TypeError or ValueError for what is no entry."""
    decision = entry.decision
    forecasts = [
        (item.arm, float(item.right), item.low, item.high, *_cost_row(item.cost)) for item in decision.forecasts
    ]
    return (
        *(entry.request_id, entry.time_us, entry.level),
        *(decision.arm, decision.reason, decision.policy_version, decision.certificate),
        *(float(decision.propensity), int(decision.is_audited)),
        *(_encoder.encode(dict(decision.dials)).decode(), _encoder.encode(forecasts).decode()),
        *(entry.reference, _packed(entry.features), entry.digest),
    )


def outcome_row(request_id: str, outcome: Outcome) -> Row:
    """Of `outcomes`, without its place. The output is left out. Raises as `decision_row`."""
    told = (None if item is None else int(item) for item in (outcome.correct, outcome.agrees))
    missed = None if outcome.missed == _NOTHING else _encoder.encode(_cost_row(outcome.missed)).decode()
    return (request_id, int(outcome.is_audit), outcome.arm, *_cost_row(outcome.cost), *told, missed)


def grid_row(grid: Grid) -> Row:
    """Of `grids`, without its place."""
    flat = tuple(share for row in grid.rows for share in row)
    return grid.request_id, grid.level, len(grid.rows[0]), _packed(flat)


def entry_of(row: Sequence[Any]) -> Entry:
    """An entry from a row of `SELECT_ENTRIES`. Raises ValueError where a column does not hold what it should."""
    arm, reason, policy, certificate, propensity, is_audited, dials, forecasts, reference = row[4:13]
    decided = Decision(
        *(arm, reason, policy, _dials_of(dials), tuple(map(_forecast, _forecasts_of(forecasts)))),
        *(propensity, certificate, bool(is_audited)),
    )
    billed = _settled(row[15:22], arm, missed=row[30])
    audit = _settled(row[22:29], reference or arm, row[29])
    request_id, time_us, level = row[1:4]
    return Entry(request_id, time_us, level, decided, reference, _unpacked(row[13]), row[14], billed, audit)


def grid_of(row: Sequence[Any]) -> Grid:
    """A grid from a row `request_id, level, num_columns, shares`."""
    request_id, level, width, shares = row
    flat = _unpacked(shares) or ()
    return Grid(request_id, level, tuple(flat[at : at + width] for at in range(0, len(flat), width)))


def _cost_row(cost: Cost) -> Row:
    counts = cost.prompt_tokens, cost.completion_tokens, cost.nano_usd, cost.moved_bytes
    return (*map(operator.index, counts), float(cost.seconds))


def _forecast(item: tuple[str, float, float | None, float | None, int, int, int, int, float]) -> Forecast:
    return Forecast(item[0], item[1], Cost(*item[4:]), item[2], item[3])


def _settled(row: Sequence[Any], decided: str, agrees: int | None = None, missed: str | None = None) -> Settled | None:
    if row[1] is None:
        return None
    correct, agreed = (None if item is None else bool(item) for item in (row[6], agrees))
    other = Cost(*_missed_of(missed)) if missed else _NOTHING
    return Settled(row[0] or decided, Cost(*row[1:6]), correct, agreed, other)


def _packed(numbers: Sequence[float] | None) -> bytes | None:
    return None if numbers is None else struct.pack(f"<{len(numbers)}d", *numbers)


def _unpacked(data: bytes | None) -> tuple[float, ...] | None:
    return None if data is None else struct.unpack(f"<{len(data) // 8}d", data)
