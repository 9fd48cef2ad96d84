"""Bellman-Ford: shortest paths from one vertex, by rounds in which every edge is relaxed."""


def bellman_ford(source: int, weights: list[list[float]]) -> list[int]:
    """Return each vertex's predecessor on a shortest path from source; itself where there is none.

    A weight of 0.0 is no edge. A round goes on from the distances of the round before it.

    >>> bellman_ford(0, [[0.0, 0.9, 0.2], [0.9, 0.0, 0.3], [0.2, 0.3, 0.0]])
    [0, 2, 0]
    """
    predecessors = list(range(len(weights)))
    distances = {source: 0.0}
    for _ in range(len(weights) - 1):
        for u, distance in list(distances.items()):
            for v, weight in enumerate(weights[u]):
                if weight and (v not in distances or distance + weight < distances[v]):
                    distances[v] = distance + weight
                    predecessors[v] = u
    return predecessors
