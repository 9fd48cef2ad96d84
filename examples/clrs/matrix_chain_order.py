"""The cheapest order of a product of matrices, by dynamic programming."""


def matrix_chain_order(sizes: list[float]) -> list[list[int]]:
    """Return a matrix: in row i and column j > i after which matrix the product of matrices i to j is split.

    Matrix i has sizes[i - 1] rows and sizes[i] columns. Everything else is 0.

    >>> matrix_chain_order([0.1, 0.5, 0.2, 0.9])
    [[0, 0, 0, 0], [0, 0, 1, 2], [0, 0, 0, 2], [0, 0, 0, 0]]
    """
    size = len(sizes)
    splits = [[0] * size for _ in range(size)]
    costs = [[0.0] * size for _ in range(size)]
    for length in range(1, size - 1):
        for i in range(1, size - length):
            j = i + length
            for k in range(i, j):
                cost = costs[i][k] + costs[k + 1][j] + sizes[i - 1] * sizes[k] * sizes[j]
                if k == i or cost < costs[i][j]:
                    costs[i][j] = cost
                    splits[i][j] = k
    return splits
