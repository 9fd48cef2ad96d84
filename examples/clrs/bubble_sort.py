"""Bubble sort, from the end: each pass brings the least of the rest to the front."""


def bubble_sort(items: list[float]) -> list[float]:
    """Sort items in place and return the same list.

    >>> bubble_sort([0.5, 0.1, 0.4])
    [0.1, 0.4, 0.5]
    """
    for first in range(len(items) - 1):
        for i in range(len(items) - 1, first, -1):
            if items[i] < items[i - 1]:
                items[i], items[i - 1] = items[i - 1], items[i]
    return items
