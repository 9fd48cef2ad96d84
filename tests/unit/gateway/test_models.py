"""Models of this machine, with one that writes what the test tells it to."""

import asyncio
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from pointsman.core import BadRequest, Cost, InternalError, OverBudget, Unsupported, UpstreamError
from pointsman.gateway import Config, ModelSource, TextRequest, UpstreamConfig, Written, create_app, models, wire

pytestmark = pytest.mark.anyio

CHAT = {"model": "m", "messages": [{"role": "user", "content": "my-secret"}]}
STREAM = {**CHAT, "stream": True}
USAGE = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
COST = Cost(prompt_tokens=5, completion_tokens=3, nano_usd=0, moved_bytes=1000, seconds=0.25)
LOGPROBS = wire.Logprobs((wire.TokenLogprob("Hi", -0.5, (72, 105), (wire.TopLogprob("Ho", -0.75, (72, 111)),)),))
WRITTEN = Written("Hi there", "stop", COST)


@dataclass
class FakeText:
    """A text that has been started; the test plays the model's thread."""

    on_text: Callable[[str], None] | None
    on_end: Callable[[Written | BaseException], None]
    is_cancelled: bool = False

    def cancel(self) -> None:
        self.is_cancelled = True

    def play(self, *pieces: str, end: Written | BaseException | None = None) -> None:
        """Calls the listeners on another thread."""

        def run() -> None:
            for piece in pieces:
                assert self.on_text is not None
                self.on_text(piece)
            if end is not None:
                self.on_end(end)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()


@dataclass
class FakeModel:
    """Keeps what it is asked. Started texts wait for `play`, unless there is a `script`."""

    script: tuple[str, ...] | None = None
    end: Written | BaseException = WRITTEN
    refusal: Exception | None = None
    seen: list[TextRequest] = field(default_factory=list)
    texts: asyncio.Queue[FakeText] = field(default_factory=asyncio.Queue)
    is_closed: bool = False
    loads: int = 0
    failures: list[Exception] = field(default_factory=list)
    may_load: threading.Event = field(default_factory=threading.Event)
    is_loading: threading.Event = field(default_factory=threading.Event)

    def load(self) -> "FakeModel":
        self.loads += 1
        self.is_loading.set()
        self.may_load.wait(5)
        if self.failures:
            raise self.failures.pop(0)
        return self

    def prepare(self, request: TextRequest) -> Any:
        self.seen.append(request)
        return self._start

    def _start(self, on_text: Any, on_end: Any) -> Callable[[], None]:
        if self.refusal is not None:
            raise self.refusal
        text = FakeText(on_text, on_end)
        if self.script is not None:
            text.play(*(self.script if on_text else ()), end=self.end)
        self.texts.put_nowait(text)
        return text.cancel

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def model() -> FakeModel:
    model = FakeModel()
    model.may_load.set()
    return model


@pytest.fixture
def app(model: FakeModel, program: Any) -> Any:
    return create_app(Config(), [program], [ModelSource("m", "A fake", model.load)])


def content(reply: Any) -> str:
    return "".join(event["choices"][0]["delta"].get("content", "") for event in reply.events if "choices" in event)


async def test_an_answer_has_openai_s_shape_and_the_text_s_own_cost(client: Any, model: FakeModel) -> None:
    model.script = ("Hi", " there")
    reply = await client.chat({**CHAT, "max_tokens": 9})
    answer = reply.json
    assert answer["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hi there"},
            "finish_reason": "stop",
            "logprobs": None,
        }
    ]
    assert (answer["object"], answer["model"], answer["usage"]) == ("chat.completion", "m", USAGE)
    cost = {"prompt_tokens": 5, "completion_tokens": 3, "nano_usd": 0, "moved_bytes": 1000, "seconds": 0.25}
    assert answer["pointsman"] == {"arm": "model/m", "reason": "named_by_client", "cost": cost}
    assert (reply.headers["x-pointsman-arm"], reply.headers["x-pointsman-reason"]) == ("model/m", "named_by_client")
    (request,) = model.seen
    assert request.messages == ({"role": "user", "content": "my-secret"},)
    assert request.sampling == {"max_tokens": 9}


