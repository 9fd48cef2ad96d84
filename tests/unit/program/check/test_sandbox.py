"""The sandbox: every way in which a child can end, and that the parent notices nothing of it."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from pointsman.program.check.sandbox import Limits, TimeUp, run, run_many, time_limit


def test_sends_what_the_child_sends():
    outcome = run(lambda send: [send([1, "a"]), send({"b": None})])
    assert outcome.status == "ok"
    assert outcome.lines == ([1, "a"], {"b": None})


def _spin(send):
    send("before")
    while True:
        pass


def test_endless_loop_keeps_partial_results():
    start = time.monotonic()
    outcome = run(_spin, Limits(seconds=0.3))
    assert (outcome.status, outcome.lines) == ("timeout", ("before",))
    assert time.monotonic() - start < 5


def test_memory():
    outcome = run(lambda send: bytearray(1 << 40))
    assert outcome.status == "memory"


def test_memory_by_small_pieces():
    def work(send):
        pieces = []
        while True:
            pieces.append(bytearray(1 << 24))

    assert run(work, Limits(seconds=20, memory_bytes=256 << 20)).status == "memory"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_crash_names_the_signal(number):
    outcome = run(lambda send: os.kill(os.getpid(), number))
    assert (outcome.status, outcome.signal) == ("crashed", number)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), ValueError("x")])
def test_exceptions_stay_in_the_child(error):
    def work(send):
        raise error

    outcome = run(work)
    assert outcome.status == "crashed"
    assert type(error).__name__ in outcome.detail


def test_prints_reads_and_files_leave_no_trace(capfd):
    folders = []

    def work(send):
        sys.stdout.write("noise")
        sys.stderr.write("noise")
        os.write(1, b"noise")
        send(sys.stdin.read())
        Path("left.txt").write_text("x")
        send(str(Path.cwd()))

    outcome = run(work)
    folders.append(Path(outcome.lines[1]))
    assert outcome.lines[0] == ""
    assert not folders[0].exists()
    assert capfd.readouterr() == ("", "")


def test_large_output_arrives_whole():
    outcome = run(lambda send: [send("x" * 1000) for _ in range(1000)] and None)
    assert len(outcome.lines) == 1000


def test_many_children_at_once_and_nested():
    def outer(send):
        send(run(lambda inner: inner(7)).lines[0])

    outcomes = dict(run_many([outer] * 5, jobs=2))
    assert [outcomes[i].lines for i in range(5)] == [(7,)] * 5


def test_nested_child_dies_with_its_parent():
    def outer(send):
        def inner(_):
            Path("pid").write_text(str(os.getpid()))
            time.sleep(60)

        send(str(Path.cwd()))
        run(inner, Limits(seconds=60))

    start = time.monotonic()
    assert run(outer, Limits(seconds=0.5)).status == "timeout"
    assert time.monotonic() - start < 10


def test_time_limit_cannot_be_swallowed_once():
    def work(send):
        try:
            with time_limit(0.1):
                while True:
                    try:
                        while True:
                            pass
                    except TimeUp:
                        break
                while True:
                    pass
        except TimeUp:
            send("stopped")

    assert run(work, Limits(seconds=10)).lines == ("stopped",)
