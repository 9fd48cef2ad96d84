"""Drift: says when an arm's forecasts have ceased to be true, in money or in the chance to be right.

For each arm four hypotheses are watched after every answer (`core.evidence`):

    cost_up, cost_down      on average a bill is its forecast, within `cost_tolerance` of that
    right_down, right_up    on average an answer is right as often as forecast, within `right_tolerance`

A warning comes once for each; `forget` an arm when its forecasts are fitted anew. The chance of any false warning, ever
and for all arms together, is at most 1 - confidence: arm number j gets the share 1 / (j (j + 1)), and each of its four
hypotheses a quarter of that.

Covered: forecasts that are means, given the request and the past. Not covered: for `cost_down`, bills beyond five times
their forecast, which are cut to that; forecasts of no cost at all, which are skipped and counted.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from pointsman.core import BadRequest
from pointsman.core.entries import Entry, cost_of
from pointsman.core.evidence import Evidence

_MOST_RATIO = 5.0
"""Of a bill to its forecast, as far as `cost_down` is concerned. Chosen: the higher, the later a fall is seen."""

SPAN = 200
"""Answers by which the size of a drift is told. Chosen: whether there is one does not depend on it."""

_KINDS = ("cost_up", "cost_down", "right_down", "right_up")

_LOG = logging.getLogger("pointsman.query")


@dataclass(frozen=True, slots=True)
class DriftLimits:
    """What still counts as true.

    Attributes:
        cost_tolerance: share of a forecast cost by which bills may differ on average.
        right_tolerance: by how much the share of right answers may differ from the forecast chance.
        confidence: that no warning is false.
        kind: of the cost.
    """

    cost_tolerance: float = 0.1
    right_tolerance: float = 0.03
    confidence: float = 0.95
    kind: str = "nano_usd"

    def __post_init__(self) -> None:
        if not (0 <= self.cost_tolerance < 1 and 0 <= self.right_tolerance < 1 and 0 < self.confidence < 1):
            expected = "tolerances from 0 to below 1, confidence between 0 and 1"
            raise BadRequest(f"{self} cannot be watched; expected {expected}", code="invalid_drift")


@dataclass(frozen=True, slots=True)
class Drift:
    """A warning.

    Attributes:
        arm: whose forecasts do not hold.
        kind: `cost_up`, `cost_down`, `right_down` or `right_up`.
        time_us: of the answer that showed it, microseconds in UTC.
        num_answers: that were compared.
        size: of `cost_*`: bills over forecasts, less 1; of `right_*`: share right less what was forecast. Of the last
            `SPAN` answers or so: each counts a little less with every one that follows.
        evidence: how many times likelier the answers are by the best bets than the hypothesis allows.
    """

    arm: str
    kind: str
    time_us: int
    num_answers: int
    size: float
    evidence: float


class _Arm:
    """One arm's evidence, sums of its last answers, and the warnings that it gave."""

    def __init__(self, number: int, limits: DriftLimits) -> None:
        self.number = number
        most_down = _MOST_RATIO - 1 + limits.cost_tolerance
        least_right = -1 - limits.right_tolerance
        leasts = (-1 - limits.cost_tolerance, -most_down, least_right, least_right)
        self.evidence = {kind: Evidence(least) for kind, least in zip(_KINDS, leasts, strict=True)}
        self.sums = dict.fromkeys(("billed", "forecast", "right", "expected", "judged"), 0.0)
        self.warned: set[str] = set()

    def size(self, kind: str) -> float:
        if kind.startswith("cost"):
            return self.sums["billed"] / self.sums["forecast"] - 1
        return (self.sums["right"] - self.sums["expected"]) / self.sums["judged"]

    def count(self, **values: float) -> None:
        """Adds to sums that forget."""
        for name, value in values.items():
            self.sums[name] = self.sums[name] * (1 - 1 / SPAN) + value


