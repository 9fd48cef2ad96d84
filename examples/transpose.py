"""Transpose a rectangular matrix with nested loops."""


def transpose(matrix: list[list[int]]) -> list[list[int]]:
    """Return a new matrix whose rows are the columns of matrix.

    >>> transpose([[1, 2, 3], [4, 5, 6]])
    [[1, 4], [2, 5], [3, 6]]
    >>> transpose([])
    []
    >>> transpose([[1], [2, 3]])
    Traceback (most recent call last):
    ...
    ValueError: row 1 has 2 columns, expected 1
    """
    if not matrix:
        return []
    width = len(matrix[0])
    for i, row in enumerate(matrix):
        if len(row) != width:
            raise ValueError(f"row {i} has {len(row)} columns, expected {width}")
    result = [[0] * len(matrix) for _ in range(width)]
    for i in range(len(matrix)):
        for j in range(width):
            result[j][i] = matrix[i][j]
    return result
