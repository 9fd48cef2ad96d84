"""Numbers for people: three digits, in the unit that people read, and an interval beside it."""

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
    """Three digits; whole numbers with commas from a thousand up."""
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"
