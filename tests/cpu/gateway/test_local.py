"""Chats with real, tiny models over the gateway's application."""

import asyncio
import queue
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import aiohttp
import pytest
import torch

from pointsman.core import Cost
from pointsman.engine import LoadedModel, Sampling, Text, generate, load, service
from pointsman.engine.session import Session
from pointsman.gateway import Config, ModelConfig, ModelSource, config, create_app, local
from pointsman.gateway.local import cost_of, load_local, local_model

pytestmark = pytest.mark.anyio

MakeModel = Callable[..., LoadedModel]


def alone(model: LoadedModel, content: str, **sampling: Any) -> Text:
    """What the engine writes by itself; the slow, obvious twin of a request."""
    prompt = model.tokenizer.encode(f"u:{content};steps:", special=False)
    (text,) = generate(model, [prompt], Sampling(**{"max_tokens": 12, **sampling}))
    return text


def content(reply: Any) -> str:
    """The text of an answer, whole or streamed."""
    if not reply.headers["content-type"].startswith("text/event-stream"):
        return str(reply.json["choices"][0]["message"]["content"])
    assert reply.events[-1] == "[DONE]"
    return "".join(choice["delta"].get("content", "") for event in reply.events[:-1] for choice in event["choices"])


class Endings:
    """The engine's texts in the order in which they end."""

    def __init__(self) -> None:
        self._texts: queue.Queue[Text] = queue.Queue()

    def put(self, text: Text) -> Cost:
        self._texts.put(text)
        return cost_of(text)

    def count(self) -> int:
        return self._texts.qsize()

    async def next(self) -> Text:
        return await asyncio.to_thread(self._texts.get, timeout=5)


@pytest.fixture
def endings(monkeypatch: pytest.MonkeyPatch) -> Endings:
    endings = Endings()
    monkeypatch.setattr(local, "cost_of", endings.put)
    return endings


SAMPLINGS = [
    {},
    {"max_tokens": 1},
    {"temperature": 0.9, "seed": 3},
    {"temperature": 1.5, "top_k": 5, "top_p": 0.9, "min_p": 0.01, "seed": 4},
]


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=str)
async def test_an_answer_is_the_engine_s_own_text_whole_or_streamed(
    serving: Any, model: LoadedModel, sampling: dict[str, Any]
) -> None:
    async with serving(model) as gateway:
        expected = alone(model, "hello", **sampling)
        whole = await gateway.ask("hello", **sampling)
        streamed = await gateway.ask("hello", stream=True, stream_options={"include_usage": True}, **sampling)
    assert content(whole) == content(streamed) == expected.text
    assert whole.json["choices"][0]["finish_reason"] == expected.finish_reason == "length"
    count, prompt = len(expected.tokens), expected.prompt_tokens
    usage = {"prompt_tokens": prompt, "completion_tokens": count, "total_tokens": prompt + count}
    assert whole.json["usage"] == streamed.events[-2]["usage"] == usage
    for note in (whole.json["pointsman"], streamed.events[-3]["pointsman"]):
        cost = note["cost"]
        assert cost["seconds"] > 0
        assert {**cost, "seconds": 0} == {
            "prompt_tokens": prompt,
            "completion_tokens": count,
            "nano_usd": 0,
            "moved_bytes": expected.traffic.moved_bytes,
            "seconds": 0,
        }
    assert len(streamed.events) == count + 4, "role, a chunk a token, end, usage, end mark"


