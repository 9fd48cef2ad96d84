"""Heapsort: a heap with the greatest item at its root, which goes to the end again and again."""


def heapsort(items: list[float]) -> list[float]:
    """Sort items in place and return the same list.

    >>> heapsort([0.5, 0.1, 0.4])
    [0.1, 0.4, 0.5]
    """
    for root in range(len(items) // 2 - 1, -1, -1):
        _sift_down(items, root, len(items))
    for end in range(len(items) - 1, 0, -1):
        items[0], items[end] = items[end], items[0]
        _sift_down(items, 0, end)
    return items


def _sift_down(items: list[float], root: int, end: int) -> None:
    """Let the item at root sink until none below it, and before end, is greater."""
    while 2 * root + 1 < end:
        child = 2 * root + 1
        if child + 1 < end and items[child + 1] > items[child]:
            child += 1
        if items[root] >= items[child]:
            return
        items[root], items[child] = items[child], items[root]
        root = child
