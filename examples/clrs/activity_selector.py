"""Most activities that do not overlap: the one that finishes first, then the next that starts after it, and so on."""

from math import inf


def activity_selector(starts: list[float], finishes: list[float]) -> list[int]:
    """Return 1 for each activity that is selected; one may start when another finishes.

    >>> activity_selector([1.0, 0.0, 2.0], [2.0, 3.0, 4.0])
    [1, 0, 1]
    """
    selected = [0] * len(starts)
    free = -inf
    for i in sorted(range(len(starts)), key=lambda i: finishes[i]):
        if starts[i] >= free:
            selected[i] = 1
            free = finishes[i]
    return selected
