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


@contextmanager
def served(programs: Path) -> Iterator[str]:
    """Serves a folder of artefacts and the embedded models on a free port; gives the URL, and stops it at the end."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "pointsman", "serve", str(programs), "--port", str(port)]
    command += ["--reader", READER, "--infer", "embedded/large"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # noqa: S603  our own interpreter
    try:
        wait_until_ready(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def wait_until_ready(url: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=1):  # noqa: S310
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise InternalError("the server did not start", code="demo_server")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
