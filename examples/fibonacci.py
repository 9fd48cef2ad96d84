"""Fibonacci numbers by iteration."""


def fibonacci(n: int) -> int:
    """Return a Fibonacci number; the 0th is 0 and the 1st is 1.

    Args:
        n: the number. Which one of them.

    >>> [fibonacci(n) for n in range(10)]
    [0, 1, 1, 2, 3, 5, 8, 13, 21, 34]
    >>> fibonacci(-2)
    Traceback (most recent call last):
    ...
    ValueError: n must not be negative
    """
    if n < 0:
        raise ValueError("n must not be negative")
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a
