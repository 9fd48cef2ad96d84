"""Greatest common divisor by Euclid's loop."""


def gcd(a: int, b: int) -> int:
    """Return the greatest common divisor of two numbers, never negative.

    Args:
        a: the first number.
        b: the second number.

    >>> gcd(48, 36)
    12
    >>> gcd(-7, 0)
    7
    >>> gcd(0, 0)
    0
    """
    while b:
        a, b = b, a % b
    return abs(a)
