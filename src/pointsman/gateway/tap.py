"""Listens to an answer on its way to the client, whoever gives it, and may add to what is told of it.

A `Tap` stands in for ASGI's `send`. It reads the text, the end and the bill of a completion, whole or streamed, ours or
an upstream's. Without an `Editor` every byte passes as it came. With one, headers are added, and the `pointsman` field
gets more entries: in a whole answer, and in a stream with the chunk that has it or, where an upstream answers, with a
chunk of its own before the end mark. The text itself is never changed, nor held back by more than one event.

Not covered: answers that are compressed or no chat completion, which pass unread; of several choices, all but the
first.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType
from starlette.types import Message, Send

from pointsman.core import BadRequest, Cost
from pointsman.gateway import wire
from pointsman.gateway.http import Headers, event

__all__ = ["Bill", "Editor", "Heard", "PriceOf", "Tap"]

PriceOf = Callable[[int, int, int], int | None]
"""Nano-dollars for so many prompt and completion tokens, and how many of the prompt's came from a prompt cache; None
where no price is known."""


@dataclass(frozen=True, slots=True)
class Bill:
    """What something took. `is_known`: whether that is all of it, money and all."""

    cost: Cost = Cost.zero()  # noqa: RUF009  immutable
    is_known: bool = True

    def __add__(self, other: Bill) -> Bill:
        return Bill(self.cost + other.cost, self.is_known and other.is_known)


_END: Final = re.compile(rb"\r?\n\r?\n|\r\r")
_EDITED: Final = (b"content-length", b"x-pointsman-arm", b"x-pointsman-reason")


class _Said(Struct, frozen=True):
    content: str | None = None


class _Choice(Struct, frozen=True):
    index: int = 0
    message: _Said | None = None
    delta: _Said | None = None
    finish_reason: str | None = None


class _Usage(Struct, frozen=True):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: Any = None  # a bill does not fail for what may make it cheaper

    @property
    def cached_tokens(self) -> int:
        """Prompt tokens from the prompt cache; 0 where that is not told, or cannot be."""
        details = self.prompt_tokens_details
        told = details.get("cached_tokens") if isinstance(details, dict) else None
        return told if type(told) is int and 0 <= told <= self.prompt_tokens else 0


class _Note(Struct, frozen=True):
    cost: Cost | None = None


class _Answer(Struct, frozen=True):
    """A completion, or a chunk of one."""

    choices: list[_Choice] = []
    usage: _Usage | None = None
    pointsman: _Note | UnsetType = UNSET


_decode_answer = msgspec.json.Decoder(_Answer).decode


@dataclass(slots=True)
class Heard:
    """What an answer has told so far.

    Attributes:
        status: of the response; 0 before it starts.
        arm, reason: as its headers name them; empty where they do not.
        text: of the first choice.
        num_choices: that were seen.
        finish_reason: of the first choice.
        cost: what it took; None where the answer does not tell.
        is_priced: whether `cost` counts the money too.
        is_complete: whether the whole response was sent.
        is_read: whether all of it could be read.
        missed: what those took that were asked before and did not answer, or was read to choose; in no cost.
    """

    status: int = 0
    arm: str = ""
    reason: str = ""
    text: str = field(default="", repr=False)
    num_choices: int = 0
    finish_reason: str | None = None
    cost: Cost | None = None
    is_priced: bool = False
    is_complete: bool = False
    is_read: bool = True
    missed: Cost = field(default_factory=Cost.zero)

    @property
    def is_answer(self) -> bool:
        """Whether it is a whole answer that could be read."""
        return self.status == 200 and self.is_complete and self.is_read and self.finish_reason is not None

    @property
    def billed(self) -> Cost | None:
        """What it took, money and all; None where that is not known."""
        return self.cost if self.is_priced else None


class Editor(Protocol):
    """Who adds to what is told of an answer."""

    @property
    def wants_usage(self) -> bool:
        """Whether the client asked for the usage at the end of a stream."""

    def headers(self, heard: Heard) -> Headers:
        """In place of those that name arm and reason. `heard`: all of a whole answer; of a stream its status."""

    def note(self, heard: Heard) -> Mapping[str, object]:
        """Entries of the `pointsman` field, once the answer has ended."""


class Tap:
    """Stands in for ASGI's `send`.

    Args:
        send: the client's; None where there is none.
        editor: what to add, None to add nothing.
        price_of: what an upstream asks for tokens; None where an answer brings its own bill.
        before: what was asked for unseen before, which the answer is billed with.
    """

    def __init__(
        self,
        send: Send | None,
        editor: Editor | None = None,
        price_of: PriceOf | None = None,
        before: Bill = Bill(),
    ) -> None:
        self.heard = Heard()
        self._before, self._is_told = before, False
        self.has_started = False
        self._send, self._editor, self._price_of = send, editor, price_of
        self._started_s = time.perf_counter()
        self._start: Message | None = None
        self._kind: str | None = None
        self._buffer = bytearray()
        self._has_note = False
        self._texts: list[str] = []

    async def send(self, message: Message) -> None:
        """One message of the response."""
        if message["type"] == "http.response.start":
            await self._begin(message)
        else:
            await self._go_on(message.get("body", b""), bool(message.get("more_body")))

    async def _begin(self, message: Message) -> None:
        headers = {name.lower(): value for name, value in message["headers"]}
        self.heard.status = message["status"]
        self.heard.arm = headers.get(b"x-pointsman-arm", b"").decode()
        self.heard.reason = headers.get(b"x-pointsman-reason", b"").decode()
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip().decode("latin-1")
        is_plain = headers.get(b"content-encoding", b"identity") == b"identity"
        self._kind = kind if message["status"] == 200 and is_plain else None
        self.heard.is_read = self._kind in ("application/json", "text/event-stream")
        self._start = message
        if self._kind == "text/event-stream" or self._editor is None or not self.heard.is_read:
            await self._release(None if self._kind == "text/event-stream" else headers.get(b"content-length"))

    async def _release(self, length: bytes | None) -> None:
        """Sends the start, edited."""
        assert self._start is not None
        start = self._start
        if self._editor is not None:
            kept = [item for item in start["headers"] if item[0].lower() not in _EDITED]
            given = [] if length is None else [(b"content-length", length)]
            start = {**start, "headers": [*given, *kept, *self._editor.headers(self.heard)]}
        await self._pass(start)

    async def _go_on(self, body: bytes, has_more: bool) -> None:
        if not self.heard.is_read and self._kind != "text/event-stream":
            await self._pass_body(body, has_more)
        elif self._kind == "text/event-stream":
            self._buffer += body
            events = b"".join(map(self._event, self._events(is_last=not has_more)))
            await self._pass_body(events if self._editor is not None else body, has_more)
        else:
            self._buffer += body
            if self._editor is None:
                self._end_whole(has_more)
                await self._pass_body(body, has_more)
            elif not has_more:
                self._end_whole(has_more)
                whole = self._noted(bytes(self._buffer), self._editor) if self.heard.is_read else bytes(self._buffer)
                await self._release(b"%d" % len(whole))
                await self._pass_body(whole, has_more=False)
        self.heard.is_complete = not has_more

    def _end_whole(self, has_more: bool) -> None:
        if not has_more:
            self.heard.is_complete = True
            self._hear(bytes(self._buffer))

    def _events(self, *, is_last: bool) -> list[bytes]:
        """Events that are complete, each with its end; at the end of the stream also what is left."""
        found: list[bytes] = []
        at = 0
        for end in _END.finditer(self._buffer):
            found.append(bytes(self._buffer[at : end.end()]))
            at = end.end()
        if is_last and at < len(self._buffer):
            found.append(bytes(self._buffer[at:]))
            at = len(self._buffer)
        del self._buffer[:at]
        return found

    def _event(self, raw: bytes) -> bytes:
        """One event, read; what goes to the client in its place."""
        lines = raw.splitlines()
        data = b"\n".join(line[5:].strip() for line in lines if line.startswith(b"data:"))
        if not data:
            return raw
        if data == b"[DONE]":
            return self._last() + raw
        answer = self._hear(data)
        if answer is None or self._editor is None:
            return raw
        if answer.pointsman is not UNSET:
            self._has_note = True
            return event(self._noted(data, self._editor))
        is_usage = not answer.choices and answer.usage is not None
        return b"" if is_usage and not self._editor.wants_usage else raw

    def _last(self) -> bytes:
        """What comes before the end mark, where no chunk of the answer could carry the note."""
        if self._has_note or self._editor is None:
            return b""
        chunk = {"object": "chat.completion.chunk", "choices": [], "pointsman": dict(self._editor.note(self.heard))}
        return event(wire.encode(chunk))

    def _noted(self, data: bytes, editor: Editor) -> bytes:
        """An answer or a chunk with more entries in its note."""
        fields: dict[str, object] = dict(wire.fields_of(data))
        old = wire.optional(fields, "pointsman", dict[str, Raw]) or {}
        fields["pointsman"] = {**old, **editor.note(self.heard)}
        return wire.encode(fields)

    def _hear(self, data: bytes) -> _Answer | None:
        """Takes an answer or a chunk into account; None where it is neither."""
        try:
            answer = wire.read(_decode_answer, data, "the answer", "invalid_json")
        except BadRequest:
            self.heard.is_read = False
            return None
        for choice in answer.choices:
            self.heard.num_choices = max(self.heard.num_choices, choice.index + 1)
            said = choice.message or choice.delta
            if choice.index == 0:
                self._texts.append((said.content if said is not None else None) or "")
                self.heard.finish_reason = choice.finish_reason or self.heard.finish_reason
        if answer.usage is not None:
            self._bill(answer.usage)
        if answer.pointsman is not UNSET and answer.pointsman.cost is not None:
            self._take(Bill(answer.pointsman.cost))
        if self.heard.finish_reason is not None:
            self.heard.text = "".join(self._texts)
        return answer

    def _bill(self, usage: _Usage) -> None:
        """By the upstream's prices, unless the answer has told its own cost."""
        if self._is_told:
            return
        read, written = usage.prompt_tokens, usage.completion_tokens
        nano_usd = self._price_of(read, written, usage.cached_tokens) if self._price_of else None
        cost = Cost(read, written, nano_usd or 0, 0, time.perf_counter() - self._started_s)
        self._take(Bill(cost, nano_usd is not None))

    def _take(self, bill: Bill) -> None:
        whole, self._is_told = self._before + bill, bill.is_known
        self.heard.cost, self.heard.is_priced = whole.cost, whole.is_known

    async def _pass(self, message: Message) -> None:
        self.has_started = True
        if self._send is not None:
            await self._send(message)

    async def _pass_body(self, body: bytes, has_more: bool) -> None:
        await self._pass({"type": "http.response.body", "body": body, "more_body": has_more})
