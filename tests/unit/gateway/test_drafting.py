"""An endpoint that drafts programs."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from pointsman.core import UpstreamError
from pointsman.gateway import UpstreamConfig
from pointsman.gateway.drafting import EndpointWriter

CHAT = [{"role": "user", "content": "a private prompt"}]


def said(content: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": content}}]}


class Endpoint:
    """Answers by a function of the request's body, and remembers bodies and keys."""

    def __init__(self, answer: Callable[[dict[str, Any]], Any]) -> None:
        self.answer, self.bodies, self.keys = answer, list[dict[str, Any]](), list[str | None]()

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.json())
        self.keys.append(request.headers.get("Authorization"))
        found = self.answer(self.bodies[-1])
        return found if isinstance(found, web.StreamResponse) else web.json_response(found)


def write(upstream_at: Any, endpoint: Endpoint, key: str | None = None) -> str:
    async def run() -> str:
        async with upstream_at(endpoint) as base_url:
            writer = EndpointWriter(UpstreamConfig("fake", f"{base_url}/", ("m",), 5.0, key), "m")
            return await asyncio.to_thread(writer.write, CHAT)

    return asyncio.run(run())


def test_the_chat_goes_out_and_the_reply_comes_back(upstream_at: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    endpoint = Endpoint(lambda body: said("def f(): ..."))
    assert write(upstream_at, endpoint, "secret") == "def f(): ..."
    assert endpoint.bodies == [{"model": "m", "messages": CHAT, "temperature": 0}]
    assert endpoint.keys == ["Bearer secret"]
    assert "secret" not in caplog.text
    assert "private" not in caplog.text


def test_a_model_that_takes_no_temperature_is_asked_without(upstream_at: Any) -> None:
    refusal = web.json_response({"error": {"message": "temperature"}}, status=400)
    endpoint = Endpoint(lambda body: refusal if "temperature" in body else said(None))
    assert write(upstream_at, endpoint) == "", "no text is a reply without a function"
    assert endpoint.bodies[1] == {"model": "m", "messages": CHAT}
    assert endpoint.keys == [None, None]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (web.json_response({}, status=500), "upstream_failed"),
        (web.json_response({}, status=401), "upstream_failed"),
        ({"choices": []}, "upstream_bad_answer"),
        ({"choices": [{"message": "text"}]}, "upstream_bad_answer"),
        (said([{"type": "text"}]), "upstream_bad_answer"),
        (web.Response(text="text"), "upstream_bad_answer"),
    ],
)
def test_another_answer_is_an_error(upstream_at: Any, answer: Any, code: str) -> None:
    with pytest.raises(UpstreamError) as caught:
        write(upstream_at, Endpoint(lambda body: answer), "secret")
    assert caught.value.code == code
    assert "secret" not in caught.value.message
    assert "private" not in caught.value.message
