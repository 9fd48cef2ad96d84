"""Risk control: which setting of the dials may be promised to lose little, from a finite sample.

Learn then test (Angelopoulos et al., arXiv 2110.01052) with 0/1 losses and a fixed sequence: settings are tested from
the safest on, each by the exact binomial tail, and the first that fails ends it. With the stated confidence no setting
that passed has a risk above the limit, however many were tried.

    settings = [(0, 500), (1, 500), (9, 500)]       # losses, tries; the safest first
    num_certified(settings, limit=0.02, confidence=0.95)   # 2

Covered: requests drawn like the sample, one dial path fixed before looking. Not covered: other traffic than the sample
is from, and paths chosen by what they lost on it.
"""

import math
import random
from collections.abc import Sequence

from pointsman.core.errors import BadRequest

_FIRST_SPREAD, _MOST_STAKED = 0.01, 0.75
"""Variance that a bet expects before it has seen a value, and the share of the wealth that it risks. Chosen; the bound
holds for any."""


def num_certified(settings: Sequence[tuple[int, int]], *, limit: float, confidence: float) -> int:
    """How many settings from the front are certified: (losses, tries) of each, in an order fixed beforehand.

    Raises:
        BadRequest: `invalid_risk` for a limit or confidence that is not strictly between 0 and 1, or for losses that
            are not from 0 to the tries.
    """
    for name, value in (("limit", limit), ("confidence", confidence)):
        if not 0 < value < 1:
            raise BadRequest(f"{name} is {value!r}; expected a number between 0 and 1", code="invalid_risk", param=name)
    certified = 0
    for num_losses, num_tries in settings:
        if p_value(num_losses, num_tries, limit) > 1 - confidence:
            break
        certified += 1
    return certified


def p_value(num_losses: int, num_tries: int, limit: float) -> float:
    """Chance of so few losses or fewer, if the risk were `limit`: P(Binomial(tries, limit) <= losses).

    Raises:
        BadRequest: see `num_certified`.
    """
    if not 0 <= num_losses <= num_tries:
        raise BadRequest(f"{num_losses} losses of {num_tries} tries cannot be", code="invalid_risk")
    log_odds = math.log(limit) - math.log1p(-limit)
    term, total = num_tries * math.log1p(-limit), 0.0  # of the logarithm, since powers of 1 - limit underflow
    for losses in range(num_losses + 1):
        total += math.exp(term)
        if losses < num_tries:
            term += math.log(num_tries - losses) - math.log(losses + 1) + log_odds
    return min(total, 1.0)


def upper_bound(num_losses: int, num_tries: int, confidence: float) -> float:
    """The risk that is exceeded with no more than 1 - confidence (Clopper and Pearson, one side), to 1e-9.

    1.0 where nothing was tried: what is unknown is not safe.
    """
    low, high = 0.0, 1.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        if p_value(num_losses, num_tries, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def mean_upper_bound(values: Sequence[float], most: float, confidence: float) -> float:
    """A mean that is exceeded with no more than 1 - confidence, from independent values between 0 and `most`.

    The betting bound of Waudby-Smith and Ramdas (JRSS B 2024, arXiv 2010.09686, theorem 3, one side): for each mean a
    gambler bets that values are lower, with stakes set by what was seen before; a mean at which the gambler gets rich
    is excluded. It follows the values' spread, so a large `most` costs little where values are small. To 1e-6 of
    `most`; `most` itself where there are no values, since what is unknown is not safe.

    Raises:
        BadRequest: `invalid_risk` for a confidence that is not strictly between 0 and 1, or values outside the range.
    """
    if not 0 < confidence < 1:
        problem = f"confidence is {confidence!r}; expected a number between 0 and 1"
        raise BadRequest(problem, code="invalid_risk", param="confidence")
    if any(not 0 <= value <= most for value in values):
        raise BadRequest(f"values must be from 0 to {most:g}", code="invalid_risk")
    shares = [value / most for value in values]
    stakes = _stakes(shares, 1 - confidence)
    low, high = (sum(shares) / len(shares) if shares else 1.0), 1.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        if _greatest_log_wealth(shares, stakes, middle) >= -math.log(1 - confidence):  # too rich to be chance
            high = middle
        else:
            low = middle
    return high * most


def mean_is_below(limit: float, values: Sequence[float], within: tuple[float, float], confidence: float) -> bool:
    """Whether the mean that independent values come from is below `limit`, with this confidence: the same bet, once.

    `within`: the least and the most that a value can be. One test of one limit costs a twentieth of the bound.

    Raises:
        BadRequest: `invalid_risk` for a confidence that is not strictly between 0 and 1, or values outside the range.
    """
    low, high = within
    if not 0 < confidence < 1:
        problem = f"confidence is {confidence!r}; expected a number between 0 and 1"
        raise BadRequest(problem, code="invalid_risk", param="confidence")
    if any(not low <= value <= high for value in values):
        raise BadRequest(f"values must be from {low:g} to {high:g}", code="invalid_risk")
    mean = (limit - low) / (high - low)
    if not 0 < mean < 1:
        return mean >= 1
    shares = [(value - low) / (high - low) for value in values]
    return _greatest_log_wealth(shares, _stakes(shares, 1 - confidence), mean) >= -math.log(1 - confidence)


def shuffled(values: Sequence[float]) -> list[float]:
    """The values in an order of chance, always the same: bets are on independent values, and tables are often sorted.

    Where its first half loses nothing, a bet in its own order is won before the second half is seen.
    """
    found = list(values)
    random.Random(0).shuffle(found)  # noqa: S311  an order, no secret
    return found


def mean_interval(values: Sequence[float], low: float, high: float, confidence: float) -> tuple[float, float]:
    """Between which numbers the mean is, from independent values between `low` and `high`: `mean_upper_bound` twice.

    Each end is passed with half of 1 - confidence. Never narrower than the sample allows: fifty values of 1 do not
    prove a mean of 1. `(low, high)` where there are no values.

    Raises:
        BadRequest: as `mean_upper_bound`.
    """
    side = 1 - (1 - confidence) / 2
    most = high - low
    above = mean_upper_bound([value - low for value in values], most, side)
    below = mean_upper_bound([high - value for value in values], most, side)
    return high - below, low + above


def _stakes(shares: Sequence[float], error: float) -> list[float]:
    """What is staked on each share, from those before it alone: the predictable plug-in of the paper."""
    stakes, total, squares = [], 0.0, _FIRST_SPREAD
    for number in range(1, len(shares) + 1):
        spread = squares / number
        stakes.append(math.sqrt(2 * math.log(1 / error) / (spread * len(shares))))
        share = shares[number - 1]
        total += share
        squares += (share - total / (number + 1)) ** 2
    return stakes


def _greatest_log_wealth(shares: Sequence[float], stakes: Sequence[float], mean: float) -> float:
    """Of bets that the shares' mean is below `mean`, at any time; no stake risks more than `_MOST_STAKED`."""
    wealth = greatest = 0.0
    for share, stake in zip(shares, stakes, strict=True):
        wealth += math.log1p(-min(stake, _MOST_STAKED / (1 - mean)) * (share - mean))
        greatest = max(greatest, wealth)
    return greatest
