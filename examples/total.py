"""Sum of a list."""


def total(items: list[int]) -> int:
    """Return the sum of a list, 0 for none.

    Args:
        items: the list.

    >>> total([3, 4, 5])
    12
    >>> total([])
    0
    """
    result = 0
    for item in items:
        result += item
    return result
