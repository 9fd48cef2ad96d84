"""An endpoint that answers questions: by log-probabilities, by structured output, or not at all."""

import asyncio
import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from pointsman.core import Unsupported, UpstreamError
from pointsman.core.asking import Question, Reply
from pointsman.gateway import UpstreamConfig
from pointsman.gateway.reading import EndpointReader

LATE = Question("judge", "it is late", "bool")
COLOUR = Question("choose", "the colour", "option", ("red", "green", "blue"))
NUMBER = Question("extract", "the number", "int")
DAY = Question("extract", "the day", "date")


def completion(content: str, tops: dict[str, float] | None = None) -> dict[str, Any]:
    """A chat completion; `tops` are the likeliest first tokens with their chances."""
    choice: dict[str, Any] = {"message": {"role": "assistant", "content": content}}
    if tops is not None:
        listed = [{"token": token, "logprob": math.log(chance)} for token, chance in tops.items()]
        choice["logprobs"] = {"content": [{"token": content, "logprob": listed[0]["logprob"], "top_logprobs": listed}]}
    return {"choices": [choice], "usage": {"prompt_tokens": 40, "completion_tokens": 1}}


class Endpoint:
    """Answers by a function of the request's body, and remembers the bodies."""

    def __init__(self, answer: Callable[[dict[str, Any]], Any]) -> None:
        self.answer, self.bodies = answer, list[dict[str, Any]]()
        self.headers: list[dict[str, str]] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        found = self.answer(body)
        return found if isinstance(found, web.StreamResponse) else web.json_response(found)


def ask(upstream_at: Any, endpoint: Endpoint, *asked: tuple[Question, str], key: str | None = None) -> list[Reply]:
    async def run() -> list[Reply]:
        async with upstream_at(endpoint) as base_url:
            reader = EndpointReader(UpstreamConfig("fake", base_url, ("m",), 5.0, key), "m")
            try:
                return await asyncio.to_thread(reader.answer, asked)
            finally:
                reader.close()

    return asyncio.run(run())


def test_a_choice_is_one_token_with_its_chances(upstream_at: Any) -> None:
    endpoint = Endpoint(lambda body: completion("B", {"B": 0.6, " A": 0.15, "C": 0.05, "The": 0.2}))
    (reply,) = ask(upstream_at, endpoint, (COLOUR, "a green door"), key="secret")
    assert (reply.value, reply.rung) == ("green", "fake/m")
    assert reply.confidence == pytest.approx(0.75)
    assert (reply.cost.prompt_tokens, reply.cost.completion_tokens) == (40, 1)
    (body,) = endpoint.bodies
    assert (body["model"], body["max_tokens"], body["logprobs"], body["temperature"]) == ("m", 1, True, 0)
    assert "a green door" in body["messages"][0]["content"]
    assert "B: green" in body["messages"][0]["content"]
    assert endpoint.headers[0]["Authorization"] == "Bearer secret"


def test_a_judgement_is_a_choice_of_yes_and_no(upstream_at: Any) -> None:
    endpoint = Endpoint(lambda body: completion("B", {"B": 0.9, "A": 0.1}))
    (reply,) = ask(upstream_at, endpoint, (LATE, "noon"))
    assert reply.value is False
    assert reply.confidence == pytest.approx(0.9)


def structured(body: dict[str, Any], value: Any) -> Any:
    if "logprobs" in body:
        return web.json_response({"error": {"message": "no logprobs here"}}, status=400)
    if "response_format" not in body:
        return completion("I would say green.")
    return completion(json.dumps({"value": value}))


def test_without_log_probabilities_an_endpoint_chooses_by_a_schema(upstream_at: Any) -> None:
    endpoint = Endpoint(lambda body: structured(body, "green"))
    (reply,) = ask(upstream_at, endpoint, (COLOUR, "a green door"))
    assert (reply.value, reply.confidence) == ("green", 0.0), "it cannot say how sure it is"
    schema = endpoint.bodies[-1]["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["value"]["enum"] == ["red", "green", "blue"]


def test_values_are_asked_for_by_a_schema(upstream_at: Any) -> None:
    endpoint = Endpoint(lambda body: completion('{"value": 17}', {"17": 0.5}))
    (reply,) = ask(upstream_at, endpoint, (NUMBER, "17 of them"))
    assert reply.value == 17
    assert reply.confidence == pytest.approx(0.5)
    endpoint = Endpoint(lambda body: completion('{"value": null}'))
    (reply,) = ask(upstream_at, endpoint, (DAY, "no day"))
    assert reply.value is None


@pytest.mark.parametrize(
    ("answer", "question", "code"),
    [
        (lambda body: completion("green"), COLOUR, "no_logprobs_or_schema"),
        (lambda body: completion('{"value": "pink"}'), COLOUR, "no_logprobs_or_schema"),
        (lambda body: completion('{"value": "three"}'), NUMBER, "no_logprobs_or_schema"),
        (lambda body: completion('{"value": "31 May"}'), DAY, "no_logprobs_or_schema"),
        (lambda body: web.json_response({}, status=400), NUMBER, "no_logprobs_or_schema"),
    ],
)
def test_an_endpoint_that_gives_neither_is_told_so(
    upstream_at: Any, answer: Any, question: Question, code: str
) -> None:
    with pytest.raises(Unsupported) as caught:
        ask(upstream_at, Endpoint(answer), (question, "x"))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("answer", "code", "retryable"),
    [
        (lambda body: web.json_response({}, status=500), "upstream_failed", True),
        (lambda body: web.json_response({}, status=401), "upstream_failed", False),
        (lambda body: web.json_response({}, status=429), "upstream_failed", True),
        (lambda body: web.Response(text="<html>"), "upstream_bad_answer", False),
        (lambda body: {"choices": []}, "upstream_bad_answer", False),
    ],
)
def test_failures_are_ours_to_explain(upstream_at: Any, answer: Any, code: str, retryable: bool) -> None:
    with pytest.raises(UpstreamError) as caught:
        ask(upstream_at, Endpoint(answer), (COLOUR, "x"))
    assert (caught.value.code, caught.value.retryable) == (code, retryable)


def test_an_endpoint_that_is_not_there() -> None:
    reader = EndpointReader(UpstreamConfig("gone", "http://127.0.0.1:9/v1", ("m",), 1.0, None), "m")
    with pytest.raises(UpstreamError) as caught:
        reader.answer([(LATE, "x")])
    assert caught.value.code == "upstream_unreachable"
    reader.close()


def test_a_batch_is_asked_at_once(upstream_at: Any) -> None:
    waiting = asyncio.Barrier(3)

    async def slow(request: web.Request) -> web.StreamResponse:
        await waiting.wait()
        return web.json_response(completion("A", {"A": 1.0}))

    replies = ask(upstream_at, slow, *((COLOUR, f"text {number}") for number in range(3)))  # type: ignore[arg-type]
    assert [reply.value for reply in replies] == ["red"] * 3
