"""Quality against cost: the curve of a policy over its dial, and how much of the way to the oracle it goes.

`gap_closed`: area under the policy's curve between the mean costs of the cheapest and of the most accurate arm, as a
share of the way from random mixtures of single arms (0) to the oracle (1), which takes the cheapest right arm at every
price. The cost axis is linear. A policy's curve is what its dial gives on the test rows, joined by straight lines (a
coin between two settings); it is not hulled, so a dial that makes things worse is seen. Where no setting is as cheap as
the cheapest arm, the line goes on to that arm.

Axes: N requests, A arms, D settings of the dial.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pointsman.query.forecasting import Forecasts
from pointsman.query.outcomes import Floats, Ints, Outcomes

__all__ = [
    "Curve",
    "apgr",
    "best_of",
    "cautious",
    "choices",
    "cpt",
    "curve_of",
    "gap_closed",
    "mixture",
    "oracle",
    "prices_of",
    "saving",
]

_SETTINGS = 240
"""Of the dial. With 1,000 the figures differ by less than 0.002."""

_NO_GAP = 1e-9  # right answers; what rounding leaves of none


@dataclass(frozen=True, slots=True)
class Curve:
    """Means over the test rows at each setting: `nano_usd` and `right`, (D,) each."""

    nano_usd: Floats
    right: Floats

    def area(self, low: float, high: float) -> float:
        """Under the curve from one cost to another; beyond its ends it is flat."""
        order = np.lexsort((self.right, self.nano_usd))
        cost, right = self.nano_usd[order], self.right[order]
        inner = cost[(cost > low) & (cost < high)]
        at = np.concatenate([[low], inner, [high]])
        return float(np.trapezoid(np.interp(at, cost, right), at))


def best_of(value: Floats, nano_usd: Floats) -> Ints:
    """(N,) the arm of most value, of equals the cheapest: more budget that is forecast to help nobody is not bought."""
    return np.asarray(np.where(value == value.max(1, keepdims=True), nano_usd, np.inf).argmin(axis=1), dtype=np.int64)


def cautious(right: Floats, reference: int, caution: float) -> Floats:
    """(N, A) chances to be right, less `caution` times the chance that exactly one of arm and reference is right."""
    if caution == 0:
        return right
    clipped = np.minimum(np.maximum(right, 0), 1)  # np.clip takes three times as long for one row
    at = clipped[:, [reference]]
    value = right - caution * (clipped * (1 - at) + at * (1 - clipped))
    value[:, reference] = right[:, reference]
    return np.asarray(value)


def choices(forecasts: Forecasts, price: float) -> Ints:
    """(N,) the arm of most value: P(right) less cost, where `price` is what a nano-dollar is worth in right answers."""
    if np.isinf(price):
        return np.asarray(forecasts.nano_usd.argmin(axis=1), dtype=np.int64)
    return best_of(forecasts.right - price * forecasts.nano_usd, forecasts.nano_usd)


def prices_of(forecasts: Forecasts, settings: int = _SETTINGS) -> Floats:
    """Prices at which choices change, spread evenly over requests; 0 and infinity at the ends. No outcome is used."""
    right, cost = forecasts.right, forecasts.nano_usd
    top = np.argmax(right, axis=1)[:, None]
    gain = np.take_along_axis(right, top, 1) - right
    saved = np.take_along_axis(cost, top, 1) - cost
    slopes = np.where((saved > 0) & (gain >= 0), gain / np.where(saved > 0, saved, 1.0), np.nan)
    found = slopes[np.isfinite(slopes)]
    inner = np.quantile(found, np.linspace(0, 1, settings)) if len(found) else np.zeros(0)
    return np.concatenate([[0.0], np.unique(inner), [np.inf]])


def curve_of(forecasts: Forecasts, outcomes: Outcomes, prices: Floats | None = None) -> Curve:
    """What the policy that follows `forecasts` gives on `outcomes`."""
    rows = np.arange(len(outcomes))
    taken = [choices(forecasts, price) for price in (prices_of(forecasts) if prices is None else prices)]
    return Curve(
        np.array([outcomes.nano_usd[rows, arms].mean() for arms in taken]),
        np.array([outcomes.right[rows, arms].mean() for arms in taken]),
    )


def mixture(outcomes: Outcomes) -> Curve:
    """The best that coins between single arms give: the upper hull of the arms' means."""
    points = sorted(zip(outcomes.nano_usd.mean(0), outcomes.right.mean(0), strict=True))
    hull: list[tuple[float, float]] = []
    for cost, right in points:
        if hull and right <= hull[-1][1]:
            continue
        while len(hull) > 1 and _is_below(hull[-2], hull[-1], (cost, right)):
            hull.pop()
        hull.append((cost, right))
    return Curve(np.array([cost for cost, _ in hull]), np.array([right for _, right in hull]))


