"""Breadth-first search from one vertex."""


def bfs(source: int, adjacency: list[list[int]]) -> list[int]:
    """Return the vertex from which each one is reached first, the lowest of several; itself where there is none.

    >>> bfs(2, [[0, 1, 1, 0], [1, 0, 1, 0], [1, 1, 0, 0], [0, 0, 0, 0]])
    [2, 2, 2, 3]
    """
    predecessors = list(range(len(adjacency)))
    reached = {source}
    level = [source]
    while level:
        following = []
        for u in sorted(level):
            for v, is_edge in enumerate(adjacency[u]):
                if is_edge and v not in reached:
                    reached.add(v)
                    predecessors[v] = u
                    following.append(v)
        level = following
    return predecessors
