"""The server's application: a table from path to endpoint, and a table from model name to arm.

Paths are few and fixed, so a dictionary finds them. Without regular-expression routing and its exception layers, and
without context managers around decoding, a program's answer takes 27 us of this process's time in place of 62 (of some
200 with the HTTP server's share; a virtual machine with two cores).
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

import pointsman
from pointsman.core import BadRequest, NotFound
from pointsman.gateway import wire
from pointsman.gateway.arms import POLICY_VERSION, Arm, Call
from pointsman.gateway.auto import AUTO, Auto, Opened
from pointsman.gateway.boundary import REQUEST_ID, Boundary
from pointsman.gateway.config import Config
from pointsman.gateway.errors import MethodNotAllowed
from pointsman.gateway.http import JSON, bearer_of, read_body, send_whole
from pointsman.gateway.models import ModelArm, ModelSource
from pointsman.gateway.programs import PREFIX, Program, ProgramArm
from pointsman.gateway.tap import Tap
from pointsman.gateway.upstream import UpstreamArm, new_session

if TYPE_CHECKING:  # a gateway without programs does not load the compiler, one without a ledger no database
    from pointsman.gateway.heat import HeatMaps
    from pointsman.program.text.router import Router

Endpoints = Mapping[str, Mapping[str, ASGIApp]]
"""Path, then method, to the app that serves it. A path that ends with a slash takes one more segment."""

_EXPLAIN = "/v1/pointsman/explain/"
_FEEDBACK = "/v1/pointsman/feedback/"

_MOST_LOOKS, _LOOK_S = 50, 0.01
"""How long feedback waits for a request to be settled. Chosen; a request that goes on for longer has no answer yet."""

_MAX_LISTED = 50
"""Model names that an error lists at most. Chosen."""


class _Switch:
    """Sends each request to its endpoint; what is no HTTP request goes on to the app within."""

    def __init__(self, app: ASGIApp, endpoints: Endpoints) -> None:
        self._app = app
        self._endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        methods = self._endpoints.get(path) or self._endpoints.get(path[: path.rfind("/") + 1])
        if methods is None:
            listed = ", ".join(self._endpoints)
            raise NotFound(f"there is no such path; there is {listed}", code="path_not_found")
        endpoint = methods.get(scope["method"])
        if endpoint is None:
            raise MethodNotAllowed(tuple(methods))
        await endpoint(scope, receive, send)


class _Gateway:
    """Holds the arms and serves the endpoints. Upstreams join the arms while the application runs."""

    def __init__(
        self,
        config: Config,
        programs: Sequence[Program],
        models: Sequence[ModelSource],
        router: "Router | None",
        opened: Opened,
    ) -> None:
        relayed = [name for upstream in config.upstreams for name in upstream.models]
        names = [*(PREFIX + program.name for program in programs), *(model.name for model in models), *relayed]
        if config.server.infer is not None and config.server.infer not in names:
            problem = f"infer names {config.server.infer!r}, which is none of the models"
            raise BadRequest(problem, code="invalid_config")
        self._config = config
        self._programs = {PREFIX + program.name: ProgramArm(program) for program in programs}
        heat_maps = _heat_maps(config, opened)
        self._models = {model.name: ModelArm(model, heat_maps) for model in models}
        self._arms: dict[str, Arm] = {**self._programs, **self._models}
        self._auto = Auto(config, opened, router, self._arms, models)
        _refuse_twins([*names, *([AUTO] if self._auto.arm is not None else [])])
        if self._auto.arm is not None:
            self._arms[AUTO] = self._auto.arm

    @property
    def endpoints(self) -> Endpoints:
        """Everything that is served."""
        return {
            "/v1/chat/completions": {"POST": self._chat},
            "/v1/models": {"GET": self._list, "HEAD": self._list},
            "/v1/pointsman/status": {"GET": self._status, "HEAD": self._status},
            _EXPLAIN: {"GET": self._explain, "HEAD": self._explain},
            _FEEDBACK: {"POST": self._feedback},
            "/healthz": {"GET": self._health, "HEAD": self._health},
        }

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """Opens the connections to upstreams, and closes everything at the end."""
        try:
            async with new_session() as session:
                for config in self._config.upstreams:
                    arm = UpstreamArm(config, session)
                    self._arms.update(dict.fromkeys(config.models, arm))
                try:
                    yield
                finally:
                    if self._auto.arm is not None:
                        await self._auto.arm.close()
        finally:
            for program in self._programs.values():
                program.close()
            await asyncio.gather(*(model.close() for model in self._models.values()))
            await asyncio.to_thread(self._auto.close)

    async def _chat(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The model's name chooses the arm, and the arm answers."""
        body = await read_body(scope, receive, self._config.server.max_body_bytes)
        request = wire.decode_request(body)
        arm = self._arms.get(request.model)
        if arm is None:
            raise self._unknown(request.model)
        call = Call(request, body, scope[REQUEST_ID], api_key=bearer_of(scope))
        if request.model == AUTO or not self._auto.recorder.has_ledger:
            await arm.answer(call, receive, send)
        else:
            await self._recorded(arm, call, receive, send)

    async def _recorded(self, arm: Arm, call: Call, receive: Receive, send: Send) -> None:
        """Answers, and writes what it took into the ledger."""
        recorder, model = self._auto.recorder, call.request.model
        tap, time_us = Tap(send, price_of=self._auto.price_of(model)), recorder.now_us()
        try:
            await arm.answer(call, receive, tap.send)
        finally:
            recorder.named(call.request_id, time_us, self._auto.level_of(model), tap.heard, POLICY_VERSION)

    async def _status(self, scope: Scope, receive: Receive, send: Send) -> None:
        """How `auto` does. It cannot be changed over HTTP."""
        await send_whole(send, 200, wire.encode(self._auto.told()), [JSON])

    async def _explain(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What became of a recent request to `auto`, for who asked it."""
        trail = self._auto.trails.find(scope["path"].removeprefix(_EXPLAIN), bearer_of(scope))
        await send_whole(send, 200, wire.encode(trail.told()), [JSON])

    async def _feedback(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Whether the answer to a recent request to `auto` was right, from who asked it; for the ledger."""
        said = wire.decode_feedback(await read_body(scope, receive, self._config.server.max_body_bytes))
        trail = self._auto.trails.find(scope["path"].removeprefix(_FEEDBACK), bearer_of(scope))
        for _ in range(_MOST_LOOKS):  # the books are settled right after the answer, which the client has already
            if trail.state != "open":
                break
            await asyncio.sleep(_LOOK_S)
        self._auto.recorder.told_right(trail, correct=said.correct)
        await send_whole(send, 200, wire.encode({"id": trail.request_id, "correct": said.correct}), [JSON])

    async def _list(self, scope: Scope, receive: Receive, send: Send) -> None:
        cards = (wire.ModelCard(name, arm.owner, arm.description) for name, arm in self._arms.items())
        await send_whole(send, 200, wire.encode(wire.ModelList(tuple(cards))), [JSON])

    async def _health(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The process serves; upstreams are not asked."""
        counts = len(self._programs), len(self._models), len(self._config.upstreams)
        health = wire.Health(pointsman.__version__, *counts)
        await send_whole(send, 200, wire.encode(health), [JSON])

    def _unknown(self, model: str) -> NotFound:
        names = sorted(self._arms)
        more = f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else ""
        listed = f"{', '.join(names[:_MAX_LISTED]) or 'none'}{more}"
        return NotFound(f"no model is named {model[:100]!r}; there is {listed}", code="model_not_found")


def create_app(
    config: Config,
    programs: Sequence[Program],
    models: Sequence[ModelSource] = (),
    router: "Router | None" = None,
    opened: Opened | None = None,
) -> Starlette:
    """The application for `config` that serves `programs` and `models`, each model loaded at its first request.

    With a `router`, or with what `opened` holds for it, it serves `auto` too.

    Upstreams answer while its lifespan is running; at its end the models are closed, and so is what is `opened`.

    Raises:
        BadRequest: `invalid_config` where two of all these would be reached by one name, or none is the one to infer;
            `invalid_arm` where an arm of the policy is none of the models.
    """
    gateway = _Gateway(config, programs, models, router, opened or Opened())
    layers = [Middleware(Boundary), Middleware(_Switch, endpoints=gateway.endpoints)]
    return Starlette(middleware=layers, lifespan=gateway.lifespan)


def _heat_maps(config: Config, opened: Opened) -> "HeatMaps | None":
    if opened.ledger is None or not config.routing.heat_maps:
        return None
    from pointsman.gateway.heat import HeatMaps

    return HeatMaps(opened.ledger)


def _refuse_twins(names: Sequence[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            problem = f"{count} of the programs, models and upstreams' models are named {name!r}; expected one"
            raise BadRequest(problem, code="invalid_config")