async def test_a_stream_is_role_pieces_end_and_usage_where_asked_for(client: Any, model: FakeModel) -> None:
    model.script, model.end = ("Hi", " there"), replace(WRITTEN, finish_reason="length")
    reply = await client.chat({**STREAM, "stream_options": {"include_usage": True}})
    role, first, second, end, usage, done = reply.events
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert (reply.headers["x-pointsman-arm"], reply.is_complete) == ("model/m", True)
    assert role["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert [event["choices"][0]["delta"] for event in (first, second, end)] == [
        {"content": "Hi"},
        {"content": " there"},
        {},
    ]
    assert end["choices"][0]["finish_reason"] == "length"
    assert end["pointsman"]["cost"]["moved_bytes"] == 1000
    assert "states_visited" not in end["pointsman"]
    assert [event["usage"] for event in (role, first, second, end)] == [None] * 4
    assert (usage["choices"], usage["usage"], done) == ([], USAGE, "[DONE]")
    assert len({(event["id"], event["created"]) for event in reply.events[:-1]}) == 1


async def test_logprobs_come_with_the_whole_answer_and_with_the_end_of_a_stream(client: Any, model: FakeModel) -> None:
    model.script, model.end = ("Hi there",), replace(WRITTEN, logprobs=LOGPROBS)
    asked = {"logprobs": True, "top_logprobs": 1}
    token = {
        "token": "Hi",
        "logprob": -0.5,
        "bytes": [72, 105],
        "top_logprobs": [{"token": "Ho", "logprob": -0.75, "bytes": [72, 111]}],
    }
    whole = await client.chat({**CHAT, **asked})
    assert whole.json["choices"][0]["logprobs"] == {"content": [token], "refusal": None}
    streamed = await client.chat({**STREAM, **asked})
    told = [event["choices"][0]["logprobs"] for event in streamed.events[:-1]]
    assert told == [None, None, {"content": [token], "refusal": None}]


async def test_a_text_of_nothing_is_an_answer(client: Any, model: FakeModel) -> None:
    model.script, model.end = (), replace(WRITTEN, text="")
    assert (await client.chat(CHAT)).json["choices"][0]["message"]["content"] == ""
    reply = await client.chat(STREAM)
    role, end, done = reply.events
    assert (role["choices"][0]["delta"]["role"], end["choices"][0]["finish_reason"], done) == (
        "assistant",
        "stop",
        "[DONE]",
    )


async def test_pieces_go_out_as_they_are_written(client: Any, model: FakeModel) -> None:
    asking = asyncio.ensure_future(client.chat(STREAM))
    text = await model.texts.get()
    assert client.reply.status == 0, "nothing is sent before something is certain"
    text.play("Hi")
    await client.first_chunk.wait()
    assert content(client.reply) == "Hi"
    assert not client.reply.is_complete
    text.play(" there", end=WRITTEN)
    assert content(await asking) == "Hi there"
    assert len(client.reply.chunks) == 3


async def test_a_slow_client_holds_back_its_own_stream_only(app: Any, model: FakeModel, client: Any) -> None:
    is_blocked, may_send, sent = asyncio.Event(), asyncio.Event(), []

    async def send(message: Any) -> None:
        is_blocked.set()
        await may_send.wait()
        sent.append(message)

    asking = asyncio.ensure_future(client.ask_with(send, STREAM))
    text = await model.texts.get()
    text.play("a")
    await is_blocked.wait()
    text.play(*"bcdefgh", end=replace(WRITTEN, text="abcdefgh"))
    other = asyncio.ensure_future(type(client)(app).chat(CHAT))
    (await model.texts.get()).play(end=WRITTEN)
    assert (await other).status == 200
    assert sent == []
    may_send.set()
    await asking
    bodies = [message["body"] for message in sent[1:]]
    assert len(bodies) == 3, "what waited goes out together"
    assert b"".join(bodies).count(b'"content"') == 9


