"""Integer power by repeated squaring."""


def power(base: int, exponent: int) -> int:
    """Return a number to a power.

    Args:
        base: the base.
        exponent: the exponent.

    >>> power(3, 13)
    1594323
    >>> power(-2, 3)
    -8
    >>> power(2, -1)
    Traceback (most recent call last):
    ...
    ValueError: negative exponent: -1
    """
    if exponent < 0:
        raise ValueError(f"negative exponent: {exponent}")
    result = 1
    while exponent > 0:
        if exponent % 2 == 1:
            result *= base
        base *= base
        exponent //= 2
    return result
