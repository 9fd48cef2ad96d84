"""Dijkstra's shortest paths from one vertex, over a matrix of weights."""


def dijkstra(source: int, weights: list[list[float]]) -> list[int]:
    """Return each vertex's predecessor on a shortest path from source; itself where there is none.

    A weight of 0.0 is no edge; none is negative.

    >>> dijkstra(0, [[0.0, 0.9, 0.2], [0.9, 0.0, 0.3], [0.2, 0.3, 0.0]])
    [0, 2, 0]
    """
    predecessors = list(range(len(weights)))
    waiting = {source: 0.0}
    settled: set[int] = set()
    while waiting:
        u = min(waiting, key=lambda v: (waiting[v], v))
        distance = waiting.pop(u)
        settled.add(u)
        for v, weight in enumerate(weights[u]):
            if weight and v not in settled and (v not in waiting or distance + weight < waiting[v]):
                waiting[v] = distance + weight
                predecessors[v] = u
    return predecessors
