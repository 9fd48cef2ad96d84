"""What the gateway asks of everything that answers under a model's name, and the one shape of our own answers."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from msgspec import UNSET, UnsetType
from starlette.types import Receive, Send

from pointsman.core import Cost, Decision
from pointsman.gateway import wire
from pointsman.gateway.http import DONE, EVENT_STREAM, JSON, decision_headers, event, send_whole

POLICY_VERSION = "by-name/1"
"""The gateway's present policy: the model's name chooses the arm."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request on its way to an arm.

    Attributes:
        request: as decoded for routing.
        body: as it came.
        request_id: its name in log and headers.
        reason: why this arm answers.
        policy: that decided it.
        api_key: the client's own, by which memory and what can be explained are kept apart; it goes nowhere else.
    """

    request: wire.ChatRequest
    body: bytes
    request_id: str
    reason: str = "named_by_client"
    policy: str = POLICY_VERSION
    api_key: str | None = field(default=None, repr=False)

    def within(self, name: str) -> "Call":
        """The same as a request of its own within this one."""
        return replace(self, request_id=f"{self.request_id}.{name}")

    def decision(self, arm: str) -> Decision:
        """That this arm answers."""
        return Decision(arm, self.reason, self.policy)


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
class Ending:
    """What is known once a text is complete.

    Attributes:
        decision: who answered and why.
        cost: what it took.
        finish_reason: why the text ends.
        states_visited: states of a program's table, or UNSET where a model answered.
        logprobs: of each token, where they were asked for.
        shared: what is told besides where two models wrote, as arguments of `wire.PairNote`; None elsewhere.
        budget: share of its bytes that a model might move; None where it has no such dial.
    """

    decision: Decision
    cost: Cost
    finish_reason: wire.FinishReason
    states_visited: int | UnsetType = UNSET
    logprobs: wire.Logprobs | None = None
    shared: Mapping[str, Any] | None = None
    budget: float | None = None

    @property
    def note(self) -> wire.AnswerNote:
        """The `pointsman` field."""
        if self.shared is not None:
            return wire.PairNote(self.decision.arm, self.decision.reason, self.cost, **self.shared)
        budget = UNSET if self.budget is None else self.budget
        return wire.AnswerNote(self.decision.arm, self.decision.reason, self.cost, self.states_visited, budget)

    @property
    def usage(self) -> wire.Usage:
        """Tokens, as OpenAI counts them."""
        read, written = self.cost.prompt_tokens, self.cost.completion_tokens
        return wire.Usage(read, written, read + written)


class Reply:
    """Writes the answer to one call in OpenAI's shape: `whole`, or `opening`, any number of `piece` and `closing`."""

    def __init__(self, call: Call) -> None:
        options = call.request.stream_options
        self._wants_usage = options is not None and bool(options.include_usage)
        self._id, self._created, self._model = f"chatcmpl-{call.request_id}", int(time.time()), call.request.model

    def whole(self, text: str, ending: Ending) -> bytes:
        """The body of a complete answer."""
        choice = wire.AnswerChoice(wire.AnswerMessage(text), ending.finish_reason, logprobs=ending.logprobs)
        return wire.encode(wire.Completion(self._id, self._created, self._model, (choice,), ending.note, ending.usage))

    def opening(self) -> bytes:
        """The event that begins a stream."""
        return self._chunk(wire.ChunkChoice(wire.Delta(role="assistant", content="")))

    def piece(self, text: str) -> bytes:
        """The event that adds `text`."""
        return self._chunk(wire.ChunkChoice(wire.Delta(content=text)))

    def closing(self, ending: Ending) -> bytes:
        """The events that end a stream: finish reason, usage where asked for, and the end mark."""
        last = wire.ChunkChoice(wire.Delta(), ending.finish_reason, logprobs=ending.logprobs)
        events = [self._chunk(last, ending.note)]
        if self._wants_usage:
            chunk = wire.Chunk(self._id, self._created, self._model, (), usage=ending.usage)
            events.append(event(wire.encode(chunk)))
        return b"".join((*events, DONE))

    def _chunk(self, choice: wire.ChunkChoice, note: wire.AnswerNote | UnsetType = UNSET) -> bytes:
        pending: UnsetType | None = None if self._wants_usage else UNSET
        chunk = wire.Chunk(self._id, self._created, self._model, (choice,), usage=pending, pointsman=note)
        return event(wire.encode(chunk))


async def send_answer(call: Call, text: str, ending: Ending, send: Send) -> None:
    """Sends a finished `text` whole, or as a stream with one piece, as the request asked."""
    reply = Reply(call)
    headers = decision_headers(ending.decision)
    if call.request.stream:
        events = reply.opening() + reply.piece(text) + reply.closing(ending)
        await send_whole(send, 200, events, [*EVENT_STREAM, *headers])
    else:
        await send_whole(send, 200, reply.whole(text, ending), [JSON, *headers])
