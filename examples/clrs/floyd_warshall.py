"""Floyd and Warshall's shortest paths between all pairs of vertices."""


def floyd_warshall(weights: list[list[float]]) -> list[list[int]]:
    """Return a matrix: in row u and column v the predecessor of v on a shortest path from u; u where there is none.

    A weight of 0.0 is no edge, but it is the length of the way from a vertex to itself.

    >>> floyd_warshall([[0.0, 0.9, 0.2], [0.9, 0.0, 0.3], [0.2, 0.3, 0.0]])
    [[0, 2, 0], [2, 1, 1], [2, 2, 2]]
    """
    size = len(weights)
    predecessors = [[u] * size for u in range(size)]
    distances = [{v: w for v, w in enumerate(row) if w or u == v} for u, row in enumerate(weights)]
    for middle in range(size):
        for u in range(size):
            for v in range(size):
                if middle not in distances[u] or v not in distances[middle]:
                    continue
                length = distances[u][middle] + distances[middle][v]
                if v not in distances[u] or length < distances[u][v]:
                    distances[u][v] = length
                    predecessors[u][v] = predecessors[middle][v]
    return predecessors
