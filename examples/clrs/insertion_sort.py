"""Insertion sort: each item sinks into the sorted part before it."""


def insertion_sort(items: list[float]) -> list[float]:
    """Sort items in place and return the same list.

    >>> insertion_sort([0.5, 0.1, 0.4])
    [0.1, 0.4, 0.5]
    """
    for end in range(1, len(items)):
        item = items[end]
        i = end
        while i > 0 and items[i - 1] > item:
            items[i] = items[i - 1]
            i -= 1
        items[i] = item
    return items
