"""Count how often a value occurs in a list."""


def count(items: list[int], value: int) -> int:
    """Return how often a number occurs in a list.

    Args:
        items: the list.
        value: the number to count.

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
