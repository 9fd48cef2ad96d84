"""Topological order of a directed graph without cycles, by depth-first search."""


def topological_sort(adjacency: list[list[int]]) -> tuple[list[int], int]:
    """Return the vertex that follows each one in the order (the last is followed by itself), and the first vertex.

    >>> topological_sort([[0, 0, 0], [1, 0, 1], [1, 0, 0]])
    ([0, 2, 0], 1)
    >>> topological_sort([[0, 1], [1, 0]])
    Traceback (most recent call last):
    ...
    ValueError: a cycle through 1 and 0
    """
    entered: set[int] = set()
    finished: list[int] = []
    for root in range(len(adjacency)):
        if root not in entered:
            _visit(root, adjacency, entered, finished)
    followers = list(range(len(adjacency)))
    for i in range(1, len(finished)):
        followers[finished[i]] = finished[i - 1]
    return followers, finished[-1]


def _visit(u: int, adjacency: list[list[int]], entered: set[int], finished: list[int]) -> None:
    """Append the vertices below u, then u itself."""
    entered.add(u)
    for v, is_edge in enumerate(adjacency[u]):
        if is_edge and v not in entered:
            _visit(v, adjacency, entered, finished)
        elif is_edge and v not in finished:
            raise ValueError(f"a cycle through {u} and {v}")
    finished.append(u)
