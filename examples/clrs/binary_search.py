"""Binary search in a sorted list, by halving until one place is left."""


def binary_search(items: list[float], target: float) -> int:
    """Return the first index whose item is not below target; the last one where all are below.

    >>> binary_search([0.1, 0.4, 0.7], 0.5)
    2
    >>> binary_search([0.1, 0.4, 0.7], 0.9)
    2
    """
    low = 0
    high = len(items) - 1
    while low < high:
        middle = (low + high) // 2
        if target <= items[middle]:
            high = middle
        else:
            low = middle + 1
    return high
