"""``serve_rps``, ``serve_added_p50_ms``, ``serve_added_p99_ms``: what the server adds to a program's answer.

The real server runs as a process of its own on one core, the client on another. Answers are compared with the program's
own first. Throughput: a closed loop over several connections, in turn with a bare uvicorn app that answers a constant,
which is the ceiling. Latency: an open loop at half the throughput that was found, a request's time counted from when it
was due; what the program itself takes in this process (the median) is subtracted.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pointsman.bench.processes import pinned, server, two_cores
from pointsman.bench.report import Report, median_figure
from pointsman.bench.timing import Tick, quiet
from pointsman.core import Unverified
from pointsman.gateway.load import LoadReport, drive
from pointsman.program import Table

__all__ = ["check_answers", "measure_serving", "request_bodies"]

CONNECTIONS: Final = 8
_PATH = "/v1/chat/completions"


@dataclass
class _Runs:
    """One entry a round."""

    rps: list[float] = field(default_factory=list)
    bare_rps: list[float] = field(default_factory=list)
    open_: list[LoadReport] = field(default_factory=list)


def measure_serving(report: Report, table: Table, inputs: Sequence[dict[str, Any]], tick: Tick) -> None:
    """Serves a program and enters the figures. ``inputs``: its inputs as JSON objects, which are sent in turn."""
    rounds, requests = (5, 600) if report.quick else (9, 6_000)
    cores = two_cores()
    bodies = request_bodies(table.name, inputs)
    alone_ms = statistics.median(_alone_ms(table, inputs) for _ in range(5))
    with tempfile.TemporaryDirectory(prefix="pointsman-bench-") as folder:
        table.save(Path(folder) / f"{table.name}.route.json")
        ours = ["pointsman", "serve", folder, "--port", "0"]
        tick(0.0, "starting the servers")
        with server(ours, cores.server) as url, server(["pointsman.bench.bare"], cores.server) as bare_url:
            check_answers(url + _PATH, table, bodies, inputs)
            with pinned(cores.client):
                runs = _rounds(url + _PATH, bare_url + _PATH, _repeated(bodies, requests), rounds, tick)
    _report(report, runs, alone_ms, separate_cores=cores.server is not None)


def _rounds(url: str, bare_url: str, bodies: Sequence[bytes], rounds: int, tick: Tick) -> _Runs:
    runs = _Runs()
    for target in (url, bare_url):
        _drive(target, bodies[: len(bodies) // 4], None)  # connections, caches and the server's own first calls
    for number in range(rounds):
        tick((number + 0.1) / rounds, f"round {number + 1} of {rounds}")
        closed = (runs.rps, url), (runs.bare_rps, bare_url)
        for found, target in closed if number % 2 == 0 else reversed(closed):
            found.append(_drive(target, bodies, None).requests_per_s)
        runs.open_.append(_drive(url, bodies, statistics.median(runs.rps) / 2))
    return runs


def _drive(url: str, bodies: Sequence[bytes], rate_per_s: float | None) -> LoadReport:
    """Raises Unverified when a request is not answered with status 200."""
    connections = CONNECTIONS if rate_per_s is None else 4 * CONNECTIONS  # an open loop must not wait for a free one
    with quiet(), asyncio.Runner(loop_factory=_loop_factory()) as runner:
        found = runner.run(drive(url, bodies, rate_per_s, connections))
    if found.errors:
        raise Unverified(f"{found.errors} of {found.count} requests failed", code="wrong_answer")
    return found


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """That of uvloop where it is installed, since the client must not be slower than the server."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        return None
    return new_event_loop


def _report(report: Report, runs: _Runs, alone_ms: float, *, separate_cores: bool) -> None:
    seed = report.seed
    shares = [a / b for a, b in zip(runs.rps, runs.bare_rps, strict=True)]
    added_p50 = [one.p50_ms - alone_ms for one in runs.open_ if one.p50_ms is not None]
    added_p99 = [one.p99_ms - alone_ms for one in runs.open_ if one.p99_ms is not None]
    report.figures["serve_rps"] = median_figure(runs.rps, "1/s", seed=seed)
    report.figures["serve_bare_rps"] = median_figure(runs.bare_rps, "1/s", seed=seed)
    report.figures["serve_share_of_bare"] = median_figure(shares, "ratio", seed=seed)
    report.figures["serve_added_p50_ms"] = median_figure(added_p50, "ms", seed=seed)
    report.figures["serve_added_p99_ms"] = median_figure(added_p99, "ms", seed=seed)
    report.curves["serve_rounds"] = [
        {"rps": round(a, 1), "bare_rps": round(b, 1), "open_rps": round(o.requests_per_s, 1), "p50_ms": o.p50_ms,
         "p90_ms": o.p90_ms, "p99_ms": o.p99_ms, "max_ms": o.max_ms}
        for a, b, o in zip(runs.rps, runs.bare_rps, runs.open_, strict=True)
    ]  # fmt: skip
    where = "on separate cores" if separate_cores else "SHARING cores, which lowers both"
    report.details.append(
        f"serve: ceiling is bare uvicorn at {statistics.median(runs.bare_rps):,.0f} requests/s; reached "
        f"{statistics.median(shares):.0%}. Server and client {where}; {CONNECTIONS} connections; the program alone "
        f"takes {alone_ms * 1e3:.1f} us; open loop at {statistics.median(runs.rps) / 2:,.0f} requests/s"
    )


def request_bodies(name: str, inputs: Sequence[dict[str, Any]]) -> list[bytes]:
    """A chat request for each input."""
    messages = [[{"role": "user", "content": json.dumps(one)}] for one in inputs]
    return [json.dumps({"model": f"program/{name}", "messages": one}).encode() for one in messages]


def _repeated(bodies: Sequence[bytes], count: int) -> list[bytes]:
    return [bodies[i % len(bodies)] for i in range(count)]


def check_answers(url: str, table: Table, bodies: Sequence[bytes], inputs: Sequence[dict[str, Any]]) -> None:
    """Raises Unverified ``wrong_answer`` unless the server gives exactly the program's own answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for body, one in zip(bodies, inputs, strict=True):
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310  loopback
        with opener.open(request, timeout=30) as answer:
            text = json.load(answer)["choices"][0]["message"]["content"]
        if text != table.answer(dict(one)).json_text:
            raise Unverified(f"{table.name} on {one!r}: the server says {text!r}", code="wrong_answer")


def _alone_ms(table: Table, inputs: Sequence[dict[str, Any]]) -> float:
    """Of one ``table.answer`` in this process, over all inputs."""
    repeats = 50
    with quiet():
        start = time.perf_counter()
        for _ in range(repeats):
            for one in inputs:
                table.answer(one)
        return (time.perf_counter() - start) / (repeats * len(inputs)) * 1e3
