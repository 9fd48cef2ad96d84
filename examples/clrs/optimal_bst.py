"""The binary search tree with the least expected cost of a search, by dynamic programming."""


def optimal_bst(hits: list[float], misses: list[float]) -> list[list[int]]:
    """Return a matrix: in row i and column j > i the root of the best tree of keys i to j - 1; 0 elsewhere.

    hits[k] is the chance that key k is searched, misses[k] that something just before key k is. The last item of hits,
    which has one as many as misses, is padding.

    >>> optimal_bst([0.2, 0.3, 0.0], [0.1, 0.2, 0.2])
    [[0, 0, 1], [0, 0, 1], [0, 0, 0]]
    """
    size = len(misses)
    roots = [[0] * size for _ in range(size)]
    costs = [[misses[i] if i == j else 0.0 for j in range(size)] for i in range(size)]
    chances = [[misses[i] if i == j else 0.0 for j in range(size)] for i in range(size)]
    for length in range(1, size):
        for i in range(size - length):
            j = i + length
            chances[i][j] = chances[i][j - 1] + hits[j - 1] + misses[j]
            for root in range(i, j):
                cost = costs[i][root] + costs[root + 1][j] + chances[i][j]
                if root == i or cost < costs[i][j]:
                    costs[i][j] = cost
                    roots[i][j] = root
    return roots