async def test_a_model_is_loaded_once_at_the_first_request_and_others_wait(
    app: Any, client: Any, model: FakeModel
) -> None:
    assert [card["id"] for card in (await client.ask("GET", "/v1/models")).json["data"]] == ["program/double", "m"]
    assert (await client.ask("GET", "/healthz")).json["num_models"] == 1
    assert model.loads == 0
    model.script = ("Hi",)
    model.may_load.clear()
    asking = [asyncio.ensure_future(type(client)(app).chat(CHAT)) for _ in range(3)]
    program = await client.chat({"model": "program/double", "inputs": [1]})
    assert program.status == 200, "other requests go on"
    assert not any(task.done() for task in asking)
    model.may_load.set()
    assert [reply.status for reply in await asyncio.gather(*asking)] == [200] * 3
    assert model.loads == 1


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (BadRequest("no config.json", code="invalid_model"), "invalid_model"),
        (Unsupported("install pointsman[local]", code="extra_missing"), "extra_missing"),
        (UpstreamError("offline", retryable=True, code="hub_unreachable"), "hub_unreachable"),
    ],
)
async def test_a_failed_load_is_told_and_tried_again(
    app: Any, client: Any, model: FakeModel, failure: Any, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    model.failures, model.script = [failure], ("Hi",)
    model.may_load.clear()
    asking = [asyncio.ensure_future(type(client)(app).chat({**STREAM, "n": n})) for n in (None, 1)]
    await asyncio.sleep(0)
    model.may_load.set()
    for reply in await asyncio.gather(*asking):
        assert (reply.status, reply.error["code"], reply.error["type"]) == (503, code, "server_error")
        assert reply.error["message"] == f"the model 'm' cannot be loaded: {failure.message}"
    assert "cannot be loaded" in caplog.text
    assert (await client.chat(CHAT)).status == 200
    assert model.loads == 2


async def test_a_load_that_breaks_is_a_500_that_only_the_log_explains(
    client: Any, model: FakeModel, caplog: pytest.LogCaptureFixture
) -> None:
    model.failures = [RuntimeError("my-secret")]
    reply = await client.chat(CHAT)
    assert (reply.status, reply.error["code"]) == (500, "internal_error")
    assert "builtins.RuntimeError" in caplog.text
    assert "my-secret" not in caplog.text + reply.body.decode()


@pytest.mark.parametrize("request_", [CHAT, STREAM], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (BadRequest("x", code="prompt_too_long", param="prompt"), 400),
        (Unsupported("x", code="no_chat_template"), 501),
        (OverBudget("x", code="too_many_waiting"), 429),
        (InternalError("x", code="model_closed"), 500),
        (RuntimeError("x"), 500),
    ],
)
@pytest.mark.parametrize("is_late", [False, True], ids=["at the start", "on the model's thread"])
async def test_an_error_before_the_first_piece_has_its_own_status(
    client: Any, model: FakeModel, request_: Any, error: Exception, status: int, is_late: bool
) -> None:
    model.refusal = None if is_late else error
    model.script, model.end = (), error
    reply = await client.chat(request_)
    assert (reply.status, reply.error["code"]) == (status, getattr(error, "code", "internal_error"))
    assert reply.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("error", "code"),
    [(OverBudget("x", code="context_exceeded"), "context_exceeded"), (RuntimeError("my-secret"), "internal_error")],
)
async def test_an_error_half_way_is_a_last_event_without_the_end_mark(
    client: Any, model: FakeModel, error: Exception, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    model.script, model.end = ("Hi",), error
    reply = await client.chat(STREAM)
    _, piece, last = reply.events
    assert piece["choices"][0]["delta"] == {"content": "Hi"}
    assert (set(last), last["error"]["code"]) == ({"error"}, code)
    assert reply.is_complete
    assert (reply.headers["x-request-id"] in caplog.text) == (code == "internal_error")
    assert "my-secret" not in caplog.text + reply.body.decode()


@pytest.mark.parametrize("is_streaming", [False, True])
async def test_a_client_that_leaves_ends_its_text(client: Any, model: FakeModel, is_streaming: bool) -> None:
    asking = asyncio.ensure_future(client.chat(STREAM if is_streaming else CHAT))
    text = await model.texts.get()
    if is_streaming:
        text.play("Hi")
        await client.first_chunk.wait()
    assert not text.is_cancelled
    client.leave()
    reply = await asking
    assert text.is_cancelled
    assert not reply.is_complete
    text.play(end=replace(WRITTEN, finish_reason="cancelled"))  # is heard by nobody and harms nobody


async def test_a_client_that_leaves_while_the_model_loads_starts_nothing(
    app: Any, client: Any, model: FakeModel
) -> None:
    model.may_load.clear()
    asking = asyncio.ensure_future(client.chat(CHAT))
    assert await asyncio.to_thread(model.is_loading.wait, 5)
    client.leave()
    await asking
    model.may_load.set()
    model.script = ("Hi",)
    assert (await type(client)(app).chat(CHAT)).status == 200, "the load went on"
    assert (model.loads, len(model.seen)) == (1, 1)


async def test_a_text_that_a_shutdown_cuts_off_is_an_error(client: Any, model: FakeModel) -> None:
    model.script, model.end = (), replace(WRITTEN, finish_reason="cancelled")
    reply = await client.chat(CHAT)
    assert (reply.status, reply.error["code"]) == (503, "server_stopping")


@pytest.mark.parametrize("has_begun", [False, True])
async def test_an_answer_that_outlasts_a_stopping_server_says_so(
    client: Any, model: FakeModel, has_begun: bool, caplog: pytest.LogCaptureFixture
) -> None:
    asking = asyncio.ensure_future(client.chat(STREAM))
    text = await model.texts.get()
    if has_begun:
        text.play("Hi")
        await client.first_chunk.wait()
    asking.cancel()  # as uvicorn does
    reply = await asking
    error = reply.events[-1]["error"] if has_begun else reply.error
    assert (reply.status, error["code"], reply.is_complete) == (200 if has_begun else 503, "server_stopping", True)
    assert text.is_cancelled
    assert reply.headers["x-request-id"] in caplog.text


async def test_the_end_of_the_server_closes_what_was_loaded(app: Any, client: Any, model: FakeModel) -> None:
    async with app.router.lifespan_context(app):
        pass
    assert not model.is_closed
    model.script = ()
    async with app.router.lifespan_context(app):
        await client.chat(CHAT)
        assert not model.is_closed
    assert model.is_closed


async def test_a_model_that_does_not_end_is_left_behind(
    app: Any, client: Any, model: FakeModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    may_end = threading.Event()
    monkeypatch.setattr(models, "CLOSE_S", 0.02)
    monkeypatch.setattr(model, "close", lambda: may_end.wait(5))
    model.script = ()
    async with app.router.lifespan_context(app):
        await client.chat(CHAT)
    assert "the model m was still computing after 0.02 s" in caplog.text
    may_end.set()


def test_names_do_not_clash(model: FakeModel) -> None:
    source = ModelSource("m", "", model.load)
    for config, sources in ((Config(), [source, source]), (upstream_of("m"), [source])):
        with pytest.raises(BadRequest, match="are named 'm'; expected one") as caught:
            create_app(config, [], sources)
        assert caught.value.code == "invalid_config"


def upstream_of(name: str) -> Config:
    return Config(upstreams=(UpstreamConfig("u", "http://127.0.0.1", (name,)),))


async def test_nothing_of_a_request_is_logged(client: Any, model: FakeModel, caplog: pytest.LogCaptureFixture) -> None:
    model.script, model.end = ("my-secret",), replace(WRITTEN, text="my-secret")
    with caplog.at_level(logging.DEBUG):
        await client.chat(CHAT)
        await client.chat(STREAM)
    assert "loaded the model m in" in caplog.text
    assert "my-secret" not in caplog.text
