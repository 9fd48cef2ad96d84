"""From which score on may requests be routed? A head from one half of the examples, a certificate from the other.

A wrong route is a request that goes to a program which does not cover it; the promise is about their share among all
requests. Thresholds are tried from the highest on, as in ``ladder.calibrating``.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pointsman.core import BadRequest
from pointsman.core.risk import num_certified
from pointsman.program.ladder import Promise, Rung
from pointsman.program.ladder.head import fit_head
from pointsman.program.runtime import Table
from pointsman.program.text.routes import NEVER, Match, RouteCertificate, Routes, match

__all__ = ["THRESHOLDS", "Covered", "calibrate_routes", "is_wrong"]

THRESHOLDS: Final = (0.99, 0.98, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)


@dataclass(frozen=True, slots=True)
class Covered:
    """A request with the program that covers it, None for one that none does."""

    request: str
    program: str | None


def calibrate_routes(
    tables: Mapping[str, Table],
    examples: Sequence[Covered],
    reader: Rung,
    promise: Promise,
    *,
    seed: int = 0,
    on_match: Callable[[int], None] = lambda _: None,
) -> Routes:
    """Fits a head and certifies a threshold.

    Raises:
        BadRequest: `bad_examples` for a program that is not there, or where the examples are too few or too alike to
            fit a head to: it takes two kinds at least, with five examples of each kind.
        PointsmanError: what the reader raises.
    """
    unknown = next((one.program for one in examples if one.program is not None and one.program not in tables), None)
    if unknown is not None:
        raise BadRequest(f"no program is named {unknown!r}; there is {', '.join(tables)}", code="bad_examples")
    distinct = list({one.request: one for one in examples}.values())
    random.Random(seed).shuffle(distinct)  # noqa: S311
    fitting, certifying = distinct[: len(distinct) // 2], distinct[len(distinct) // 2 :]
    head = fit_head([(one.request, one.program) for one in fitting], seed)
    if head is None:
        problem = "the examples are too few or too alike; expected five different requests at least of each kind"
        raise BadRequest(problem, code="bad_examples")
    found: list[tuple[Covered, Match]] = []
    for one in certifying:
        found.append((one, match(tables, head, reader, one.request)))
        on_match(1)
    losses = [(sum(is_wrong(*pair, threshold) for pair in found), len(found)) for threshold in THRESHOLDS]
    certified = num_certified(losses, limit=promise.epsilon, confidence=promise.confidence)
    threshold = THRESHOLDS[certified - 1] if certified else NEVER
    num_wrong, _ = losses[max(certified, 1) - 1]
    covered = [(one, its) for one, its in found if one.program is not None]
    num_found = sum(its.program == one.program and its.score >= threshold for one, its in covered)
    share = num_found / max(1, len(covered))
    return Routes(head, threshold, reader.name, RouteCertificate(promise, certified > 0, len(found), num_wrong, share))


def is_wrong(example: Covered, found: Match, threshold: float) -> bool:
    """Whether a request goes to a program that does not cover it."""
    return found.score >= threshold and found.program != example.program
