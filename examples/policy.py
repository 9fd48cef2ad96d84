"""Return policy with countries and memberships: a frozen dataclass in, an Enum out."""

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """What happens to the return."""

    APPROVE = "approve"
    APPROVE_NO_RETURN = "approve without return"
    CREDIT = "store credit"
    REVIEW = "manual review"
    REJECT = "reject"


@dataclass(frozen=True)
class Order:
    """The facts of one order that the policy looks at."""

    total_cents: int
    days_since_delivery: int
    final_sale: bool
    country: str
    membership: str


def return_window(order: Order) -> int:
    """Return the number of days in which the order may come back.

    >>> return_window(Order(100, 3, False, "DE", "gold"))
    90
    """
    match order.country, order.membership:
        case _, "platinum":
            return 120
        case _, "gold":
            return 90
        case (("DE" | "FR" | "NL" | "ES" | "IT"), "silver"):
            return 60
        case (("DE" | "FR" | "NL" | "ES" | "IT"), _):
            return 30
        case "US", "silver":
            return 45
        case _:
            return 21


def decide(order: Order) -> Verdict:
    """Apply the policy, first matching rule wins.

    >>> decide(Order(5_000, 10, False, "DE", "none"))
    <Verdict.APPROVE: 'approve'>
    >>> decide(Order(5_000, 40, False, "DE", "none")).value
    'store credit'
    >>> decide(Order(5_000, 40, True, "US", "gold")).value
    'reject'
    >>> decide(Order(5_000, -1, False, "US", "none"))
    Traceback (most recent call last):
    ...
    ValueError: delivered in the future: -1
    """
    if order.total_cents < 0:
        raise ValueError(f"negative total: {order.total_cents}")
    if order.days_since_delivery < 0:
        raise ValueError(f"delivered in the future: {order.days_since_delivery}")
    days = order.days_since_delivery
    window = return_window(order)
    match order:
        case Order(final_sale=True, country="DE" | "FR" | "NL" | "ES" | "IT") if days <= 14:
            # Distance sales in the EU can be withdrawn for 14 days, sale or not.
            return Verdict.APPROVE
        case Order(final_sale=True, membership="platinum") if days <= 7:
            return Verdict.CREDIT
        case Order(final_sale=True):
            return Verdict.REJECT
        case Order(total_cents=0):
            return Verdict.REJECT
        case Order(total_cents=total, membership="gold" | "platinum") if total <= 1_500 and days <= window:
            return Verdict.APPROVE_NO_RETURN
        case Order(total_cents=total) if total <= 500 and days <= window:
            return Verdict.APPROVE_NO_RETURN
        case Order(total_cents=total, membership="platinum") if total > 500_000:
            return Verdict.APPROVE if days <= 30 else Verdict.REVIEW
        case Order(total_cents=total) if total > 200_000:
            return Verdict.REVIEW
        case Order(country="US" | "CA") if days <= window:
            return Verdict.APPROVE
        case Order(country="DE" | "FR" | "NL" | "ES" | "IT") if days <= window:
            return Verdict.APPROVE
        case Order(country="GB", membership="none") if days <= 14:
            return Verdict.APPROVE
        case Order(country="GB") if days <= window:
            return Verdict.CREDIT
        case Order(total_cents=total) if days <= window and total <= 50_000:
            return Verdict.APPROVE
        case _ if days <= window:
            return Verdict.REVIEW
        case _ if days <= window + 14:
            return Verdict.CREDIT
        case Order(membership="gold" | "platinum") if days <= 365:
            return Verdict.REVIEW
        case _:
            return Verdict.REJECT
