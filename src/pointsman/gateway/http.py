"""The few things done directly with ASGI messages: read a body within a limit, send an answer, notice a disconnect."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.types import Receive, Scope, Send

from pointsman.core import Decision, PointsmanError
from pointsman.gateway.errors import BodyTooLarge, ClientGone, MethodNotAllowed, error_body, status_of

T = TypeVar("T")

Headers = list[tuple[bytes, bytes]]

JSON = (b"content-type", b"application/json")
EVENT_STREAM = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]


async def read_body(scope: Scope, receive: Receive, max_bytes: int) -> bytes:
    """The whole body of a request.

    Raises:
        BodyTooLarge: it has, or declares, more than `max_bytes` bytes; the rest is not read.
        ClientGone: the client left before it was complete.
    """
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            _refuse_beyond(max_bytes, int(value))
    parts: list[bytes] = []
    num_bytes = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        body = message.get("body", b"")
        num_bytes += len(body)
        _refuse_beyond(max_bytes, num_bytes)
        parts.append(body)
        if not message.get("more_body"):
            return body if len(parts) == 1 else b"".join(parts)


def bearer_of(scope: Scope) -> str | None:
    """The API key of a request, as OpenAI's clients send it; None where there is none."""
    for name, value in scope["headers"]:
        scheme, _, key = value.partition(b" ")
        if name == b"authorization" and scheme.lower() == b"bearer" and key.strip():
            return str(key.strip().decode("latin-1"))
    return None


async def while_connected(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """What `work` gives, run to its end or until the client leaves, which cancels it. The body was read before.

    Raises:
        ClientGone: the client left first; and whatever `work` raises.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGone
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


def decision_headers(decision: Decision) -> Headers:
    """The headers that tell a client who answered and why."""
    return [(b"x-pointsman-arm", decision.arm.encode()), (b"x-pointsman-reason", decision.reason.encode())]


async def send_whole(send: Send, status: int, body: bytes, headers: Headers) -> None:
    """Sends a complete response; `headers` name its content type."""
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": body})


class EventStream:
    """A response made of events. It starts with the first of them, so that what fails before has a status of its own.

    Args:
        send: ASGI's.
        headers: besides those of every stream of events.
        opening: events that go out before the first.
    """

    def __init__(self, send: Send, headers: Headers, opening: bytes = b"") -> None:
        self.has_started = False
        self._send = send
        self._headers = [*EVENT_STREAM, *headers]
        self._opening = opening

    async def write(self, events: bytes, *, is_last: bool = False) -> None:
        """Sends events; returns once the client has taken what was sent before, or nearly so."""
        if not self.has_started:
            self.has_started = True
            await self._send({"type": "http.response.start", "status": 200, "headers": self._headers})
            events = self._opening + events
        await self._send({"type": "http.response.body", "body": events, "more_body": not is_last})


async def send_error(send: Send, error: PointsmanError) -> None:
    """Sends `error` in OpenAI's shape under its status."""
    headers = [JSON]
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", ", ".join(error.allowed).encode()))
    await send_whole(send, status_of(error), error_body(error), headers)


def event(data: bytes) -> bytes:
    """One server-sent event. `data` holds no line break, as compact JSON never does."""
    return b"data: " + data + b"\n\n"


DONE = event(b"[DONE]")


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _refuse_beyond(max_bytes: int, num_bytes: int) -> None:
    if num_bytes > max_bytes:
        raise BodyTooLarge(f"the request body is larger than {max_bytes} bytes, the most that this server accepts")
