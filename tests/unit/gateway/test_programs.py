import json
import logging
import sys
import threading
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pointsman.core import BadRequest, Cost, Unverified, UpstreamError
from pointsman.core.asking import Question, Reply
from pointsman.gateway import Config, create_app, load_folder
from pointsman.gateway.programs import ReadProgram
from pointsman.program import CompileOptions, Table, compile_table

pytestmark = pytest.mark.anyio

ZERO_USAGE = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


def asking(content: object, **fields: object) -> dict[str, object]:
    return {"model": "program/double", "messages": [{"role": "user", "content": content}], **fields}


async def test_a_value_is_an_openai_completion_that_cost_no_tokens(client: Any) -> None:
    reply = await client.chat(asking('{"n": 21}'))
    answer = reply.json
    note = answer.pop("pointsman")
    assert reply.status == 200
    assert answer.pop("id") == f"chatcmpl-{reply.headers['x-request-id']}"
    assert answer.pop("created") > 1_600_000_000
    message = {"role": "assistant", "content": "42"}
    assert answer == {
        "object": "chat.completion",
        "model": "program/double",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": ZERO_USAGE,
    }
    cost = note.pop("cost")
    assert note == {"arm": "program/double", "reason": "program_value", "states_visited": 3}
    assert cost.pop("seconds") >= 0
    assert cost == {"prompt_tokens": 0, "completion_tokens": 0, "nano_usd": 0, "moved_bytes": 0}


async def test_headers_name_the_arm_and_the_reason(client: Any) -> None:
    reply = await client.chat(asking('{"n": 1}'))
    assert reply.headers["x-pointsman-arm"] == "program/double"
    assert reply.headers["x-pointsman-reason"] == "program_value"
    assert int(reply.headers["content-length"]) == len(reply.body)


@pytest.mark.parametrize(
    ("value", "reason", "finish_reason", "kind"),
    [("raise", "program_exception", "stop", "ValueError"), ("forever", "out_of_fuel", "length", "OutOfFuel")],
)
async def test_an_exception_and_the_end_of_fuel_are_outcomes(
    client: Any, value: str, reason: str, finish_reason: str, kind: str
) -> None:
    reply = await client.chat(asking(json.dumps([value])))
    (choice,) = reply.json["choices"]
    assert reply.status == 200
    assert reply.json["pointsman"]["reason"] == reply.headers["x-pointsman-reason"] == reason
    assert choice["finish_reason"] == finish_reason
    assert json.loads(choice["message"]["content"])["exception"]["type"] == kind


@pytest.mark.parametrize(
    ("request_body", "expected"),
    [
        (asking('{"n": 7}'), {"n": 7}),
        (asking("[7]"), [7]),
        (asking([{"type": "text", "text": '{"n"'}, {"type": "text", "text": ": 7}"}]), {"n": 7}),
        (asking(None, inputs={"n": 7}), {"n": 7}),
        (asking("[1]", inputs=[7]), [7]),
        ({"model": "program/double", "inputs": {"n": 7}}, {"n": 7}),
        ({"model": "program/double", "messages": [{"role": "user", "inputs": {"n": 7}}]}, {"n": 7}),
        ({"model": "program/double", "messages": [{"role": "user", "content": "no", "inputs": [7]}]}, [7]),
        (asking(f"[{10**30}]"), [10**30]),
        (asking("[7]", inputs=None), [7]),
        ({"model": "program/double", "messages": [{"role": "user", "content": "[7]", "inputs": None}]}, [7]),
        (asking('{"n": 1, "n": 2}'), {"n": 2}),
    ],
)
async def test_inputs_come_by_name_or_by_position_from_three_places(
    client: Any, program: Any, request_body: object, expected: object
) -> None:
    reply = await client.chat(request_body)
    assert (reply.status, program.seen) == (200, [expected])


async def test_inputs_come_from_the_last_user_message(client: Any, program: Any) -> None:
    messages = [
        {"role": "system", "content": "be terse"},
        {"role": "user", "content": "[1]"},
        {"role": "assistant", "content": "2"},
        {"role": "user", "content": "[5]"},
        {"role": "assistant", "content": "so:"},
    ]
    reply = await client.chat({"model": "program/double", "messages": messages})
    assert program.seen == [[5]]
    assert reply.json["choices"][0]["message"]["content"] == "10"


@pytest.mark.parametrize(
    ("request_body", "code", "param"),
    [
        (asking("twice three"), "invalid_inputs", "messages"),
        (asking("7"), "invalid_inputs", "messages"),
        (asking(None), "invalid_inputs", "messages"),
        (asking('"n"'), "invalid_inputs", "messages"),
        (asking("[" * 5000), "invalid_inputs", "messages"),
        (asking("[1]", inputs=7), "invalid_inputs", "inputs"),
        (asking('{"n": "x"}'), "invalid_inputs", "n"),
        (asking([{"type": "image_url", "image_url": {}}]), "unsupported_content", "messages"),
        (asking(7), "invalid_type", "messages[0].content"),
        ({"model": "program/double", "messages": [7]}, "invalid_type", "messages[0]"),
        ({"model": "program/double", "messages": [{"content": "[1]"}]}, "missing_field", "messages[0].role"),
        ({"model": "program/double", "messages": []}, "no_user_message", "messages"),
        ({"model": "program/double"}, "no_user_message", "messages"),
    ],
)
async def test_bad_inputs_are_a_400_that_says_where(client: Any, request_body: object, code: str, param: str) -> None:
    reply = await client.chat(request_body)
    assert reply.status == 400
    assert (reply.error["code"], reply.error["param"]) == (code, param)
    assert reply.error["type"] == "invalid_request_error"


