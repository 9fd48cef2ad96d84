"""Kruskal's minimum spanning tree: the lightest edge that joins two trees, again and again."""


def mst_kruskal(weights: list[list[float]]) -> list[list[int]]:
    """Return a matrix with 1 for each edge of the tree, in both directions; a tree for each part of the graph.

    A weight of 0.0 is no edge.

    >>> mst_kruskal([[0.0, 0.9, 0.2], [0.9, 0.0, 0.3], [0.2, 0.3, 0.0]])
    [[0, 0, 1], [0, 0, 1], [1, 1, 0]]
    """
    size = len(weights)
    edges = [(weights[u][v], u, v) for u in range(size) for v in range(u + 1, size) if weights[u][v]]
    in_tree = [[0] * size for _ in range(size)]
    parents = list(range(size))
    for _, u, v in sorted(edges):
        u_root, v_root = _root(u, parents), _root(v, parents)
        if u_root != v_root:
            parents[u_root] = v_root
            in_tree[u][v] = in_tree[v][u] = 1
    return in_tree


def _root(u: int, parents: list[int]) -> int:
    while parents[u] != u:
        parents[u] = parents[parents[u]]
        u = parents[u]
    return u
