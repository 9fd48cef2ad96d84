"""The few things done directly with ASGI messages: read a body within a limit, send an answer, notice a disconnect."""

from starlette.types import Receive, Scope, Send

from pointsman.core import Decision, PointsmanError
from pointsman.gateway.errors import BodyTooLarge, ClientGone, MethodNotAllowed, error_body, status_of

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


async def disconnected(receive: Receive) -> None:
    """Returns once the client has closed the connection. The body must have been read before."""
    while (await receive())["type"] != "http.disconnect":
        pass


def decision_headers(decision: Decision) -> Headers:
    """The headers that tell a client who answered and why."""
    return [(b"x-pointsman-arm", decision.arm.encode()), (b"x-pointsman-reason", decision.reason.encode())]


async def send_whole(send: Send, status: int, body: bytes, headers: Headers) -> None:
    """Sends a complete response; `headers` name its content type."""
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": body})


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


def _refuse_beyond(max_bytes: int, num_bytes: int) -> None:
    if num_bytes > max_bytes:
        raise BodyTooLarge(f"the request body is larger than {max_bytes} bytes, the most that this server accepts")
