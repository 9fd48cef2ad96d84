"""Models of this machine: loaded at the first request, then shared by all that ask for them.

Nothing here knows what a model is made of. A `ModelSource` says how one is loaded, and a `TextModel` writes texts on
threads of its own; `local.py` makes one of the engine. The event loop is never held up: loading and reading prompts
happen on other threads, and a text arrives piece by piece.

A client that reads slowly holds back its own stream only: what its model writes meanwhile waits here, at most the text
itself. A client that leaves ends its text.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, runtime_checkable

from starlette.types import Receive, Send

from pointsman.core import Cost, PointsmanError, UpstreamError
from pointsman.gateway import wire
from pointsman.gateway.arms import Call, Ending, Reply, send_answer
from pointsman.gateway.boundary import explained
from pointsman.gateway.chat import TextRequest, read_text_request
from pointsman.gateway.errors import ModelUnavailable, ServerStopping, error_body
from pointsman.gateway.http import EventStream, decision_headers, event, while_connected

if TYPE_CHECKING:  # loaded where there is a ledger only
    from pointsman.gateway.heat import Draw, HeatMaps

T = TypeVar("T")

CLOSE_S = 5.0
"""Seconds that a model's running step gets when the server stops; its thread ends with the process then. Chosen."""

_LOG = logging.getLogger("pointsman.gateway")


@dataclass(frozen=True, slots=True)
class Written:
    """A text that has ended.

    Attributes:
        text: all of it.
        finish_reason: OpenAI's word for why it ends, or `cancelled`.
        cost: what it took.
        logprobs: of each token, where the request asked for them.
        shared: what is told besides where two models wrote; see `Ending`.
        budget: share of its bytes that the model might move, where it has such a dial.
        heat: draws which part of it wrote what; None where that is one model as it is.
    """

    text: str
    finish_reason: Literal["stop", "length", "cancelled"]
    cost: Cost
    logprobs: wire.Logprobs | None = None
    shared: Mapping[str, Any] | None = None
    budget: float | None = None
    heat: "Draw | None" = None


OnText = Callable[[str], None]
OnEnd = Callable[[Written | BaseException], None]
Cancel = Callable[[], None]
Start = Callable[[OnText | None, OnEnd], Cancel]


class TextModel(Protocol):
    """Writes texts, many at once."""

    def prepare(self, request: TextRequest) -> Start:
        """Reads a request and returns what starts its text. Blocks; may be called from several threads at once.

        The returned function does not block. It takes a listener for each piece of the text, or None, and one for its
        end, which is called exactly once with the text or with what went wrong; both are called on another thread, must
        return quickly and raise nothing. It returns what cancels the text, which does nothing once the text has ended.

        Raises:
            PointsmanError: the request cannot be answered; the returned function raises it too.
        """

    def close(self) -> None:
        """Cancels every text and ends the model's threads. Blocks until both are done."""


