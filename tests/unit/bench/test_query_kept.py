"""Splits that are kept: found again as they were, and never mixed with those of another table."""

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pointsman.bench import query_kept
from pointsman.bench.query_jobs import CertifiedSplit, Job, Measured, Table
from pointsman.bench.query_kept import run_kept
from pointsman.bench.query_traffic import Played
from pointsman.core import BadRequest

JOBS = [Job("iid", 0), Job("iid", 1, with_rivals=False), Job("certified", 0)]


def found_of(job: Job) -> Measured | CertifiedSplit:
    if job.kind == "certified":
        return CertifiedSplit(job, Played(0.25, -0.01, 0.005, None, None), is_certified=True)
    return Measured(job, {"ours": {"gap": math.nan, "ece": 0.1 * job.seed}}, {"ours": [0.1, 1 / 3]}, 0.5, 0.75)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Jobs that were run, in place of workers."""
    ran: list[Job] = []

    def run(table: Table, jobs: Sequence[Job], label: str) -> Iterator[Measured | CertifiedSplit]:
        for job in jobs:
            ran.append(job)
            yield found_of(job)

    monkeypatch.setattr(query_kept, "run_jobs", run)
    return ran


@pytest.fixture
def table(tmp_path: Path) -> Table:
    path = tmp_path / "table.jsonl"
    path.write_text("{}\n")
    return Table((path,))


def test_what_was_found_is_not_run_again(table: Table, tmp_path: Path, asked: list[Job]) -> None:
    folder = tmp_path / "kept" / "here"
    first = list(run_kept(table, JOBS[:2], "t", folder))
    assert asked == JOBS[:2]
    again = list(run_kept(table, JOBS, "t", folder))
    assert asked == JOBS
    assert [repr(each) for each in again] == [repr(found_of(job)) for job in JOBS]  # NaN equals no NaN
    assert repr(again[:2]) == repr(first)
    assert not list(run_kept(table, [], "t", folder))


def test_an_interrupted_run_loses_what_was_not_done(table: Table, tmp_path: Path, asked: list[Job]) -> None:
    running = run_kept(table, JOBS, "t", tmp_path)
    next(running)
    running.close()
    with (tmp_path / "t.jsonl").open("a") as file:
        file.write('{"kind": "split", "fou')  # as a kill leaves it
    assert len(list(run_kept(table, JOBS, "t", tmp_path))) == 3
    assert asked == JOBS
    assert len((tmp_path / "t.jsonl").read_text().splitlines()) == 4


def test_without_a_folder_nothing_is_kept(table: Table, asked: list[Job]) -> None:
    assert len(list(run_kept(table, JOBS, "t", None))) == len(list(run_kept(table, JOBS, "t", None))) == 3
    assert asked == JOBS * 2


@pytest.mark.parametrize("change", ["file", "arms", "version", "embedding"])
def test_another_table_is_refused(
    change: str, table: Table, tmp_path: Path, asked: list[Job], write_embedding: Any
) -> None:
    list(run_kept(table, JOBS[:1], "t", tmp_path))
    if change == "file":
        table.paths[0].write_text("{}\n{}\n")
    elif change == "arms":
        table = Table(table.paths, arms=("small", "large"))
    elif change == "embedding":
        table = Table(table.paths, embedding=write_embedding(tmp_path / "e", {"red": [1.0]}))
    else:
        path = tmp_path / "t.jsonl"
        head, *rest = path.read_text().splitlines()
        path.write_text("\n".join([json.dumps(json.loads(head) | {"version": "0"}), *rest]) + "\n")
    with pytest.raises(BadRequest, match="splits of another table") as caught:
        list(run_kept(table, JOBS[:1], "t", tmp_path))
    assert caught.value.code == "other_table"
    assert asked == JOBS[:1]


@pytest.mark.parametrize(
    "line", ["[1]", '{"kind": "split"}', '{"kind": "x", "found": {}}', '{"kind": "split", "found": {}}', "x"]
)
def test_damaged_lines_are_refused(line: str, table: Table, tmp_path: Path, asked: list[Job]) -> None:
    list(run_kept(table, JOBS[:1], "t", tmp_path))
    with (tmp_path / "t.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(BadRequest, match="line 3: ") as caught:
        list(run_kept(table, JOBS, "t", tmp_path))
    assert caught.value.code == "bad_lines"


def test_splits_with_one_embedding_are_not_those_with_another(
    table: Table, tmp_path: Path, asked: list[Job], write_embedding: Any
) -> None:
    one = Table(table.paths, embedding=write_embedding(tmp_path / "one", {"red": [1.0]}))
    same = Table(table.paths, embedding=write_embedding(tmp_path / "same", {"red": [1.0]}))
    other = Table(table.paths, embedding=write_embedding(tmp_path / "other", {"red": [2.0]}))
    for each in (one, same):
        assert len(list(run_kept(each, JOBS[:1], "t", tmp_path))) == 1
    assert asked == JOBS[:1]
    for each in (other, table):
        with pytest.raises(BadRequest, match="splits of another table"):
            list(run_kept(each, JOBS[:1], "t", tmp_path))
