"""Dijkstra's shortest paths over a dictionary of dictionaries, with a heap."""

import heapq


def dijkstra(graph: dict[str, dict[str, int]], source: str) -> dict[str, int]:
    """Return the distance from source to every node that can be reached.

    >>> dijkstra({"a": {"b": 7, "c": 2}, "c": {"b": 3}, "b": {}}, "a")
    {'a': 0, 'c': 2, 'b': 5}
    >>> dijkstra({"a": {}}, "z")
    Traceback (most recent call last):
    ...
    ValueError: unknown source: 'z'
    """
    if source not in graph:
        raise ValueError(f"unknown source: {source!r}")
    distances: dict[str, int] = {}
    queue = [(0, source)]
    while queue:
        distance, node = heapq.heappop(queue)
        if node in distances:
            continue
        distances[node] = distance
        for neighbour, length in graph.get(node, {}).items():
            if length < 0:
                raise ValueError(f"negative edge from {node} to {neighbour}")
            if neighbour not in distances:
                heapq.heappush(queue, (distance + length, neighbour))
    return distances
