"""Tasks of one step each with deadlines, the heaviest first: each is done next if that is still in time."""


def task_scheduling(deadlines: list[int], weights: list[float]) -> list[int]:
    """Return 1 for each task that is done. A light task never goes before a heavy one, even where both would fit.

    >>> task_scheduling([1, 1, 2], [0.3, 0.5, 0.1])
    [0, 1, 1]
    >>> task_scheduling([2, 1], [0.5, 0.3])
    [1, 0]
    """
    selected = [0] * len(deadlines)
    num_done = 0
    for i in _heaviest_first(weights):
        if num_done < deadlines[i]:
            selected[i] = 1
            num_done += 1
    return selected


def _heaviest_first(weights: list[float]) -> list[int]:
    """Return the indices, sorted by a bitonic network.

    It decides which of two equal weights is first. CLRS-Text leaves that to NumPy's argsort, which is such a network on
    processors with AVX-512; a stable sort gives another answer in 4 of its 900 cases.
    """
    order = list(range(len(weights)))
    block = 2
    while block < 2 * len(order):
        for i in range(len(order)):
            _exchange(weights, order, i, i ^ (block - 1))
        distance = block // 4
        while distance > 0:
            for i in range(len(order)):
                _exchange(weights, order, i, i ^ distance)
            distance //= 2
        block *= 2
    return order


def _exchange(weights: list[float], order: list[int], i: int, j: int) -> None:
    if i < j < len(order) and weights[order[i]] < weights[order[j]]:
        order[i], order[j] = order[j], order[i]
