"""Credit card numbers: the Luhn check and the brand by prefix."""


def luhn_valid(number: str) -> bool:
    """Say whether a card number, spaces and dashes allowed, passes the Luhn check.

    >>> luhn_valid("4539 1488 0343 6467")
    True
    >>> luhn_valid("8273-1232-7352-0569")
    False
    >>> luhn_valid("12a4")
    Traceback (most recent call last):
    ...
    ValueError: not a card number: '12a4'
    """
    digits = number.replace(" ", "").replace("-", "")
    if len(digits) < 2 or not digits.isdigit():
        raise ValueError(f"not a card number: {number!r}")
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit)
        if position % 2 == 1:
            value *= 2
            if value > 9:
                value -= 9
        total += value
    return total % 10 == 0


def card_brand(number: str) -> str:
    """Name the brand of a card number by its first digits and its length.

    >>> card_brand("4539148803436467")
    'visa'
    >>> card_brand("3714 496353 98431")
    'amex'
    >>> card_brand("99")
    'unknown'
    """
    digits = "".join(c for c in number if c not in " -")
    if digits.startswith(("34", "37")) and len(digits) == 15:
        return "amex"
    if digits.startswith("4") and len(digits) in (13, 16, 19):
        return "visa"
    if len(digits) == 16 and digits[:2] in ("51", "52", "53", "54", "55"):
        return "mastercard"
    if len(digits) == 16 and (digits.startswith("6011") or digits[:2] == "65"):
        return "discover"
    return "unknown"
