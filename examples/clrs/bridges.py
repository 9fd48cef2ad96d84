"""The edges of an undirected graph whose removal cuts it, by depth-first search."""


def bridges(adjacency: list[list[int]]) -> list[list[int]]:
    """Return a matrix: 1 for a bridge, 0 for any other edge and on the diagonal, -1 where there is no edge.

    >>> bridges([[0, 1, 0], [1, 0, 0], [0, 0, 0]])
    [[0, 1, -1], [1, 0, -1], [-1, -1, 0]]
    """
    size = len(adjacency)
    is_bridge = [[0 if adjacency[u][v] or u == v else -1 for v in range(size)] for u in range(size)]
    entered: dict[int, int] = {}
    low: dict[int, int] = {}
    for root in range(size):
        if root not in entered:
            _visit(root, root, adjacency, entered, low, is_bridge)
    return is_bridge


def _visit(
    u: int,
    parent: int,
    adjacency: list[list[int]],
    entered: dict[int, int],
    low: dict[int, int],
    is_bridge: list[list[int]],
) -> None:
    """Enter the tree below u; low is the earliest vertex that a subtree reaches by one edge that is not of the tree."""
    entered[u] = low[u] = len(entered)
    for v, is_edge in enumerate(adjacency[u]):
        if not is_edge or v == parent:
            continue
        if v in entered:
            low[u] = min(low[u], entered[v])
            continue
        _visit(v, u, adjacency, entered, low, is_bridge)
        low[u] = min(low[u], low[v])
        if low[v] > entered[u]:
            is_bridge[u][v] = is_bridge[v][u] = 1
