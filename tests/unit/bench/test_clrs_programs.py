"""The programs of `examples/clrs`: each compiles, does what CPython does, and what a short independent oracle says."""

import copy
import doctest
import math
import types
from bisect import bisect_left
from collections.abc import Callable
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pointsman.bench.clrs import TASKS
from pointsman.program import Table, compile_table

FOLDER = Path(__file__).parents[3] / "examples" / "clrs"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))
SORTS = ["bubble_sort", "heapsort", "insertion_sort", "quicksort"]
MATCHERS = ["kmp_matcher", "naive_string_matcher"]
HULLS = ["graham_scan", "jarvis_march"]
SHORTEST = ["bellman_ford", "dijkstra"]

some = settings(max_examples=40, deadline=None)
values = st.integers(-5, 5).map(float)  # whole, so that sums are exact in any order
unweighted = st.just(1)
items = st.lists(values, min_size=1, max_size=9)

Matrix = list[list[Any]]


@cache
def table(name: str) -> Table:
    path = FOLDER / f"{name}.py"
    return compile_table(path.read_text(), str(path), name).table


@cache
def plain(name: str) -> types.ModuleType:
    module = types.ModuleType(name)
    exec((FOLDER / f"{name}.py").read_text(), vars(module))
    return module


def run(name: str, *arguments: Any) -> Any:
    """The compiled program's answer, which CPython on the source agrees with; so do the arguments afterwards."""
    ways: list[Callable[..., Any]] = [getattr(plain(name), name), table(name), lambda *a: table(name).run(*a).value]
    given = [copy.deepcopy(arguments) for _ in ways]
    found = [(way(*args), args) for way, args in zip(ways, given, strict=True)]
    assert repr(found[1]) == repr(found[0])
    assert repr(found[2]) == repr(found[0])
    return found[1][0]


@st.composite
def graphs(draw: Any, weights: Any = unweighted, edges: str = "both") -> Matrix:
    """A matrix of up to six vertices without loops; `edges`: both (undirected), any, or down (without cycles)."""
    size = draw(st.integers(1, 6))
    matrix = [[0] * size for _ in range(size)]
    for u in range(size):
        for v in range(u) if edges != "any" else range(size):
            matrix[u][v] = draw(st.just(0) | weights) if u != v else 0
            if edges == "both":
                matrix[v][u] = matrix[u][v]
    order = draw(st.permutations(range(size)))
    return [[matrix[u][v] for v in order] for u in order]


weighted = graphs(st.integers(1, 9))


def lengths(matrix: Matrix, source: int) -> dict[int, int]:
    """Lengths of shortest paths, by relaxing every edge once for each vertex."""
    found = {source: 0}
    for _ in matrix:
        for u, row in enumerate(matrix):
            for v, weight in enumerate(row):
                if weight and u in found:
                    found[v] = min(found.get(v, math.inf), found[u] + weight)
    return found


def components(matrix: Matrix) -> set[frozenset[int]]:
    """The vertices that can be reached from one another, both ways."""
    reached = [set(lengths(matrix, u)) for u in range(len(matrix))]
    return {frozenset(v for v in row if u in reached[v]) for u, row in enumerate(reached)}


def check_paths(matrix: Matrix, source: int, predecessors: list[int]) -> None:
    expected = lengths(matrix, source)
    for v, u in enumerate(predecessors):
        if v == source or v not in expected:
            assert u == v
        else:
            assert matrix[u][v]
            assert expected[u] + matrix[u][v] == expected[v]


# -- every program -----------------------------------------------------------------------------------------------------


