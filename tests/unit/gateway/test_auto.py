"""The model `auto`, with a router that covers what the test tells it to, and with one that was read from a folder."""

import json
import logging
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web

from pointsman.core import BadRequest, Cost, UpstreamError
from pointsman.core.asking import Question, Reply
from pointsman.core.ngrams import ngrams
from pointsman.gateway import Config, ModelSource, ServerConfig, TextRequest, UpstreamConfig, Written, create_app, serve
from pointsman.gateway.programs import ReadProgram, find_router, load_folder
from pointsman.program import CompileOptions, compile_table
from pointsman.program.ladder import Head, Promise
from pointsman.program.runtime import Answer
from pointsman.program.text.router import Routed
from pointsman.program.text.routes import RouteCertificate, Routes, save_routes

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
COST = Cost(40, 4, 7, 900, 0.5)


class FakeRouter:
    """Covers what says `double 21`, and fails where it says so."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.threads: set[int] = set()

    def answer(self, request: str) -> Routed:
        self.seen.append(request)
        self.threads.add(threading.get_ident())
        if request == "fail":
            raise UpstreamError("the upstream 'x' cannot be reached", retryable=True, code="upstream_unreachable")
        if request.startswith("bug"):
            raise RuntimeError(f"about {request}")
        return Routed("double", Answer("value", "42", 3), COST) if request == "double 21" else Routed(None, None, COST)


class Echo:
    """A model that writes what it was asked, and keeps requests."""

    def __init__(self) -> None:
        self.seen: list[TextRequest] = []

    def load(self) -> "Echo":
        return self

    def prepare(self, request: TextRequest) -> Any:
        self.seen.append(request)

        def start(on_text: Any, on_end: Any) -> Any:
            def run() -> None:
                if on_text is not None:
                    on_text("inferred")
                on_end(Written("inferred", "stop", Cost(5, 1, 0, 10, 0.1)))

            threading.Thread(target=run).start()
            return lambda: None

        return start

    def close(self) -> None:
        pass


@pytest.fixture
def router() -> FakeRouter:
    return FakeRouter()


@pytest.fixture
def model() -> Echo:
    return Echo()


@pytest.fixture
def app(program: Any, router: Any, model: Echo) -> Any:
    """`auto` with a program and a model that infers."""
    config = Config(ServerConfig(infer="m"))
    return create_app(config, [program], [ModelSource("m", "A fake", model.load)], router)


def asking(content: object, **fields: object) -> dict[str, object]:
    return {"model": "auto", "messages": [{"role": "user", "content": content}], **fields}


def said(reply: Any) -> str:
    return str(reply.json["choices"][0]["message"]["content"])


async def test_what_a_program_covers_it_answers(client: Any, router: FakeRouter, model: Echo) -> None:
    reply = await client.chat(asking("double 21"))
    assert (reply.status, said(reply), reply.json["model"]) == (200, "42", "auto")
    assert reply.json["choices"][0]["finish_reason"] == "stop"
    note = reply.json["pointsman"]
    assert (note["arm"], note["reason"], note["states_visited"]) == ("program/double", "covered", 3)
    assert note["cost"] == {
        "prompt_tokens": 40,
        "completion_tokens": 4,
        "nano_usd": 7,
        "moved_bytes": 900,
        "seconds": 0.5,
    }
    assert reply.json["usage"]["total_tokens"] == 44
    assert reply.headers["x-pointsman-arm"] == "program/double"
    assert reply.headers["x-pointsman-reason"] == "covered"
    assert (router.seen, model.seen) == (["double 21"], [])


async def test_readers_are_not_waited_for_on_the_event_loop(client: Any, router: FakeRouter) -> None:
    for _ in range(3):
        await client.chat(asking("double 21"))
    assert len(router.threads) == 1
    assert threading.get_ident() not in router.threads


async def test_a_stream_says_the_same(client: Any) -> None:
    reply = await client.chat(asking("double 21", stream=True, stream_options={"include_usage": True}))
    _, content, end, usage, done = reply.events
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert content["choices"][0]["delta"] == {"content": "42"}
    assert (end["choices"][0]["finish_reason"], end["pointsman"]["reason"]) == ("stop", "covered")
    assert (usage["usage"]["total_tokens"], done) == (44, "[DONE]")


@pytest.mark.parametrize("stream", [False, True])
async def test_the_rest_is_inferred(client: Any, router: FakeRouter, model: Echo, stream: bool) -> None:
    reply = await client.chat(asking("write a poem", stream=stream, max_tokens=9))
    assert (reply.headers["x-pointsman-arm"], reply.headers["x-pointsman-reason"]) == ("model/m", "not_covered")
    assert "inferred" in reply.body.decode()
    (request,) = model.seen
    assert (request.messages[0]["content"], request.sampling["max_tokens"]) == ("write a poem", 9)
    assert router.seen == ["write a poem"]


async def test_what_infers_is_told_in_the_answer(client: Any) -> None:
    reply = await client.chat(asking("write a poem"))
    assert (said(reply), reply.json["model"]) == ("inferred", "m")


SYSTEM = {"role": "system", "content": "be terse"}
USER = {"role": "user", "content": "double 21"}
TOOL = {"type": "function", "function": {"name": "f"}}


@asynccontextmanager
async def relaying(
    upstream_at: Any, client_of: Any, router: Any, answer: web.Response | None = None
) -> AsyncIterator[tuple[Any, list[bytes]]]:
    """A client of a gateway whose `auto` infers with an upstream's model, and the bodies that this is sent."""
    bodies: list[bytes] = []

    async def handler(request: web.Request) -> web.Response:
        bodies.append(await request.read())
        return answer or web.json_response({"choices": []})

    async with upstream_at(handler) as base_url:
        config = Config(ServerConfig(infer="far/model"), (UpstreamConfig("fake", base_url, ("far/model",)),))
        app = create_app(config, [], router=router)
        async with app.router.lifespan_context(app):
            yield client_of(app), bodies


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": [SYSTEM, USER]},
        {"messages": [USER, {"role": "assistant", "content": "42"}, USER]},
        {"messages": [{"role": "assistant", "content": "double 21"}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "double 21"}]}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
        {"messages": [{"role": "user", "content": None}]},
        {"messages": [{**USER, "inputs": [21]}]},
        {"messages": [USER], "inputs": [21]},
        {"messages": [USER], "tools": [TOOL]},
        {"messages": [USER], "functions": [{"name": "f"}]},
        {"messages": [USER], "response_format": {"type": "json_object"}},
        {"messages": []},
        {},
    ],
    ids=lambda fields: json.dumps(fields)[:60],
)
async def test_only_one_user_message_by_itself_is_routed(
    upstream_at: Any, client_of: Any, router: FakeRouter, fields: dict[str, Any]
) -> None:
    async with relaying(upstream_at, client_of, router) as (client, bodies):
        reply = await client.chat({"model": "auto", **fields})
    assert (reply.status, reply.headers["x-pointsman-arm"]) == (200, "upstream/fake")
    assert reply.headers["x-pointsman-reason"] == "not_covered"
    assert router.seen == []
    assert [json.loads(body) for body in bodies] == [{"model": "far/model", **fields}]


