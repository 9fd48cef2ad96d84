"""Factorial by recursion."""


def factorial(n: int) -> int:
    """Return the factorial of a number.

    Args:
        n: the number.

    >>> factorial(0)
    1
    >>> factorial(10)
    3628800
    >>> factorial(-1)
    Traceback (most recent call last):
    ...
    ValueError: factorial of a negative number
    """
    if n < 0:
        raise ValueError("factorial of a negative number")
    if n <= 1:
        return 1
    return n * factorial(n - 1)
