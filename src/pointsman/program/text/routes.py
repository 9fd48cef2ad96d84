"""Route or infer: which program of several covers a request, if any does, and is that sure enough?

Three tests, the cheap one first: a linear head on the request's words names a program, or none; a reader is asked
whether the request is for what the program does, and where that may be, what its parameters are; and every parameter
that is needed has to be stated. The *score* is what head and reader believe together. A request is routed from a score
on that was certified (`calibrating_routes.py`); without a certificate everything is inferred.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pointsman.core import BadRequest, Cost
from pointsman.core.asking import Answerer, Question, asks_for
from pointsman.core.ngrams import ngrams
from pointsman.program.runtime import Table
from pointsman.program.text.filling import Filled, fill
from pointsman.program.text.parameters import summary_of

if TYPE_CHECKING:  # numpy: only where there are routes
    from pointsman.program.ladder import Promise
    from pointsman.program.ladder.head import Head

__all__ = ["NEVER", "ROUTES_FILE", "Match", "RouteCertificate", "Routes", "load_routes", "match", "save_routes"]

ROUTES_FILE: Final = "routes.json"
_FORMAT: Final = "pointsman-routes"
_VERSION: Final = 1
NEVER: Final = 2.0
"""A threshold that no score reaches, as a number that JSON has."""

_LEAST_LIKELY: Final = 0.05
"""A program that the head finds less likely than this is not asked about. Chosen."""


@dataclass(frozen=True, slots=True)
class RouteCertificate:
    """What was found of a threshold.

    Attributes:
        promise: what was asked for: the share of all requests that go to a program which does not cover them.
        is_certified: whether any threshold keeps it.
        num_examples: different requests that certified it.
        num_wrong: of these, how many are routed wrong; where none is certified: by the highest threshold.
        found_share: of those that a program covers, how many were routed to it.
    """

    promise: Promise
    is_certified: bool
    num_examples: int
    num_wrong: int
    found_share: float


@dataclass(frozen=True, slots=True)
class Routes:
    """When requests go to programs.

    Attributes:
        head: of the programs' names, and None for no program.
        threshold: scores from which on a request is routed; above 1: never.
        reader: the name of who was asked.
        certificate: what was found of it.
    """

    head: Head
    threshold: float
    reader: str
    certificate: RouteCertificate


@dataclass(frozen=True, slots=True)
class Match:
    """What a request was found to be for.

    Attributes:
        program: the likeliest one, None where none is likely at all.
        score: from 0 to 1; 0 where a parameter is missing.
        filled: its parameters, as far as they are stated.
        cost: of finding out.
    """

    program: str | None
    score: float
    filled: Filled | None
    cost: Cost


def match(tables: Mapping[str, Table], head: Head, reader: Answerer, request: str) -> Match:
    """The program that covers a request best. Raises what the reader raises."""
    chances = head.probabilities(ngrams(request, head.weights.shape[1]))
    likely = {name: float(chance) for name, chance in zip(head.values, chances, strict=True) if name in tables}
    name = max(likely, key=lambda one: likely[one], default=None)
    if not isinstance(name, str) or likely[name] < _LEAST_LIKELY:
        return Match(None, likely.get(name, 0.0), None, Cost.zero())
    table = tables[name]
    reply = reader.answer([(Question("judge", asks_for(summary_of(table)), "bool"), request)])[0]
    belief = reply.confidence if reply.value else 1 - reply.confidence
    if belief * likely[name] < _LEAST_LIKELY:
        return Match(name, belief * likely[name], None, reply.cost)
    filled = fill(table, request, reader)
    score = 0.0 if filled.missing else likely[name] * belief
    return Match(name, score, filled, reply.cost + filled.cost)


# -- on disk -----------------------------------------------------------------------------------------------------------


def save_routes(routes: Routes, folder: Path) -> Path:
    """Writes them beside the programs. Raises BadRequest ``cannot_write``."""
    data = {"format": _FORMAT, "version": _VERSION, "reader": routes.reader, "threshold": routes.threshold}
    data |= {"head": routes.head.to_json(), "certificate": asdict(routes.certificate)}
    path = folder / ROUTES_FILE
    try:
        path.write_text(json.dumps(data) + "\n", encoding="utf-8")
    except OSError as exc:
        raise BadRequest(f"cannot write {str(path)!r}: {exc.strerror}", code="cannot_write") from exc
    return path


def load_routes(folder: Path) -> Routes | None:
    """Those of a folder of programs, None where it has none. Raises BadRequest ``bad_routes`` for a broken file."""
    path = folder / ROUTES_FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as exc:
        raise BadRequest(f"{path}: not routes: {exc}", code="bad_routes") from exc
    try:
        return _routes(data)
    except (KeyError, TypeError, ValueError, OverflowError, BadRequest) as exc:
        raise BadRequest(f"{path}: not routes of version {_VERSION}: {exc}", code="bad_routes") from exc


def _routes(data: Any) -> Routes:
    from pointsman.program.ladder.head import Head

    if (data["format"], data["version"]) != (_FORMAT, _VERSION):
        raise ValueError("another format")
    head, reader = Head.from_json(data["head"]), data["reader"]
    if not isinstance(reader, str) or any(not isinstance(name, str | None) for name in head.values):
        raise ValueError("the reader or a program has no name")
    if type(data["threshold"]) not in {int, float} or not data["threshold"] > 0:  # NaN would stop no score
        raise ValueError("the threshold is no number above 0")
    routes = Routes(head, float(data["threshold"]), reader, _certificate(dict(data["certificate"])))
    return routes if routes.certificate.is_certified else replace(routes, threshold=NEVER)


def _certificate(found: dict[str, Any]) -> RouteCertificate:
    from pointsman.program.ladder import Promise

    certificate = RouteCertificate(Promise(**found.pop("promise")), **found)
    counts = certificate.num_examples, certificate.num_wrong
    if not isinstance(certificate.is_certified, bool) or not all(type(count) is int for count in counts):
        raise ValueError("the certificate is none")
    return replace(certificate, found_share=float(certificate.found_share))
