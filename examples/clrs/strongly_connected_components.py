"""Strongly connected components, by a depth-first search forwards and one backwards."""


def strongly_connected_components(adjacency: list[list[float]]) -> list[int]:
    """Return a vertex of its component for each vertex, the same for all of it: the one that finished last.

    >>> strongly_connected_components([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    [0, 0, 2]
    """
    size = len(adjacency)
    finished: list[int] = []
    entered: set[int] = set()
    for root in range(size):
        if root not in entered:
            _visit(root, adjacency, entered, finished)
    backwards = [[adjacency[u][v] for u in range(size)] for v in range(size)]
    components = [0] * size
    entered = set()
    for root in reversed(finished):
        if root not in entered:
            component: list[int] = []
            _visit(root, backwards, entered, component)
            for u in component:
                components[u] = root
    return components


def _visit(u: int, adjacency: list[list[float]], entered: set[int], finished: list[int]) -> None:
    entered.add(u)
    for v, is_edge in enumerate(adjacency[u]):
        if is_edge and v not in entered:
            _visit(v, adjacency, entered, finished)
    finished.append(u)