def test_every_task_has_a_program() -> None:
    assert sorted(TASKS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_it_compiles_whole(name: str) -> None:
    program = table(name).program
    assert program.opaque == ()
    assert program.entry == name


@pytest.mark.parametrize("name", NAMES)
def test_its_doctests(name: str) -> None:
    module = plain(name)
    found = doctest.DocTestFinder().find(getattr(module, name), globs=vars(module))
    results = [doctest.DocTestRunner().run(one) for one in found]
    assert sum(one.attempted for one in results) > 0
    assert sum(one.failed for one in results) == 0


PATH = [[0, 1, 0], [1, 0, 1], [0, 1, 0]]
DIAMOND = [[0, 1, 1, 0], [1, 0, 0, 1], [1, 0, 0, 1], [0, 1, 1, 0]]
CROSSING = [
    [0, 1, 1, 0, 0, 0],
    [1, 0, 0, 0, 1, 0],
    [1, 0, 0, 1, 0, 0],
    [0, 0, 1, 0, 0, 1],
    [0, 1, 0, 0, 0, 1],
    [0, 0, 0, 1, 1, 0],
]
EQUAL = [[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]]
TRIANGLE = [[0.0, 0.9, 0.2], [0.9, 0.0, 0.3], [0.2, 0.3, 0.0]]


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("activity_selector", ([1.0, 3.0, 0.0, 5.0, 8.0], [2.0, 4.0, 6.0, 7.0, 9.0]), [1, 1, 0, 1, 1]),
        ("activity_selector", ([0.5, 0.1], [0.9, 0.5]), [1, 1]),
        ("articulation_points", (PATH,), [0, 1, 0]),
        ("articulation_points", ([[0, 1, 1], [1, 0, 1], [1, 1, 0]],), [0, 0, 0]),
        ("bellman_ford", (1, TRIANGLE), [2, 1, 1]),
        ("bellman_ford", (0, [[0.5, 0.0], [0.0, 0.0]]), [0, 1]),
        ("bellman_ford", (0, DIAMOND), [0, 0, 0, 1]),
        ("bfs", (0, DIAMOND), [0, 0, 0, 1]),
        ("bfs", (3, DIAMOND), [1, 3, 3, 3]),
        ("bfs", (0, CROSSING), [0, 0, 0, 2, 1, 3]),
        ("binary_search", ([0.1, 0.2, 0.2, 0.3], 0.2), 1),
        ("binary_search", ([0.1], 0.9), 0),
        ("bridges", (PATH,), [[0, 1, -1], [1, 0, 1], [-1, 1, 0]]),
        ("bridges", ([[1, 1, 1], [1, 0, 1], [1, 1, 0]],), [[0, 0, 0], [0, 0, 0], [0, 0, 0]]),
        ("dag_shortest_paths", (1, [[0.0, 0.0], [0.3, 0.0]]), [1, 1]),
        ("dag_shortest_paths", (0, [[0.0, 0.0], [0.3, 0.0]]), [0, 1]),
        ("dfs", ([[0, 0, 1, 0], [0, 0, 1, 1], [1, 1, 0, 1], [0, 1, 1, 0]],), [0, 2, 0, 1]),
        ("dfs", ([[0, 0], [1, 0]],), [0, 1]),
        ("dijkstra", (1, TRIANGLE), [2, 1, 1]),
        ("dijkstra", (0, DIAMOND), [0, 0, 0, 1]),
        ("dijkstra", (0, [[0.5, 0.0], [0.0, 0.0]]), [0, 1]),
        ("find_maximum_subarray_kadane", ([-0.3, -0.1, -0.2],), (1, 1)),
        ("find_maximum_subarray_kadane", ([0.0, 0.5, -0.6, 0.5],), (0, 1)),
        ("floyd_warshall", ([[0.0, 0.1, 0.0], [0.0, 0.0, 0.2], [0.0, 0.0, 0.0]],), [[0, 0, 1], [1, 1, 1], [2, 2, 2]]),
        ("floyd_warshall", ([[0.9, 0.1], [0.1, 0.0]],), [[1, 0], [1, 1]]),
        ("graham_scan", ([0.0, 2.0, 1.0, 1.0], [0.0, 0.0, 2.0, 1.0]), [1, 1, 1, 0]),
        ("jarvis_march", ([0.0, 2.0, 1.0, 1.0], [0.0, 0.0, 2.0, 1.0]), [1, 1, 1, 0]),
        ("kmp_matcher", ([0, 0, 0, 0, 0, 1, 1, 1], [1, 1, 1, 2, 0, 1, 1, 2]), 1),
        ("kmp_matcher", ([0, 0, 1], [3, 2, 1]), 2),
        ("lcs_length", ([0, 0, 1, 1], [1, 2, 2, 1]), [[-1, -1, 1, 0], [-1, -1, 0, 1], [-1] * 4, [-1] * 4]),
        ("lcs_length", ([0, 1], [1, 2]), [[-1, 1], [-1, -1]]),
        ("matrix_chain_order", ([1.0, 2.0, 1.0, 2.0],), [[0, 0, 0, 0], [0, 0, 1, 2], [0, 0, 0, 2], [0, 0, 0, 0]]),
        ("matrix_chain_order", ([1.0, 2.0],), [[0, 0], [0, 0]]),
        ("minimum", ([0.3, 0.1, 0.1],), 1),
        ("mst_kruskal", ([[0.0, 0.5], [0.5, 0.0]],), [[0, 1], [1, 0]]),
        ("mst_kruskal", (EQUAL,), [[0, 1, 1], [1, 0, 0], [1, 0, 0]]),
        ("mst_kruskal", (TRIANGLE,), [[0, 0, 1], [0, 0, 1], [1, 1, 0]]),
        ("mst_prim", (1, TRIANGLE), [2, 1, 1]),
        ("mst_prim", (0, EQUAL), [0, 0, 0]),
        ("mst_prim", (0, [[0.5, 0.0], [0.0, 0.0]]), [0, 1]),
        ("naive_string_matcher", ([0, 0, 0, 0, 1, 1], [0, 0, 1, 1, 0, 1]), 1),
        ("naive_string_matcher", ([0, 1, 1], [3, 3, 3]), 1),
        ("optimal_bst", ([0.1, 0.5, 0.0], [0.1, 0.1, 0.2]), [[0, 0, 1], [0, 0, 1], [0, 0, 0]]),
        ("optimal_bst", ([0.5, 0.1, 0.0], [0.2, 0.1, 0.1]), [[0, 0, 0], [0, 0, 1], [0, 0, 0]]),
        ("quickselect", ([0.4, 0.1, 0.3, 0.2],), 2),
        ("strongly_connected_components", ([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]],), [0, 1, 1]),
        ("strongly_connected_components", ([[0.0, 0.0], [1.0, 0.0]],), [0, 1]),
        ("task_scheduling", ([3, 3, 2, 1, 3], [0.1, 0.2, 0.3, 0.4, 0.5]), [0, 1, 1, 0, 1]),
        ("task_scheduling", ([2, 1, 3, 2], [0.4, 0.3, 0.2, 0.1]), [1, 0, 1, 0]),
        ("topological_sort", ([[0, 1], [0, 0]],), ([1, 1], 0)),
        ("topological_sort", ([[0, 0], [0, 0]],), ([0, 0], 1)),
    ],
)  # fmt: skip
def test_small_cases(name: str, arguments: tuple[Any, ...], expected: Any) -> None:
    assert run(name, *arguments) == expected


