"""Lines of an outcome table, checked one by one."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec

from pointsman.core import BadRequest

__all__ = ["NOTHING_MISSED", "Amount", "Cell", "Row", "rows_of"]

_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Amount = Annotated[float, msgspec.Meta(ge=0)]


class Cell(msgspec.Struct, frozen=True):
    """What one arm answered to one request; `samples`: score, tokens and answer of each."""

    correct: _Share | None = None
    input_tokens: Amount | None = None
    output_tokens: Amount | None = None
    cost_usd: Amount | None = None
    moved_bytes: Amount | None = None
    hidden_reasoning: bool = False
    budget: str | int | None = None
    samples: list[tuple[float, float, str | None]] | None = None
    agreement: _Share | None = None
    ans: str | None = None


class _Taken(msgspec.Struct, frozen=True):
    by: Annotated[str, msgspec.Meta(min_length=1)]
    correct: _Share
    cost_usd: Amount | None = None
    moved_bytes: Amount | None = None


class _Missed(msgspec.Struct, frozen=True):
    cost_usd: Amount = 0.0
    moved_bytes: Amount = 0.0


NOTHING_MISSED = _Missed()


class Row(msgspec.Struct, frozen=True):
    """One request. `taken`: by what is ahead of the arms; `missed`: what tracks took that did not answer."""

    id: str | int
    outcomes: dict[str, Cell]
    taken: _Taken | None = None
    missed: _Missed = NOTHING_MISSED
    refused: list[str] = []
    prompt: str | None = None
    task: str | None = None
    dataset: str | None = None


_decode_row = msgspec.json.Decoder(Row).decode


def rows_of(path: Path) -> Iterator[Row]:
    """The lines of a file, perhaps compressed by gzip; empty ones are passed over.

    Raises BadRequest: `bad_outcomes` with the line.
    """
    try:
        data = path.read_bytes()
        text = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError, zlib.error) as exc:
        raise BadRequest(f"cannot read {path}: {exc}", code="bad_outcomes") from exc
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = _decode_row(line)
        except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
            raise BadRequest(f"{path}, line {number}: {exc}", code="bad_outcomes") from exc
        if not row.outcomes and row.taken is None and not row.refused:
            raise BadRequest(f"{path}, line {number}: the request {row.id!r} has no outcomes", code="bad_outcomes")
        yield row
