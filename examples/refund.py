"""Refund policy of a shop: days since delivery, opened or not, amount in cents."""


def refund(days: int, opened: bool, amount: int) -> str:
    """Decide what happens to a refund request.

    >>> refund(3, False, 4_999)
    'full refund'
    >>> refund(3, True, 4_999)
    'refund minus 15%'
    >>> refund(45, False, 120_000)
    'manager review'
    >>> refund(400, True, 1)
    'rejected'
    >>> refund(-1, False, 100)
    Traceback (most recent call last):
    ...
    ValueError: days must not be negative, got -1
    """
    if days < 0:
        raise ValueError(f"days must not be negative, got {days}")
    if amount < 0:
        raise ValueError(f"amount must not be negative, got {amount}")
    if amount == 0:
        return "nothing to refund"
    if amount < 500 and days <= 90:
        return "refund without return"
    if days <= 14 and not opened:
        return "full refund"
    if days <= 14 and amount <= 50_000:
        return "refund minus 15%"
    if days <= 14:
        return "inspection"
    if days <= 30 and not opened:
        return "refund minus shipping"
    if days <= 30 and amount < 20_000:
        return "store credit"
    if days <= 60 and amount >= 100_000:
        return "manager review"
    if days <= 60 and not opened:
        return "store credit"
    if days <= 365 and amount >= 250_000:
        return "manager review"
    return "rejected"
