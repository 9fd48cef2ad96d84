"""Reverse a list in place by swapping."""


def reverse(items: list[int]) -> list[int]:
    """Reverse items in place and return the same list.

    >>> reverse([1, 2, 3])
    [3, 2, 1]
    >>> numbers = [1, 2]
    >>> reverse(numbers) is numbers
    True
    """
    for i in range(len(items) // 2):
        j = len(items) - 1 - i
        items[i], items[j] = items[j], items[i]
    return items
