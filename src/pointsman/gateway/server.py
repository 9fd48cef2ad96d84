"""Runs the application in this process until it is told to stop."""

import logging
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from starlette.types import ASGIApp

from pointsman.core import BadRequest, Unsupported
from pointsman.core.asking import Answerer
from pointsman.gateway.app import create_app
from pointsman.gateway.auto import open_routing
from pointsman.gateway.auto.building import LoadPolicy
from pointsman.gateway.config import Config, ServerConfig
from pointsman.gateway.models import ModelSource
from pointsman.gateway.programs import find_router, load_folder

if TYPE_CHECKING:
    from pointsman.program import Table
    from pointsman.program.ladder import Rung
    from pointsman.query.policy import Policy

GRACE_S = 10
"""Seconds that running requests get to finish once the server is told to stop. Chosen.

Requests to upstreams and models are cut off then. A program's run is not: it is Python in this process, and the process
ends once the run does, at the latest when its fuel is spent; a single huge operation has no such end."""

_BACKLOG = 2048

_LOG = logging.getLogger("pointsman.gateway")


def serve(
    config: Config,
    models: Sequence[ModelSource] = (),
    answerer_of: Callable[["Table"], Answerer] | None = None,
    reader: "Rung | None" = None,
    load_policy: LoadPolicy | None = None,
    source_of: Callable[[str], str] = str,
) -> None:
    """Loads the programs and serves until SIGINT or SIGTERM; then lets running requests finish for `GRACE_S`.

    Blocks. Sets up logging to stderr: a line at the start, one for each model that is loaded and one for each failure,
    none for an ordinary request.

    Args:
        config: what to serve and where.
        models: of this machine.
        answerer_of: who answers the questions of a program.
        reader: who reads requests in free words.
        load_policy: reads the folder of a policy; None for `query.storing`.
        source_of: finds the model that a policy has learned with by its name.

    Raises:
        BadRequest: `invalid_config` where a program cannot be loaded, or nothing can listen at host and port; as
            `open_routing` and `create_app`.
    """
    paths = config.server.programs
    programs = load_folder(paths, answerer_of, reader)
    has_readers = answerer_of is not None and reader is not None
    router = find_router(paths, programs, answerer_of, reader) if answerer_of and reader and has_readers else None
    opened = open_routing(config, load_policy or partial(_stored_policy, source_of=source_of))
    try:
        app = create_app(config, programs, models, router, opened)
        listening = _listening(config.server)
    except BaseException:
        opened.close()
        raise
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(message)s")
    logging.getLogger("pointsman").setLevel(logging.INFO)
    with listening as listener:
        host, port = listener.getsockname()[:2]
        _LOG.info("listening on http://%s:%d", f"[{host}]" if ":" in host else host, port)
        with suppress(KeyboardInterrupt):  # raised again by uvicorn once it has shut down
            uvicorn.Server(server_settings(app)).run(sockets=[listener])


def _stored_policy(folder: Path, embedding: Path | None, source_of: Callable[[str], str] = str) -> "Policy":
    try:
        storing = import_module("pointsman.query.storing")
    except ModuleNotFoundError as exc:
        problem = "a policy cannot be loaded: pointsman.query.storing or a library that it needs is missing"
        raise Unsupported(f"{problem} ({exc.name}); install pointsman[local]", code="extra_missing") from exc
    policy: Policy = storing.load_policy(folder, embedding, source_of)
    policy.server.warm()
    return policy


def server_settings(app: ASGIApp) -> uvicorn.Config:
    """How uvicorn runs `app`: no access log, no WebSockets, the fastest loop and parser that are installed."""
    return uvicorn.Config(
        app,
        access_log=False,
        log_config=None,
        ws="none",
        lifespan="on",
        server_header=False,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=GRACE_S,
    )


def _listening(server: ServerConfig) -> socket.socket:
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    try:
        return socket.create_server((server.host, server.port), family=family, backlog=_BACKLOG)
    except (OSError, UnicodeError) as exc:  # the latter for a name that DNS could not hold
        reason = exc.strerror if isinstance(exc, OSError) else "no address"
        message = f"cannot listen on {server.host}, port {server.port}: {reason}"
        raise BadRequest(message, code="invalid_config") from exc
