"""A certified setting for a choice of levels: learn then test, as `query/certifying.py`, but of everything together.

What is promised is about all requests, whoever answers them: share right >= `kept` * the reference arm's share right.
It is tested more strictly than that: what programs, solver, memory or parts get right and the reference arm does not,
does not count. So the models may not lose what the tracks win.

A bound needs independent requests, and what is asked again is answered as before: so repeated requests are left out of
the test. They are drawn from the others, and lose as much on average.

With the query level a setting is a price and a caution, and each request gets the arm that its forecast makes best.
Without it a setting is one arm for all requests: a dial of the pair or a budget of units.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pointsman.bench.arms import REFERENCE
from pointsman.bench.levels import Part, Plan, Replayed, level_of, replay, walk
from pointsman.core.risk import mean_is_below
from pointsman.query.certifying import Setting, choose, disagreement
from pointsman.query.forecasting import Forecasts
from pointsman.query.frontier import prices_of
from pointsman.query.outcomes import Floats, Ints
from pointsman.query.promise import Promise, Tried, surest_first

__all__ = ["Candidate", "Certified", "Known", "allowed_arms", "arms_of", "candidates", "certified", "losses_of"]

_CAUTIONS = (0.0, 0.03, 0.1, 0.2, 0.4)
_NUM_PRICES = 30
MOST_NOVEL = 0.9
"""Texts that are less known than this go to the reference arm. Chosen."""


@dataclass(frozen=True, slots=True)
class Known:
    """A part with the forecasts of its rows by what has not seen them."""

    part: Part
    forecasts: Forecasts


@dataclass(frozen=True, slots=True)
class Candidate:
    """A setting, or one arm for all."""

    setting: Setting | None
    arm: int


@dataclass(frozen=True, slots=True)
class Certified:
    """What passed.

    Attributes:
        candidate: None where not even the reference arm behind the tracks passed; then it answers everything itself.
        num_tested, num_passed: candidates, in the order that was fixed before.
        loss: mean on the calibration requests.
    """

    candidate: Candidate | None
    num_tested: int
    num_passed: int
    loss: float


def allowed_arms(names: Sequence[str], levels: frozenset[str]) -> list[int]:
    """Arms that these levels may use. Without the query level worked steps are all there is, since no one chooses."""
    found = []
    for number, name in enumerate(names):
        level = level_of(name)
        if name == REFERENCE or (level in levels and ("query" in levels or "mode=direct" not in name)):
            found.append(number)
    return found


def candidates(known: Known, levels: frozenset[str]) -> list[Candidate]:
    """All that may be tried, the reference arm alone among them."""
    names = known.part.outcomes.names
    allowed, reference = allowed_arms(names, levels), names.index(REFERENCE)
    alone = [Candidate(None, reference)]
    if "query" not in levels:
        return alone + [Candidate(None, arm) for arm in allowed if arm != reference]
    prices = [float(price) for price in prices_of(known.forecasts.columns(allowed), _NUM_PRICES)]
    settings = [Setting(price, caution) for caution in _CAUTIONS for price in prices if not math.isinf(price)]
    return alone + [Candidate(setting, reference) for setting in settings]


def arms_of(known: Known, levels: frozenset[str], candidate: Candidate) -> Ints:
    """(rows,) arms, in the table's numbers."""
    names = known.part.outcomes.names
    if candidate.setting is None:
        return np.full(len(known.part.outcomes), candidate.arm, dtype=np.int64)
    allowed = np.array(allowed_arms(names, levels), dtype=np.int64)
    at = int(np.flatnonzero(allowed == names.index(REFERENCE))[0])
    return np.asarray(allowed[choose(known.forecasts.columns(list(allowed)), at, candidate.setting, MOST_NOVEL)])


def losses_of(found: Replayed, part: Part, kept: float) -> Floats:
    """(N,) how much more right that share of the reference arm was than what answered."""
    reference = part.outcomes.names.index(REFERENCE)
    right = part.outcomes.right[[part.rows[asked.text] for asked in part.traffic], reference]
    return np.asarray(kept * right - found.credit)


def certified(fit: Known, calibration: Known, levels: frozenset[str], promise: Promise) -> Certified:
    """The cheapest candidate that passes on the calibration requests; the order comes from those of `fit`."""
    plans = {id(known): _plan(known, levels) for known in (fit, calibration)}
    ordered = _ordered(fit, plans, levels, promise, len(calibration.part.traffic))
    best: tuple[float, Candidate, float] | None = None
    num_passed = 0
    for candidate in ordered:
        losses, cost = _tried(calibration, plans, levels, candidate, promise)
        losses = losses[_first(calibration.part)]
        if not mean_is_below(promise.loss, losses.tolist(), (-1.0, promise.kept), promise.confidence):
            break
        num_passed += 1
        if best is None or cost < best[0]:
            best = cost, candidate, float(losses.mean())
    tested = min(num_passed + 1, len(ordered))
    return Certified(best[1] if best else None, tested, num_passed, best[2] if best else 0.0)


def _first(part: Part) -> list[int]:
    """Requests whose text was not asked before; others are lost together with those."""
    first: dict[str, int] = {}
    for place, asked in enumerate(part.traffic):
        first.setdefault(asked.text, place)
    return list(first.values())


def _plan(known: Known, levels: frozenset[str]) -> Plan:
    names = known.part.outcomes.names
    reference = np.full(len(known.part.outcomes), names.index(REFERENCE), dtype=np.int64)
    return walk(known.part, levels, reference)


def _tried(
    known: Known, plans: Mapping[int, Plan], levels: frozenset[str], candidate: Candidate, promise: Promise
) -> tuple[Floats, float]:
    arms = arms_of(known, levels, candidate)
    found = replay(plans[id(known)], known.part, arms, known.part.outcomes.names.index(REFERENCE))
    return losses_of(found, known.part, promise.kept), float(found.total.mean())


def _ordered(
    fit: Known, plans: Mapping[int, Plan], levels: frozenset[str], promise: Promise, num_requests: int
) -> list[Candidate]:
    """In the order of the tests; see `surest_first`."""
    reference = fit.part.outcomes.names.index(REFERENCE)

    def tried(candidate: Candidate) -> Tried[Candidate]:
        losses, cost = _tried(fit, plans, levels, candidate, promise)
        doubt = disagreement(fit.forecasts, reference, arms_of(fit, levels, candidate))
        return Tried(candidate, losses, float(doubt.mean()), cost)

    return surest_first(map(tried, candidates(fit, levels)), promise, num_requests)
