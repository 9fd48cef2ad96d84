"""Prim's minimum spanning tree, from one vertex, over a matrix of weights."""


def mst_prim(root: int, weights: list[list[float]]) -> list[int]:
    """Return each vertex's parent in the tree; itself for the root and for what it does not reach.

    A weight of 0.0 is no edge.

    >>> mst_prim(0, [[0.0, 0.9, 0.2], [0.9, 0.0, 0.3], [0.2, 0.3, 0.0]])
    [0, 2, 0]
    """
    parents = list(range(len(weights)))
    waiting = {root: 0.0}
    joined: set[int] = set()
    while waiting:
        u = min(waiting, key=lambda v: (waiting[v], v))
        del waiting[u]
        joined.add(u)
        for v, weight in enumerate(weights[u]):
            if weight and v not in joined and (v not in waiting or weight < waiting[v]):
                waiting[v] = weight
                parents[v] = u
    return parents
