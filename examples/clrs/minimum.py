"""The least item of a list, by one pass."""


def minimum(items: list[float]) -> int:
    """Return the index of the least item, the first of several; items must not be empty.

    >>> minimum([0.5, 0.1, 0.4])
    1
    """
    least = 0
    for i in range(1, len(items)):
        if items[i] < items[least]:
            least = i
    return least
