"""Length of a Collatz sequence."""


def collatz_steps(n: int) -> int:
    """Return how many steps the 3n + 1 rule takes from n to 1.

    >>> collatz_steps(1)
    0
    >>> collatz_steps(27)
    111
    >>> collatz_steps(0)
    Traceback (most recent call last):
    ...
    ValueError: n must be positive, got 0
    """
    if n < 1:
        raise ValueError(f"n must be positive, got {n}")
    steps = 0
    while n != 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        steps += 1
    return steps
