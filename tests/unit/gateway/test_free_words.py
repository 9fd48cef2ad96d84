"""Requests in free words to a program that somebody reads for, beside those with JSON inputs."""

import json
import logging
import re
import threading
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import pytest

from pointsman.core import Cost, PointsmanError, Unverified, UpstreamError
from pointsman.core.asking import Question, Reply
from pointsman.gateway import Config, create_app
from pointsman.gateway.programs import ReadProgram
from pointsman.program import CompileOptions, Table, compile_table

pytestmark = pytest.mark.anyio

SOURCE = '''
from pointsman import judge

def fee(days: int, kilos: int, request: str = "") -> int:
    """Return the fee of a parcel.

    Args:
        days: the number of days
        kilos: the weight in kilos
    """
    if kilos < 1:
        raise ValueError("a parcel weighs something")
    while days > 100:
        days = days + 1
    return days * kilos + (100 if days < 3 and judge("it is urgent", request) else 0)
'''


class Reader:
    """Finds `4 days` and `7 kilos`, and what is urgent; keeps what it was asked, and on which threads."""

    def __init__(self, error: PointsmanError | None = None) -> None:
        self.error, self.asked, self.threads = error, list[Question](), set[int]()

    def answer(self, asked: Sequence[tuple[Question, str]]) -> list[Reply]:
        if self.error is not None:
            raise self.error
        self.asked += [question for question, _ in asked]
        self.threads.add(threading.get_ident())
        return [self._one(question, text) for question, text in asked]

    def _one(self, question: Question, text: str) -> Reply:
        value: int | bool | None
        if question.kind == "judge":
            value = "urgent" in text
        else:
            found = re.search(rf"(-?\d+) {question.wording.split()[-1]}", text)
            value = int(found[1]) if found else None
        return Reply(value, 0.9, "reader", Cost(10, 1, 2, 100, 0.0))


@cache
def table() -> Table:
    return compile_table(SOURCE, "fee.py", "fee", CompileOptions(max_examples=3, seconds=1.0)).table


@pytest.fixture
def reader() -> Reader:
    return Reader()


@pytest.fixture
def program(reader: Reader) -> ReadProgram:
    return ReadProgram(table(), reader)


def asking(content: object, **fields: object) -> dict[str, object]:
    return {"model": "program/fee", "messages": [{"role": "user", "content": content}], **fields}


def said(reply: Any) -> str:
    return str(reply.json["choices"][0]["message"]["content"])


def cost_of(reply: Any) -> dict[str, Any]:
    cost: dict[str, Any] = reply.json["pointsman"]["cost"]
    assert cost.pop("seconds") > 0
    return cost


async def test_a_request_in_free_words_is_read_and_answered(client: Any, reader: Reader) -> None:
    reply = await client.chat(asking("What do 7 kilos cost for 4 days?"))
    assert (reply.status, said(reply)) == (200, "28")
    assert reply.json["pointsman"]["arm"] == "program/fee"
    assert reply.json["pointsman"]["reason"] == reply.headers["x-pointsman-reason"] == "program_value"
    assert reply.json["pointsman"]["states_visited"] > 0
    assert cost_of(reply) == {"prompt_tokens": 20, "completion_tokens": 2, "nano_usd": 4, "moved_bytes": 200}
    assert [question.wording for question in reader.asked] == ["the number of days", "the weight in kilos"]
    assert threading.get_ident() not in reader.threads, "models are not waited for on the event loop"


async def test_a_program_s_own_questions_are_about_the_request(client: Any) -> None:
    reply = await client.chat(asking("urgent: 7 kilos, 2 days"))
    assert said(reply) == "114"
    assert cost_of(reply)["prompt_tokens"] == 30


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "text", "text": "7 kilos"}, {"type": "text", "text": ", 4 days"}],
        "\n 4 days, 7 kilos",
        "4 days 7 kilos {}",
    ],
    ids=["parts", "space", "braces"],
)
async def test_words_come_in_several_shapes(client: Any, content: object) -> None:
    assert said(await client.chat(asking(content))) == "28"


