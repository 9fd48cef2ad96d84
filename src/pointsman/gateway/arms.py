"""What the gateway asks of everything that answers under a model's name, and the one shape of our own answers."""

import time
from dataclasses import dataclass
from typing import Literal, Protocol

from msgspec import UNSET, UnsetType
from starlette.types import Receive, Send

from pointsman.core import Decision
from pointsman.gateway import wire
from pointsman.gateway.http import DONE, EVENT_STREAM, JSON, decision_headers, event, send_whole

POLICY_VERSION = "by-name/1"
"""The gateway's present policy: the model's name chooses the arm."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request on its way to an arm: as decoded for routing, as it came, and its name in log and headers."""

    request: wire.ChatRequest
    body: bytes
    request_id: str


class Arm(Protocol):
    """One complete way to answer a request."""

    @property
    def owner(self) -> str:
        """Who answers, for `GET /v1/models`."""

    @property
    def description(self) -> str:
        """One line for people."""

    async def answer(self, call: Call, receive: Receive, send: Send) -> None:
        """Sends one complete response. Raises `PointsmanError` where nothing was sent yet, and `ClientGone`."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished text and what is said about it.

    Attributes:
        pieces: the text, cut as a stream delivers it.
        decision: who answered and why.
        note: the `pointsman` field, or None to leave it out.
        finish_reason: OpenAI's word for why the text ends.
    """

    pieces: tuple[str, ...]
    decision: Decision
    note: wire.AnswerNote | None
    finish_reason: Literal["stop", "length"] = "stop"


async def send_answer(call: Call, answer: Answer, send: Send) -> None:
    """Sends `answer` whole or as a stream of events, as the request asked."""
    headers = decision_headers(answer.decision)
    if call.request.stream:
        await send_whole(send, 200, b"".join(_events(call, answer)), [*EVENT_STREAM, *headers])
    else:
        await send_whole(send, 200, _completion(call, answer), [JSON, *headers])


def _completion(call: Call, answer: Answer) -> bytes:
    message = wire.AnswerMessage("".join(answer.pieces))
    completion = wire.Completion(
        id=f"chatcmpl-{call.request_id}",
        created=int(time.time()),
        model=call.request.model,
        choices=(wire.AnswerChoice(message, answer.finish_reason),),
        pointsman=UNSET if answer.note is None else answer.note,
    )
    return wire.encode(completion)


def _events(call: Call, answer: Answer) -> list[bytes]:
    """Role, text, end with the finish reason, usage where asked for, and the end mark."""
    options = call.request.stream_options
    wants_usage = options is not None and bool(options.include_usage)
    pending: UnsetType | None = None if wants_usage else UNSET
    name, created, model = f"chatcmpl-{call.request_id}", int(time.time()), call.request.model

    def chunk(choice: wire.ChunkChoice, note: wire.AnswerNote | None = None) -> bytes:
        shown = UNSET if note is None else note
        return event(wire.encode(wire.Chunk(name, created, model, (choice,), usage=pending, pointsman=shown)))

    events = [chunk(wire.ChunkChoice(wire.Delta(role="assistant", content="")))]
    events += [chunk(wire.ChunkChoice(wire.Delta(content=piece))) for piece in answer.pieces]
    events.append(chunk(wire.ChunkChoice(wire.Delta(), answer.finish_reason), answer.note))
    if wants_usage:
        events.append(event(wire.encode(wire.Chunk(name, created, model, (), usage=wire.Usage()))))
    return [*events, DONE]