@pytest.mark.parametrize("fields", [{"tools": None, "inputs": None, "response_format": None}, {"user": "u", "seed": 1}])
async def test_fields_that_ask_for_nothing_are_no_hindrance(client: Any, fields: dict[str, Any]) -> None:
    assert said(await client.chat(asking("double 21", **fields))) == "42"


async def test_all_but_the_model_s_name_goes_on_as_it_came(
    upstream_at: Any, client_of: Any, router: FakeRouter
) -> None:
    body = b'{ "seed":1.50, "model" : "auto", "messages":[{"role":"user",  "content":"\\u00e9"}], "x": [1e2,{}] }'
    async with relaying(upstream_at, client_of, router) as (client, bodies):
        assert (await client.ask("POST", CHAT, body)).status == 200
    message = b'[{"role":"user",  "content":"\\u00e9"}]'
    assert bodies == [b'{"seed":1.50,"model":"far/model","messages":' + message + b',"x":[1e2,{}]}']


async def test_an_upstream_s_stream_is_relayed(upstream_at: Any, client_of: Any, router: FakeRouter) -> None:
    events = b'data: {"choices":[]}\n\ndata: [DONE]\n\n'
    answer = web.Response(body=events, content_type="text/event-stream")
    async with relaying(upstream_at, client_of, router, answer) as (client, bodies):
        reply = await client.chat(asking("a poem", stream=True))
    assert (reply.status, reply.body) == (200, events)
    assert json.loads(bodies[0])["stream"] is True


async def test_a_field_whose_name_is_no_text_is_an_error(client: Any) -> None:
    body = b'{"model":"auto","messages":[{"role":"user","content":"a poem"}],"\xff":1}'
    reply = await client.ask("POST", CHAT, body)
    assert (reply.status, reply.error["code"]) == (400, "invalid_json")


