"""What a client is told of how `auto` decided: entries of the `pointsman` field, and headers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pointsman.core import Cost, Decision, Forecast
from pointsman.core.entries import cost_of
from pointsman.gateway import wire
from pointsman.gateway.auto.asked import Plan
from pointsman.gateway.http import Headers
from pointsman.gateway.tap import Heard

if TYPE_CHECKING:
    from pointsman.query.policy import Certificate

__all__ = ["Standard", "Telling", "certificate_told", "forecasts_told", "saved"]

_MOST_BYTES: Final = 4_000
"""Of a header; a longer one is left out, and stands in the `pointsman` field only. Chosen: clients take 8 KiB."""


@dataclass(frozen=True, slots=True)
class Standard:
    """What decisions are measured by.

    Attributes:
        reference: the arm that savings are counted against.
        kind: of costs.
        certificate: what is promised, None where nothing is.
    """

    reference: str
    kind: str
    certificate: Certificate | None


@dataclass(frozen=True, slots=True)
class Telling:
    """A `tap.Editor` for one plan. `standard`: the policy's, None where there is none."""

    plan: Plan
    standard: Standard | None
    wants_usage: bool

    def headers(self, heard: Heard) -> Headers:
        """See `Editor`; the bill is among them where the whole answer is known before it is sent."""
        told = self._told(heard)
        known = ("billed", "saved_against_reference") if heard.is_complete else ()
        names = ("dials", "forecasts", "certificate", *known)
        rest = [(f"x-pointsman-{name.replace('_', '-')}".encode(), wire.encode(told[name])) for name in names]
        short = [item for item in rest if len(item[1]) <= _MOST_BYTES]
        return [
            (b"x-pointsman-arm", str(told["arm"]).encode()),
            (b"x-pointsman-reason", told["reason"].encode()),
            *short,
        ]

    def note(self, heard: Heard) -> Mapping[str, object]:
        """See `Editor`."""
        return self._told(heard)

    def _told(self, heard: Heard) -> dict[str, Any]:
        decision = self.plan.decision
        is_named = self.plan.spec is not None or not heard.arm
        votes = {} if self.plan.votes is None else {"votes": self.plan.votes}
        sequence = {} if self.plan.looked is None else {"sequence": self.plan.looked.told()}
        return {
            "arm": self.plan.arm if is_named else heard.arm,
            "reason": decision.reason,
            "dials": {} if self.plan.spec is None else dict(self.plan.spec.settings),
            "forecasts": forecasts_told(decision, self.standard, self.plan.counted),
            **votes,
            **sequence,
            "billed": heard.billed,
            "missed": self.plan.missed,
            "saved_against_reference": saved(decision, heard.billed, self.plan.missed, self.standard),
            "certificate": None if self.standard is None else certificate_told(self.standard.certificate),
        }


def forecasts_told(decision: Decision, standard: Standard | None, counted: Mapping[str, str]) -> list[dict[str, Any]]:
    """What was expected of each arm, in the policy's kind of cost, and how its prompt tokens were found."""
    if standard is None:
        return []
    return [
        {"arm": one.arm, "right": round(one.right, 4), standard.kind: _cost(one, standard), "prompt": counted[one.arm]}
        for one in decision.forecasts
    ]


def saved(decision: Decision, billed: Cost | None, missed: Cost, standard: Standard | None) -> dict[str, Any]:
    """What the reference arm was forecast to cost more than was billed and missed; null with a reason if unknown."""
    if standard is None:
        return {"estimate": None, "reason": "no_reference"}
    if billed is None:
        return {"estimate": None, "reason": "bill_unknown"}
    if decision.arm == standard.reference:
        return {"estimate": -cost_of(missed, standard.kind), "kind": standard.kind, "reason": "is_reference"}
    forecast = decision.forecast_of(standard.reference)
    if forecast is None:
        return {"estimate": None, "reason": "not_forecast"}
    estimate = round(_cost(forecast, standard) - cost_of(billed + missed, standard.kind))
    return {"estimate": estimate, "kind": standard.kind, "reason": "reference_as_forecast"}


def certificate_told(certificate: Certificate | None) -> dict[str, Any] | None:
    """A certificate in short."""
    if certificate is None:
        return None
    promise = certificate.promise
    return {
        "kept": promise.kept,
        "loss": promise.loss,
        "confidence": promise.confidence,
        "num_rows": certificate.num_rows,
        "num_taken": certificate.num_taken,
        "data": certificate.data,
    }


def _cost(forecast: Forecast, standard: Standard) -> float:
    return cost_of(forecast.cost, standard.kind)
