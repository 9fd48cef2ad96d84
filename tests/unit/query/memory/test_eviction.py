"""The shelf against a naive simulation, operation by operation, and its bytes after every step."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.core import BadRequest
from pointsman.query.memory.eviction import Shelf

OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 12), st.integers(1, 40), st.integers(0, 50)),
        st.tuples(st.just("touch"), st.integers(0, 12), st.just(0), st.just(0)),
        st.tuples(st.just("drop"), st.integers(0, 12), st.just(0), st.just(0)),
        st.tuples(st.just("resize"), st.integers(0, 150), st.just(0), st.just(0)),
    ),
    max_size=60,
)


class NaiveShelf:
    """A list that is searched for the least priority, the oldest of equal ones."""

    def __init__(self, capacity: int) -> None:
        self.capacity, self.age, self.rows = capacity, 0.0, []  # rows: entry, size, saved, uses, priority; oldest first

    def put(self, entry: int, size: int, saved: float) -> list[int]:
        self.drop(entry)
        self.rows.append([entry, size, saved, 1, self.age + saved / size])
        return self.give_up()

    def touch(self, entry: int) -> None:
        row = next(row for row in self.rows if row[0] == entry)
        self.rows.remove(row)
        uses = row[3] + 1
        self.rows.append([entry, row[1], row[2], uses, self.age + uses * row[2] / row[1]])

    def drop(self, entry: int) -> None:
        self.rows = [row for row in self.rows if row[0] != entry]

    def give_up(self) -> list[int]:
        gone = []
        while sum(row[1] for row in self.rows) > self.capacity:
            least = min(self.rows, key=lambda row: row[4])
            self.rows.remove(least)
            self.age = max(self.age, least[4])
            gone.append(least[0])
        return gone


@settings(deadline=None, max_examples=150)
@given(OPERATIONS)
def test_the_shelf_does_what_a_list_does(operations: list[tuple[str, int, int, int]]) -> None:
    shelf, naive = Shelf(100), NaiveShelf(100)
    for kind, entry, size, saved in operations:
        if kind == "put":
            assert shelf.put(entry, size, float(saved)) == naive.put(entry, size, float(saved))
        elif kind == "touch" and entry in shelf:
            shelf.touch(entry)
            naive.touch(entry)
        elif kind == "drop":
            shelf.drop(entry)
            naive.drop(entry)
        elif kind == "resize":
            naive.capacity = entry
            assert shelf.resize(entry) == naive.give_up()
        assert shelf.kept_bytes == sum(row[1] for row in naive.rows) <= shelf.capacity_bytes
        assert [row[0] for row in naive.rows if row[0] in shelf] == [row[0] for row in naive.rows]
        assert len(shelf) == len(naive.rows)


def test_what_saves_least_per_byte_goes_first() -> None:
    shelf = Shelf(100)
    assert shelf.put(1, 50, 500.0) == []
    assert shelf.put(2, 50, 100.0) == []
    assert shelf.put(3, 50, 300.0) == [2]
    assert shelf.put(4, 50, 1.0) == [4]  # worth less per byte than all that is kept


def test_what_is_used_no_more_sinks() -> None:
    shelf = Shelf(2)
    shelf.put(0, 1, 5.0)
    for entry in range(1, 20):
        shelf.put(entry, 1, 1.0)
    assert 0 not in shelf


def test_many_uses_leave_a_small_heap() -> None:
    shelf = Shelf(10)
    shelf.put(1, 5, 1.0)
    for _ in range(1_000):
        shelf.touch(1)
    assert shelf.worth(1).uses == 1_001
    assert len(shelf._heap) <= 70


def test_a_capacity_below_nothing_is_refused() -> None:
    with pytest.raises(BadRequest, match="capacity_bytes is -1"):
        Shelf(-1)
