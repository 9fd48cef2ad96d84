"""Merge two sorted lists into one."""


def merge_sorted(a: list[int], b: list[int]) -> list[int]:
    """Return two sorted lists merged into one; equal items of the first come first.

    Args:
        a: the first list.
        b: the second list.

    >>> merge_sorted([1, 4, 9], [2, 4, 8, 10])
    [1, 2, 4, 4, 8, 9, 10]
    >>> merge_sorted([], [1])
    [1]
    """
    merged = []
    i = j = 0
    while i < len(a) and j < len(b):
        if a[i] <= b[j]:
            merged.append(a[i])
            i += 1
        else:
            merged.append(b[j])
            j += 1
    merged.extend(a[i:])
    merged.extend(b[j:])
    return merged