@pytest.mark.parametrize("messages", [[7], [{"content": "x"}], [{"role": "user", "content": 7}]])
async def test_what_is_no_message_is_an_error(client: Any, messages: list[object]) -> None:
    reply = await client.chat({"model": "auto", "messages": messages})
    assert (reply.status, reply.error["param"].partition("]")[0]) == (400, "messages[0")


async def test_where_nobody_infers_it_is_an_error(client_of: Any, program: Any, router: Any) -> None:
    client = client_of(create_app(Config(), [program], router=router))
    assert said(await client.chat(asking("double 21"))) == "42"
    for request in (asking("a poem"), {"model": "auto", "messages": [SYSTEM, USER]}):
        reply = await client.chat(request)
        assert (reply.status, reply.error["code"], reply.error["param"]) == (400, "not_covered", "messages")
        assert "--infer" in reply.error["message"]


async def test_errors_of_the_reader_are_clean(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    down = await client.chat(asking("fail"))
    assert (down.status, down.error["code"]) == (502, "upstream_unreachable")
    with caplog.at_level(logging.DEBUG):
        bug = await client.chat(asking("bug my-secret", stream=True))
    assert (bug.status, bug.error["code"]) == (500, "internal_error")
    assert "my-secret" not in caplog.text + bug.body.decode()
    assert said(await client.chat(asking("double 21"))) == "42", "the thread goes on"


async def test_errors_of_what_infers_are_its_own(upstream_at: Any, client_of: Any, router: FakeRouter) -> None:
    async with relaying(upstream_at, client_of, router, web.Response(status=500)) as (client, _):
        reply = await client.chat(asking("a poem"))
    assert (reply.status, reply.error["code"]) == (502, "upstream_failed")


async def test_models_lists_auto_where_there_is_a_router(client: Any, client_of: Any, program: Any) -> None:
    listed = {card["id"]: card for card in (await client.ask("GET", "/v1/models")).json["data"]}
    assert set(listed) == {"program/double", "m", "auto"}
    assert listed["auto"]["owned_by"] == "pointsman"
    assert listed["auto"]["description"] == "A program where one covers the request, else a model"
    without = client_of(create_app(Config(), [program]))
    assert [card["id"] for card in (await without.ask("GET", "/v1/models")).json["data"]] == ["program/double"]
    assert (await without.chat(asking("double 21"))).error["code"] == "model_not_found"


def test_a_name_that_is_taken_is_refused(router: Any, model: Echo) -> None:
    upstreams = (UpstreamConfig("u", "http://127.0.0.1:1/v1", ("auto",)),)
    for config, models in ((Config(upstreams=upstreams), []), (Config(), [ModelSource("auto", "", model.load)])):
        with pytest.raises(BadRequest, match=r"2 of the programs.* are named 'auto'") as caught:
            create_app(config, [], models, router)
        assert caught.value.code == "invalid_config"
        create_app(config, [], models)


@pytest.mark.parametrize("infer", ["none", "auto", ""])
def test_who_infers_has_to_be_there(program: Any, router: Any, infer: str) -> None:
    with pytest.raises(BadRequest, match=f"infer names '{infer}', which is none of the models") as caught:
        create_app(Config(ServerConfig(infer=infer)), [program], router=router)
    assert caught.value.code == "invalid_config"


async def test_the_thread_ends_with_the_application(app: Any, client_of: Any, router: FakeRouter) -> None:
    async with app.router.lifespan_context(app):
        await client_of(app).chat(asking("double 21"))
        (thread,) = [one for one in threading.enumerate() if one.ident in router.threads]
    thread.join(5)
    assert not thread.is_alive()


# -- from a folder -----------------------------------------------------------------------------------------------------

SOURCES = {
    "double": 'def double(n: int) -> int:\n    """Return twice a number."""\n    return 2 * n\n',
    "half": 'def half(n: int) -> float:\n    """Return half of a number."""\n    return n / 2\n',
}


class Reader:
    """Believes that a request is for what it says, and reads 21."""

    name = "reader"

    def knows(self, question: Question) -> bool:
        return True

    def answer(self, asked: Sequence[tuple[Question, str]]) -> list[Reply]:
        return [self._one(question, text) for question, text in asked]

    def _one(self, question: Question, text: str) -> Reply:
        value = 21 if question.kind == "extract" else text.split()[0] in question.wording
        return Reply(value, 1.0, self.name, Cost(1, 0, 0, 1, 0.0))


def compiled_into(folder: Path, names: Sequence[str] = ("double", "half")) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        options = CompileOptions(max_examples=3, seconds=1.0)
        compile_table(SOURCES[name], f"{name}.py", name, options).table.save(folder / f"{name}.route.json")
    return folder


def routed_to(words: Mapping[str | None, str], reader: str = "reader") -> Routes:
    """Routes of what has a program's word."""
    weights = np.zeros((len(words), 512), dtype=np.float32)
    for row, word in enumerate(words.values()):
        for index in ngrams(word, 512):
            weights[row, index] = 50.0
    head = Head(tuple(words), weights, np.zeros(len(words), dtype=np.float32))
    return Routes(head, 0.9, reader, RouteCertificate(Promise(), True, 400, 0, 1.0))


BOTH: dict[str | None, str] = {"double": "twice", "half": "half", None: "poem"}


def loaded(*paths: Path) -> Any:
    programs = load_folder(paths, lambda _: Reader(), Reader())
    return programs, find_router(paths, programs, lambda _: Reader(), Reader())


async def test_a_folder_with_routes_is_served_as_auto(tmp_path: Path, client_of: Any, model: Echo) -> None:
    folder = compiled_into(tmp_path / "build")
    save_routes(routed_to(BOTH), folder)
    programs, router = loaded(folder)
    config = Config(ServerConfig(infer="m"))
    client = client_of(create_app(config, programs, [ModelSource("m", "", model.load)], router))
    twice, half, poem = [await client.chat(asking(text)) for text in ("twice 21", "half of 21", "poem of 21")]
    assert (said(twice), said(half), said(poem)) == ("42", "10.5", "inferred")
    assert half.json["pointsman"]["arm"] == "program/half"
    assert half.json["pointsman"]["cost"]["prompt_tokens"] == 2


def test_folders_without_routes_have_no_router(tmp_path: Path) -> None:
    folder = compiled_into(tmp_path / "build")
    assert loaded(folder)[1] is None
    save_routes(routed_to(BOTH), folder)
    assert loaded(folder / "double.route.json")[1] is None, "a file has none"
    assert loaded(folder)[1] is not None


def test_routes_may_lead_to_programs_of_other_folders(tmp_path: Path) -> None:
    one, other = compiled_into(tmp_path / "one", ["double"]), compiled_into(tmp_path / "other", ["half"])
    save_routes(routed_to(BOTH), one)
    _, router = loaded(one, other)
    assert router.answer("half of 21").program == "half"
    with pytest.raises(BadRequest, match="lead to 'half'") as caught:
        loaded(one)
    assert caught.value.code == "other_programs"


def test_two_folders_with_routes_are_refused(tmp_path: Path) -> None:
    one, other = compiled_into(tmp_path / "one", ["double"]), compiled_into(tmp_path / "other", ["half"])
    for folder in (one, other):
        save_routes(routed_to(BOTH), folder)
    with pytest.raises(BadRequest, match="two folders") as caught:
        loaded(one, other)
    assert caught.value.code == "invalid_config"


def test_broken_routes_and_another_reader_are_refused(tmp_path: Path) -> None:
    folder = compiled_into(tmp_path / "build")
    save_routes(routed_to(BOTH, "other"), folder)
    with pytest.raises(BadRequest, match="certified with other") as caught:
        loaded(folder)
    assert caught.value.code == "other_reader"
    (folder / "routes.json").write_text("{")
    with pytest.raises(BadRequest) as caught:
        loaded(folder)
    assert caught.value.code == "bad_routes"


def test_programs_that_nobody_reads_for_are_not_routed_to(tmp_path: Path) -> None:
    folder = compiled_into(tmp_path / "build")
    save_routes(routed_to(BOTH), folder)
    programs = load_folder([folder])
    assert not any(isinstance(program, ReadProgram) for program in programs)
    with pytest.raises(BadRequest, match="lead to 'double'"):
        find_router([folder], programs, lambda _: Reader(), Reader())


def test_the_server_routes_where_somebody_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Made(Exception):
        pass

    made: list[tuple[Any, ...]] = []

    def create(*arguments: Any) -> None:
        made.append(arguments)
        raise Made

    folder = compiled_into(tmp_path / "build")
    save_routes(routed_to(BOTH), folder)
    monkeypatch.setattr("pointsman.gateway.server.create_app", create)
    config = Config(ServerConfig(programs=(folder,)))
    for readers in ((), (lambda _: Reader(), Reader())):
        with pytest.raises(Made):
            serve(config, [], *readers)
    assert made[0][3] is None
    assert made[1][3].answer("twice 21").program == "double"
