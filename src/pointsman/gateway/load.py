"""A load generator for servers on this machine, used by benchmarks and the demonstration.

With a rate, arrivals are scheduled ahead of time and a request's latency runs from its scheduled start, so a server
that stalls is charged for everyone who would have waited (an open loop). Without one, each connection sends its next
request once its last is answered (a closed loop), which finds the highest throughput.

It reads only what a benchmark needs of HTTP/1.1: a status and a body with a declared length. It speaks to loopback
addresses only.
"""

import asyncio
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import cast
from urllib.parse import SplitResult, urlsplit

from pointsman.core import BadRequest


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What a run of `drive` saw. Latencies are of requests that succeeded, and None where none did.

    Attributes:
        count: requests sent.
        errors: requests without an answer of status 200.
        wall_seconds: from the start of the run to the last answer.
        requests_per_s: successful answers by `wall_seconds`.
    """

    count: int
    errors: int
    wall_seconds: float
    requests_per_s: float
    p50_ms: float | None
    p90_ms: float | None
    p99_ms: float | None
    max_ms: float | None


async def drive(url: str, bodies: Sequence[bytes], rate_per_s: float | None, connections: int) -> LoadReport:
    """Posts every one of `bodies` once, in order, over `connections` kept-alive connections.

    Raises:
        BadRequest: `url` is not http on a loopback address, or a number is not positive.
    """
    target = _loopback(url)
    if connections < 1 or (rate_per_s is not None and not rate_per_s > 0):
        raise BadRequest("connections and rate_per_s must be positive")
    requests = [_request(target, body) for body in bodies]
    latencies_s: list[float] = []
    turns = iter(range(len(requests)))
    started = time.perf_counter()
    workers = (_work(target, requests, turns, started, rate_per_s, latencies_s) for _ in range(connections))
    await asyncio.gather(*workers)
    return _report(len(requests), sorted(latencies_s), time.perf_counter() - started)


async def _work(
    target: SplitResult,
    requests: Sequence[bytes],
    turns: Iterator[int],
    started: float,
    rate_per_s: float | None,
    latencies_s: list[float],
) -> None:
    """Takes turns until none is left, on one connection that is opened anew when it breaks."""
    connection: _Connection | None = None
    for turn in turns:
        scheduled = time.perf_counter() if rate_per_s is None else started + turn / rate_per_s
        if (wait_s := scheduled - time.perf_counter()) > 0:
            await asyncio.sleep(wait_s)
        try:
            if connection is None or connection.is_closed:
                connection = await _connect(target)
            status = await connection.ask(requests[turn])
        except OSError:
            continue
        if status == 200:
            latencies_s.append(time.perf_counter() - scheduled)
    if connection is not None:
        connection.close()


class _Connection(asyncio.Protocol):
    """One HTTP/1.1 connection with one request at a time on it."""

    def __init__(self) -> None:
        self.is_closed = False
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[int] | None = None
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's has the methods, but not the base class

    def connection_lost(self, exc: Exception | None) -> None:
        """Fails the request that waits, if one does."""
        self.is_closed = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        """Completes the request that waits, once its whole answer is here."""
        self._buffer += data
        head, mark, body = self._buffer.partition(b"\r\n\r\n")
        if mark and self._answer is not None and not self._answer.done():
            length = _declared_length(head)
            if length is None:
                self.close()
            elif len(body) >= length:
                self._answer.set_result(int(head[9:12]))

    async def ask(self, request: bytes) -> int:
        """Sends one request and returns the status of its answer. Raises `OSError` where the connection breaks."""
        assert self._transport is not None
        self._buffer = b""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """Closes the connection."""
        self.is_closed = True
        if self._transport is not None:
            self._transport.close()


async def _connect(target: SplitResult) -> _Connection:
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(_Connection, target.hostname or "", target.port or 80)
    return connection


def _declared_length(head: bytes) -> int | None:
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.split(b"\r\n", 1)[0]) if found else None


def _request(target: SplitResult, body: bytes) -> bytes:
    head = f"POST {target.path or '/'} HTTP/1.1\r\nHost: {target.netloc}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _loopback(url: str) -> SplitResult:
    target = urlsplit(url)
    host = target.hostname or ""
    try:
        is_loopback = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if target.scheme != "http" or not is_loopback:
        raise BadRequest(f"{url!r} is not an http URL on a loopback address")
    return target


def _report(count: int, latencies_s: Sequence[float], wall_s: float) -> LoadReport:
    """The report on `count` requests whose successes took `latencies_s`, in ascending order."""

    def quantile_ms(share: float) -> float | None:
        """Nearest rank."""
        return latencies_s[max(math.ceil(share * len(latencies_s)) - 1, 0)] * 1e3 if latencies_s else None

    return LoadReport(
        count=count,
        errors=count - len(latencies_s),
        wall_seconds=wall_s,
        requests_per_s=len(latencies_s) / wall_s if wall_s > 0 else 0.0,
        p50_ms=quantile_ms(0.50),
        p90_ms=quantile_ms(0.90),
        p99_ms=quantile_ms(0.99),
        max_ms=quantile_ms(1.0),
    )
