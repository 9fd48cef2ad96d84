"""Graham's scan for the convex hull of points in the plane."""

from math import atan2


def graham_scan(xs: list[float], ys: list[float]) -> list[int]:
    """Return 1 for each point that is a corner of the hull.

    >>> graham_scan([0.0, 4.0, 4.0, 0.0, 1.0], [0.0, 0.0, 4.0, 4.0, 2.0])
    [1, 1, 1, 1, 0]
    """
    points = range(len(xs))
    lowest = min(points, key=lambda i: (ys[i], xs[i]))
    rest = [i for i in points if i != lowest]
    rest.sort(key=lambda i: atan2(ys[i] - ys[lowest], xs[i] - xs[lowest]))
    hull = [lowest]
    for i in rest:
        while len(hull) > 1 and not _turns_left(xs, ys, hull[-2], hull[-1], i):
            hull.pop()
        hull.append(i)
    return [1 if i in hull else 0 for i in points]


def _turns_left(xs: list[float], ys: list[float], a: int, b: int, c: int) -> bool:
    return (xs[b] - xs[a]) * (ys[c] - ys[a]) - (ys[b] - ys[a]) * (xs[c] - xs[a]) > 0
