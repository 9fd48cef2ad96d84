import asyncio
import json
import logging
import socket
from typing import Any

import aiohttp
import pytest
from aiohttp import client_exceptions, web

from pointsman.core import UpstreamError
from pointsman.gateway import Config, UpstreamConfig, create_app
from pointsman.gateway.errors import UpstreamTimeout
from pointsman.gateway.upstream import translate

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
BODY = b'{ "model":"m",  "messages":[], "unknown": [1.50, 1e2, "\\u00e9"], "seed":null }'
EVENT_STREAM = {"Content-Type": "text/event-stream"}


class Recorder:
    """An upstream that answers with one response and keeps what it was sent."""

    def __init__(self, **response: Any) -> None:
        self._response = response
        self.bodies: list[bytes] = []
        self.headers: list[Any] = []

    async def __call__(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.read())
        self.headers.append(request.headers)
        return web.Response(**self._response)


async def test_the_body_goes_out_and_comes_back_byte_for_byte(behind: Any) -> None:
    answer = b'{"choices":[ ],"vendor":1.50}'
    upstream = Recorder(body=answer, content_type="application/json", headers={"X-Vendor": "1", "Set-Cookie": "a=b"})
    async with behind(upstream) as client:
        reply = await client.ask("POST", CHAT, BODY)
    assert upstream.bodies == [BODY]
    assert (reply.status, reply.body) == (200, answer)
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-pointsman-arm"] == "upstream/fake"
    assert reply.headers["x-pointsman-reason"] == "named_by_client"
    assert "set-cookie" not in reply.headers
    assert "x-vendor" not in reply.headers


async def test_a_large_body_goes_out_whole(behind: Any) -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"' + b"x" * 2**20 + b'"}]}'
    upstream = Recorder(text="{}")
    async with behind(upstream) as client:
        reply = await client.ask("POST", CHAT, body)
    assert reply.status == 200
    assert upstream.bodies == [body]
    assert upstream.headers[0]["Content-Length"] == str(len(body))


async def test_the_upstream_gets_its_own_key_and_never_the_client_s(behind: Any) -> None:
    for api_key, expected in ((None, None), ("sk-ours", "Bearer sk-ours")):
        upstream = Recorder(text="{}")
        async with behind(upstream, api_key=api_key) as client:
            await client.ask("POST", CHAT, BODY, [(b"authorization", b"Bearer sk-client"), (b"cookie", b"a=b")])
        assert upstream.headers[0].get("Authorization") == expected
        assert "Cookie" not in upstream.headers[0]