async def test_the_last_user_message_is_the_request(client: Any) -> None:
    messages = [
        {"role": "system", "content": "9 kilos"},
        {"role": "user", "content": "4 days"},
        {"role": "assistant", "content": "Please tell me the weight in kilos."},
        {"role": "user", "content": "4 days and 7 kilos"},
    ]
    assert said(await client.chat({"model": "program/fee", "messages": messages})) == "28"


async def test_what_is_missing_is_asked_back(client: Any) -> None:
    reply = await client.chat(asking("What does my parcel cost for 4 days?"))
    assert (reply.status, said(reply)) == (200, "Please tell me the weight in kilos.")
    assert reply.json["choices"][0]["finish_reason"] == "stop"
    note = reply.json["pointsman"]
    assert (note["arm"], note["reason"], note["states_visited"]) == ("program/fee", "asks_back", 0)
    assert reply.headers["x-pointsman-reason"] == "asks_back"
    assert cost_of(reply)["prompt_tokens"] == 20


async def test_what_is_missing_is_asked_back_in_a_stream(client: Any) -> None:
    _, content, end, done = (await client.chat(asking("hello", stream=True))).events
    asked = "Please tell me the number of days and the weight in kilos."
    assert content["choices"][0]["delta"]["content"] == asked
    assert (end["choices"][0]["finish_reason"], end["pointsman"]["reason"], done) == ("stop", "asks_back", "[DONE]")


async def test_inputs_beside_a_request_are_not_read(client: Any, reader: Reader) -> None:
    reply = await client.chat(asking("My parcel, 4 days", inputs={"kilos": 7}))
    assert said(reply) == "28"
    assert [question.wording for question in reader.asked] == ["the number of days"]
    both = await client.chat(asking("5 days, 9 kilos", inputs={"kilos": 7, "days": 4}))
    assert (said(both), cost_of(both)["prompt_tokens"]) == ("28", 0)
    assert said(await client.chat(asking("4 days, 7 kilos", inputs=None))) == "28"


@pytest.mark.parametrize(
    ("inputs", "code", "param"),
    [
        ([7], "invalid_inputs", "inputs"),
        (7, "invalid_inputs", "inputs"),
        ("kilos", "invalid_inputs", "inputs"),
        ({"kilos": "seven"}, "bad_inputs", "kilos"),
        ({"weight": 7, "kilos": 7}, "bad_inputs", "weight"),
    ],
)
async def test_wrong_inputs_beside_a_request_are_a_400(client: Any, inputs: object, code: str, param: str) -> None:
    reply = await client.chat(asking("4 days", inputs=inputs))
    assert (reply.status, reply.error["code"], reply.error["param"]) == (400, code, param)


@pytest.mark.parametrize(
    "request_body",
    [
        asking('{"days": 4, "kilos": 7}'),
        asking("[4, 7]"),
        asking(" \n[4, 7]"),
        asking(None, inputs=[4, 7]),
        asking("", inputs={"days": 4, "kilos": 7}),
        asking("[1, 1]", inputs=[4, 7]),
        asking([{"type": "image_url", "image_url": {}}], inputs=[4, 7]),
        {"model": "program/fee", "inputs": [4, 7]},
        {"model": "program/fee", "messages": [], "inputs": {"days": 4, "kilos": 7}},
        {"model": "program/fee", "messages": [{"role": "system", "content": "be terse"}], "inputs": [4, 7]},
        {"model": "program/fee", "messages": [{"role": "user", "content": "9 days", "inputs": [4, 7]}]},
    ],
    ids=lambda body: json.dumps(body)[24:70],
)
async def test_json_inputs_are_not_read(client: Any, reader: Reader, request_body: object) -> None:
    reply = await client.chat(request_body)
    assert (reply.status, said(reply)) == (200, "28")
    assert (reader.asked, cost_of(reply)["prompt_tokens"]) == ([], 0)


PLAIN = "def double(n: int) -> int:\n    return 2 * n\n"


@pytest.fixture
def doubling(reader: Reader, client_of: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[int]]:
    """A program that asks nothing, and the threads on which it gets JSON inputs."""
    plain = compile_table(PLAIN, "double.py", "double", CompileOptions(max_examples=3, seconds=1.0)).table
    plain.prepare()
    program, threads = ReadProgram(plain, reader), list[int]()
    answer: Callable[[Any], Any] = program.answer

    def watched(inputs: Any) -> Any:
        threads.append(threading.get_ident())
        return answer(inputs)

    monkeypatch.setattr(program, "answer", watched)
    return client_of(create_app(Config(), [program])), threads


