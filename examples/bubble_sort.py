"""Bubble sort, in place, stopping after a pass without a swap."""


def bubble_sort(items: list[int]) -> list[int]:
    """Return a list in order, the same one, sorted in place.

    Args:
        items: the list.

    >>> bubble_sort([5, 1, 4, 2, 8])
    [1, 2, 4, 5, 8]
    >>> numbers = [2, 1]
    >>> bubble_sort(numbers) is numbers
    True
    """
    for end in range(len(items) - 1, 0, -1):
        swapped = False
        for i in range(end):
            if items[i] > items[i + 1]:
                items[i], items[i + 1] = items[i + 1], items[i]
                swapped = True
        if not swapped:
            break
    return items