class DriftWatch:
    """Watches every arm. `observe` every settled entry."""

    def __init__(self, limits: DriftLimits | None = None) -> None:
        self.limits = limits or DriftLimits()
        self.num_skipped = 0
        self._num_arms = 0
        self._arms: dict[str, _Arm] = {}

    def observe(self, entry: Entry) -> list[Drift]:
        """Takes a settled request into account; gives the warnings that it brings, mostly none, and logs each.

        Answers of another arm than the one decided on, or without a forecast, say nothing. A sequence is compared as a
        whole, whoever answered.

        Raises:
            BadRequest: `unknown_cost`.
        """
        billed, forecast = entry.billed, entry.decision.forecast_of(entry.decision.arm)
        if billed is None or forecast is None or (billed.arm != forecast.arm and not entry.decision.is_sequence):
            return []
        arm = self._arms.get(forecast.arm)
        if arm is None:
            self._num_arms += 1
            arm = self._arms[forecast.arm] = _Arm(self._num_arms, self.limits)
        self._compare_cost(arm, cost_of(billed.cost, self.limits.kind), cost_of(forecast.cost, self.limits.kind))
        if billed.correct is not None:
            self._compare_right(arm, float(billed.correct), forecast.right)
        return self._warnings(arm, forecast.arm, entry.time_us)

    def forget(self, arm: str) -> None:
        """Begins an arm anew, after its forecasts were fitted again. It counts as another arm then."""
        self._arms.pop(arm, None)

    def to_json(self) -> dict[str, Any]:
        """All of it but the limits."""
        arms = {
            name: {
                "number": arm.number,
                "sums": dict(arm.sums),
                "warned": sorted(arm.warned),
                "evidence": {kind: evidence.to_json() for kind, evidence in arm.evidence.items()},
            }
            for name, arm in self._arms.items()
        }
        return {"version": 1, "num_skipped": self.num_skipped, "num_arms": self._num_arms, "arms": arms}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], limits: DriftLimits | None = None) -> Self:
        """Goes on from what `to_json` gave.

        Raises:
            BadRequest: `invalid_drift` where it is not that; `invalid_evidence` likewise.
        """
        found = cls(limits)
        try:
            if data["version"] != 1:
                raise BadRequest(f"saved drift has version {data['version']!r}; expected 1", code="invalid_drift")
            found.num_skipped, found._num_arms = int(data["num_skipped"]), int(data["num_arms"])
            for name, saved in data["arms"].items():
                arm = found._arms[name] = _Arm(int(saved["number"]), found.limits)
                arm.sums = {key: float(saved["sums"][key]) for key in arm.sums}
                arm.warned = set(saved["warned"])
                arm.evidence = {kind: Evidence.from_json(saved["evidence"][kind]) for kind in _KINDS}
        except (AttributeError, KeyError, TypeError, ValueError) as exc:
            raise BadRequest(f"this is no saved drift: {exc!r}", code="invalid_drift") from exc
        return found

    def _compare_cost(self, arm: _Arm, billed: float, forecast: float) -> None:
        """Bills as shares of their own forecasts, so that every request has the same say."""
        if forecast <= 0:
            self.num_skipped += 1
            return
        ratio, tolerance = billed / forecast, self.limits.cost_tolerance
        arm.count(billed=billed, forecast=forecast)
        arm.evidence["cost_up"].add(ratio - 1 - tolerance)
        arm.evidence["cost_down"].add(1 - tolerance - min(ratio, _MOST_RATIO))

    def _compare_right(self, arm: _Arm, right: float, expected: float) -> None:
        tolerance = self.limits.right_tolerance
        arm.count(right=right, expected=expected, judged=1.0)
        arm.evidence["right_down"].add(expected - right - tolerance)
        arm.evidence["right_up"].add(right - expected - tolerance)

    def _warnings(self, arm: _Arm, name: str, time_us: int) -> list[Drift]:
        enough = len(_KINDS) * arm.number * (arm.number + 1) / (1 - self.limits.confidence)
        found = []
        for kind, evidence in arm.evidence.items():
            if kind not in arm.warned and evidence.value >= enough:
                arm.warned.add(kind)
                warning = Drift(name, kind, time_us, evidence.num_values, arm.size(kind), evidence.value)
                _LOG.warning(
                    "%s of the arm %s by %+.3g, seen after %d answers", kind, name, warning.size, warning.num_answers
                )
                found.append(warning)
        return found