async def test_json_inputs_take_the_fast_way(doubling: tuple[Any, list[int]], monkeypatch: pytest.MonkeyPatch) -> None:
    client, threads = doubling
    monkeypatch.setattr("pointsman.gateway.programs.SLOW_S", 60.0)
    for _ in range(3):
        assert said(await client.chat({"model": "program/double", "inputs": [21]})) == "42"
    assert threads == [threading.get_ident()] * 3


async def test_after_free_words_a_program_has_one_thread_for_both(doubling: tuple[Any, list[int]]) -> None:
    client, threads = doubling
    words = {"model": "program/double", "messages": [{"role": "user", "content": "twice 21 n"}]}
    assert said(await client.chat(words)) == "42"
    assert said(await client.chat({"model": "program/double", "inputs": [21]})) == "42"
    assert threading.get_ident() not in threads, "it is never run twice at once"


@pytest.mark.parametrize(
    ("content", "code"),
    [("{7 kilos", "invalid_inputs"), ("[urgent] 7 kilos", "invalid_inputs"), ("", "invalid_inputs")],
)
async def test_what_begins_as_json_is_json(client: Any, content: str, code: str) -> None:
    reply = await client.chat(asking(content))
    assert (reply.status, reply.error["code"], reply.error["param"]) == (400, code, "messages")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "no_user_message"),
        ({"messages": []}, "no_user_message"),
        ({"messages": [], "inputs": None}, "no_user_message"),
        ({"messages": [7]}, "invalid_type"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "unsupported_content"),
    ],
)
async def test_where_no_words_are_it_is_a_400(client: Any, fields: dict[str, Any], code: str) -> None:
    reply = await client.chat({"model": "program/fee", **fields})
    assert (reply.status, reply.error["code"]) == (400, code)


@pytest.mark.parametrize(
    ("content", "reason", "finish_reason"),
    [("0 kilos, 4 days", "program_exception", "stop"), ("7 kilos, 101 days", "out_of_fuel", "length")],
)
async def test_exceptions_and_the_end_of_fuel_are_outcomes(
    client: Any, monkeypatch: pytest.MonkeyPatch, content: str, reason: str, finish_reason: str
) -> None:
    real = Table.answer
    monkeypatch.setattr(Table, "answer", lambda self, inputs: real(self, inputs, 1000))
    reply = await client.chat(asking(content))
    assert (reply.status, reply.json["pointsman"]["reason"]) == (200, reason)
    assert reply.json["choices"][0]["finish_reason"] == finish_reason
    assert cost_of(reply)["prompt_tokens"] == 20


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UpstreamError("the upstream 'x' is down", retryable=True, code="upstream_unreachable"), 502),
        (Unverified("nobody answers", code="nobody_answers"), 409),
    ],
)
async def test_errors_of_the_reader_are_clean(
    client: Any, reader: Reader, error: PointsmanError, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    reader.error = error
    with caplog.at_level(logging.DEBUG):
        reply = await client.chat(asking("my-secret, 7 kilos"))
    assert (reply.status, reply.error["code"]) == (status, error.code)
    assert "my-secret" not in caplog.text
    reader.error = None
    assert said(await client.chat(asking("7 kilos, 4 days"))) == "28"


async def test_who_reads_may_be_another_than_who_answers(client_of: Any, reader: Reader) -> None:
    answerer = Reader()
    client = client_of(create_app(Config(), [ReadProgram(table(), answerer, reader)]))
    assert said(await client.chat(asking("urgent: 7 kilos, 2 days"))) == "114"
    assert [question.kind for question in reader.asked] == ["extract", "extract"]
    assert [question.kind for question in answerer.asked] == ["judge"]


async def test_without_a_reader_words_are_no_inputs(client_of: Any) -> None:
    reply = await client_of(create_app(Config(), [table()])).chat(asking("7 kilos, 4 days"))
    assert (reply.status, reply.error["code"]) == (400, "invalid_inputs")
