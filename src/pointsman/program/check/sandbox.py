"""Running code that may hang, exhaust memory, crash, print or exit: in a forked child, under limits.

The child sends results as JSON lines while it runs, so what it found before it was killed is kept. A run costs about
one fork (5 to 10 ms with everything imported).

Covered: endless loops (wall clock, CPU time, and `time_limit` for one call), memory above a limit, crashes of the
interpreter, `sys.exit`, exceptions, prints, reads of standard input, files left in the working directory, core dumps,
children that stay in the process group.
Not covered: code that means harm. It has the user's rights: it can open files and sockets, and it can leave the
process group. Nor is memory limited where the system has no `/proc`.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import json
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

__all__ = ["Limits", "Outcome", "Send", "TimeUp", "Work", "run", "run_many", "time_limit"]

Send: TypeAlias = Callable[[Any], None]
Work: TypeAlias = Callable[[Send], None]
Status: TypeAlias = Literal["ok", "timeout", "memory", "crashed"]

_EXIT_MEMORY = 40
_EXIT_RAISED = 41
_MAX_OUTPUT_BYTES = 64 << 20  # chosen: a child that sends more than this is out of control
_MAX_FILE_BYTES = 1 << 20
_nested = False  # whether this process is itself a child; its children then stay in its process group


@dataclass(frozen=True, slots=True)
class Limits:
    """``memory_bytes`` is address space above what the parent has."""

    seconds: float = 10.0
    memory_bytes: int = 2 << 30


@dataclass(frozen=True, slots=True)
class Outcome:
    """``lines``: what the child sent, also when it did not finish. ``signal`` is the one that ended it, if any."""

    status: Status
    lines: tuple[Any, ...] = ()
    signal: int | None = None
    detail: str = ""


class TimeUp(BaseException):
    """One call ran past its limit. Not an Exception, so that few programs catch it."""


def run(work: Work, limits: Limits | None = None) -> Outcome:
    """Runs ``work(send)`` in a child. Blocks; never raises for anything that the child does."""
    return next(iter(run_many([work], limits=limits)))[1]


def run_many(works: Iterable[Work], *, jobs: int = 1, limits: Limits | None = None) -> Iterator[tuple[int, Outcome]]:
    """Runs each in a child of its own, at most ``jobs`` at a time; yields (its position, outcome) as they end."""
    limits = limits or Limits()
    waiting = iter(enumerate(works))
    running: list[_Child] = []
    try:
        while True:
            while len(running) < jobs and (item := next(waiting, None)) is not None:
                running.append(_start(item[0], item[1], limits))
            if not running:
                return
            for child in _wait(running):
                running.remove(child)
                yield child.position, child.finish()
    finally:
        for child in running:
            child.kill()
            child.finish()


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises TimeUp in the body after this time, and again while the body goes on. Main thread of a child only."""

    def expire(_number: int, _frame: Any) -> None:
        raise TimeUp

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.05)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@dataclass(eq=False)
class _Child:
    position: int
    pid: int
    pipe: int
    folder: str
    deadline: float
    output: bytearray = field(default_factory=bytearray)
    killed: bool = False

    def kill(self) -> None:
        self.killed = True
        with contextlib.suppress(ProcessLookupError):
            if _nested:
                os.kill(self.pid, signal.SIGKILL)
            else:
                os.killpg(self.pid, signal.SIGKILL)

    def read(self) -> bool:
        """Takes what is there; False at the end of the output."""
        data = os.read(self.pipe, 1 << 16)
        self.output += data
        if len(self.output) > _MAX_OUTPUT_BYTES:
            self.kill()
        return bool(data) and not self.killed

    def finish(self) -> Outcome:
        os.close(self.pipe)
        _, status = os.waitpid(self.pid, 0)
        shutil.rmtree(self.folder, ignore_errors=True)
        lines = [json.loads(line) for line in bytes(self.output).split(b"\n")[:-1]]
        sent = tuple(line[0] for line in lines if len(line) == 1)
        detail = next((line[1] for line in lines if len(line) > 1), "")
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        return Outcome(self._status(status, number), sent, number, detail)

    def _status(self, status: int, number: int | None) -> Status:
        if self.killed or number == signal.SIGXCPU:
            return "timeout"
        code = os.waitstatus_to_exitcode(status)
        if code == 0:
            return "ok"
        return "memory" if code == _EXIT_MEMORY else "crashed"


def _wait(children: list[_Child]) -> list[_Child]:
    """Blocks until at least one child has ended or has been killed; returns those."""
    while True:
        left = min(child.deadline for child in children) - time.monotonic()
        ready = select.select([child.pipe for child in children], [], [], max(0.0, left))[0]
        ended = [child for child in children if child.pipe in ready and not child.read()]
        for child in children:
            if child not in ended and time.monotonic() > child.deadline:
                child.kill()
                ended.append(child)
        if ended:
            return ended


def _start(position: int, work: Work, limits: Limits) -> _Child:
    # a nested folder lies in the outer one, which is removed even when this process is killed
    folder = tempfile.mkdtemp(prefix="pointsman-", dir=Path.cwd() if _nested else None)
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 warns of threads; the child uses no lock of theirs
        pid = os.fork()
    if pid == 0:
        _child(work, limits, folder, reader, writer)
    os.close(writer)
    if not _nested:
        with contextlib.suppress(PermissionError, ProcessLookupError):  # the child may have done it, and may be gone
            os.setpgid(pid, pid)
    return _Child(position, pid, reader, folder, time.monotonic() + limits.seconds)


def _child(work: Work, limits: Limits, folder: str, reader: int, writer: int) -> None:
    """Everything that happens in the child. Does not return."""
    code = _EXIT_RAISED

    def write(line: list[Any]) -> None:
        data = memoryview(json.dumps(line).encode() + b"\n")
        while data:
            data = data[os.write(writer, data) :]

    try:
        os.close(reader)
        _enclose(folder, limits)
        work(lambda item: write([item]))
        code = 0
    except MemoryError:
        code = _EXIT_MEMORY
    except BaseException as exc:  # noqa: BLE001  the process edge: whatever it is becomes a record
        with contextlib.suppress(BaseException):
            write(["raised", f"{type(exc).__name__}: {exc}"[:500]])
    finally:
        os._exit(code)


def _enclose(folder: str, limits: Limits) -> None:
    global _nested
    if not _nested:
        with contextlib.suppress(PermissionError):
            os.setpgid(0, 0)
    _nested = True
    gc.freeze()  # what the parent made is never collected here, which keeps its pages shared
    faulthandler.disable()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    sys.stdin, sys.stdout, sys.stderr = (open(os.devnull, mode) for mode in ("r", "w", "w"))  # noqa: PTH123, SIM115
    os.chdir(folder)
    cpu_seconds = int(limits.seconds) + 1
    _limit(resource.RLIMIT_CPU, cpu_seconds)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, _MAX_FILE_BYTES)
    memory = _address_space_bytes()
    if memory is not None:
        _limit(resource.RLIMIT_AS, memory + limits.memory_bytes)


def _limit(which: int, value: int) -> None:
    hard = resource.getrlimit(which)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(which, (value, hard))


def _address_space_bytes() -> int | None:
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return None
