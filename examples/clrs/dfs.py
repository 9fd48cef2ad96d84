"""Depth-first search of a whole graph."""


def dfs(adjacency: list[list[int]]) -> list[int]:
    """Return the vertex from which each one is entered; itself for the root of a tree.

    Vertices, and the neighbours of each, are tried in the order of their numbers.

    >>> dfs([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
    [0, 0, 1]
    """
    predecessors = list(range(len(adjacency)))
    entered: set[int] = set()
    for root in range(len(adjacency)):
        if root not in entered:
            _visit(root, adjacency, entered, predecessors)
    return predecessors


def _visit(u: int, adjacency: list[list[int]], entered: set[int], predecessors: list[int]) -> None:
    entered.add(u)
    for v, is_edge in enumerate(adjacency[u]):
        if is_edge and v not in entered:
            predecessors[v] = u
            _visit(v, adjacency, entered, predecessors)