@pytest.mark.parametrize("content", [None, "", " \n", []])
async def test_an_empty_message_is_said_in_plain_words(client: Any, content: object) -> None:
    reply = await client.chat(asking(content))
    assert (reply.status, reply.error["code"]) == (400, "invalid_inputs")
    assert reply.error["message"].startswith("the last user message is empty")


async def test_an_integer_that_is_too_long_names_its_place(client: Any) -> None:
    body = b'{"model": "program/double", "inputs": [' + b"9" * 4301 + b"]}"
    reply = await client.ask("POST", "/v1/chat/completions", body)
    assert (reply.status, reply.error["param"]) == (400, "inputs[0]")


async def test_a_stream_is_role_then_content_then_end(client: Any) -> None:
    reply = await client.chat(asking("[4]", stream=True))
    role, content, end, done = reply.events
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert reply.headers["x-pointsman-reason"] == "program_value"
    assert role["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert content["choices"][0] == {"index": 0, "delta": {"content": "8"}, "finish_reason": None, "logprobs": None}
    assert end["choices"][0]["delta"] == {}
    assert end["choices"][0]["finish_reason"] == "stop"
    assert end["pointsman"]["states_visited"] == 3
    assert done == "[DONE]"
    assert {chunk["object"] for chunk in (role, content, end)} == {"chat.completion.chunk"}
    assert len({(chunk["id"], chunk["created"]) for chunk in (role, content, end)}) == 1
    assert all("usage" not in chunk for chunk in (role, content, end))


async def test_a_stream_tells_usage_where_asked_for(client: Any) -> None:
    reply = await client.chat(asking("[4]", stream=True, stream_options={"include_usage": True}))
    *chunks, usage, done = reply.events
    assert [chunk["usage"] for chunk in chunks] == [None, None, None]
    assert (usage["choices"], usage["usage"], done) == ([], ZERO_USAGE, "[DONE]")


async def test_a_stream_says_the_same_as_the_whole_answer(client: Any) -> None:
    whole = (await client.chat(asking('["raise"]'))).json["choices"][0]["message"]["content"]
    events = (await client.chat(asking('["raise"]', stream=True))).events
    assert "".join(event["choices"][0]["delta"].get("content", "") for event in events[:-1]) == whole


async def test_a_program_that_was_slow_leaves_the_event_loop(client: Any, program: Any) -> None:
    for inputs in ("[1]", '["slow"]', "[2]", "[3]"):
        assert (await client.chat(asking(inputs))).status == 200
    here = threading.get_ident()
    before, slow, *after = program.threads
    assert before == slow == here
    assert here not in after
    assert len(set(after)) == 1


async def test_an_error_on_the_program_s_own_thread_is_told_too(client: Any) -> None:
    await client.chat(asking('["slow"]'))
    assert (await client.chat(asking('["x"]'))).status == 400


def test_two_programs_of_one_name_are_refused(program: Any) -> None:
    with pytest.raises(BadRequest, match=r"2 of the programs.* are named 'program/double'"):
        create_app(Config(), [program, program])


@pytest.fixture
def loader(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loader of programs that takes a file's content for the program's name."""
    module = types.ModuleType("pointsman.program")
    module.load_table = lambda path: types.SimpleNamespace(  # type: ignore[attr-defined]
        name=path.read_text(), description="", asks="asks" in path.read_text(), prepare=lambda: None
    )
    monkeypatch.setitem(sys.modules, "pointsman.program", module)


@pytest.mark.usefixtures("loader")
def test_load_folder_takes_folders_and_files(tmp_path: Path) -> None:
    (tmp_path / "b.route.json").write_text("b")
    (tmp_path / "a.route.json").write_text("a")
    (tmp_path / "notes.json").write_text("not a program")
    single = tmp_path / "odd-name.json"
    single.write_text("c")
    assert [program.name for program in load_folder([tmp_path, single])] == ["a", "b", "c"]


@pytest.mark.usefixtures("loader")
def test_a_program_that_asks_is_not_served(tmp_path: Path) -> None:
    (tmp_path / "a.route.json").write_text("asks")
    with pytest.raises(Unverified, match="asks questions about texts") as caught:
        load_folder([tmp_path])
    assert caught.value.code == "nobody_answers"


@pytest.mark.usefixtures("loader")
def test_a_program_that_asks_is_served_where_somebody_answers(tmp_path: Path) -> None:
    (tmp_path / "a.route.json").write_text("asks")
    told: list[str] = []
    (program,) = load_folder([tmp_path], lambda table: told.append(table.name) or Late())
    assert (program.name, program.asks, told) == ("asks", True, ["asks"])


class Late:
    """Says that everything is late, or fails."""

    def __init__(self, error: UpstreamError | None = None) -> None:
        self.error, self.threads = error, list[int]()

    def answer(self, asked: Sequence[tuple[Question, str]]) -> list[Reply]:
        self.threads.append(threading.get_ident())
        if self.error is not None:
            raise self.error
        return [Reply(True, 0.9, "late", Cost(30, 1, 7, 500, 0.0)) for _ in asked]


LATE = "from pointsman import judge\n\ndef f(t: str, n: int):\n    return n < 3 and judge('it is late', t)\n"


async def test_questions_of_a_program_are_part_of_its_cost(client_of: Any) -> None:
    late = Late()
    client = client_of(create_app(Config(), [ReadProgram(compiled(LATE), late)]))
    reply = await client.chat({"model": "program/f", "inputs": ["past nine", 1]})
    assert reply.json["choices"][0]["message"]["content"] == "true"
    cost = reply.json["pointsman"]["cost"]
    assert cost.pop("seconds") > 0
    assert cost == {"prompt_tokens": 30, "completion_tokens": 1, "nano_usd": 7, "moved_bytes": 500}
    assert late.threads
    assert threading.get_ident() not in late.threads, "models are not waited for on the event loop"
    unasked = await client.chat({"model": "program/f", "inputs": ["past nine", 5]})
    assert unasked.json["choices"][0]["message"]["content"] == "false"
    assert unasked.json["pointsman"]["cost"]["prompt_tokens"] == 0


async def test_a_question_that_nobody_can_answer_is_an_error(client_of: Any) -> None:
    late = Late(UpstreamError("the upstream 'x' cannot be reached", retryable=True, code="upstream_unreachable"))
    client = client_of(create_app(Config(), [ReadProgram(compiled(LATE), late)]))
    reply = await client.chat({"model": "program/f", "inputs": ["past nine", 1]})
    assert reply.status == 502
    assert reply.json["error"]["code"] == "upstream_unreachable"


@pytest.mark.usefixtures("loader")
def test_load_folder_refuses_what_holds_no_program(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="no compiled program") as missing:
        load_folder([tmp_path / "none"])
    with pytest.raises(BadRequest, match="holds no file") as empty:
        load_folder([tmp_path])
    assert missing.value.code == empty.value.code == "invalid_config"


@pytest.mark.usefixtures("loader")
def test_load_folder_names_both_files_of_a_name(tmp_path: Path) -> None:
    for name in ("x", "y"):
        (tmp_path / f"{name}.route.json").write_text("same")
    with pytest.raises(BadRequest, match=r"'same'.*x\.route\.json and .*y\.route\.json"):
        load_folder([tmp_path])


def compiled(source: str, **options: Any) -> Table:
    return compile_table(source, "source.py", "f", CompileOptions(max_examples=3, seconds=1.0, **options)).table


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ('def f(x: str):\n    raise BaseException("about " + x)\n', "BaseException"),
        ("def f(x: str):\n    yield x\n    yield 1 // (len(x) - 9)\n", "ZeroDivisionError"),
        ("def f(x: str):\n    found = [x]\n    found.append(found)\n    return found\n", "Unserialisable"),
        ("def f(x: str):\n    return range(10 ** 9)\n", "Unserialisable"),
        ("def f(x: str):\n    return 10 ** 200000\n", "Unserialisable"),
    ],
)
async def test_whatever_a_program_does_is_an_answer_and_nothing_in_the_log(
    client_of: Any, caplog: pytest.LogCaptureFixture, source: str, kind: str
) -> None:
    client = client_of(create_app(Config(), [compiled(source)]))
    with caplog.at_level(logging.DEBUG):
        reply = await client.chat({"model": "program/f", "inputs": ["my-secret"]})
    assert reply.status == 200
    assert reply.json["pointsman"]["reason"] == "program_exception"
    assert json.loads(reply.json["choices"][0]["message"]["content"])["exception"]["type"] == kind
    assert caplog.text == ""


async def test_a_lone_surrogate_in_a_result_is_escaped(client_of: Any) -> None:
    client = client_of(create_app(Config(), [compiled('def f(x: str):\n    return x + "\\ud800"\n')]))
    reply = await client.chat({"model": "program/f", "inputs": ["a"]})
    assert json.loads(reply.json["choices"][0]["message"]["content"]) == "a\ud800"


def test_opaque_parts_are_refused_without_advice_that_does_not_help(tmp_path: Path) -> None:
    source = "def helper(x):\n    return 1 if x is (x + 1) else 2\ndef f(x: int):\n    return helper(x)\n"
    compiled(source, allow_opaque=True).save(tmp_path / "f.route.json")
    with pytest.raises(Unverified, match="the server runs no original functions") as caught:
        load_folder([tmp_path])
    assert caught.value.code == "opaque_untrusted"
    assert "--trust-opaque" not in caught.value.message


def test_no_programs_need_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pointsman.program", None)
    assert load_folder([]) == []
