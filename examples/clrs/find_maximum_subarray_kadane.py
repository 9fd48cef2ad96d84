"""Kadane's search for the consecutive items with the greatest sum."""


def find_maximum_subarray_kadane(items: list[float]) -> tuple[int, int]:
    """Return the first and the last index of those items; items must not be empty.

    >>> find_maximum_subarray_kadane([-0.5, 0.4, -0.1, 0.3, -0.2])
    (1, 3)
    """
    best = total = items[0]
    best_span = (0, 0)
    start = 0
    for end in range(1, len(items)):
        if total >= 0:
            total += items[end]
        else:
            total = items[end]
            start = end
        if total > best:
            best = total
            best_span = (start, end)
    return best_span
