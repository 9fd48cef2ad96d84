"""Policies to replay: which arm each would have taken, from what the ledger knew before the arm answered.

reference       the arm that savings are counted against
arm:NAME        always this one
cheapest        the lowest forecast of the cost
price:X         the most of X times P(right) less forecast money, X being what a right answer is worth in USD
uniform         each arm that was forecast, with the same chance
"""

import math
from collections.abc import Callable, Mapping
from typing import TypeAlias

from pointsman.core import BadRequest, Forecast
from pointsman.core.entries import Entry, cost_of

Target: TypeAlias = Callable[[Entry], Mapping[str, float] | None]
"""The arms that a policy takes for a request, with their chances, which add up to 1; None where nobody can tell."""

NANO = 1e-9
"""A nano-dollar in USD."""


def parse_target(text: str, kind: str = "nano_usd") -> Target:
    """The policy of a name, as above. `kind` of cost: what `cheapest` compares.

    Raises:
        BadRequest: `unknown_policy`.
    """
    name, colon, argument = text.partition(":")
    if text in _PLAIN:
        return _PLAIN[text]
    if text == "cheapest":
        return lambda entry: _best(entry, lambda item: -cost_of(item.cost, kind))
    if name == "arm" and argument:
        return lambda entry: _always(entry, argument)
    if name == "price" and colon:
        value = _price(argument)
        return lambda entry: _best(entry, lambda item: item.right * value - item.cost.nano_usd * NANO)
    expected = "reference, arm:NAME, cheapest, price:USD or uniform"
    raise BadRequest(f"there is no policy {text!r}; expected {expected}", code="unknown_policy", param="policy")


def _price(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        problem = f"price:{text} does not say what a right answer is worth; expected USD from 0 up, such as price:0.02"
        raise BadRequest(problem, code="unknown_policy", param="policy")
    return value


def _reference(entry: Entry) -> Mapping[str, float] | None:
    return None if entry.reference is None else {entry.reference: 1.0}


def _uniform(entry: Entry) -> Mapping[str, float] | None:
    arms = {item.arm for item in entry.decision.forecasts}
    return dict.fromkeys(arms, 1 / len(arms)) if arms else None


def _always(entry: Entry, arm: str) -> Mapping[str, float] | None:
    """None where other arms were forecast and this one was not: it could not have answered."""
    decision = entry.decision
    is_there = not decision.forecasts or decision.forecast_of(arm) is not None or arm in (decision.arm, entry.reference)
    return {arm: 1.0} if is_there else None


def _best(entry: Entry, score: Callable[[Forecast], float]) -> Mapping[str, float] | None:
    """The first of equals."""
    forecasts = entry.decision.forecasts
    return {max(forecasts, key=score).arm: 1.0} if forecasts else None


_PLAIN: Mapping[str, Target] = {"reference": _reference, "uniform": _uniform}