# -- sorting, searching, strings ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SORTS)
@some
@given(items=st.lists(values, max_size=9))
def test_sorts(name: str, items: list[float]) -> None:
    assert run(name, items) == sorted(items)


@some
@given(items)
def test_minimum(items: list[float]) -> None:
    assert run("minimum", items) == items.index(min(items))


@some
@given(items.map(sorted), values)
def test_binary_search(items: list[float], target: float) -> None:
    assert run("binary_search", items, target) == min(bisect_left(items, target), len(items) - 1)


@some
@given(items)
def test_quickselect(items: list[float]) -> None:
    assert items[run("quickselect", items)] == sorted(items)[len(items) // 2]


@some
@given(items)
def test_kadane(items: list[float]) -> None:
    start, end = run("find_maximum_subarray_kadane", items)
    assert sum(items[start : end + 1]) == max(sum(items[i : j + 1]) for j in range(len(items)) for i in range(j + 1))


@pytest.mark.parametrize("name", MATCHERS)
@some
@given(text=st.lists(st.integers(0, 1), max_size=9), pattern=st.lists(st.integers(0, 1), min_size=1, max_size=4))
def test_matchers(name: str, text: list[int], pattern: list[int]) -> None:
    found = bytes(text).find(bytes(pattern))
    which = [0] * len(text) + [1] * len(pattern)
    assert run(name, which, text + pattern) == (found if found >= 0 else len(text))


# -- dynamic programming and greedy choices ----------------------------------------------------------------------------


def common_length(first: list[int], second: list[int]) -> int:
    if not first or not second:
        return 0
    if first[-1] == second[-1]:
        return common_length(first[:-1], second[:-1]) + 1
    return max(common_length(first[:-1], second), common_length(first, second[:-1]))


@some
@given(st.lists(st.integers(0, 2), min_size=1, max_size=5), st.lists(st.integers(0, 2), min_size=1, max_size=5))
def test_the_way_back_is_a_longest_common_subsequence(first: list[int], second: list[int]) -> None:
    came_from = run("lcs_length", [0] * len(first) + [1] * len(second), first + second)
    i, j, length = len(first) - 1, len(second) - 1, 0
    while i >= 0 and j >= 0:
        step = came_from[i][len(first) + j]
        length += step == 0
        i, j = i - (step != 2), j - (step != 1)
    assert length == common_length(first, second)


@some
@given(st.lists(st.integers(1, 9).map(float), min_size=2, max_size=6))
def test_the_splits_are_the_cheapest(sizes: list[float]) -> None:
    splits = run("matrix_chain_order", sizes)

    def cost(i: int, j: int, cuts: Callable[[int, int], Any]) -> float:
        if i == j:
            return 0.0
        return min(cost(i, k, cuts) + cost(k + 1, j, cuts) + sizes[i - 1] * sizes[k] * sizes[j] for k in cuts(i, j))

    last = len(sizes) - 1
    assert cost(1, last, lambda i, j: [splits[i][j]]) == cost(1, last, range)


@some
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=5))
def test_the_tree_is_the_cheapest(chances: list[tuple[int, int]]) -> None:
    hits, misses = [float(hit) for hit, _ in chances], [float(miss) for _, miss in chances]
    hits[-1] = 0.0
    roots = run("optimal_bst", hits, misses)

    def cost(i: int, j: int, tops: Callable[[int, int], Any]) -> float:
        if i == j:
            return misses[i]
        whole = sum(hits[i:j]) + sum(misses[i : j + 1])
        return min(cost(i, k, tops) + cost(k + 1, j, tops) + whole for k in tops(i, j))

    last = len(misses) - 1
    assert cost(0, last, lambda i, j: [roots[i][j]]) == cost(0, last, range)


