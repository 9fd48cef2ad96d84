"""Count how often a value occurs in a list."""


def count(items: list[int], value: int) -> int:
    """Return the number of items equal to value.

    >>> count([1, 2, 1, 3, 1], 1)
    3
    >>> count([], 1)
    0
    """
    total = 0
    for item in items:
        if item == value:
            total += 1
    return total
