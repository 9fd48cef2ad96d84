"""The vertices of an undirected graph whose removal cuts it, by depth-first search."""


def articulation_points(adjacency: list[list[int]]) -> list[int]:
    """Return 1 for each vertex without which others are no longer connected.

    >>> articulation_points([[0, 1, 0], [1, 0, 1], [0, 1, 0]])
    [0, 1, 0]
    """
    is_cut = [0] * len(adjacency)
    entered: dict[int, int] = {}
    low: dict[int, int] = {}
    for root in range(len(adjacency)):
        if root not in entered:
            _visit(root, root, adjacency, entered, low, is_cut)
    return is_cut


def _visit(
    u: int, parent: int, adjacency: list[list[int]], entered: dict[int, int], low: dict[int, int], is_cut: list[int]
) -> None:
    """Enter the tree below u; low is the earliest vertex that a subtree reaches by one edge that is not of the tree."""
    entered[u] = low[u] = len(entered)
    num_children = 0
    for v, is_edge in enumerate(adjacency[u]):
        if not is_edge or v == parent:
            continue
        if v in entered:
            low[u] = min(low[u], entered[v])
            continue
        num_children += 1
        _visit(v, u, adjacency, entered, low, is_cut)
        low[u] = min(low[u], low[v])
        if u != parent and low[v] >= entered[u]:
            is_cut[u] = 1
    if u == parent and num_children > 1:
        is_cut[u] = 1
