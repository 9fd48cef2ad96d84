"""Numbers for people: three digits, in the unit that people read, and an interval beside it."""

import math

from pointsman.core.entries import COST_KINDS
from pointsman.query.intervals import Estimate
from pointsman.query.targets import NANO


def in_unit(value: float, kind: str) -> float:
    """A cost in the unit of `COST_KINDS`: nano-dollars in USD, everything else as it is."""
    return value * NANO if kind == "nano_usd" else value


def amount(value: float, kind: str) -> str:
    """A cost with its unit: `0.0123 USD`."""
    return f"{short(in_unit(value, kind))} {COST_KINDS[kind]}"


def spread_amount(estimate: Estimate, kind: str) -> str:
    """`0.0123 USD (0.011 to 0.0136)`."""
    low, high = (short(in_unit(item, kind)) for item in (estimate.low, estimate.high))
    return f"{amount(estimate.value, kind)} ({low} to {high})"


def percent(value: float) -> str:
    """`97.3 %`."""
    return f"{100 * value:.1f} %"


def spread_percent(estimate: Estimate) -> str:
    """`97.3 % (95.0 to 99.1)`."""
    return f"{percent(estimate.value)} ({100 * estimate.low:.1f} to {100 * estimate.high:.1f})"


def short(value: float) -> str:
    """Three digits; whole numbers with commas from a thousand up, and no exponent down to a billionth."""
    if abs(value) >= 999.5:  # from here on three digits would have an exponent
        return f"{value:,.0f}"
    if 1e-9 <= abs(value) < 1e-4:
        return f"{value:.{2 - math.floor(math.log10(abs(value)))}f}"
    return f"{value:.3g}"


def brief(value: float) -> str:
    """Three digits and a prefix for a million (M), 10^9 (G) or 10^12 (T), where there is little room."""
    for size, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if abs(value) >= size:
            return f"{short(value / size)} {prefix}"
    return short(value)
