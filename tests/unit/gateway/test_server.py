import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from pointsman.core import BadRequest
from pointsman.gateway import Config, ServerConfig, UpstreamConfig, create_app, serve

pytestmark = pytest.mark.anyio


async def test_a_program_answers_over_a_socket(app: Any, serve_app: Any) -> None:
    request = {"model": "program/double", "messages": [{"role": "user", "content": "[21]"}]}
    with serve_app(app) as url:
        async with aiohttp.ClientSession() as session:
            async with session.post(f"{url}/v1/chat/completions", json=request) as response:
                whole = await response.json()
            async with session.post(f"{url}/v1/chat/completions", json={**request, "stream": True}) as response:
                streamed = await response.text()
            async with session.head(f"{url}/healthz") as response:
                head = (response.status, await response.read())
    assert whole["choices"][0]["message"]["content"] == "42"
    assert streamed.endswith("data: [DONE]\n\n")
    assert head == (200, b"")


async def test_a_body_over_the_limit_is_refused_over_a_socket(program: Any, serve_app: Any) -> None:
    with serve_app(create_app(Config(ServerConfig(max_body_bytes=1000)), [program])) as url:
        async with aiohttp.request("POST", f"{url}/v1/chat/completions", data=b" " * 1001) as response:
            assert response.status == 413
            assert (await response.json())["error"]["code"] == "body_too_large"


async def test_a_client_that_hangs_up_takes_the_upstream_s_request_along(upstream_at: Any, serve_app: Any) -> None:
    arrived, cancelled = asyncio.Event(), asyncio.Event()

    async def endless(request: web.Request) -> web.Response:
        arrived.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    async with upstream_at(endless) as base_url:
        upstream = UpstreamConfig("fake", base_url, ("m",))
        with serve_app(create_app(Config(upstreams=(upstream,)), [])) as url:
            host, port = url.removeprefix("http://").split(":")
            _, writer = await asyncio.open_connection(host, int(port))
            body = json.dumps({"model": "m", "messages": []})
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(f"{head}{body}".encode())
            await arrived.wait()
            writer.close()
            await asyncio.wait_for(cancelled.wait(), 20)
    assert cancelled.is_set()


def test_serve_listens_says_where_and_stops_when_told() -> None:
    code = "from pointsman.gateway import Config, ServerConfig, serve; serve(Config(ServerConfig(port=0)))"
    environ = {**os.environ, "PYTHONWARNINGS": "error"}
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, env=environ)
    assert process.stderr is not None
    with process:
        line = process.stderr.readline()
        found = re.fullmatch(r"INFO listening on http://127\.0\.0\.1:(\d+)\n", line)
        assert found, line + process.stderr.read()
        with socket.create_connection(("127.0.0.1", int(found[1]))) as client:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b'"status":"ok"' in answer
    assert (process.returncode, rest) == (0, ""), "an ordinary run logs nothing more"


def test_an_address_in_use_is_said_plainly() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BadRequest, match=rf"cannot listen on 127\.0\.0\.1, port {port}: ") as caught:
            serve(Config(ServerConfig(port=port)))
    assert caught.value.code == "invalid_config"
