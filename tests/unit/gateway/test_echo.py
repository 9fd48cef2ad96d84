from typing import Any

import pytest

pytestmark = pytest.mark.anyio

MESSAGES = [{"role": "user", "content": "first"}, {"role": "user", "content": "two  words\n"}]


async def test_the_echo_says_that_it_is_one_and_repeats_the_last_message(client: Any) -> None:
    reply = await client.chat({"model": "pointsman-echo", "messages": MESSAGES})
    content = reply.json["choices"][0]["message"]["content"]
    assert content.startswith("This is an echo, not a language model")
    assert content.endswith("You wrote: two  words\n")
    assert "first" not in content
    assert reply.headers["x-pointsman-arm"] == "pointsman-echo"
    assert reply.headers["x-pointsman-reason"] == "no_upstream_configured"
    assert "pointsman" not in reply.json


async def test_the_echo_streams_the_same_text_in_pieces(client: Any) -> None:
    whole = await client.chat({"model": "pointsman-echo", "messages": MESSAGES})
    reply = await client.chat({"model": "pointsman-echo", "messages": MESSAGES, "stream": True})
    pieces = [event["choices"][0]["delta"].get("content", "") for event in reply.events[:-1]]
    assert len(pieces) > 5
    assert "".join(pieces) == whole.json["choices"][0]["message"]["content"]
    assert reply.events[-2]["choices"][0]["finish_reason"] == "stop"
    assert reply.events[-1] == "[DONE]"


async def test_the_echo_needs_a_user_message(client: Any) -> None:
    reply = await client.chat({"model": "pointsman-echo", "messages": [{"role": "system", "content": "x"}]})
    assert (reply.status, reply.error["code"]) == (400, "no_user_message")
