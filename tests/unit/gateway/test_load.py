import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pointsman.core import BadRequest
from pointsman.gateway.load import _report, drive

pytestmark = pytest.mark.anyio


def asking(n: object) -> bytes:
    return json.dumps({"model": "program/double", "inputs": [n]}).encode()


@pytest.mark.parametrize("rate_per_s", [None, 2000.0])
async def test_every_body_is_sent_once(app: Any, program: Any, serve_app: Any, rate_per_s: float | None) -> None:
    with serve_app(app) as url:
        report = await drive(f"{url}/v1/chat/completions", [asking(n) for n in range(60)], rate_per_s, connections=3)
    assert sorted(inputs[0] for inputs in program.seen) == list(range(60))
    assert (report.count, report.errors) == (60, 0)
    assert report.p50_ms is not None
    assert report.max_ms is not None
    assert 0 < report.p50_ms <= report.max_ms <= report.wall_seconds * 1e3
    assert report.requests_per_s == pytest.approx(60 / report.wall_seconds)


async def test_a_refused_request_counts_as_an_error(app: Any, serve_app: Any) -> None:
    with serve_app(app) as url:
        report = await drive(f"{url}/v1/chat/completions", [asking(1), asking("x"), asking(2)], None, connections=1)
    assert (report.count, report.errors) == (3, 1)


Answering = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def against(answering: Answering, bodies: list[bytes]) -> Any:
    server = await asyncio.start_server(answering, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        return await drive(f"http://127.0.0.1:{port}/x", bodies, None, connections=1)


async def test_a_connection_that_breaks_is_opened_anew() -> None:
    connections: list[int] = []

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        await reader.readuntil(b"{}")
        if len(connections) > 1:
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
        writer.close()

    report = await against(once, [b"{}", b"{}"])
    assert len(connections) == 2
    assert (report.count, report.errors) == (2, 1)


async def test_an_answer_without_a_length_is_an_error_and_does_not_hang() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nok")
        await reader.read()
        writer.close()

    report = await against(endless, [b"{}"])
    assert (report.errors, report.p50_ms, report.max_ms, report.requests_per_s) == (1, None, None, 0.0)


@pytest.mark.parametrize(
    "url", ["http://192.0.2.1/", "http://example.invalid/", "https://127.0.0.1/", "ftp://127.0.0.1/", "127.0.0.1"]
)
async def test_only_this_machine_can_be_loaded(url: str) -> None:
    with pytest.raises(BadRequest, match="loopback"):
        await drive(url, [b"{}"], None, 1)


@pytest.mark.parametrize(("rate_per_s", "connections"), [(0.0, 1), (-1.0, 1), (float("nan"), 1), (None, 0)])
async def test_rates_and_connections_are_positive(rate_per_s: float | None, connections: int) -> None:
    with pytest.raises(BadRequest, match="positive"):
        await drive("http://127.0.0.1:1/", [b"{}"], rate_per_s, connections)


def test_quantiles_are_nearest_ranks() -> None:
    report = _report(count=110, latencies_s=[n / 1e3 for n in range(1, 101)], wall_s=2.0)
    quantiles = [report.p50_ms, report.p90_ms, report.p99_ms, report.max_ms]
    assert quantiles == pytest.approx([50, 90, 99, 100])
    assert (report.errors, report.requests_per_s) == (10, 50.0)
