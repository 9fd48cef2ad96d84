"""The ceiling of the server's throughput: uvicorn, set up as Pointsman's server is, with a constant answer.

    python -m pointsman.bench.bare

Reads each request's body and sends the same JSON. Says on stderr where it listens, on a free port of 127.0.0.1.
"""

from __future__ import annotations

import socket
import sys
from contextlib import suppress
from typing import Final

import uvicorn
from starlette.types import Receive, Scope, Send

from pointsman.gateway.server import server_settings

__all__ = ["ANSWER", "app", "main"]

ANSWER: Final = b'{"choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}]}'
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(ANSWER)).encode())]


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers every request, and the server's start and stop."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": ANSWER})


def main() -> None:
    """Serves until SIGINT or SIGTERM."""
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        sys.stderr.write(f"listening on http://127.0.0.1:{listener.getsockname()[1]}\n")
        sys.stderr.flush()
        with suppress(KeyboardInterrupt):
            uvicorn.Server(server_settings(app)).run(sockets=[listener])


if __name__ == "__main__":
    main()
