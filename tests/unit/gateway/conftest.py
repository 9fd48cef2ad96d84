"""A client that drives the application in this process, fake programs, and a fake upstream on loopback."""

import asyncio
import importlib.util
import json
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import uvicorn
from aiohttp import web
from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Send

from pointsman.core import BadRequest, Cost
from pointsman.gateway import Config, UpstreamConfig, create_app
from pointsman.gateway.server import server_settings


@dataclass
class Reply:
    """One response, as it was sent."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    chunks: list[bytes] = field(default_factory=list)
    is_complete: bool = False

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> Any:
        """The error, which has OpenAI's four fields and no more."""
        (error,) = self.json.values()
        assert set(self.json) == {"error"}
        assert set(error) == {"message", "type", "param", "code"}
        return error

    @property
    def events(self) -> list[Any]:
        """The data of a stream's events; the end mark as text."""
        blocks = self.body.decode().removesuffix("\n\n").split("\n\n")
        data = [block.removeprefix("data: ") for block in blocks if block]
        return [item if item == "[DONE]" else json.loads(item) for item in data]


class Client:
    """Drives an ASGI app. `leave` disconnects the client of the request that runs."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._gone = asyncio.Event()
        self.first_chunk = asyncio.Event()
        self.reply = Reply()

    def leave(self) -> None:
        self._gone.set()

    async def chat(self, request: object) -> Reply:
        return await self.ask("POST", "/v1/chat/completions", json.dumps(request).encode())

    async def ask(
        self, method: str, path: str, body: bytes = b"", headers: Sequence[tuple[bytes, bytes]] = (), pieces: int = 1
    ) -> Reply:
        self.reply = Reply()
        await self._ask(self._keep, method, path, body, headers, pieces)
        return self.reply

    async def ask_with(self, send: Send, request: object) -> None:
        """A chat whose answer goes to `send`."""
        await self._ask(send, "POST", "/v1/chat/completions", json.dumps(request).encode())

    async def _ask(
        self,
        send: Send,
        method: str,
        path: str,
        body: bytes,
        headers: Sequence[tuple[bytes, bytes]] = (),
        pieces: int = 1,
    ) -> None:
        size = max(-(-len(body) // pieces), 1)
        parts = [body[at : at + size] for at in range(0, len(body), size)] or [b""]
        pending = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
        pending[-1]["more_body"] = False

        async def receive() -> Message:
            if pending:
                return pending.pop(0)
            await self._gone.wait()
            return {"type": "http.disconnect"}

        scope = {"type": "http", "method": method, "path": path, "headers": list(headers), "query_string": b""}
        await self._app({**scope, "asgi": {"version": "3.0"}, "http_version": "1.1"}, receive, send)

    async def _keep(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            assert self.reply.status == 0, "a response starts once"
            self.reply.status = message["status"]
            self.reply.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            assert self.reply.status, "a body comes after the start"
            self.reply.chunks.append(message.get("body", b""))
            self.first_chunk.set()
            self.reply.is_complete = not message.get("more_body", False)


@dataclass(frozen=True)
class FakeAnswer:
    kind: str
    json_text: bytes | str
    states_visited: int
    cost: Cost = field(default_factory=Cost.zero)


class FakeProgram:
    """Doubles `n`; other values of `n` show the other ways in which a program can end."""

    name = "double"
    description = "Twice n"
    asks = False

    def __init__(self) -> None:
        self.seen: list[object] = []
        self.threads: list[int] = []

    def answer(self, inputs: dict[str, object] | list[object]) -> Any:
        self.seen.append(inputs)
        self.threads.append(threading.get_ident())
        values = list(inputs.values()) if isinstance(inputs, dict) else inputs
        match values:
            case ["raise"]:
                return FakeAnswer("exception", b'{"exception": {"type": "ValueError", "message": "no"}}', 2)
            case ["forever"]:
                return FakeAnswer("out_of_fuel", '{"exception": {"type": "OutOfFuel", "message": "no end"}}', 1000)
            case ["slow"]:
                time.sleep(0.03)
                return FakeAnswer("value", "null", 1)
            case ["bug", secret]:
                raise RuntimeError(f"about {secret}")
            case [int(n)]:
                return FakeAnswer("value", str(2 * n), 3)
        raise BadRequest("the program takes one integer, n", code="invalid_inputs", param="n")


@pytest.fixture
def fakes() -> ModuleType:
    """The module `fakes.py`: models and policies for `auto`."""
    spec = importlib.util.spec_from_file_location("gateway_fakes", Path(__file__).with_name("fakes.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def program() -> FakeProgram:
    return FakeProgram()


@pytest.fixture
def app(program: FakeProgram) -> Starlette:
    """One program and nothing else."""
    return create_app(Config(), [program])


@pytest.fixture
def client_of() -> type[Client]:
    """`client_of(app)` drives another app."""
    return Client


@pytest.fixture
def client(app: Starlette) -> Client:
    return Client(app)


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Behind = Callable[..., AbstractAsyncContextManager[Client]]


@asynccontextmanager
async def _listening(handler: Handler) -> AsyncIterator[str]:
    """A server on loopback that answers chat completions with `handler`; gives its base URL."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return await handler(request)

    application = web.Application(client_max_size=2**23)
    application.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


@pytest.fixture
def upstream_at() -> Callable[[Handler], AbstractAsyncContextManager[str]]:
    """`async with upstream_at(handler) as base_url`."""
    return _listening


@pytest.fixture
def behind() -> Behind:
    """`async with behind(handler) as client`: a gateway whose model `m` is answered by `handler`, over loopback."""

    @asynccontextmanager
    async def gateway(handler: Handler, timeout_s: float = 5.0, api_key: str | None = None) -> AsyncIterator[Client]:
        async with _listening(handler) as base_url:
            app = create_app(Config(upstreams=(UpstreamConfig("fake", base_url, ("m",), timeout_s, api_key),)), [])
            async with app.router.lifespan_context(app):
                yield Client(app)

    return gateway


@pytest.fixture
def serve_app() -> Callable[[ASGIApp], Any]:
    """`with serve_app(app) as url`: the app under uvicorn, as the server runs it, on a thread."""

    @contextmanager
    def run(app: ASGIApp) -> Iterator[str]:
        settings = server_settings(app)
        settings.host, settings.port = "127.0.0.1", 0
        server = uvicorn.Server(settings)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.01)
            yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()

    return run
