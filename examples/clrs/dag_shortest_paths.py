"""Shortest paths from one vertex of a directed graph without cycles, in topological order."""


def dag_shortest_paths(source: int, weights: list[list[float]]) -> list[int]:
    """Return each vertex's predecessor on a shortest path from source; itself where there is none.

    A weight of 0.0 is no edge.

    >>> dag_shortest_paths(0, [[0.0, 0.9, 0.2], [0.0, 0.0, 0.0], [0.0, 0.3, 0.0]])
    [0, 2, 0]
    >>> dag_shortest_paths(0, [[0.0, 0.5], [0.5, 0.0]])
    Traceback (most recent call last):
    ...
    ValueError: a cycle through 1 and 0
    """
    finished: list[int] = []
    _visit(source, weights, set(), finished)
    predecessors = list(range(len(weights)))
    distances = {source: 0.0}
    for u in reversed(finished):
        for v, weight in enumerate(weights[u]):
            if weight and (v not in distances or distances[u] + weight < distances[v]):
                distances[v] = distances[u] + weight
                predecessors[v] = u
    return predecessors


def _visit(u: int, weights: list[list[float]], entered: set[int], finished: list[int]) -> None:
    """Append the vertices below u, then u itself."""
    entered.add(u)
    for v, weight in enumerate(weights[u]):
        if weight and v not in entered:
            _visit(v, weights, entered, finished)
        elif weight and v not in finished:
            raise ValueError(f"a cycle through {u} and {v}")
    finished.append(u)