@some
@given(st.lists(st.tuples(values, st.integers(1, 4)), min_size=1, max_size=6))
def test_no_other_choice_has_more_activities(spans: list[tuple[float, int]]) -> None:
    ends = [(start, start + length) for start, length in spans]
    selected = run("activity_selector", [start for start, _ in ends], [end for _, end in ends])

    def fits(chosen: Any) -> bool:
        return all(a[1] <= b[0] for a, b in pairwise(sorted(chosen)))

    assert fits([one for one, taken in zip(ends, selected, strict=True) if taken])
    most = max(n for n in range(len(ends) + 1) if any(map(fits, combinations(ends, n))))
    assert sum(selected) == most


@some
@given(st.lists(st.integers(1, 8), min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_the_heaviest_task_is_next(deadlines: list[int], random: Any) -> None:
    weights = [i / 100 for i in range(len(deadlines))]
    random.shuffle(weights)
    selected = [0] * len(deadlines)
    for weight in sorted(weights, reverse=True):
        i = weights.index(weight)
        selected[i] = int(sum(selected) < deadlines[i])
    assert run("task_scheduling", deadlines, weights) == selected


def test_equal_weights_stay_where_a_bitonic_network_leaves_them() -> None:
    # its exchanges of 0 with 3 and of 1 with 2 turn four tasks around; a stable sort begins with 2, then 3
    assert run("task_scheduling", [3, 4, 2, 1], [0.1, 0.1, 0.2, 0.2]) == [0, 1, 1, 1]


# -- graphs and geometry -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHORTEST)
@some
@given(matrix=graphs(st.integers(1, 9), "any"))
def test_shortest_paths(name: str, matrix: Matrix) -> None:
    check_paths(matrix, 0, run(name, 0, matrix))


@some
@given(graphs(st.integers(1, 9), "down"))
def test_shortest_paths_without_cycles(matrix: Matrix) -> None:
    check_paths(matrix, 0, run("dag_shortest_paths", 0, matrix))


@some
@given(graphs(st.integers(1, 9), "any"))
def test_shortest_paths_of_all_pairs(matrix: Matrix) -> None:
    for source, row in enumerate(run("floyd_warshall", matrix)):
        unreached = set(range(len(matrix))) - set(lengths(matrix, source))
        assert {row[v] for v in unreached} <= {source}
        check_paths(matrix, source, [v if v in unreached else u for v, u in enumerate(row)])


@some
@given(graphs(edges="any"))
def test_breadth_first_paths_have_fewest_edges(matrix: Matrix) -> None:
    check_paths(matrix, 0, run("bfs", 0, matrix))


@some
@given(graphs(edges="any"))
def test_depth_first_trees(matrix: Matrix) -> None:
    predecessors = run("dfs", matrix)
    assert all(matrix[u][v] for v, u in enumerate(predecessors) if u != v)
    roots = [v for v, u in enumerate(predecessors) if u == v]
    firsts = [v for v in range(len(matrix)) if not any(v in lengths(matrix, u) for u in range(v))]
    assert roots == firsts


@some
@given(graphs(edges="down"))
def test_topological_order(matrix: Matrix) -> None:
    followers, first = run("topological_sort", matrix)
    order = [first]
    while followers[order[-1]] != order[-1]:
        order.append(followers[order[-1]])
    assert sorted(order) == list(range(len(matrix)))
    assert not any(matrix[v][u] for u, v in combinations(order, 2))


@some
@given(graphs(st.just(1.0), "any"))
def test_strong_components(matrix: Matrix) -> None:
    found = run("strongly_connected_components", matrix)
    classes = {frozenset(v for v, name in enumerate(found) if name == one) for one in found}
    assert classes == components(matrix)
    assert all(found[one] == one for one in found)


@some
@given(graphs())
def test_cuts_are_what_divides_a_graph(matrix: Matrix) -> None:
    vertices, whole = range(len(matrix)), len(components(matrix))
    without = [[[matrix[u][v] for v in vertices if v != cut] for u in vertices if u != cut] for cut in vertices]
    assert run("articulation_points", matrix) == [int(len(components(rest)) > whole) for rest in without]
    is_bridge = run("bridges", matrix)
    for a in vertices:
        for b in vertices:
            rest = [[0 if {u, v} == {a, b} else matrix[u][v] for v in vertices] for u in vertices]
            expected = int(len(components(rest)) > whole) if a == b or matrix[a][b] else -1
            assert is_bridge[a][b] == expected


@some
@given(weighted)
def test_spanning_trees(matrix: Matrix) -> None:
    vertices = range(len(matrix))
    in_tree = run("mst_kruskal", matrix)
    assert all(in_tree[u][v] == in_tree[v][u] <= bool(matrix[u][v]) for u in vertices for v in vertices)
    assert components(in_tree) == components(matrix)
    assert sum(map(sum, in_tree)) == 2 * (len(matrix) - len(components(matrix)))
    parents = run("mst_prim", 0, matrix)
    reached = lengths(matrix, 0)
    assert [v for v in vertices if parents[v] != v] == sorted(set(reached) - {0})
    weight = sum(matrix[u][v] * in_tree[u][v] for u in reached for v in reached)
    assert 2 * sum(matrix[parents[v]][v] for v in reached) == weight


@pytest.mark.parametrize("name", HULLS)
@some
@given(points=st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=3, max_size=7, unique=True))
def test_corners_begin_an_edge_with_all_points_on_one_side(name: str, points: list[tuple[int, int]]) -> None:
    def side(a: tuple[int, int], b: tuple[int, int], c: tuple[int, int]) -> int:
        return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])

    assume(all(side(*three) for three in combinations(points, 3)))
    expected = [
        int(any(all(side(a, b, c) > 0 for c in points if c not in (a, b)) for b in points if b != a)) for a in points
    ]
    assert run(name, [float(x) for x, _ in points], [float(y) for _, y in points]) == expected