async def test_a_key_is_not_shown_or_logged(behind: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert "sk-ours" not in repr(UpstreamConfig("n", "http://127.0.0.1", ("m",), api_key="sk-ours"))
    with caplog.at_level(logging.DEBUG):
        async with behind(Recorder(status=503, text="my-secret"), api_key="sk-ours") as client:
            await client.ask("POST", CHAT, BODY)
    assert "answered with status 503" in caplog.text
    assert "sk-ours" not in caplog.text
    assert "my-secret" not in caplog.text


async def test_a_refusal_is_relayed_as_it_is(behind: Any) -> None:
    refusal = b'{"error":{"message":"slow down","type":"rate","param":null,"code":"rate_limit"}}'
    upstream = Recorder(status=429, body=refusal, content_type="application/json", headers={"Retry-After": "3"})
    async with behind(upstream) as client:
        reply = await client.ask("POST", CHAT, BODY)
    assert (reply.status, reply.body, reply.headers["retry-after"]) == (429, refusal, "3")


@pytest.mark.parametrize("status", [301, 500, 503])
async def test_a_failure_or_redirect_becomes_a_502(behind: Any, status: int) -> None:
    async with behind(Recorder(status=status, headers={"Location": "http://192.0.2.1/"})) as client:
        reply = await client.ask("POST", CHAT, BODY)
    assert (reply.status, reply.error["code"], reply.error["type"]) == (502, "upstream_failed", "upstream_error")
    assert str(status) in reply.error["message"]


async def test_an_upstream_that_is_down_is_a_502() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closing:
        port = closing.getsockname()[1]
    from_config = UpstreamConfig("gone", f"http://127.0.0.1:{port}/v1", ("m",))
    app = create_app(Config(upstreams=(from_config,)), [])
    sent: list[Any] = []

    async def receive() -> Any:
        if not received:
            received.append(True)
            return {"type": "http.request", "body": BODY}
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    received: list[bool] = []
    async with app.router.lifespan_context(app):
        await app({"type": "http", "method": "POST", "path": CHAT, "headers": []}, receive, send)
    assert sent[0]["status"] == 502
    assert b'"code":"upstream_unreachable"' in sent[1]["body"]


async def test_a_silent_upstream_is_a_504(behind: Any) -> None:
    async def silent(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with behind(silent, timeout_s=0.05) as client:
        reply = await client.ask("POST", CHAT, BODY)
    assert (reply.status, reply.error["code"]) == (504, "upstream_timeout")


async def test_an_answer_that_breaks_off_is_a_502(behind: Any) -> None:
    async def broken(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "100"})
        await response.prepare(request)
        await response.write(b'{"choices"')
        assert request.transport is not None
        request.transport.abort()
        return response

    async with behind(broken) as client:
        reply = await client.ask("POST", CHAT, BODY)
    assert (reply.status, reply.error["code"]) == (502, "upstream_disconnected")


async def test_a_stream_is_relayed_as_it_arrives(behind: Any) -> None:
    go_on = asyncio.Event()

    async def streaming(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=EVENT_STREAM)
        await response.prepare(request)
        await response.write(b'data: {"a": 1}\n\n')
        await go_on.wait()
        await response.write(b"data: [DONE]\n\n")
        return response

    async with behind(streaming) as client:
        asking = asyncio.ensure_future(client.ask("POST", CHAT, BODY))
        await client.first_chunk.wait()
        assert client.reply.body == b'data: {"a": 1}\n\n'
        assert not client.reply.is_complete
        go_on.set()
        reply = await asking
    assert reply.events == [{"a": 1}, "[DONE]"]
    assert reply.is_complete
    assert reply.headers["content-type"] == "text/event-stream"
    assert reply.headers["x-pointsman-arm"] == "upstream/fake"


@pytest.mark.parametrize(("fault", "code"), [("abort", "upstream_disconnected"), ("silence", "upstream_timeout")])
async def test_a_stream_that_fails_half_way_ends_with_an_error_and_no_end_mark(
    behind: Any, fault: str, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def failing(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=EVENT_STREAM)
        await response.prepare(request)
        await response.write(b'data: {"a": 1}\n\n')
        if fault == "silence":
            await asyncio.Event().wait()
        assert request.transport is not None
        request.transport.abort()
        return response

    async with behind(failing, timeout_s=0.2) as client:
        reply = await client.ask("POST", CHAT, BODY)
    first, last = reply.events
    assert first == {"a": 1}
    assert last["error"]["code"] == code
    assert reply.is_complete
    assert f"{reply.headers['x-request-id']}: " in caplog.text
    assert code in caplog.text


@pytest.mark.parametrize(
    ("sent", "between"),
    [(b'data: {"a"', b"\n\n"), (b"data: 1\n", b"\n\n"), (b"data: 1\n\n", b""), (b"data: 1\r\n\r\n", b""), (b"", b"")],
)
async def test_a_stream_that_fails_inside_an_event_ends_it_first(behind: Any, sent: bytes, between: bytes) -> None:
    async def failing(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=EVENT_STREAM)
        await response.prepare(request)
        await response.write(sent)
        await asyncio.Event().wait()
        return response

    async with behind(failing, timeout_s=0.1) as client:
        reply = await client.ask("POST", CHAT, BODY)
    assert reply.body.startswith(sent + between + b'data: {"error"')
    assert json.loads(reply.body.rpartition(b"data: ")[2])["error"]["code"] == "upstream_timeout"


@pytest.mark.parametrize("name", [b"Content-Type", b"Content-Encoding"])
async def test_a_header_that_is_not_text_is_a_502(client_of: Any, name: bytes) -> None:
    async def odd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + name + b": a/\xff\r\n\r\n{}")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(odd, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        config = UpstreamConfig("odd", f"http://127.0.0.1:{port}/v1", ("m",))
        app = create_app(Config(upstreams=(config,)), [])
        async with app.router.lifespan_context(app):
            reply = await client_of(app).ask("POST", CHAT, BODY)
    assert (reply.status, reply.error["code"], reply.error["type"]) == (502, "upstream_bad_answer", "upstream_error")


@pytest.mark.parametrize("body", [b"<html></html>", b'{"choices"', b""])
async def test_an_answer_that_is_no_json_is_relayed_as_it_is(behind: Any, body: bytes) -> None:
    async with behind(Recorder(body=body, content_type="text/html")) as client:
        reply = await client.ask("POST", CHAT, BODY)
    assert (reply.status, reply.body, reply.headers["content-type"]) == (200, body, "text/html")


@pytest.mark.parametrize("is_streaming", [True, False])
async def test_a_client_that_leaves_takes_the_upstream_s_request_along(behind: Any, is_streaming: bool) -> None:
    arrived, cancelled = asyncio.Event(), asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=EVENT_STREAM)
        if is_streaming:
            await response.prepare(request)
            await response.write(b"data: {}\n\n")
        arrived.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return response

    async with behind(endless, timeout_s=30.0) as client:
        asking = asyncio.ensure_future(client.ask("POST", CHAT, BODY))
        await arrived.wait()
        if is_streaming:
            await client.first_chunk.wait()
        client.leave()
        reply = await asking
        await asyncio.wait_for(cancelled.wait(), 20)
    assert not reply.is_complete
    assert (reply.status == 200) == is_streaming


async def test_models_names_the_upstream_that_answers(behind: Any) -> None:
    async with behind(Recorder()) as client:
        (card,) = (await client.ask("GET", "/v1/models")).json["data"]
    assert (card["id"], card["owned_by"]) == ("m", "fake")


EXEMPT = {"WSMessageTypeError"}  # no error of a request: the gateway opens no WebSocket
GENERAL = {aiohttp.ClientError}


def foreign() -> list[type[Exception]]:
    """Every public exception class of aiohttp's client."""
    names = set(client_exceptions.__all__) - EXEMPT
    in_front = (getattr(aiohttp, name) for name in aiohttp.__all__)
    kinds = {kind for kind in in_front if isinstance(kind, type) and issubclass(kind, aiohttp.ClientError)}
    return sorted(kinds | {getattr(client_exceptions, name) for name in names}, key=lambda kind: kind.__name__)


def test_the_enumeration_finds_aiohttp_s_exceptions() -> None:
    assert {aiohttp.ClientConnectorDNSError, aiohttp.ServerTimeoutError, aiohttp.InvalidURL} <= set(foreign())
    assert not issubclass(aiohttp.WSMessageTypeError, aiohttp.ClientError)


@pytest.mark.parametrize("kind", foreign())
def test_no_exception_of_aiohttp_is_unmapped(kind: type[Exception]) -> None:
    error = translate(kind.__new__(kind), "u")
    assert isinstance(error, UpstreamError)
    assert "'u'" in error.message
    is_general = error.code == "upstream_failed"
    assert is_general == (kind in GENERAL), "only aiohttp's base class may fall through to the last row"
    assert isinstance(error, UpstreamTimeout) == issubclass(kind, TimeoutError)
    assert not (issubclass(kind, aiohttp.InvalidURL) and error.retryable)


def test_a_plain_timeout_is_mapped() -> None:
    assert translate(TimeoutError(), "u").code == "upstream_timeout"
