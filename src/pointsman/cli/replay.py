"""``pointsman replay LEDGER --policy P``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pointsman.cli.ledgers import CostKind, LedgerPath, reading

if TYPE_CHECKING:
    from pointsman.query.estimating import Measured
    from pointsman.query.intervals import Estimate
    from pointsman.query.savings import Replayed

__all__ = ["replay_command"]


def replay_command(
    ledger: LedgerPath,
    policy: Annotated[
        str, typer.Option(help="reference, arm:NAME, cheapest, price:USD (what a right answer is worth) or uniform.")
    ] = "reference",
    cost: CostKind = "nano_usd",
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """What logged requests would have cost under another policy, and how many answers would have been right.

    From audits and from chance in the decisions, with 95 % intervals. Where the ledger has neither for what the policy
    would have done, the answer is unknown, and the exit status 1.

    pointsman replay ledger.db --policy reference

    pointsman replay ledger.db --policy price:0.01 --json
    """
    from pointsman.core.entries import cost_of
    from pointsman.core.records import Cost
    from pointsman.query.savings import replay
    from pointsman.query.targets import parse_target

    cost_of(Cost.zero(), cost)  # refuses an unknown name before anything is read
    found = replay(reading(ledger)(), parse_target(policy, cost), cost)
    print(json.dumps(_as_json(found, policy, cost)) if as_json else _as_text(found, policy, cost))
    if found.cost.best is None:
        raise typer.Exit(1)


def _as_text(found: Replayed, policy: str, kind: str) -> str:
    from pointsman.query.amounts import amount, spread_amount, spread_percent

    right = found.billed_quality
    lines = [
        f"{found.num_requests} requests settled, {found.num_unsettled} not, {found.num_audited} audited",
        *([f"{found.num_named} more by name, left out"] if found.num_named else []),
        f"billed:    {amount(found.billed, kind)} a request; right: {spread_percent(right) if right else 'unknown'}",
    ]
    cost, quality = found.cost.best, found.quality.best
    costs = f"unknown ({found.cost.unknown})" if cost is None else f"{spread_amount(cost, kind)} a request"
    rights = f"unknown ({found.quality.unknown})" if quality is None else spread_percent(quality)
    lines.append(f"{policy}: {costs}; right: {rights}")
    lines += _ways("cost", found.cost, lambda item: spread_amount(item, kind))
    lines += _ways("right", found.quality, spread_percent)
    return "\n".join(lines)


def _ways(name: str, found: Measured, shown: Any) -> list[str]:
    """Each estimate, and what it rests on."""
    ways = {
        "inverse propensity": found.inverse_propensity,
        "self-normalised": found.self_normalised,
        "doubly robust": found.doubly_robust,
    }
    lines = [f"  {name}, {way}: {shown(item)}" for way, item in ways.items() if item is not None]
    return [*lines, f"  {name}: worth {found.effective:.0f} answers of this policy"] if lines else []


def _as_json(found: Replayed, policy: str, kind: str) -> dict[str, Any]:
    return {
        "policy": policy,
        "cost_kind": kind,
        "num_requests": found.num_requests,
        "num_unsettled": found.num_unsettled,
        "num_audited": found.num_audited,
        "num_named": found.num_named,
        "billed": {"cost": found.billed, "audits_total": found.audits, "right": _estimate(found.billed_quality)},
        "cost": _measured(found.cost),
        "right": _measured(found.quality),
    }


def _measured(found: Measured) -> dict[str, Any]:
    return {
        "best": _estimate(found.best),
        "inverse_propensity": _estimate(found.inverse_propensity),
        "self_normalised": _estimate(found.self_normalised),
        "doubly_robust": _estimate(found.doubly_robust),
        "effective_requests": found.effective,
        "unknown": found.unknown,
    }


def _estimate(found: Estimate | None) -> dict[str, float] | None:
    return None if found is None else {"value": found.value, "low": found.low, "high": found.high}
