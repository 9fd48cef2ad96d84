"""Quicksort: partitions around the last item, in place."""


def quicksort(items: list[float]) -> list[float]:
    """Sort items in place and return the same list.

    >>> quicksort([0.5, 0.1, 0.4])
    [0.1, 0.4, 0.5]
    """
    _sort(items, 0, len(items) - 1)
    return items


def _sort(items: list[float], low: int, high: int) -> None:
    if low < high:
        pivot = _partition(items, low, high)
        _sort(items, low, pivot - 1)
        _sort(items, pivot + 1, high)


def _partition(items: list[float], low: int, high: int) -> int:
    """Bring what is not greater than the last item before it, and return that item's place."""
    pivot = low
    for i in range(low, high):
        if items[i] <= items[high]:
            items[i], items[pivot] = items[pivot], items[i]
            pivot += 1
    items[pivot], items[high] = items[high], items[pivot]
    return pivot