@runtime_checkable
class Counts(Protocol):
    """A model that can say how long a prompt is, without writing."""

    def count(self, request: TextRequest) -> int:
        """Prompt tokens of a request. Blocks; may be called from several threads at once. Raises `PointsmanError`."""


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model that can be loaded.

    Attributes:
        name: under which clients reach it.
        description: one line for people.
        load: gives the model. Blocks; called on a thread, and again after it has failed.
        level: at which it saves: `token` where two models write, `unit` where it has a budget, `query` otherwise.
    """

    name: str
    description: str
    load: Callable[[], TextModel]
    level: Literal["query", "token", "unit"] = "query"


class ModelArm:
    """Serves one model.

    Args:
        source: of the model.
        heat_maps: keeps maps of a few answers; None for none.
    """

    owner = "pointsman"

    def __init__(self, source: ModelSource, heat_maps: "HeatMaps | None" = None) -> None:
        self.description = source.description
        self._source, self._heat_maps = source, heat_maps
        self._loading: asyncio.Task[TextModel] | None = None
        self._model: TextModel | None = None
        self._arm = f"model/{source.name}"

    async def answer(self, call: Call, receive: Receive, send: Send) -> None:
        """Answers one request; a client that leaves ends its text."""
        request = read_text_request(call.body)
        await while_connected(receive, self._answer(call, request, send))

    def count(self, body: bytes) -> int | None:
        """Prompt tokens of a request; None where the model is not loaded, or cannot tell. Blocks."""
        model: object = self._model
        if not isinstance(model, Counts):
            return None
        try:
            return model.count(read_text_request(body))
        except PointsmanError:  # told when the request is answered
            return None

    async def close(self) -> None:
        """Ends the model, where it is loaded. One that is still loading is left to its thread."""
        if self._model is None:
            return
        try:
            async with asyncio.timeout(CLOSE_S):
                await _run_aside(self._model.close, f"close {self._source.name}")
        except TimeoutError:
            _LOG.warning("the model %s was still computing after %g s and is cut off", self._source.name, CLOSE_S)

    async def _answer(self, call: Call, request: TextRequest, send: Send) -> None:
        model = await self._loaded()
        start = await asyncio.to_thread(model.prepare, request)
        listener = _Listener()
        cancel = start(listener.on_text if call.request.stream else None, listener.on_end)
        try:
            if call.request.stream:
                written = await self._stream(call, listener, send)
            else:
                written = await listener.written()
                await send_answer(call, written.text, self._ending(call, written), send)
        finally:
            cancel()
        if self._heat_maps is not None and written is not None and written.heat is not None:
            self._heat_maps.keep(call.request_id, self._source.level, written.heat)

    async def _stream(self, call: Call, listener: "_Listener", send: Send) -> Written | None:
        """An event a piece. A failure half-way is told as a last event, without the end mark, and gives None."""
        reply = Reply(call)
        stream = EventStream(send, decision_headers(call.decision(self._arm)), reply.opening())
        async for pieces in listener.pieces():
            await stream.write(b"".join(map(reply.piece, pieces)))
        written = None
        try:
            written = await listener.written()
            closing = reply.closing(self._ending(call, written))
        except Exception as exc:
            if not stream.has_started:
                raise
            closing = event(error_body(explained(exc, call.request_id)))
        await stream.write(closing, is_last=True)
        return written

    def _ending(self, call: Call, written: Written) -> Ending:
        if written.finish_reason == "cancelled":
            raise ServerStopping
        return Ending(
            call.decision(self._arm),
            written.cost,
            written.finish_reason,
            logprobs=written.logprobs,
            shared=written.shared,
            budget=written.budget,
        )

    async def _loaded(self) -> TextModel:
        """The model, which the first request loads while others wait for it; after a failure the next one tries."""
        if self._loading is None:
            self._loading = asyncio.ensure_future(self._load())
            self._loading.add_done_callback(self._forget_failure)
        return await asyncio.shield(self._loading)

    async def _load(self) -> TextModel:
        name, started = self._source.name, time.perf_counter()
        try:
            model = await _run_aside(self._source.load, f"load {name}")
        except PointsmanError as error:
            retryable = isinstance(error, UpstreamError) and error.retryable
            problem = f"the model {name!r} cannot be loaded: {error.message}"
            raise ModelUnavailable(problem, retryable=retryable, code=error.code) from error
        self._model = model
        _LOG.info("loaded the model %s in %.1f s", name, time.perf_counter() - started)
        return model

    def _forget_failure(self, loading: "asyncio.Task[TextModel]") -> None:
        if loading.cancelled() or loading.exception() is not None:
            self._loading = None


class _Listener:
    """Carries a text from a model's thread to the task that waits for it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._has_news = asyncio.Event()
        self._pieces: deque[str] = deque()
        self._end: Written | BaseException | None = None

    def on_text(self, piece: str) -> None:
        """Called on the model's thread."""
        self._pieces.append(piece)
        self._wake()

    def on_end(self, end: Written | BaseException) -> None:
        """Called on the model's thread, after the last piece."""
        self._end = end
        self._wake()

    async def pieces(self) -> AsyncIterator[list[str]]:
        """What has arrived since the last time, one piece or more, until the text ends."""
        while self._end is None or self._pieces:
            if self._pieces:
                yield [self._pieces.popleft() for _ in range(len(self._pieces))]
            else:
                await self._news()

    async def written(self) -> Written:
        """The text, once it has ended. Raises what went wrong."""
        while self._end is None:
            await self._news()
        if isinstance(self._end, BaseException):
            raise self._end
        return self._end

    async def _news(self) -> None:
        await self._has_news.wait()
        self._has_news.clear()

    def _wake(self) -> None:
        with suppress(RuntimeError):  # the loop is closed: the server has stopped, and nobody waits
            self._loop.call_soon_threadsafe(self._has_news.set)


async def _run_aside(work: Callable[[], T], name: str) -> T:
    """`work()` on a thread of its own. Unlike an executor's, it does not hold up the end of the process."""
    done: Future[T] = Future()
    done.set_running_or_notify_cancel()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as exc:  # noqa: BLE001  whoever waits is told
            done.set_exception(exc)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await asyncio.wrap_future(done)
