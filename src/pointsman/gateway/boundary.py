"""The outermost layer: names each request, and turns whatever goes wrong below into one answer and one log line.

The log gets an unexpected exception's type and where it was raised, under the request's name. It does not get the
exception's text, which may quote a prompt; nor does the client.
"""

import asyncio
import logging
import os
import traceback

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pointsman.core import PointsmanError
from pointsman.gateway.errors import ClientGone, ServerStopping, error_body, status_of, unexpected
from pointsman.gateway.http import event, send_error

REQUEST_ID = "pointsman.request_id"
"""Where the scope holds the request's name."""

_MAX_FRAMES = 20
"""Frames of an exception that the log gets, the innermost ones. Chosen: endless recursion has a thousand."""

_LOG = logging.getLogger("pointsman.gateway")


class Boundary:
    """An ASGI app around an app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request; raises nothing that is an `Exception`."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = scope[REQUEST_ID] = f"req-{os.urandom(8).hex()}"
        start: Message | None = None

        async def send_named(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_named)
        except ClientGone:
            _LOG.info("%s: the client left", request_id)
        except Exception as exc:  # noqa: BLE001  the process edge: answered and logged
            error = explained(exc, request_id)
            if start is None:
                await send_error(send_named, error)
        except asyncio.CancelledError:  # by uvicorn, once the time is over that running requests get at the end
            error = explained(ServerStopping(), request_id)
            if start is None:
                await send_error(send_named, error)
            elif _is_stream(start):  # an event that was cut is ended first, so that the last one can be read
                await send({"type": "http.response.body", "body": b"\n\n" + event(error_body(error))})


def _is_stream(start: Message) -> bool:
    return any(name == b"content-type" and value.startswith(b"text/event-stream") for name, value in start["headers"])


def explained(exc: BaseException, request_id: str) -> PointsmanError:
    """The error that the client is told in place of `exc`, which is logged where the fault is not the client's."""
    if not isinstance(exc, PointsmanError):
        _LOG.error("%s: unexpected\n%s", request_id, _where(exc))
        return unexpected(request_id)
    if status_of(exc) >= 500:
        _LOG.warning("%s: %s (%s)", request_id, exc.message, exc.code)
    return exc


def _where(exc: BaseException) -> str:
    """Each exception of the chain, the oldest first: its innermost frames and its type, but not its text."""
    cause = exc.__cause__ or (None if exc.__suppress_context__ else exc.__context__)
    before = f"{_where(cause)}\nwhich led to\n" if cause is not None else ""
    frames = "".join(traceback.format_tb(exc.__traceback__, -_MAX_FRAMES))
    return f"{before}{frames}{type(exc).__module__}.{type(exc).__qualname__}"
