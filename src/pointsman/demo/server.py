"""The server that the demo asks, as a process of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pointsman.core import InternalError
from pointsman.demo.requests import READER

_START_S = 60
_END_S = 30
"""Running requests get 10 seconds, and the ledger is written after them."""


@contextmanager
def served(programs: Path, config: str, *flags: str) -> Iterator[str]:
    """Serves a folder of artefacts and the embedded models on a free port; gives the URL, and stops it at the end.

    Args:
        programs: the folder; the configuration is written into it, and what the server logs.
        config: TOML.
        flags: of `pointsman serve` besides.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = programs / "pointsman.toml"
    settings.write_text(config)
    command = [sys.executable, "-m", "pointsman", "serve", str(programs), "--port", str(port)]
    command += ["--reader", READER, "--config", str(settings), *flags]
    log = programs / "server.log"
    with log.open("w") as told:
        process = subprocess.Popen(command, stderr=told)  # noqa: S603  our own interpreter
        try:
            wait_until_ready(url, process, log)
            yield url
        finally:
            process.terminate()
            process.wait(_END_S)


def wait_until_ready(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Raises InternalError `demo_server` with what the server said last."""
    for _ in range(_START_S * 20):
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=1):  # noqa: S310
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    said = log.read_text().splitlines()[-1:]
    raise InternalError(f"the server did not start: {' '.join(said)}", code="demo_server")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
