import json
import logging
from typing import Any

import pytest

import pointsman
from pointsman.gateway import Config, ServerConfig, create_app

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"


@pytest.mark.parametrize(
    ("body", "code", "param", "says"),
    [
        (b"", "invalid_json", None, "not JSON"),
        (b"{", "invalid_json", None, "not JSON"),
        (b'{"model": "m", "messages": [1,]}', "invalid_json", None, "not JSON"),
        (b'{"model": "\xff"}', "invalid_json", None, "UTF-8"),
        (b"[1]", "not_an_object", None, "Expected `object`, got `array`"),
        (b"null", "not_an_object", None, "Expected `object`, got `null`"),
        (b"{}", "missing_field", "model", "'model'"),
        (b'{"model": 7}', "invalid_type", "model", "Expected `str`, got `int`"),
        (b'{"model": "m", "messages": {}}', "invalid_type", "messages", "Expected `array`, got `object`"),
        (b'{"model": "m", "stream": "yes"}', "invalid_type", "stream", "Expected `bool | null`"),
        (b'{"model": "m", "stream_options": 1}', "invalid_type", "stream_options", "Expected `object | null`"),
    ],
)
async def test_a_bad_body_is_a_400_that_says_what_was_expected(
    client: Any, body: bytes, code: str, param: str | None, says: str
) -> None:
    reply = await client.ask("POST", CHAT, body)
    assert reply.status == 400
    assert (reply.error["code"], reply.error["param"]) == (code, param)
    assert says in reply.error["message"]


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("pieces", [1, 7])
async def test_a_body_over_the_limit_is_a_413(program: Any, client: Any, declared: bool, pieces: int) -> None:
    limited = type(client)(create_app(Config(ServerConfig(max_body_bytes=200)), [program]))
    fits = json.dumps({"model": "program/double", "inputs": [1]}).encode().ljust(200)
    for body, status in ((fits, 200), (fits + b" ", 413)):
        headers = [(b"content-length", str(len(body)).encode())] if declared else []
        reply = await limited.ask("POST", CHAT, body, headers, pieces)
        assert reply.status == status
    assert reply.error["code"] == "body_too_large"
    assert "200 bytes" in reply.error["message"]


async def test_a_body_in_pieces_is_put_together(client: Any, program: Any) -> None:
    body = json.dumps({"model": "program/double", "inputs": list(range(50))}).encode()
    await client.ask("POST", CHAT, body, pieces=9)
    assert program.seen == [list(range(50))]


async def test_an_unknown_model_is_a_404_that_lists_what_there_is(client: Any) -> None:
    reply = await client.chat({"model": "gpt-x", "messages": []})
    assert (reply.status, reply.error["code"]) == (404, "model_not_found")
    assert reply.error["message"] == "no model is named 'gpt-x'; there is program/double"


async def test_a_server_of_nothing_says_so(client_of: Any) -> None:
    reply = await client_of(create_app(Config(), [])).chat({"model": "gpt-x"})
    assert reply.error["message"] == "no model is named 'gpt-x'; there is none"


async def test_an_unknown_path_is_a_404_in_the_same_shape(client: Any) -> None:
    for path in ("/v1/embeddings", "/", "/v1/models/"):
        reply = await client.ask("GET", path)
        assert (reply.status, reply.error["code"]) == (404, "path_not_found")


async def test_a_wrong_method_is_a_405_that_names_the_right_one(client: Any) -> None:
    reply = await client.ask("GET", CHAT)
    assert (reply.status, reply.error["code"], reply.headers["allow"]) == (405, "method_not_allowed", "POST")
    assert (await client.ask("DELETE", "/healthz")).headers["allow"] == "GET, HEAD"


async def test_models_lists_programs(client: Any) -> None:
    reply = await client.ask("GET", "/v1/models")
    assert reply.json["object"] == "list"
    card = {"id": "program/double", "object": "model", "created": 0, "owned_by": "pointsman", "description": "Twice n"}
    assert reply.json["data"] == [card]


async def test_health_says_what_is_served(client: Any) -> None:
    reply = await client.ask("GET", "/healthz")
    counts = {"num_programs": 1, "num_models": 0, "num_upstreams": 0}
    assert reply.json == {"status": "ok", "version": pointsman.__version__, **counts}


async def test_every_response_has_a_request_id_of_its_own(client: Any) -> None:
    replies = [await client.ask("GET", path) for path in ("/healthz", "/healthz", "/nowhere")]
    assert len({reply.headers["x-request-id"] for reply in replies}) == 3


async def test_an_unexpected_exception_is_a_500_that_only_the_log_explains(
    client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        reply = await client.chat({"model": "program/double", "inputs": ["bug", "my-secret"]})
    request_id = reply.headers["x-request-id"]
    assert (reply.status, reply.error["code"], reply.error["type"]) == (500, "internal_error", "server_error")
    assert request_id in reply.error["message"]
    assert "RuntimeError" not in reply.body.decode()
    assert request_id in caplog.text
    assert "builtins.RuntimeError" in caplog.text
    assert "in answer" in caplog.text, "the traceback names where it was raised"
    assert "my-secret" not in caplog.text, "an exception's text may quote a prompt"


async def test_endless_recursion_is_a_few_lines_of_the_log(
    client: Any, program: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(inputs: object) -> Any:
        return answer(inputs)

    program.answer = answer
    reply = await client.chat({"model": "program/double", "inputs": []})
    assert reply.status == 500
    assert len(caplog.text.splitlines()) < 60


async def test_nothing_of_a_request_is_logged(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        for model in ("program/double", "none"):
            await client.chat({"model": model, "messages": [{"role": "user", "content": "my-secret"}]})
    assert "my-secret" not in caplog.text


async def test_a_client_that_leaves_while_sending_gets_nothing(client: Any) -> None:
    client.leave()
    sent: list[object] = []
    messages = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: object) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": CHAT, "headers": []}
    await client._app(scope, receive, send)
    assert (messages, sent) == ([], [])
