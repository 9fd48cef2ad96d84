"""Jarvis's march around the convex hull of points in the plane."""


def jarvis_march(xs: list[float], ys: list[float]) -> list[int]:
    """Return 1 for each point that is a corner of the hull.

    >>> jarvis_march([0.0, 4.0, 4.0, 0.0, 1.0], [0.0, 0.0, 4.0, 4.0, 2.0])
    [1, 1, 1, 1, 0]
    """
    in_hull = [0] * len(xs)
    corner = min(range(len(xs)), key=lambda i: (xs[i], ys[i]))
    while not in_hull[corner]:
        in_hull[corner] = 1
        following = 0
        for i in range(1, len(xs)):
            if following == corner or _turns_left(xs, ys, corner, following, i):
                following = i
        corner = following
    return in_hull


def _turns_left(xs: list[float], ys: list[float], a: int, b: int, c: int) -> bool:
    return (xs[b] - xs[a]) * (ys[c] - ys[a]) - (ys[b] - ys[a]) * (xs[c] - xs[a]) > 0
