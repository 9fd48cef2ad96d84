"""What is asked for often and that no program covers: what is worth compiling next."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from pointsman.core.asking import Answerer
from pointsman.program.runtime import Table
from pointsman.program.text.routes import Match, Routes, match

__all__ = ["Suggestion", "kind_of_request", "suggest"]

_SHOWN: Final = 120  # characters of a request
_PARTS: Final = (
    (re.compile(r"\"[^\"]*\"|(?<!\w)'[^']{2,}'(?!\w)"), '"..."'),
    (re.compile(r"-?\d+(?:[.:/-]\d+)*"), "#"),
    (re.compile(r"#(?:(?:[,;] ?| )(?:and )?#)+"), "#..."),
    (re.compile(r"(?<=[a-z,;] )[A-Z][a-z]+(?: [A-Z][a-z]+)*"), "*"),
)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A kind of request that is not covered.

    Attributes:
        kind: the request with marks for what differs.
        count: how many there are.
        program: the nearest, or None.
        score: the best one of any of them, below what routes.
        missing: what the nearest program needs and they do not state.
        example: one of them.
    """

    kind: str
    count: int
    program: str | None
    score: float
    missing: tuple[str, ...]
    example: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def kind_of_request(request: str) -> str:
    """A request without its numbers, lists, quotations and names."""
    kind = " ".join(request.split())
    for part, mark in _PARTS:
        kind = part.sub(mark, kind)
    return kind[:_SHOWN]


def suggest(
    tables: Mapping[str, Table],
    routes: Routes,
    reader: Answerer,
    requests: Sequence[str],
    on_match: Callable[[int], None] = lambda _: None,
) -> tuple[list[Suggestion], int]:
    """Kinds that are not routed, the most frequent and then the nearest first; and the number of requests routed.

    Raises:
        PointsmanError: what the reader raises.
    """
    kinds: dict[str, list[tuple[str, Match]]] = {}
    num_routed = 0
    for request in requests:
        found = match(tables, routes.head, reader, request)
        on_match(1)
        if found.score >= routes.threshold:
            num_routed += 1
        else:
            kinds.setdefault(kind_of_request(request), []).append((request, found))
    suggestions = [_suggestion(kind, matches) for kind, matches in kinds.items()]
    return sorted(suggestions, key=lambda one: (-one.count, -one.score, one.kind)), num_routed


def _suggestion(kind: str, matches: Sequence[tuple[str, Match]]) -> Suggestion:
    request, best = max(matches, key=lambda pair: pair[1].score)
    missing = best.filled.missing if best.filled is not None else ()
    return Suggestion(kind, len(matches), best.program, best.score, missing, request[:_SHOWN])