async def test_clients_share_a_batch_and_change_nothing_for_each_other(
    serving: Any, model: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    widths = []
    extend = Session.extend

    def watched(self: Session, rows: Any, tokens: Any, want: Any = "last") -> Any:
        widths.append(len(rows))
        return extend(self, rows, tokens, want)

    prompts = {f"{'long ' * index}question {index}": 20 + 7 * index for index in range(6)}
    async with serving(model, num_rows=3) as gateway:
        expected = [alone(model, prompt, max_tokens=count).text for prompt, count in prompts.items()]
        monkeypatch.setattr(Session, "extend", watched)
        asking = [
            gateway.ask(prompt, max_tokens=count, stream=index % 2 == 0)
            for index, (prompt, count) in enumerate(prompts.items())
        ]
        replies = await asyncio.gather(*asking)
    assert [content(reply) for reply in replies] == expected
    assert max(widths) == 3, "texts are computed together"
    assert len(widths) < sum(prompts.values())


ENDLESS = {"model": "m", "messages": [{"role": "user", "content": "x"}]}


@pytest.mark.parametrize("is_streaming", [False, True])
async def test_a_client_that_leaves_stops_the_computation(
    serving: Any, make_model: MakeModel, endings: Endings, is_streaming: bool
) -> None:
    model = make_model(context_tokens=8192)
    async with serving(model) as gateway:
        await gateway.ask()  # loads the model
        await endings.next()
        client = gateway.client()
        asking = asyncio.ensure_future(client.chat({**ENDLESS, "stream": is_streaming}))
        await (client.first_chunk.wait() if is_streaming else asyncio.sleep(0.05))
        client.leave()
        await asking
        ended = await endings.next()
        assert (ended.finish_reason, len(ended.tokens) < 4000) == ("cancelled", True)
        assert content(await gateway.ask("hello")) == alone(model, "hello").text, "its row is free again"


async def test_a_client_that_hangs_up_over_a_socket_stops_the_computation(
    serve_app: Any, make_model: MakeModel, endings: Endings
) -> None:
    model = make_model(context_tokens=8192)
    app = create_app(Config(), [], [ModelSource("m", "", lambda: local_model(model, 2, 8192))])
    with serve_app(app) as url:
        async with aiohttp.request("POST", f"{url}/v1/chat/completions", json={**ENDLESS, "stream": True}) as response:
            assert b'"role":"assistant"' in await response.content.readline()
            response.close()
        assert (await endings.next()).finish_reason == "cancelled"


async def test_clients_come_and_go_and_every_text_ends_once(serving: Any, model: LoadedModel, endings: Endings) -> None:
    rng = random.Random(0)
    plans = [(f"{'x' * rng.randrange(40)}{index}", rng.randint(1, 30)) for index in range(24)]
    expected = [alone(model, prompt, max_tokens=count).text for prompt, count in plans]
    num_gone = 0
    async with serving(model, num_rows=4) as gateway:

        async def visit(index: int, prompt: str, count: int) -> Any:
            nonlocal num_gone
            client = gateway.client()
            messages = [{"role": "user", "content": prompt}]
            request = {"model": "m", "messages": messages, "max_tokens": count, "stream": rng.random() < 0.5}
            asking = asyncio.ensure_future(client.chat(request))
            await asyncio.sleep(rng.random() / 20)
            if index % 3 == 0:
                client.leave()
            reply = await asking
            num_gone += not reply.is_complete
            return content(reply) if reply.is_complete else None

        found = await asyncio.gather(*(visit(index, *plan) for index, plan in enumerate(plans)))
    assert all(text in (None, wanted) for text, wanted in zip(found, expected, strict=True))
    assert 0 < num_gone <= 8, "some left in time, and only those"
    reasons = [(await endings.next()).finish_reason for _ in range(endings.count())]
    assert reasons.count("cancelled") <= num_gone
    assert len(reasons) - reasons.count("cancelled") >= len(plans) - num_gone


async def test_a_stop_string_ends_a_text_before_it(serving: Any, model: LoadedModel) -> None:
    async with serving(model) as gateway:
        text = alone(model, "hello", max_tokens=40).text
        stop = text[20:22]
        for is_streaming in (False, True):
            reply = await gateway.ask("hello", max_tokens=40, stop=["none of it", stop], stream=is_streaming)
            assert content(reply) == text[: text.index(stop)]
            last = reply.events[-2] if is_streaming else reply.json
            assert last["choices"][0]["finish_reason"] == "stop"


async def test_an_end_token_is_counted_and_not_shown(serving: Any, make_model: MakeModel) -> None:
    written = alone(make_model(), "hello").tokens
    end = next(token for token in written if written.index(token) > 2)
    async with serving(make_model(name="ending", eos_tokens=(end,))) as gateway:
        reply = await gateway.ask("hello", logprobs=True)
    (choice,) = reply.json["choices"]
    assert choice["finish_reason"] == "stop"
    assert reply.json["usage"]["completion_tokens"] == written.index(end) + 1
    assert len(choice["logprobs"]["content"]) == len(choice["message"]["content"]) == written.index(end)


async def test_logprobs_are_those_of_the_tokens_that_were_written(serving: Any, model: LoadedModel) -> None:
    async with serving(model) as gateway:
        whole = await gateway.ask("hello", logprobs=True, top_logprobs=3)
        streamed = await gateway.ask("hello", logprobs=True, top_logprobs=3, stream=True)
    (choice,) = whole.json["choices"]
    told = choice["logprobs"]["content"]
    assert streamed.events[-2]["choices"][0]["logprobs"]["content"] == told
    assert "".join(token["token"] for token in told) == choice["message"]["content"]
    for token in told:
        assert bytes(token["bytes"]).decode() == token["token"]
        assert {key: token[key] for key in ("token", "logprob", "bytes")} == token["top_logprobs"][0], "greedy"
        values = [one["logprob"] for one in token["top_logprobs"]]
        assert 0 >= values[0] >= values[1] >= values[2]


async def test_a_choice_is_written_in_full(serving: Any, model: LoadedModel) -> None:
    async with serving(model) as gateway:
        reply = await gateway.ask("hello", guided_choice=["apples", "pears"], max_tokens=None)
    assert content(reply) in ("apples", "pears")
    assert reply.json["choices"][0]["finish_reason"] == "stop"


async def test_the_template_gets_roles_and_mode(serving: Any, model: LoadedModel) -> None:
    messages = [{"role": "developer", "content": "a"}, {"role": "user", "content": [{"type": "text", "text": "b"}]}]
    async with serving(model) as gateway:
        for fields, prompt in (
            ({}, "s:a;u:b;steps:"),
            ({"reasoning_effort": "none"}, "s:a;u:b;direct:"),
            ({"chat_template_kwargs": {"mode": "own"}}, "s:a;u:b;own:"),
            ({"chat_template_kwargs": {"add_generation_prompt": False}}, "s:a;u:b;"),
        ):
            reply = await gateway.ask(messages=messages, **fields)
            assert reply.json["usage"]["prompt_tokens"] == len(prompt)
            tokens = model.tokenizer.encode(prompt, special=False)
            assert content(reply) == generate(model, [tokens], Sampling(max_tokens=12))[0].text


@pytest.mark.parametrize(
    ("fields", "code", "param", "says"),
    [
        ({"content": "x" * 600}, "prompt_too_long", "messages", ["609 tokens", "at most 511"]),
        ({"temperature": -1}, "invalid_parameter", "temperature", ["-1.0; expected 0 to 100"]),
        ({"top_p": 0}, "invalid_parameter", "top_p", ["expected above 0 and at most 1"]),
        ({"top_k": 0}, "invalid_parameter", "top_k", ["expected 1 or more"]),
        ({"min_p": 2}, "invalid_parameter", "min_p", ["expected 0 to 1"]),
        ({"seed": 2**63}, "invalid_parameter", "seed", ["64 bits"]),
        ({"stop": ""}, "invalid_parameter", "stop", ["not empty"]),
        ({"guided_choice": ["a", "ab"]}, "invalid_parameter", "guided_choice", ["begins another"]),
        ({"messages": [{"role": "poet", "content": "x"}]}, "invalid_chat", "messages", ["no role poet"]),
    ],
)
@pytest.mark.parametrize("is_streaming", [False, True])
async def test_bad_input_is_refused_in_plain_words(
    serving: Any,
    model: LoadedModel,
    fields: dict[str, Any],
    code: str,
    param: str,
    says: list[str],
    is_streaming: bool,
) -> None:
    async with serving(model) as gateway:
        reply = await gateway.ask(**fields, stream=is_streaming)
    assert (reply.status, reply.error["code"], reply.error["param"]) == (400, code, param)
    assert all(part in reply.error["message"] for part in says)


async def test_the_context_of_the_configuration_counts_where_it_is_shorter(serving: Any, model: LoadedModel) -> None:
    async with serving(model, context_tokens=40) as gateway:
        reply = await gateway.ask("x" * 100)
        assert "at most 39" in reply.error["message"]
        reply = await gateway.ask("x" * 20, max_tokens=None)
    assert reply.json["usage"]["total_tokens"] <= 41
    assert reply.json["choices"][0]["finish_reason"] == "length"


async def test_a_model_without_a_template_says_so(serving: Any, make_model: MakeModel) -> None:
    async with serving(make_model(template=None)) as gateway:
        reply = await gateway.ask()
    assert (reply.status, reply.error["code"]) == (501, "no_chat_template")


async def test_too_many_that_wait_are_refused(
    serving: Any, model: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(model) as gateway:
        await gateway.ask()
        monkeypatch.setattr(service, "MAX_WAITING", 0)
        reply = await gateway.ask()
    assert (reply.status, reply.error["code"]) == (429, "too_many_waiting")


async def test_a_step_that_breaks_ends_its_texts_and_no_others(
    serving: Any, model: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(model) as gateway:
        with monkeypatch.context() as patch:
            patch.setattr(Session, "extend", lambda *_: torch.zeros(2) @ torch.zeros(3))
            reply = await gateway.ask()
        assert (reply.status, reply.error["code"]) == (500, "internal_error")
        assert (await gateway.ask()).status == 200


async def test_a_folder_is_loaded_as_configured_and_a_broken_one_is_told(serving: Any, chat_folder: Any) -> None:
    folder: Path = chat_folder(context_tokens=64)
    settings = ModelConfig("m", str(folder), num_rows=1, context_tokens=32, dtype="bfloat16", device="cpu")
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[:-10])
    async with serving(lambda: load_local(settings)) as gateway:
        reply = await gateway.ask()
        assert (reply.status, reply.error["code"]) == (503, "invalid_weights")
        assert reply.error["message"].startswith("the model 'm' cannot be loaded: ")
        (folder / "model.safetensors").write_bytes(weights)
        assert "at most 31" in (await gateway.ask("x" * 40)).error["message"]
        assert (await gateway.ask()).status == 200


def test_names_of_dtypes_and_devices_are_those_of_the_engine() -> None:
    assert get_args(config.Dtype) == get_args(load.DtypeName)
    assert get_args(config.Device) == get_args(load.DeviceName)
