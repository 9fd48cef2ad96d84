"""Generated tables: their source in CPython does what the linear reference says, and so does the compiled table."""

from collections.abc import Callable
from typing import Any

import pytest

from pointsman.bench.selection import check_selection, select_within
from pointsman.bench.tables import ENTRY, RoutingTable, one_key, two_keys
from pointsman.core import Unverified
from pointsman.program.compiler import compile_source
from pointsman.program.link import link

Make = Callable[[int, int], RoutingTable]
BOTH = pytest.mark.parametrize("make", [one_key, two_keys])


def _python(table: RoutingTable) -> Callable[..., Any]:
    namespace: dict[str, Any] = {}
    exec(table.source, namespace)
    return namespace[ENTRY]


@BOTH
@pytest.mark.parametrize("num_rows", [2, 10, 137])
def test_the_source_is_the_reference(make: Make, num_rows: int) -> None:
    table = make(num_rows, 5)
    assert check_selection(_python(table), table, seed=1) == ""
    assert len(table.rows) + 1 == num_rows
    assert len({answer for _, _, answer in table.rows} | {table.default}) == num_rows


@BOTH
def test_the_compiled_table_is_the_reference(make: Make) -> None:
    table = make(12, 0)
    assert check_selection(link(compile_source(table.source, ENTRY)).entry, table, seed=2) == ""


@BOTH
def test_a_wrong_answer_is_found(make: Make) -> None:
    table = make(10, 0)
    right = _python(table)
    assert "the rows say" in check_selection(lambda *key: right(*key) + 1, table, seed=0)
    assert "the rows say" in check_selection(lambda *key: float(right(*key)), table, seed=0)


@BOTH
def test_a_limit_that_is_off_by_one_is_found(make: Make) -> None:
    table = make(10, 0)
    assert "the rows say" in check_selection(lambda *key: table.look_up((*key[:-1], key[-1] + 1)), table, seed=0)


@BOTH
def test_the_same_seed_makes_the_same_table(make: Make) -> None:
    assert make(20, 3) == make(20, 3)
    assert make(20, 3) != make(20, 4)


def test_inputs_reach_rows_and_the_rest() -> None:
    table = one_key(10, 0)
    answers = {table.look_up(one) for one in table.inputs(500, 0)}
    assert answers == set(range(10))
    zones = two_keys(20, 0)
    assert zones.default in {zones.look_up(one) for one in zones.inputs(100, 0)}


def test_small_sizes_are_timed_in_a_child() -> None:
    found = select_within(one_key, (4, 8), seed=0, rounds=2, limit_s=30.0)
    assert found.failed == {}
    assert found.compile_s.keys() == found.select_us.keys() == found.floor_us.keys() == {4, 8}
    assert all(len(values) == 2 for values in found.select_us.values())


def test_a_size_that_takes_too_long_ends_the_sizes_above_it() -> None:
    found = select_within(one_key, (4, 8), seed=0, rounds=1, limit_s=1e-4)
    assert "gives up on 4 rows: TimeUp" in found.failed[4]
    assert found.failed[8].startswith("not tried: 4 rows failed")
    assert found.select_us == {}


def test_a_table_that_answers_wrongly_stops_the_measurement() -> None:
    def wrong(num_rows: int, seed: int) -> RoutingTable:
        right = one_key(num_rows, seed)
        return RoutingTable(right.source, right.rows, right.default + 1)

    with pytest.raises(Unverified, match="the rows say"):
        select_within(wrong, (4,), seed=0, rounds=1, limit_s=30.0)
