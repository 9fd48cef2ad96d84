"""The index of cuts finds what bisection finds."""

from bisect import bisect_right

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.program.compiler import compile_source
from pointsman.program.emit.search import MIN_CUTS, CutIndex, cut_index
from pointsman.program.link import link

CUTS = st.lists(st.integers(-(10**6), 10**6) | st.integers(-(2**70), 2**70), min_size=2, max_size=60, unique=True)


def find(index: CutIndex, x: int) -> int:
    """As emitted code does it."""
    if x < index.low:
        return 0
    if x >= index.high:
        return len(index.cuts)
    k = (x - index.low) >> index.shift
    return bisect_right(index.cuts, x, index.starts[k], index.starts[k + 1])


@given(CUTS, st.lists(st.integers(-(2**71), 2**71)))
def test_it_finds_what_bisection_finds(values: list[int], more: list[int]) -> None:
    cuts = tuple(sorted(values))
    index = cut_index(cuts)
    for x in (*cuts, *(c - 1 for c in cuts), *(c + 1 for c in cuts), *more):
        assert find(index, x) == bisect_right(cuts, x)
    assert len(index.starts) <= 4 * len(cuts) + 2


@pytest.mark.parametrize("step", [1, 3, 1_000, 2**60])
def test_a_large_table_uses_it(step: int) -> None:
    cuts = [i * step - 50 * step for i in range(MIN_CUTS + 20)]
    source = "def f(x: int) -> int:\n" + "".join(f"    if x < {c}: return {i}\n" for i, c in enumerate(cuts))
    linked = link(compile_source(source + "    return -1\n", "f"))
    assert "starts[" in linked.source
    for x in [*cuts, *(c - 1 for c in cuts), cuts[0] - 10**30, cuts[-1] + 10**30]:
        expected = bisect_right(cuts, x)
        assert linked.entry(x) == (expected if expected < len(cuts) else -1)
    assert linked.entry(True) == bisect_right(cuts, 1)
    assert linked.entry(cuts[3] + 0.5) == bisect_right(cuts, cuts[3] + 0.5)
