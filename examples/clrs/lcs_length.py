"""The longest common subsequence of two texts, by dynamic programming."""

DIAGONAL, UP, LEFT = 0, 1, 2


def lcs_length(string: list[int], symbols: list[int]) -> list[list[int]]:
    """Return where the length at each pair of places comes from: 0 both texts, 1 the row above, 2 the column before.

    The symbols whose string is 0 are the first text and give rows, those whose string is 1 are the second text and give
    columns. What is not a pair of the one and the other is -1.

    >>> lcs_length([0, 0, 1], [3, 1, 1])
    [[-1, -1, 1], [-1, -1, 0], [-1, -1, -1]]
    """
    size = len(symbols)
    rows = [i for i in range(size) if string[i] == 0]
    columns = [j for j in range(size) if string[j] == 1]
    came_from = [[-1] * size for _ in range(size)]
    above = [0] * (size + 1)
    for i in rows:
        lengths = [0] * (size + 1)
        for j in columns:
            if symbols[i] == symbols[j]:
                lengths[j + 1] = above[j] + 1
                came_from[i][j] = DIAGONAL
            elif above[j + 1] >= lengths[j]:
                lengths[j + 1] = above[j + 1]
                came_from[i][j] = UP
            else:
                lengths[j + 1] = lengths[j]
                came_from[i][j] = LEFT
        above = lengths
    return came_from
