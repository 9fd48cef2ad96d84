"""Server processes for a measurement, each on a core of its own where the system allows that."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pointsman.core import InternalError

__all__ = ["Cores", "pinned", "server", "two_cores"]

_START_SECONDS = 60.0
_STOP_SECONDS = 15.0
_LISTENING = re.compile(rb"listening on (http://127\.0\.0\.1:\d+)")


@dataclass(frozen=True, slots=True)
class Cores:
    """Where the server and the client run; None: wherever the system puts them."""

    server: int | None
    client: int | None


def two_cores() -> Cores:
    """Two different cores, where this process may use two and may choose."""
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return Cores(usable[0], usable[1]) if len(usable) >= 2 else Cores(None, None)


@contextlib.contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """This process, and whatever it starts meanwhile, on one core."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def server(arguments: Sequence[str], core: int | None) -> Iterator[str]:
    """Runs ``python -m ARGUMENTS`` on a core and gives the URL that it says it listens on; stops it at the end.

    Raises InternalError when it does not say so in time.
    """
    with pinned(core):
        process = subprocess.Popen(  # noqa: S603  our own modules
            [sys.executable, "-m", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
    try:
        yield _address(process)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stderr is not None:
            process.stderr.close()


def _address(process: subprocess.Popen[Any]) -> str:
    assert process.stderr is not None
    said, deadline = b"", time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        ready = select.select([process.stderr], [], [], 0.2)[0]
        if not ready:
            continue
        data = os.read(process.stderr.fileno(), 1 << 14)
        said += data
        found = _LISTENING.search(said)
        if found is not None:
            return found[1].decode()
        if not data:
            break
    raise InternalError(
        f"the server did not start: {said.decode(errors='replace')[-500:]!r}", code="server_not_started"
    )
