"""Servers start, are asked the right questions, and a wrong answer is noticed."""

from pathlib import Path

import pytest

from pointsman.bench.processes import pinned, server, two_cores
from pointsman.bench.serving import check_answers, request_bodies
from pointsman.core import InternalError, Unverified
from pointsman.program import CompileOptions, Table, compile_table

INPUTS = [{"n": 3}, {"n": -4}]


def _table(body: str) -> Table:
    source = f"def f(n: int) -> int:\n    return {body}\n"
    return compile_table(source, "f.py", "f", CompileOptions(max_examples=5)).table


def test_the_real_server_gives_the_programs_own_answers_and_others_are_noticed(tmp_path: Path) -> None:
    table = _table("n + 1")
    table.save(tmp_path / "f.route.json")
    bodies = request_bodies("f", INPUTS)
    with server(["pointsman", "serve", str(tmp_path), "--port", "0"], two_cores().server) as url:
        check_answers(url + "/v1/chat/completions", table, bodies, INPUTS)
        with pytest.raises(Unverified, match="the server says '4'"):
            check_answers(url + "/v1/chat/completions", _table("n + 2"), bodies, INPUTS)


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    with (
        pytest.raises(InternalError, match="no compiled program"),
        server(["pointsman", "serve", str(tmp_path / "x")], None),
    ):
        pass


def test_pinning_ends_with_its_block() -> None:
    os = pytest.importorskip("os")
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("this system does not pin")
    before = os.sched_getaffinity(0)
    with pinned(min(before)):
        assert os.sched_getaffinity(0) == {min(before)}
    with pinned(None):
        assert os.sched_getaffinity(0) == before
    assert os.sched_getaffinity(0) == before
