"""What is written is what is read; nothing is lost, changed or told that should not be."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pointsman.core import BadRequest, Cost, Decision, Forecast, InternalError, Outcome, PointsmanError, Unsupported
from pointsman.core.entries import Entry, Settled
from pointsman.gateway.ledger import Grid, count_entries, open_ledger, read_entries, read_grids
from pointsman.gateway.ledger.overflow import overflow_of, spill
from pointsman.gateway.ledger.rows import (
    MOST_CELLS,
    MOST_GRIDS,
    MOST_PLACES,
    decision_row,
    grid_of,
    grid_row,
)
from pointsman.gateway.ledger.schema import explained

COST = Cost(10, 20, 1_234_567_890_123, 7_000_000_000, 0.25)
KEY = bytes(range(32))

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)
shares = st.floats(0, 1)
numbers = st.floats(allow_nan=False, allow_infinity=False)
counts = st.integers(0, 2**63 - 1)
costs = st.builds(Cost, counts, counts, counts, counts, st.floats(0, 1e9))
forecasts = st.builds(Forecast, texts, shares, costs)
decisions = st.builds(
    *(Decision, texts, texts, texts, st.dictionaries(texts, numbers, max_size=3)),
    *(st.lists(forecasts, max_size=3).map(tuple), st.floats(1e-6, 1), st.none() | texts, st.booleans()),
)
outcomes = st.builds(Outcome, st.just("secret"), costs, st.none() | st.booleans())
FORM_1 = Path(__file__).with_name("ledger_form_1.sql")


def entry(number: int, **more: object) -> Entry:
    return Entry(f"req-{number}", 1_000_000 + number, "query", Decision("small", "cheapest", "p/1"), **more)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def held(path: Path) -> Iterator[sqlite3.Connection]:
    """Another program that holds the ledger."""
    open_ledger(path).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield other
    other.close()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(decisions, st.none() | st.lists(numbers, max_size=4).map(tuple), st.none() | texts, outcomes, outcomes)
def test_everything_returns_as_it_was(
    tmp_path: Path,
    decision: Decision,
    features: tuple[float, ...] | None,
    reference: str | None,
    billed: Outcome,
    audit: Outcome,
) -> None:
    path = tmp_path / f"{os.urandom(8).hex()}.db"
    given_ = Entry("r", 5, "token", decision, reference, features, b"\0\1")
    with open_ledger(path) as ledger:
        ledger.append(given_)
        ledger.settle("r", billed)
        ledger.settle("r", Outcome("", audit.cost, audit.correct, arm="ref", is_audit=True))
    (found,) = read_entries(path)
    assert found == Entry(
        *("r", 5, "token", decision, reference, features, b"\0\1"),
        billed=Settled(decision.arm, billed.cost, billed.correct),
        audit=Settled("ref", audit.cost, audit.correct),
    )
    assert hash(found.decision) == hash(decision)


def test_an_unsettled_request_and_since_and_order(path: Path) -> None:
    with open_ledger(path) as ledger:
        for number in (3, 1, 2):
            ledger.append(entry(number))
    assert [item.request_id for item in read_entries(path)] == ["req-3", "req-1", "req-2"]
    assert [item.request_id for item in read_entries(path, since=1_000_002)] == ["req-3", "req-2"]
    assert all(item.billed is None and item.audit is None for item in read_entries(path))
    assert count_entries(path) == 3


def test_a_correction_is_a_row_and_the_latest_counts(path: Path) -> None:
    with open_ledger(path) as ledger:
        ledger.append(entry(1))
        ledger.settle("req-1", Outcome("", COST, None))
        ledger.settle("req-1", Outcome("", COST, True, arm="large"))
    (found,) = read_entries(path)
    assert found.billed == Settled("large", COST, True)
    assert sqlite3.connect(path).execute("SELECT count(*) FROM outcomes").fetchone() == (2,)


def test_more_than_a_page_is_read_whole(path: Path) -> None:
    with open_ledger(path) as ledger:
        for number in range(9_001):
            ledger.append(entry(number))
            ledger.settle(f"req-{number}", Outcome("", COST, True))
    found = list(read_entries(path))
    assert [item.request_id for item in found] == [f"req-{number}" for number in range(9_001)]
    assert all(item.billed == Settled("small", COST, True) for item in found)


def test_rows_can_be_neither_changed_nor_removed(path: Path) -> None:
    with open_ledger(path) as ledger:
        ledger.append(entry(1))
        ledger.settle("req-1", Outcome("", COST, True))
    connection = sqlite3.connect(path)
    for table in ("decisions", "outcomes"):
        for statement in (f"UPDATE {table} SET request_id = 'x'", f"DELETE FROM {table}"):
            with pytest.raises(sqlite3.IntegrityError, match="only added to"):
                connection.execute(statement)


def test_no_output_and_no_request_is_in_the_file(path: Path) -> None:
    secret = b"the patient is ill"
    with open_ledger(path, key=KEY) as ledger:
        ledger.append(entry(1, digest=ledger.digest(secret)))
        ledger.settle("req-1", Outcome(secret.decode(), COST, True))
        assert ledger.digest(secret) != ledger.digest(b"another")
    with open_ledger(path, key=KEY[::-1]) as other:
        assert other.digest(secret) != next(iter(read_entries(path))).digest
    everything = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"req-1" in everything
    assert secret not in everything
    assert KEY not in everything


def test_many_threads_add_and_none_is_lost(path: Path) -> None:
    with open_ledger(path) as ledger:

        def add(first: int) -> None:
            for number in range(first, first + 500):
                ledger.append(entry(number))
                ledger.settle(f"req-{number}", Outcome("", COST, None))

        threads = [threading.Thread(target=add, args=(1_000 * number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len({item.request_id for item in read_entries(path) if item.billed}) == 3_000


def test_it_is_read_while_it_is_written(path: Path) -> None:
    with open_ledger(path) as ledger:
        seen = []
        for number in range(5):
            ledger.append(entry(number))
            assert ledger.flush()
            seen.append(len(list(read_entries(path))))
        reading = read_entries(path)
        next(reading)
        ledger.append(entry(9))
        assert ledger.flush(), "a reader in the middle stops nobody"
    assert seen == [1, 2, 3, 4, 5]


def test_a_killed_process_loses_the_last_batch_at_most(path: Path) -> None:
    code = (
        "import sys, time; from pointsman.core import Decision; from pointsman.core.entries import Entry; "
        "from pointsman.gateway.ledger import open_ledger\n"
        f"ledger = open_ledger({str(path)!r})\n"
        "for number in range(10**9):\n"
        "    ledger.append(Entry(f'{number}', time.time_ns() // 1000, 'query', Decision('a', 'r', 'v')))\n"
        "    print(number, time.time(), flush=True)\n"
        "    time.sleep(0.001)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    lines = [child.stdout.readline() for _ in range(700)]
    child.send_signal(signal.SIGKILL)
    lines += child.stdout.read().splitlines()
    child.wait()
    child.stdout.close()
    told = [line.split() for line in lines if len(line.split()) == 2]
    kept = {item.request_id for item in read_entries(path)}
    lost = [float(when) for number, when in told if number not in kept]
    assert kept == {str(number) for number in range(len(kept))}, "no gap"
    assert len(kept) >= 200
    assert len(lost) <= 500
    with open_ledger(path) as again:
        again.append(entry(1))
    assert count_entries(path) == len(kept) + 1


def test_a_process_that_ends_without_closing_loses_nothing(path: Path) -> None:
    code = (
        "from pointsman.core import Decision; from pointsman.core.entries import Entry; "
        "from pointsman.gateway.ledger import open_ledger\n"
        f"ledger = open_ledger({str(path)!r})\n"
        "for number in range(2000): ledger.append(Entry(f'{number}', 1, 'query', Decision('a', 'r', 'v')))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert count_entries(path) == 2_000


def test_a_second_decision_of_a_request_is_counted_and_the_first_stays(path: Path) -> None:
    with open_ledger(path) as ledger:
        ledger.append(entry(1))
        ledger.append(Entry("req-1", 2, "query", Decision("large", "r", "v")))
        ledger.flush()
        assert ledger.status.num_repeated == 1
    assert [item.decision.arm for item in read_entries(path)] == ["small"]


def test_a_row_that_cannot_be_stored_is_counted_and_the_others_are(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open_ledger(path) as ledger:
        ledger.append(entry(1))
        ledger.settle("req-1", Outcome("", Cost(0, 0, 2**63, 0, 0.0), None))
        ledger.settle("req-1", Outcome("", COST, True))
        ledger.flush()
        status = ledger.status
    assert (status.num_refused, status.num_stored, status.failure) == (1, 2, None)
    assert "'req-1' cannot be stored" in caplog.text


def test_what_is_no_record_is_counted_and_the_thread_goes_on(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    half = Forecast("small", 0.5, Cost(0, 0, 0.5, 0, 0.0))  # type: ignore[arg-type]
    with open_ledger(path) as ledger:
        ledger.append(Entry("half", 1, "query", Decision("small", "r", "v", forecasts=(half,))))
        ledger.append(Entry("\ud800", 1, "query", Decision("small", "r", "v")))
        ledger.append(Entry("arm", 1, "query", Decision("\ud800", "r", "v", {"\ud800": 1.0})))
        ledger.settle("req-1", Outcome("", Cost(0, 0, 1.5, 0, 0.0), None))  # type: ignore[arg-type]
        ledger.append(entry(1))
        assert ledger.flush()
        assert ledger.status.num_refused == 4
    assert [item.request_id for item in read_entries(path)] == ["req-1"]
    assert caplog.text.count("cannot be stored") == 4


def test_while_another_holds_it_nothing_waits_and_nothing_is_lost(
    path: Path, held: sqlite3.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(BadRequest, match="another program holds") as caught:
        open_ledger(path, timeout_s=0.05)
    assert caught.value.code == "ledger_locked"
    held.execute("ROLLBACK")
    ledger = open_ledger(path, timeout_s=0.05)
    held.execute("BEGIN IMMEDIATE")
    ledger.append(entry(1))
    assert not ledger.flush()
    assert ledger.status.num_queued == 1
    assert "another program holds" in (ledger.status.failure or "")
    assert "tried again" in caplog.text
    held.execute("ROLLBACK")
    assert ledger.flush()
    assert ledger.status.failure is None
    ledger.close()
    assert count_entries(path) == 1


def test_what_is_held_too_long_goes_beside_and_is_taken_in_later(
    path: Path, held: sqlite3.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    held.execute("ROLLBACK")
    ledger = open_ledger(path, timeout_s=0.05, max_held=10)
    held.execute("BEGIN IMMEDIATE")
    for number in range(30):
        ledger.append(entry(number, features=(1.0, 2.0)))
        ledger.settle(f"req-{number}", Outcome("", COST, True))
    ledger.flush()
    assert ledger.status.num_overflowed == 60
    ledger.append(entry(30))
    ledger.close()  # still held: what is left goes beside, too
    assert "rows went to" in caplog.text
    assert count_entries(overflow_of(path)) == 31
    held.execute("ROLLBACK")
    copied = shutil.copy(overflow_of(path), path.with_name("copy"))
    open_ledger(path).close()
    assert not overflow_of(path).exists()
    found = list(read_entries(path))
    assert len(found) == 31
    assert found[0].billed == Settled("small", COST, True)
    shutil.move(copied, overflow_of(path))  # as if the process had died before it was removed
    open_ledger(path).close()
    assert list(read_entries(path)) == found


def test_two_processes_write_one_ledger_and_overflow_is_used_by_one_alone(path: Path) -> None:
    code = (
        "import sys; from pointsman.core import Decision; from pointsman.core.entries import Entry; "
        "from pointsman.gateway.ledger import open_ledger\n"
        f"with open_ledger({str(path)!r}) as ledger:\n"
        "    for number in range(1500):\n"
        "        ledger.append(Entry(f'{sys.argv[1]}-{number}', 1, 'query', Decision('a', 'r', 'v')))\n"
    )
    spill(path, [("decisions", decision_row(entry(number))) for number in range(20)])
    children = [subprocess.Popen([sys.executable, "-c", code, name]) for name in "abc"]
    assert [child.wait() for child in children] == [0, 0, 0]
    assert count_entries(path) == 4_520
    assert not overflow_of(path).exists()


def test_where_neither_file_can_be_written_closing_says_how_much_is_lost(path: Path, held: sqlite3.Connection) -> None:
    held.execute("ROLLBACK")
    ledger = open_ledger(path, timeout_s=0.05)
    overflow_of(path).write_bytes(b"no database at all, but a text of some length")
    held.execute("BEGIN IMMEDIATE")
    ledger.append(entry(1))
    with pytest.raises(InternalError, match="1 rows could not be written") as caught:
        ledger.close()
    assert caught.value.code == "ledger_unwritten"


def test_a_closed_ledger_says_so(path: Path) -> None:
    ledger = open_ledger(path)
    ledger.close()
    ledger.close()
    with pytest.raises(BadRequest, match="is closed"):
        ledger.append(entry(1))


def test_a_key_has_a_length(path: Path) -> None:
    with pytest.raises(BadRequest, match="expected 16 to 64"):
        open_ledger(path, key=b"short")


def test_files_that_are_no_ledger_are_refused(path: Path, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="there is no ledger") as caught:
        list(read_entries(path))
    assert caught.value.code == "no_ledger"
    path.write_text("some notes of mine, longer than a header would be\n" * 50)
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE notes (text)")
    connection.close()
    for file in (path, foreign):
        before = file.read_bytes()
        for use in (open_ledger, lambda file: list(read_entries(file))):
            with pytest.raises(BadRequest) as caught:
                use(file)
            assert caught.value.code == "invalid_ledger"
        assert file.read_bytes() == before
    with pytest.raises(BadRequest) as caught:
        open_ledger(tmp_path / "no" / "folder.db")
    assert caught.value.code == "no_ledger"


def test_a_newer_form_is_refused(path: Path) -> None:
    open_ledger(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version=3")
    connection.close()
    for use in (open_ledger, lambda file: list(read_entries(file))):
        with pytest.raises(Unsupported, match="form 3 of a ledger; expected at most 2") as caught:
            use(path)
        assert caught.value.code == "ledger_too_new"


def test_a_file_of_the_first_form_is_read_as_it_is_and_written_as_the_second(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.executescript(FORM_1.read_text())
    connection.close()
    before = path.read_bytes()
    (old,) = read_entries(path)
    assert read_grids(path, "token") == [Grid("req-1", "token", ((1.0, 0.5),))]
    assert path.read_bytes() == before, "reading changes nothing"
    assert old.audit == Settled("large", Cost(100, 25, 950_000, 0, 1.5), True, None)
    with open_ledger(path) as ledger:
        ledger.settle("req-1", Outcome("", COST, None, arm="large", is_audit=True, agrees=False))
        for number in range(MOST_GRIDS):
            ledger.add_grid(Grid(f"new-{number}", "token", ((1.0,),)))
    (new,) = read_entries(path)
    assert replace(new, audit=old.audit) == old
    assert new.audit == Settled("large", COST, None, False)
    assert len(read_grids(path, "token", limit=99)) == MOST_GRIDS
    open_ledger(path).close()  # once is enough


def test_a_broken_page_is_told(path: Path) -> None:
    with open_ledger(path) as ledger:
        for number in range(3_000):
            ledger.append(entry(number, features=(1.0,) * 20))
    data = bytearray(path.read_bytes())
    data[4096 * 20 : 4096 * 60] = os.urandom(4096 * 40)
    path.write_bytes(bytes(data))
    with pytest.raises(BadRequest) as caught:
        list(read_entries(path))
    assert caught.value.code == "invalid_ledger"


def test_a_row_that_is_no_entry_is_told_with_its_place(path: Path) -> None:
    open_ledger(path).close()
    with sqlite3.connect(path) as connection:
        row = "NULL, 'r', 1, 'query', 'a', 'r', 'v', NULL, 1.0, 0, '{', '[]', NULL, NULL, NULL"
        connection.execute(f"INSERT INTO decisions VALUES ({row})")
    connection.close()
    with pytest.raises(BadRequest, match="row 1 of the ledger"):
        list(read_entries(path))


def test_heat_maps_return_and_are_checked(path: Path) -> None:
    grids = [Grid(f"req-{number}", "unit", ((0.0, 0.5), (1.0, number / 10))) for number in range(5)]
    with open_ledger(path) as ledger:
        for grid in grids:
            ledger.add_grid(grid)
    assert read_grids(path, "unit", limit=2) == [grids[4], grids[3]]
    assert read_grids(path, "token") == []
    for level, rows in (
        *(("token", ((0.0,), (0.0, 1.0))), ("token", ((2.0,),)), ("token", ((),)), ("token", ())),
        *(("token", ((0.0, 1.0), (0.0,), (0.0, 1.0))), ("token", ((0.0, 1.0), ())), ("unit", ((0.0, 1.0), (0.0,)))),
        *(("unit", ((0.0,) * (MOST_PLACES + 1),)), ("unit", ((0.0,) * 2,) * (MOST_CELLS // 2 + 1))),
        *(("unit", ((float("nan"),),)), ("unit", ((-0.1,),))),
    ):
        with pytest.raises(BadRequest, match="expected one length") as caught:
            Grid("r", level, rows)
        assert caught.value.code == "invalid_grid"


@given(st.lists(shares, min_size=1, max_size=70), st.integers(1, 9))
def test_lines_of_tokens_return_also_a_short_last_one(told: list[float], width: int) -> None:
    grid = Grid("r", "token", tuple(tuple(told[at : at + width]) for at in range(0, len(told), width)))
    assert grid_of(grid_row(grid)) == grid


def test_of_each_level_the_last_heat_maps_stay(path: Path) -> None:
    with open_ledger(path) as ledger:
        ledger.append(entry(1))
        ledger.add_grid(Grid("first", "unit", ((1.0,),)))
        for number in range(3 * MOST_GRIDS):
            ledger.add_grid(Grid(f"req-{number}", "token", ((1.0,),)))
            if number == MOST_GRIDS:
                assert ledger.flush()
    kept = [grid.request_id for grid in read_grids(path, "token", limit=999)]
    assert kept == [f"req-{number}" for number in reversed(range(2 * MOST_GRIDS, 3 * MOST_GRIDS))]
    assert [grid.request_id for grid in read_grids(path, "unit")] == ["first"]
    assert count_entries(path) == 1


def test_every_error_of_sqlite_has_one_of_ours() -> None:
    kinds = {kind for kind in vars(sqlite3).values() if isinstance(kind, type) and issubclass(kind, sqlite3.Error)}
    assert len(kinds) >= 9
    for kind in kinds:
        assert isinstance(explained(kind("x"), Path("l.db")), PointsmanError)


def test_adding_does_no_io_on_the_callers_thread(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = set()
    from pointsman.gateway.ledger import writer

    def recorded(*args: object) -> object:
        threads.add(threading.current_thread().name)
        return store(*args)

    store = writer.store
    monkeypatch.setattr(writer, "store", recorded)
    with open_ledger(path) as ledger:
        ledger.append(entry(1))
        started = time.monotonic()
        while ledger.status.num_stored < 1:
            assert time.monotonic() - started < 20
            time.sleep(0.01)
    assert threads == {"ledger"}


def test_what_was_missed_is_kept_beside_the_bill(path: Path) -> None:
    missed = Cost(3, 1, 2, 600, 0.25)
    with open_ledger(path) as ledger:
        for number, more in enumerate((missed, Cost.zero())):
            ledger.append(one := entry(number))
            ledger.settle(one.request_id, Outcome("", COST, None, missed=more))
    first, second = (one.billed for one in read_entries(path))
    assert first is not None
    assert (first.cost, first.missed, first.total) == (COST, missed, COST + missed)
    assert second is not None
    assert second.missed == Cost.zero()