def _is_below(first: tuple[float, float], middle: tuple[float, float], last: tuple[float, float]) -> bool:
    return (middle[1] - first[1]) * (last[0] - first[0]) <= (last[1] - first[1]) * (middle[0] - first[0])


def oracle(outcomes: Outcomes) -> Curve:
    """Who knows every outcome before."""
    known = Forecasts(outcomes.right, outcomes.nano_usd, np.zeros(len(outcomes)))
    return curve_of(known, outcomes)


def gap_closed(curve: Curve, outcomes: Outcomes) -> float:
    """See above. NaN where the cheapest arm is also the most accurate one, or no arm adds to it: nothing to route."""
    cost = outcomes.nano_usd.mean(0)
    low, high = float(cost.min()), float(cost[outcomes.strongest])
    if high <= low:
        return float("nan")
    if curve.nano_usd.min() > low:
        start = float(outcomes.right[:, int(cost.argmin())].mean())
        curve = Curve(np.append(curve.nano_usd, low), np.append(curve.right, start))
    least = mixture(outcomes).area(low, high)
    most = oracle(outcomes).area(low, high)
    return (curve.area(low, high) - least) / (most - least) if most > least else float("nan")


def apgr(gain: Floats, outcomes: Outcomes) -> float:
    """RouteLLM's average performance gap recovered, over all shares of calls to the stronger of two arms.

    `gain`: (N,) scores by which requests go to it, the highest first; equal scores in no order (their mean).
    NaN where both arms are right equally often: there is no gap. Raises ValueError unless there are two arms.
    """
    return float(np.trapezoid(_recovered(gain, outcomes), dx=1 / len(gain)))


def cpt(gain: Floats, outcomes: Outcomes, recovered: float) -> float:
    """RouteLLM's call-performance threshold: the least share of calls to the stronger arm that recovers so much.

    `recovered`: of the gap between both arms, above 0 and up to 1; 0.5 for CPT50. Else as `apgr`; a coin between two
    thresholds is no threshold, so the share is one of whole requests.
    """
    found = _recovered(gain, outcomes)
    return float("nan") if np.isnan(found).any() else int((found >= recovered - _NO_GAP).argmax()) / len(gain)


def _recovered(gain: Floats, outcomes: Outcomes) -> Floats:
    """(N + 1,) share of the gap that 0 to N calls recover, from 0 to 1 and beyond; NaN without a gap."""
    if len(outcomes.arms) != 2:
        raise ValueError("the gap recovered is of two arms")
    strong = outcomes.strongest
    gained = outcomes.right[:, strong] - outcomes.right[:, 1 - strong]
    if gained.sum() <= _NO_GAP:
        return np.full(len(gained) + 1, np.nan)
    values, group = np.unique(-gain, return_inverse=True)
    means = np.bincount(group, gained, len(values)) / np.bincount(group, minlength=len(values))
    ordered = np.sort(group)
    total = np.concatenate([[0.0], np.cumsum(means[ordered])])
    return np.asarray(total / total[-1])


def saving(curve: Curve, outcomes: Outcomes, loss: float = 0.0) -> float:
    """Largest share of the most accurate arm's cost that some setting saves while it loses at most `loss`; 0 if none.

    The setting is picked on the rows that it is reported on: this is what a curve holds, not what one may promise.
    """
    strongest = outcomes.strongest
    meets = curve.right >= outcomes.right[:, strongest].mean() - loss - 1e-12
    cost = float(outcomes.nano_usd[:, strongest].mean())
    return max(0.0, 1 - float(curve.nano_usd[meets].min()) / cost) if meets.any() else 0.0
