"""What another policy would have cost on logged requests, from weights: three estimates, each with a 95 % interval.

A request's answer stands for the policy with the weight (chance that the policy takes that arm) / (chance that the arm
was taken). An audit is an answer of the reference arm that was drawn by chance; it stands with weight (chance that the
policy takes the reference) / (share audited). With W the weights of a request's answers and R what they gave:

    inverse propensity     mean(W R)                                  unbiased, wide
    self-normalised        sum(W R) / sum(W)                          (Swaminathan and Joachims, NIPS 2015)
    doubly robust          mean(F) + sum(W (R - f)) / sum(W)          F: forecast for the policy, f: for that answer;
                                                                      (Dudík et al., ICML 2011, arXiv 1103.4601)

Covered: what the policy would have given on these very requests; forecasts may be as wrong as they like, only the
interval widens. Needed: propensities as they were, audits drawn independently of the request and the arm, and answers
whose correctness is known being like those where it is not. Not covered: other requests than these, and what an arm
would do under other load. Intervals of ratios are linearised, and the greatest weight is the greatest that was seen.
"""

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from pointsman.query.intervals import Estimate, bounded_interval, skewed_interval

MIN_EFFECTIVE = 30.0
"""Answers, in their weight, that an estimate needs; with fewer it is unknown. Chosen."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One quantity under a policy.

    Attributes:
        inverse_propensity: see above, as the next two; None where unknown.
        self_normalised: likewise.
        doubly_robust: likewise; None also where a forecast that it needs is missing.
        effective: how many answers of equal weight would tell as much.
        unknown: why there is no estimate, as a reason code and numbers; None where there is one.
    """

    inverse_propensity: Estimate | None
    self_normalised: Estimate | None
    doubly_robust: Estimate | None
    effective: float
    unknown: str | None

    @property
    def best(self) -> Estimate | None:
        """The doubly robust one, else the self-normalised one."""
        return self.doubly_robust or self.self_normalised


_SURE = 0.999
"""How surely weights have to be below 1 on average before support is said to be missing. Chosen: it is asked of every
estimate, and with support they are 1."""


def _numbers() -> "array[float]":
    return array("d")


@dataclass(slots=True)
class Weights:
    """A policy's weights, one of each a request, before the audited share is known.

    Attributes:
        other: of the answer, where it was not decided for the reference arm; else 0.
        same: of the answer, where it was decided for the reference arm; else 0.
        audited: chance that the policy takes the reference, where the request was audited; else 0.
        is_audited: 1 or 0.
    """

    other: "array[float]" = field(default_factory=_numbers)
    same: "array[float]" = field(default_factory=_numbers)
    audited: "array[float]" = field(default_factory=_numbers)
    is_audited: "array[float]" = field(default_factory=_numbers)


@dataclass(slots=True)
class Column:
    """One quantity, one value of each a request; NaN where it is not known.

    Attributes:
        most: the range is 0 to this, None for a quantity without a limit.
        given: what the answer came to.
        referred: what the audit came to.
        forecast: expected of the policy.
        forecast_given: expected of the arm that was taken.
        forecast_referred: expected of the reference arm.
    """

    most: float | None
    given: "array[float]" = field(default_factory=_numbers)
    referred: "array[float]" = field(default_factory=_numbers)
    forecast: "array[float]" = field(default_factory=_numbers)
    forecast_given: "array[float]" = field(default_factory=_numbers)
    forecast_referred: "array[float]" = field(default_factory=_numbers)


@dataclass(frozen=True, slots=True)
class _Sums:
    """Of the requests that are used: W, W R, W (R - f) and F; the latter two None where a forecast is missing."""

    weights: list[float]
    results: list[float]
    residuals: list[float] | None
    forecasts: list[float] | None

    @property
    def effective(self) -> float:
        squares = math.fsum(weight * weight for weight in self.weights)
        return math.fsum(self.weights) ** 2 / squares if squares else 0.0


