"""Quickselect: the median of a list, by partitions around the last item."""


def quickselect(items: list[float]) -> int:
    """Return the index of the median, the upper one of two.

    >>> quickselect([0.5, 0.1, 0.4])
    2
    >>> quickselect([0.5, 0.1, 0.4, 0.2])
    2
    """
    order = list(range(len(items)))
    wanted = len(items) // 2
    low, high = 0, len(items) - 1
    while low < high:
        pivot = _partition(items, order, low, high)
        if pivot == wanted:
            break
        if pivot < wanted:
            low = pivot + 1
        else:
            high = pivot - 1
    return order[wanted]


def _partition(items: list[float], order: list[int], low: int, high: int) -> int:
    """Bring what is not greater than the last item before it, and return that item's place."""
    pivot = low
    for i in range(low, high):
        if items[order[i]] <= items[order[high]]:
            order[i], order[pivot] = order[pivot], order[i]
            pivot += 1
    order[pivot], order[high] = order[high], order[pivot]
    return pivot
