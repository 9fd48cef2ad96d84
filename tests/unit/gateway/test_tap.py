"""Listening to answers, ours and those of upstreams, whole and streamed, however they are cut."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from pointsman.core import Cost
from pointsman.gateway.http import Headers
from pointsman.gateway.tap import Heard, Tap

pytestmark = pytest.mark.anyio

JSON = [(b"content-type", b"application/json")]
EVENTS = [(b"Content-Type", b"text/event-stream; charset=utf-8"), (b"X-Pointsman-Arm", b"upstream/u")]
COST = {"prompt_tokens": 5, "completion_tokens": 2, "nano_usd": 3, "moved_bytes": 9, "seconds": 0.5}


class Adds:
    """An editor that adds what was billed."""

    wants_usage = False

    def headers(self, heard: Heard) -> Headers:
        return [(b"x-pointsman-arm", b"mine")]

    def note(self, heard: Heard) -> Mapping[str, object]:
        return {"added": heard.text, "billed": heard.billed}


async def tapped(parts: list[bytes], headers: Any = JSON, status: int = 200, **settings: Any) -> tuple[Tap, Any, bytes]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    tap = Tap(send, **settings)
    await tap.send({"type": "http.response.start", "status": status, "headers": headers})
    for number, part in enumerate(parts, 1):
        await tap.send({"type": "http.response.body", "body": part, "more_body": number < len(parts)})
    assert sent[-1].get("more_body", False) is False
    return tap, {name.lower(): value for name, value in sent[0]["headers"]}, b"".join(m["body"] for m in sent[1:])


def chunk(content: str | None = None, finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": {} if content is None else {"content": content}, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice], **more}).encode() + b"\n\n"


def usage(read: int, written: int) -> bytes:
    told = {"choices": [], "usage": {"prompt_tokens": read, "completion_tokens": written, "total_tokens": 0}}
    return b"data: " + json.dumps(told).encode() + b"\n\n"


def whole(**more: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": "42"}, "finish_reason": "stop"}
    return json.dumps({"vendor": 1.50, "choices": [choice], **more}).encode()


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


DONE = b"data: [DONE]\n\n"
STREAM = chunk("4") + b": a comment\n\n" + chunk("2") + chunk(finish="stop") + usage(5, 2) + DONE


async def test_without_an_editor_nothing_changes() -> None:
    answer = whole(usage={"prompt_tokens": 5, "completion_tokens": 2})
    tap, headers, body = await tapped([answer])
    assert (body, headers) == (answer, dict(JSON))
    assert (tap.heard.text, tap.heard.finish_reason, tap.heard.is_answer) == ("42", "stop", True)
    assert (tap.heard.cost.prompt_tokens, tap.heard.billed) == (5, None)  # type: ignore[union-attr]
    for size in (1, 7, 1000):
        tap, _, body = await tapped(cut(STREAM, size), EVENTS)
        assert body == STREAM
        assert (tap.heard.text, tap.heard.arm, tap.heard.is_answer) == ("42", "upstream/u", True)


async def test_bills_are_the_answer_s_own_or_by_price() -> None:
    own = whole(pointsman={"arm": "x", "cost": COST}, usage={"prompt_tokens": 1})
    tap, _, _ = await tapped([own], price_of=lambda read, written, cached: 99)
    assert tap.heard.billed == Cost(**COST)  # type: ignore[arg-type]
    tap, _, _ = await tapped([STREAM], EVENTS, price_of=lambda read, written, cached: 10 * read + written)
    assert tap.heard.billed is not None
    assert tap.heard.billed.nano_usd == 52
    tap, _, _ = await tapped([STREAM], EVENTS, price_of=lambda read, written, cached: None)
    assert (tap.heard.billed, tap.heard.cost is None) == (None, False)


@pytest.mark.parametrize(
    ("details", "cached"),
    [
        ({"cached_tokens": 4}, 4),
        ({"cached_tokens": 5, "audio_tokens": 0}, 5),
        ({"cached_tokens": 0}, 0),
        *(({"cached_tokens": wrong}, 0) for wrong in (6, -1, 4.0, 10**30, True, "4", None, [4], {})),
        *((wrong, 0) for wrong in ({}, None, 4, "4", [4])),
    ],
)
@pytest.mark.parametrize("is_stream", [False, True])
async def test_cached_tokens_are_told_or_billed_as_all_others(details: Any, cached: int, is_stream: bool) -> None:
    """Six of a prompt of five, or what is no count, is no discount."""
    told = {"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": details}
    last = b"data: " + json.dumps({"choices": [], "usage": told}).encode() + b"\n\n"
    answer, headers = (chunk("42", "stop") + last + DONE, EVENTS) if is_stream else (whole(usage=told), JSON)
    seen: list[tuple[int, int, int]] = []
    tap, _, body = await tapped([answer], headers, price_of=lambda *counts: seen.append(counts) or 7)  # type: ignore[func-returns-value]
    assert (seen, body) == ([(5, 2, cached)], answer)
    assert tap.heard.is_answer
    assert tap.heard.billed is not None
    assert (tap.heard.billed.nano_usd, tap.heard.billed.prompt_tokens) == (7, 5)


async def test_a_whole_answer_gets_entries_and_headers() -> None:
    answer = whole(pointsman={"arm": "x", "cost": COST})
    headers = [*JSON, (b"content-length", b"%d" % len(answer)), (b"x-pointsman-arm", b"x")]
    for size in (9, 1000):
        _, told, body = await tapped(cut(answer, size), headers, editor=Adds())
        assert told == {b"content-length": b"%d" % len(body), **dict(JSON), b"x-pointsman-arm": b"mine"}
        found = json.loads(body)
        assert found["pointsman"] == {"arm": "x", "cost": COST, "added": "42", "billed": COST}
        assert found["vendor"] == 1.5


@pytest.mark.parametrize("size", [1, 5, 64, 1000])
async def test_a_stream_of_ours_gets_entries_with_its_note(size: int) -> None:
    stream = chunk("42") + chunk(finish="stop", pointsman={"arm": "x", "cost": COST}) + DONE
    headers = [*EVENTS, (b"content-length", b"1")]
    _, told, body = await tapped(cut(stream, size), headers, editor=Adds())
    assert b"content-length" not in told
    first, last, done, rest = body.split(b"\n\n")
    assert (first + b"\n\n", done, rest) == (chunk("42"), b"data: [DONE]", b"")
    assert json.loads(last[6:])["pointsman"] == {"arm": "x", "cost": COST, "added": "42", "billed": COST}


@pytest.mark.parametrize("size", [1, 5, 64, 1000])
@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
async def test_a_stream_of_an_upstream_gets_a_chunk_of_its_own(size: int, end: bytes) -> None:
    stream = STREAM.replace(b"\n\n", end)
    _, _, body = await tapped(cut(stream, size), EVENTS, editor=Adds(), price_of=lambda read, written, cached: 1)
    assert body.startswith((chunk("4") + b": a comment\n\n" + chunk("2") + chunk(finish="stop")).replace(b"\n\n", end))
    *_, note, done = [event for event in body.replace(end, b"\n\n").split(b"\n\n") if event]
    assert done == b"data: [DONE]"
    assert json.loads(note[6:])["pointsman"]["added"] == "42"
    assert json.loads(note[6:])["choices"] == []
    assert b'"usage"' not in body, "the client did not ask for it"


async def test_the_usage_stays_where_it_was_asked_for() -> None:
    editor = Adds()
    editor.wants_usage = True
    _, _, body = await tapped([STREAM], EVENTS, editor=editor)
    assert usage(5, 2) in body


@pytest.mark.parametrize(
    ("parts", "headers", "status"),
    [
        ([b'{"error": {}}'], JSON, 429),
        ([b"<html>", b"</html>"], [(b"content-type", b"text/html")], 200),
        ([b"not json"], JSON, 200),
        ([b"[1]"], JSON, 200),
        ([b"\x1f\x8b"], [*JSON, (b"content-encoding", b"gzip")], 200),
        ([b"data: {\n\n", DONE[:5]], EVENTS, 200),
        ([b'data: {"error": {}}\n\n'], EVENTS, 200),
        ([chunk("half")], EVENTS, 200),
    ],
)
async def test_what_is_no_answer_passes_as_it_came(parts: list[bytes], headers: Any, status: int) -> None:
    tap, _, body = await tapped(parts, headers, status, editor=Adds())
    assert body == b"".join(parts)
    assert not tap.heard.is_answer
    assert tap.heard.is_complete


async def test_nobody_has_to_listen() -> None:
    tap = Tap(None)
    await tap.send({"type": "http.response.start", "status": 200, "headers": JSON})
    await tap.send({"type": "http.response.body", "body": whole()})
    assert (tap.heard.text, tap.has_started) == ("42", True)
