"""`auto` with a policy: which arm gets a request, what it gets, and what the client is told."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web

from pointsman.core import BadRequest, Cost, UpstreamError
from pointsman.gateway import Config, Opened, RoutingConfig, ServerConfig, UpstreamConfig, create_app
from pointsman.gateway.errors import UnsupportedParameter
from pointsman.gateway.ledger import open_ledger, read_entries
from pointsman.program.text.router import Routed

pytestmark = pytest.mark.anyio

UNAUDITED = Config(routing=RoutingConfig(audit_share=0))


class Setup:
    """A small and a large model behind a policy."""

    def __init__(self, fakes: Any) -> None:
        self.fakes = fakes
        self.small, self.large = fakes.Writer("small"), fakes.Writer("large", 100)
        self.config = UNAUDITED
        self.policy = fakes.policy_of()

    @property
    def sources(self) -> list[Any]:
        return [self.fakes.source("small", self.small), self.fakes.source("large", self.large, "unit")]

    def app(self, **opened: Any) -> Any:
        return create_app(self.config, [], self.sources, None, Opened(self.policy, **opened))


@pytest.fixture
def setup(fakes: Any) -> Setup:
    return Setup(fakes)


@pytest.mark.parametrize("stream", [False, True])
async def test_the_certified_arm_answers_and_all_is_told(setup: Setup, client_of: Any, stream: bool) -> None:
    fakes = setup.fakes
    await client_of(setup.app()).chat({**fakes.asking(), "model": "small"})  # loads it
    client = client_of(app := setup.app())
    await client.chat({**fakes.asking(), "model": "small"})
    reply = await client.chat(fakes.asking(stream=stream))
    assert (reply.status, fakes.said(reply)) == (200, "small")
    assert setup.small.seen[-1].variables["mode"] == "direct"
    found = fakes.note(reply)
    assert (found["arm"], found["reason"], found["dials"]) == ("small?mode=direct", "certified", {"mode": "direct"})
    assert found["forecasts"] == [
        {"arm": "small?mode=direct", "right": 0.7, "moved_bytes": 10.0, "prompt": "counted"},
        {"arm": "large", "right": 0.9, "moved_bytes": 100.0, "prompt": "estimated"},
    ]
    assert found["billed"] == found["cost"]
    assert found["billed"]["moved_bytes"] == 10
    saved = {"estimate": 90, "kind": "moved_bytes", "reason": "reference_as_forecast"}
    assert found["saved_against_reference"] == saved
    assert found["certificate"] == {
        "kept": 0.99,
        "loss": 0.0,
        "confidence": 0.95,
        "num_rows": 1000,
        "num_taken": 0,
        "data": "sha",
    }
    assert reply.headers["x-pointsman-arm"] == "small?mode=direct"
    assert reply.headers["x-pointsman-reason"] == "certified"
    assert fakes.told(reply, "dials") == {"mode": "direct"}
    assert fakes.told(reply, "forecasts") == found["forecasts"]
    assert fakes.told(reply, "certificate") == found["certificate"]
    if stream:
        assert "x-pointsman-billed" not in reply.headers, "a stream starts before its bill is known"
        assert reply.events[-1] == "[DONE]"
    else:
        assert fakes.told(reply, "billed") == found["billed"]
        assert fakes.told(reply, "saved-against-reference") == saved
        assert int(reply.headers["content-length"]) == len(reply.body)
    assert app is not None


async def test_prompt_tokens_are_counted_or_estimated(setup: Setup, client_of: Any) -> None:
    client, server = client_of(setup.app()), setup.policy.server
    text = "x" * 40
    await client.chat(setup.fakes.asking(text))
    await client.chat(setup.fakes.asking(text))
    assert server.seen[1:] == [(text, [10, 10]), (text, [8, 10])], "the first request loaded the small model"


@pytest.mark.parametrize(
    ("wish", "arm", "reason"),
    [
        ({}, "small?mode=direct", "certified"),
        ({"quality": 0.98}, "small?mode=direct", "certified"),
        ({"quality": 0.999}, "large", "reference_above_certificate"),
        ({"max_cost_usd": 50e-9}, "small?mode=direct", "within_max_cost"),
        ({"max_cost_usd": 500e-9}, "large", "within_max_cost"),
        ({"price_usd": 1e-6}, "large", "worth_its_price"),
        ({"price_usd": 1e-8}, "small?mode=direct", "worth_its_price"),
    ],
)
async def test_a_client_may_say_what_it_wants(setup: Setup, client_of: Any, wish: Any, arm: str, reason: str) -> None:
    setup.policy = setup.fakes.policy_of(kind="nano_usd")
    reply = await client_of(setup.app()).chat(setup.fakes.asking(pointsman=wish))
    assert (reply.headers["x-pointsman-arm"], reply.headers["x-pointsman-reason"]) == (arm, reason)
    if arm == "large":
        assert setup.fakes.note(reply)["saved_against_reference"]["reason"] == "is_reference"


@pytest.mark.parametrize(
    ("kind", "wish", "status", "code"),
    [
        ("nano_usd", {"quality": 0.9, "max_cost_usd": 1}, 400, "invalid_parameter"),
        ("nano_usd", {"quality": 1.5}, 400, "invalid_parameter"),
        ("nano_usd", {"price_usd": -1}, 400, "invalid_parameter"),
        ("nano_usd", {"quality": "high"}, 400, "invalid_type"),
        ("nano_usd", {"budget": 0.5}, 400, "invalid_type"),
        ("nano_usd", {"max_cost_usd": 1e-12}, 429, "max_cost_too_low"),
        ("moved_bytes", {"price_usd": 1}, 400, "invalid_parameter"),
    ],
)
async def test_a_wish_that_cannot_be_is_refused(
    setup: Setup, client_of: Any, kind: str, wish: Any, status: int, code: str
) -> None:
    setup.policy = setup.fakes.policy_of(kind=kind)
    reply = await client_of(setup.app()).chat(setup.fakes.asking(pointsman=wish))
    assert (reply.status, reply.error["code"]) == (status, code)
    assert str(reply.error["param"]).startswith("pointsman") == (status == 400)


async def test_without_a_policy_a_wish_is_refused(fakes: Any, client_of: Any, tmp_path: Any) -> None:
    config = Config(ServerConfig(infer="m"), routing=RoutingConfig(parts=True))
    client = client_of(create_app(config, [], [fakes.source("m", fakes.Writer())]))
    reply = await client.chat(fakes.asking(pointsman={"quality": 0.9}))
    assert (reply.status, reply.error["code"], reply.error["param"]) == (400, "no_policy", "pointsman.quality")
    reply = await client.chat(fakes.asking(pointsman={"writers": True}))
    assert (reply.status, fakes.said(reply)) == (200, "inferred")


async def test_what_was_not_calibrated_goes_to_the_reference_arm(setup: Setup, client_of: Any) -> None:
    client, fakes = client_of(setup.app()), setup.fakes
    for request in (
        fakes.asking(response_format={"type": "text"}),
        fakes.asking(tools=[]),
        fakes.asking(logprobs=True),
        fakes.asking(guided_choice=["a"]),
    ):
        reply = await client.chat(request)
        assert reply.headers["x-pointsman-reason"] == "reference_for_unread_request"
        assert reply.headers["x-pointsman-arm"] == "large"
    reply = await client.chat(fakes.asking([{"type": "image_url", "image_url": {}}]))
    assert (reply.status, reply.error["code"]) == (400, "unsupported_content")
    assert setup.small.seen == []
    setup.policy = fakes.policy_of(novelty=0.9)
    reply = await client_of(setup.app()).chat(fakes.asking())
    assert reply.headers["x-pointsman-reason"] == "reference_for_novel_request"
    setup.policy = fakes.policy_of(certified=False)
    reply = await client_of(setup.app()).chat(fakes.asking())
    assert reply.headers["x-pointsman-reason"] == "reference_without_certificate"
    assert fakes.note(reply)["certificate"] is None


async def test_a_chat_of_several_messages_is_forecast_by_all_of_them(setup: Setup, client_of: Any) -> None:
    messages = [{"role": role, "content": role} for role in ("system", "user", "assistant", "user")]
    reply = await client_of(setup.app()).chat({"model": "auto", "messages": messages})
    assert reply.headers["x-pointsman-reason"] == "certified"
    assert setup.policy.server.seen[1][0] == "system\nuser\nassistant\nuser"


@pytest.mark.parametrize(
    "error",
    [
        UpstreamError("gone", retryable=True),
        UnsupportedParameter("no", param="n"),
        BadRequest("long", code="prompt_too_long"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_the_reference_arm_stands_in_for_one_that_cannot(
    setup: Setup, client_of: Any, error: Any, stream: bool
) -> None:
    setup.small.error = error
    reply = await client_of(setup.app()).chat(setup.fakes.asking(stream=stream))
    assert (setup.fakes.said(reply), reply.headers["x-pointsman-arm"]) == ("large", "large")
    assert reply.headers["x-pointsman-reason"] == setup.fakes.note(reply)["reason"] == "arm_unavailable"
    assert len(setup.fakes.note(reply)["forecasts"]) == 2


async def test_what_a_client_allows_is_not_passed_by_the_reference_arm(setup: Setup, client_of: Any) -> None:
    setup.policy = setup.fakes.policy_of(kind="nano_usd")
    setup.small.error = UpstreamError("gone", retryable=True)
    client = client_of(setup.app())
    reply = await client.chat(setup.fakes.asking(pointsman={"max_cost_usd": 50e-9}))
    assert (reply.status, reply.error["code"]) == (502, "upstream_error")
    for fields in ({"logprobs": True}, {"tools": []}):
        reply = await client.chat(setup.fakes.asking(pointsman={"max_cost_usd": 1}, **fields))
        assert (reply.status, reply.error["code"]) == (429, "max_cost_unknown")
    assert setup.large.seen == []
    setup.policy = setup.fakes.policy_of(kind="nano_usd", right=(0.99, 0.9))
    reply = await client_of(setup.app()).chat(setup.fakes.asking(pointsman={"max_cost_usd": 500e-9}))
    assert reply.headers["x-pointsman-reason"] == "arm_unavailable", "the reference arm is within it"


async def test_a_fault_of_the_request_or_of_the_reference_arm_is_told(setup: Setup, client_of: Any) -> None:
    setup.small.error = BadRequest("wrong", code="invalid_parameter")
    reply = await client_of(setup.app()).chat(setup.fakes.asking())
    assert (reply.status, reply.error["code"]) == (400, "invalid_parameter")
    assert setup.large.seen == []
    setup.small.error = setup.large.error = UpstreamError("gone", retryable=True)
    reply = await client_of(setup.app()).chat(setup.fakes.asking())
    assert reply.status == 502


async def test_an_arm_that_is_no_model_stops_the_server_from_starting(setup: Setup) -> None:
    for arms, told in (
        (("small", "none"), "there is no such model"),
        (("small?budget=0.5", "large"), "fitted units"),
        (("arm 1", "large"), "expected MODEL"),
    ):
        setup.policy = setup.fakes.policy_of(arms)
        with pytest.raises(BadRequest, match=told) as caught:
            setup.app()
        assert caught.value.code == "invalid_arm"
    setup.policy = setup.fakes.policy_of(cost=(10, float("nan")))
    with pytest.raises(BadRequest, match=r"policy\.most_reference") as caught:
        setup.app()
    assert caught.value.code == "invalid_config"


async def test_a_header_that_clients_could_not_take_is_left_out(setup: Setup, client_of: Any) -> None:
    arms = [f"small?max_tokens={number}" for number in range(1, 80)]
    setup.policy = setup.fakes.policy_of([*arms, "large"], [0.5] * 80, [10.0] * 80)
    reply = await client_of(setup.app()).chat(setup.fakes.asking())
    assert len(setup.fakes.note(reply)["forecasts"]) == 80
    assert "x-pointsman-forecasts" not in reply.headers
    assert "x-pointsman-dials" in reply.headers


async def test_a_budget_is_passed_on(setup: Setup, client_of: Any) -> None:
    setup.policy = setup.fakes.policy_of(("large?budget=0.6", "large"))
    reply = await client_of(setup.app()).chat(setup.fakes.asking(pointsman={"quality": 0.5}))
    assert setup.large.seen[0].budget == 0.6
    assert setup.fakes.told(reply, "dials") == {"budget": 0.6}


@asynccontextmanager
async def behind(fakes: Any, client_of: Any, upstream_at: Any, handler: Any, prices: Any) -> Any:
    async with upstream_at(handler) as url:
        upstream = UpstreamConfig("u", url, ("far",), 5.0, None, prices)
        policy = fakes.policy_of(("far?reasoning_effort=low&max_tokens=8", "large"), kind="nano_usd")
        config = replace(UNAUDITED, upstreams=(upstream,))
        app = create_app(config, [], [fakes.source("large", fakes.Writer("large"))], None, Opened(policy))
        async with app.router.lifespan_context(app):
            yield client_of(app)


def answering(seen: list[Any]) -> Any:
    async def handler(request: web.Request) -> web.StreamResponse:
        seen.append(body := await request.json())
        choice = {"index": 0, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010}
        if not body.get("stream"):
            message = {"role": "assistant", "content": "far"}
            return web.json_response({"id": "up", "choices": [{**choice, "message": message}], "usage": usage})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for part in (
            {"choices": [{"index": 0, "delta": {"content": "far"}}]},
            {"choices": [{**choice, "delta": {}}]},
            {"choices": [], "usage": usage},
        ):
            await response.write(b"data: " + json.dumps(part).encode() + b"\n\n")
        await response.write(b"data: [DONE]\n\n")
        return response

    return handler


@pytest.mark.parametrize("stream", [False, True])
async def test_an_upstream_is_an_arm_too(fakes: Any, client_of: Any, upstream_at: Any, stream: bool) -> None:
    seen: list[Any] = []
    async with behind(fakes, client_of, upstream_at, answering(seen), {"far": (1.0, 5.0)}) as client:
        reply = await client.chat(fakes.asking(stream=stream, max_tokens=100, unknown=1))
    (body,) = seen
    assert (body["model"], body["reasoning_effort"], body["max_tokens"], body["unknown"]) == ("far", "low", 8, 1)
    assert fakes.said(reply) == "far"
    found = fakes.note(reply)
    assert found["arm"] == reply.headers["x-pointsman-arm"] == "far?reasoning_effort=low&max_tokens=8"
    assert found["billed"]["nano_usd"] == 1_050_000
    assert found["forecasts"][0] == {"arm": found["arm"], "right": 0.7, "nano_usd": 10.0, "prompt": "estimated"}
    assert b'"usage"' not in reply.body if stream else reply.json["usage"]["total_tokens"] == 1010


async def test_a_bill_without_a_price_is_unknown(fakes: Any, client_of: Any, upstream_at: Any) -> None:
    async with behind(fakes, client_of, upstream_at, answering([]), {}) as client:
        reply = await client.chat(fakes.asking())
        status = await client.ask("GET", "/v1/pointsman/status")
    assert fakes.note(reply)["billed"] is None
    assert fakes.note(reply)["saved_against_reference"] == {"estimate": None, "reason": "bill_unknown"}
    assert status.json["ledger"]["num_unsettled"] == 1


async def test_text_that_was_seen_is_never_written_anew(fakes: Any, client_of: Any, upstream_at: Any) -> None:
    async def breaks(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b'data: {"choices": [{"index": 0, "delta": {"content": "half"}}]}\n\n')
        await asyncio.sleep(0.02)
        assert request.transport is not None
        request.transport.abort()
        return response

    async with behind(fakes, client_of, upstream_at, breaks, {"far": (1.0, 5.0)}) as client:
        reply = await client.chat(fakes.asking(stream=True))
    assert reply.events[0]["choices"][0]["delta"]["content"] == "half"
    assert reply.events[-1]["error"]["code"] == "upstream_disconnected"
    assert b"large" not in reply.body


class Reads:
    """An embedder that is a model: reading takes a token for each character, and 3 bytes for each."""

    folder, num_dims, digest = Path("m"), 2, "0"

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        return np.ones((len(texts), 2), np.float32)

    def cost(self, text: str) -> Cost:
        return Cost(len(text), 0, 0, 3 * len(text), 0.0)


class Covers:
    """A router that covers nothing, at a cost."""

    def answer(self, request: str) -> Routed:
        return Routed(None, None, Cost(0, 0, 0, 6, 0.0))


async def test_what_was_read_of_a_model_to_choose_is_counted(
    setup: Setup, client_of: Any, program: Any, tmp_path: Path
) -> None:
    """In no arm's bill, beside what tracks took, and not where the policy did not look at the request."""
    setup.policy = replace(setup.policy, embedder=Reads())
    router: Any = Covers()
    opened = Opened(setup.policy, ledger=open_ledger(tmp_path / "ledger.db"))
    app = create_app(setup.config, [program], setup.sources, router, opened)
    fakes, asked = setup.fakes, ({}, {"logprobs": True}, {"pointsman": {"quality": 0.9999}})
    async with app.router.lifespan_context(app):
        client = client_of(app)
        notes = [fakes.note(await client.chat(fakes.asking("a poem", **more))) for more in asked]
    billed = [entry.billed for entry in read_entries(tmp_path / "ledger.db")]
    assert [one.missed for one in billed] == [Cost(6, 0, 0, 18 + 6, 0.0), Cost(0, 0, 0, 6, 0.0), Cost(6, 0, 0, 24, 0.0)]
    assert [note["missed"]["moved_bytes"] for note in notes] == [24, 6, 24]
    assert [note["billed"]["moved_bytes"] for note in notes] == [10, 100, 100]
    assert [note["saved_against_reference"]["estimate"] for note in notes] == [100 - 10 - 24, -6, -24]


async def test_a_request_that_shows_a_shift_was_read_too(setup: Setup, client_of: Any) -> None:
    setup.policy = replace(setup.fakes.policy_of(novelty=0.5), embedder=Reads())
    client = client_of(setup.app())
    notes = [setup.fakes.note(await client.chat(setup.fakes.asking("a poem"))) for _ in range(60)]
    number = [note["reason"] for note in notes].index("routing_off")
    missed = [note["missed"]["moved_bytes"] for note in notes]
    assert missed == [18] * (number + 1) + [0] * (59 - number), "later ones go to the reference arm unread"