def measured(weights: Weights, column: Column, needs_audits: bool) -> Measured:
    """The estimates.

    The reference is judged by audits or by the requests that it was taken for, whichever tell more; by audits alone
    where it `needs_audits`, since for some requests it had no chance of being taken.
    """
    ways = (True,) if needs_audits else (True, False)
    found = max((_sums(weights, column, by_audits) for by_audits in ways), key=lambda sums: sums.effective)
    effective = found.effective
    if effective < MIN_EFFECTIVE:
        problem = f"too_few: the logged answers are worth {effective:.1f} of this policy; expected {MIN_EFFECTIVE:g}"
        return Measured(None, None, None, effective, problem)
    mean = skewed_interval(found.weights, effective, _SURE)
    if mean.high < 1:
        problem = f"no_support: {1 - mean.value:.1%} of this policy's choices had no chance of being taken"
        return Measured(None, None, None, effective, problem)
    return Measured(*_estimates(found, column.most), effective, None)


def _estimates(sums: _Sums, most: float | None) -> tuple[Estimate, Estimate, Estimate | None]:
    top = max(sums.weights)
    if most is None:
        plain = skewed_interval(sums.results, sums.effective)
    else:
        plain = bounded_interval(sums.results, 0.0, most * top).within(0.0, most)
    ratio = _ratio(sums, sums.results, None if most is None else (0.0, most))
    robust = None
    if sums.residuals is not None and sums.forecasts is not None:
        base = math.fsum(sums.forecasts) / len(sums.forecasts)
        robust = _ratio(sums, sums.residuals, None if most is None else (-most, most)).plus(base)
    if most is not None:
        ratio, robust = ratio.within(0.0, most), robust and robust.within(0.0, most)
    return plain, ratio, robust


def _ratio(sums: _Sums, results: Sequence[float], limits: tuple[float, float] | None) -> Estimate:
    """sum(results) / sum(weights), by what each request adds to it (the jackknife); `limits` of what was weighed.

    A request that holds a share h of all weight pulls the ratio towards itself; 1 / (1 - h) undoes that.
    """
    whole, count = math.fsum(sums.weights), len(sums.weights)
    ratio = math.fsum(results) / whole
    terms = [
        ratio + count * (result - ratio * weight) / (whole - weight)
        for result, weight in zip(results, sums.weights, strict=True)
    ]
    if limits is None:
        return skewed_interval(terms, sums.effective)
    reach = count * max(sums.weights) / (whole - max(sums.weights))
    low, high = (ratio + (limit - ratio) * reach for limit in limits)
    return bounded_interval(terms, low, high)


def _sums(weights: Weights, column: Column, by_audits: bool) -> _Sums:
    """Weights and results of the requests whose answers, as far as they are used, are known."""
    reference = weights.audited if by_audits else weights.same
    uses_given = any(weights.other) or (not by_audits and any(weights.same))
    used = [
        row
        for row, given in enumerate(column.given)
        if not (uses_given and math.isnan(given))
        and not (by_audits and weights.is_audited[row] and math.isnan(column.referred[row]))
    ]
    num_audited = math.fsum(weights.is_audited[row] for row in used)
    share = num_audited / len(used) if used and by_audits and num_audited else 1.0
    referred, expected = (
        (column.referred, column.forecast_referred) if by_audits else (column.given, column.forecast_given)
    )
    total, results, residuals = [], [], []
    for row in used:
        first, second = weights.other[row], reference[row] / share
        total.append(first + second)
        results.append(_weighed(first, column.given[row]) + _weighed(second, referred[row]))
        given_error = _weighed(first, column.given[row] - column.forecast_given[row])
        residuals.append(given_error + _weighed(second, referred[row] - expected[row]))
    forecasts = [column.forecast[row] for row in used]
    is_forecast = not any(map(math.isnan, residuals)) and not any(map(math.isnan, forecasts))
    return _Sums(total, results, residuals if is_forecast else None, forecasts if is_forecast else None)


def _weighed(weight: float, value: float) -> float:
    return weight * value if weight else 0.0
