"""Binary search in a sorted list."""


def binary_search(items: list[int], target: int) -> int:
    """Return where a number stands in a sorted list, or -1.

    Args:
        items: the list.
        target: the number to find.

    >>> binary_search([1, 3, 5, 7, 9], 7)
    3
    >>> binary_search([1, 3, 5, 7, 9], 4)
    -1
    >>> binary_search([], 4)
    -1
    """
    low = 0
    high = len(items) - 1
    while low <= high:
        middle = (low + high) // 2
        if items[middle] == target:
            return middle
        if items[middle] < target:
            low = middle + 1
        else:
            high = middle - 1
    return -1
