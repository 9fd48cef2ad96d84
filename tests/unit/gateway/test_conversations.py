"""The price of switching models: which model has read a conversation, what its cache saves, and who answers then."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web

from pointsman.gateway import Config, Opened, RoutingConfig, UpstreamConfig, create_app, wire
from pointsman.gateway.auto.conversations import Conversations, Read
from pointsman.gateway.ledger import open_ledger, read_entries
from pointsman.query.certifying import Setting
from pointsman.query.sequences import Look, Sequences

pytestmark = pytest.mark.anyio

CHAT, EXPLAIN = "/v1/chat/completions", "/v1/pointsman/explain/"
KEY = "sk-one"
FAR, NEAR = (1.0, 5.0, 0.1), (1.0, 5.0)
SAVES = 900  # nano-dollars a token of the far model's cache
USER, ANSWER, AGAIN = (
    {"role": "user", "content": "x" * 8_000},  # 2,000 tokens, as they are estimated
    {"role": "assistant", "content": "so 4"},
    {"role": "user", "content": "Why?"},
)


def request(*messages: object, **fields: object) -> wire.ChatRequest:
    return wire.decode_request(json.dumps({"model": "auto", "messages": messages, **fields}).encode())


class Kept:
    """Conversations with a clock that a test sets; models `far` and `fast` are kept."""

    def __init__(self, most: int = 10) -> None:
        self.now_s = 1_000.0
        saves = {"far": 900.0, "fast": 1.0}
        self.conversations = Conversations(saves, 300.0, 1_024, most, lambda: self.now_s)

    def answered(self, *messages: object, model: str = "far", tokens: int = 2_000, key: str = KEY) -> None:
        turn = self.conversations.turn(key, request(*messages))
        assert turn is not None
        self.conversations.answered(turn, model, tokens)

    def found(self, *messages: object, key: str = KEY, **fields: object) -> Read | None:
        turn = self.conversations.turn(key, request(*messages, **fields))
        assert turn is not None
        return turn.read


def test_a_request_that_goes_on_is_found() -> None:
    kept = Kept()
    kept.answered(USER)
    assert kept.found(USER, ANSWER, AGAIN) == Read("far", 2_000)
    assert kept.found(USER, {"role": "assistant", "content": "other"}, AGAIN, AGAIN) == Read("far", 2_000)
    assert kept.found(USER, ANSWER, AGAIN, stream=True, temperature=1) == Read("far", 2_000)
    kept.answered(USER, ANSWER, AGAIN, model="fast", tokens=2_100)
    assert kept.found(USER, ANSWER, AGAIN, ANSWER, AGAIN) == Read("fast", 2_100)


@pytest.mark.parametrize(
    "messages",
    [
        (USER,),
        (USER, USER),
        (AGAIN, ANSWER, AGAIN),
        (USER, AGAIN, ANSWER, AGAIN),
        ({"role": "system", "content": ""}, USER, ANSWER, AGAIN),
        ({**USER, "role": "system"}, ANSWER, AGAIN),
        ({**USER, "name": "a"}, ANSWER, AGAIN),
        ({**USER, "content": "x" * 7_999}, ANSWER, AGAIN),
        (USER, ANSWER, AGAIN, ANSWER, AGAIN),
        (ANSWER, USER),
        (),
    ],
)
def test_a_first_turn_or_another_history_is_not_found(messages: tuple[object, ...]) -> None:
    kept = Kept()
    kept.answered(USER)
    assert kept.found(*messages) is None


def test_nothing_is_shared_between_keys_and_none_is_kept_without() -> None:
    kept = Kept()
    kept.answered(USER)
    assert kept.found(USER, ANSWER, AGAIN, key="sk-two") is None
    assert kept.conversations.turn(None, request(USER, ANSWER, AGAIN)) is None


def test_a_prompt_is_kept_as_long_as_its_provider_keeps_it() -> None:
    kept = Kept()
    kept.answered(USER)
    kept.now_s += 299.9
    assert kept.found(USER, ANSWER, AGAIN) is not None
    kept.now_s += 0.1
    assert kept.found(USER, ANSWER, AGAIN) is None, "being found does not make it younger: nobody has read it again"
    kept.answered(USER)
    assert kept.found(USER, ANSWER, AGAIN) is not None


def test_what_was_neither_kept_nor_found_for_longest_is_given_up() -> None:
    kept = Kept(most=2)
    first, second, third = ({"role": "user", "content": name} for name in "abc")
    kept.answered(first)
    kept.answered(second)
    assert kept.found(first, ANSWER, AGAIN) is not None
    kept.answered(third)
    found = [kept.found(one, ANSWER, AGAIN) is not None for one in (first, second, third)]
    assert found == [True, False, True]


def test_short_prompts_and_models_without_a_price_are_not_kept() -> None:
    kept = Kept()
    kept.answered(USER, tokens=1_023)
    kept.answered(USER, model="near")
    assert kept.found(USER, ANSWER, AGAIN) is None
    kept.answered(USER, tokens=1_024)
    assert kept.found(USER, ANSWER, AGAIN) == Read("far", 1_024)


@dataclass
class Setup:
    """The models `near` and `far`, the reference, of an upstream that keeps prompts; forecast are 2 and 3 million."""

    fakes: Any
    path: Path
    prices: Mapping[str, tuple[float, ...]] = field(default_factory=lambda: {"near": NEAR, "far": FAR})
    arms: tuple[str, ...] = ("near", "far")
    right: tuple[float, ...] = (0.7, 0.9)
    cost: tuple[float, ...] = (2e6, 3e6)
    kind: str = "nano_usd"
    sequences: Sequences | None = None
    failing: set[str] = field(default_factory=set)
    ending: str | None = "stop"
    routing: RoutingConfig = RoutingConfig(audit_share=0)  # noqa: RUF009  immutable
    server: Any = None

    async def handler(self, request: web.Request) -> web.StreamResponse:
        """A provider that has read all but the last 100 tokens, where an assistant has spoken before."""
        body = await request.json()
        if body["model"] in self.failing:
            return web.Response(status=503)
        read = 2_000 if len(body["messages"]) == 1 else 2_100
        cached = {"cached_tokens": 2_000} if read > 2_000 and len(self.prices[body["model"]]) > 2 else {}
        usage = {"prompt_tokens": read, "completion_tokens": 10, "prompt_tokens_details": cached}
        if not body.get("stream"):
            choices = [{"index": 0, "finish_reason": self.ending, "message": ANSWER}]
            return web.json_response({"choices": choices, "usage": usage})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        delta = {"index": 0, "finish_reason": "stop", "delta": {"content": "so 4"}}
        for part in ({"choices": [delta]}, {"choices": [], "usage": usage}):
            await response.write(b"data: " + json.dumps(part).encode() + b"\n\n")
        await response.write(b"data: [DONE]\n\n")
        return response

    def policy(self) -> Any:
        policy = self.fakes.policy_of(self.arms, self.right, self.cost, kind=self.kind)
        self.server = policy.server
        if self.sequences is None:
            return policy
        looking = replace(policy.certificate, setting=Setting(1e-9, 0.0, looks=True))
        return replace(policy, sequences=self.sequences, certificate=looking)


class Talk:
    """A client that goes on with one conversation."""

    def __init__(self, client: Any, fakes: Any) -> None:
        self._client, self._fakes = client, fakes
        self.messages: list[object] = [USER]

    async def turn(self, key: str | None = KEY, *, stream: bool = False, **wish: float) -> Any:
        """What the next turn's reply says, with what explains it."""
        asking = {"model": "auto", "messages": self.messages, "stream": stream, "pointsman": wish or None}
        headers = [] if key is None else [(b"authorization", b"Bearer " + key.encode())]
        reply = await self._client.ask("POST", CHAT, json.dumps(asking).encode(), headers)
        assert (reply.status, self._fakes.said(reply)) == (200, "so 4")
        self.messages += [ANSWER, AGAIN]
        found = (await self._client.ask("GET", EXPLAIN + reply.headers["x-request-id"], headers=headers)).json
        return {**self._fakes.note(reply), "explained": found}


@pytest.fixture
def setup(fakes: Any, tmp_path: Path) -> Setup:
    return Setup(fakes, tmp_path / "ledger.db")


@pytest.fixture
def talking(client_of: Any, upstream_at: Any) -> Callable[[Setup], Any]:
    """`async with talking(setup) as new`: each `new()` begins a conversation with its server."""

    @asynccontextmanager
    async def run(setup: Setup) -> AsyncIterator[Callable[[], Talk]]:
        async with upstream_at(setup.handler) as url:
            upstream = UpstreamConfig("u", url, tuple(setup.prices), 5.0, None, setup.prices)
            config = Config(upstreams=(upstream,), routing=setup.routing)
            app = create_app(config, [], [], None, Opened(setup.policy(), ledger=open_ledger(setup.path)))
            async with app.router.lifespan_context(app):
                yield lambda: Talk(client_of(app), setup.fakes)

    return run


REFERENCE = {"quality": 0.999}
"""More than the certificate promises, so that the far model answers."""


def chosen(told: Any) -> tuple[str, str]:
    return told["arm"], told["reason"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_conversation_stays_where_the_cache_makes_it_cheaper(setup: Setup, talking: Any, stream: bool) -> None:
    """The far model costs 3 million less 2,000 tokens at 900, which is less than the near one's 2 million."""
    async with talking(setup) as new:
        talk = new()
        first = await talk.turn(stream=stream, **REFERENCE)
        second = await talk.turn(stream=stream)
        other = await new().turn(stream=stream)
    assert chosen(first) == ("far", "reference_above_certificate")
    assert (first["billed"]["nano_usd"], first["explained"]["prompt_cache"]) == (2_050_000, None)
    assert chosen(second) == ("far", "reference_with_prompt_cache")
    assert [one["nano_usd"] for one in second["forecasts"]] == [2e6, 3e6 - 2_000 * SAVES]
    assert second["billed"]["nano_usd"] == 100 * 1_000 + 2_000 * 100 + 10 * 5_000
    assert second["saved_against_reference"]["reason"] == "is_reference"
    cache = {"model": "far", "prompt_tokens": 2_000, "saves_nano_usd": {"far": 2_000 * SAVES}, "is_kept": True}
    assert second["explained"]["prompt_cache"] == cache
    assert chosen(other) == ("near", "certified"), "another conversation begins without a cache"
    kept = list(read_entries(setup.path))[1].decision
    assert [one.cost.nano_usd for one in kept.forecasts] == [2_000_000, 1_200_000]
    assert kept.certificate is None


async def test_switching_loses_what_the_cache_would_have_saved(setup: Setup, talking: Any) -> None:
    """For 1.1 million the near model is cheaper all the same, and what it saves is less than it was."""
    setup.cost = (1_100_000.0, 3e6)
    async with talking(setup) as new:
        talk = new()
        await talk.turn(**REFERENCE)
        second = await talk.turn()
        third = await talk.turn()
    assert chosen(second) == ("near", "certified")
    assert second["explained"]["prompt_cache"]["saves_nano_usd"] == {"far": 1_800_000}
    assert second["explained"]["prompt_cache"]["is_kept"] is False
    assert second["saved_against_reference"]["estimate"] == 1_200_000 - 2_150_000
    assert third["explained"]["prompt_cache"] is None, "the near model answered, and its cache has no price"


@pytest.mark.parametrize(
    ("before", "wish", "cost", "without", "arm"),
    [
        (REFERENCE, {"price_usd": 0.01}, (2e6, 5e6), "near", "far"),  # 0.2 more right are worth 2 million
        (REFERENCE, {"price_usd": 0.001}, (2e6, 5e6), "near", "near"),  # and here 0.2 million
        ({}, {"price_usd": 0.01}, (3.5e6, 4e6), "far", "far"),  # the near model answered, and has no cache
        (REFERENCE, {"max_cost_usd": 0.0025}, (2e6, 4e6), "near", "far"),
        (REFERENCE, {"max_cost_usd": 0.0021}, (2e6, 4e6), "near", "near"),
    ],
)
async def test_a_wish_takes_all_arms_as_they_cost(
    setup: Setup, talking: Any, before: Any, wish: Any, cost: Any, without: str, arm: str
) -> None:
    setup.cost = cost
    async with talking(setup) as new:
        first = await new().turn(**wish)
        talk = new()
        await talk.turn(**before)
        second = await talk.turn(**wish)
    assert (first["arm"], second["arm"]) == (without, arm)
    assert first["reason"] == second["reason"] == ("within_max_cost" if "max_cost_usd" in wish else "worth_its_price")


async def test_another_arm_than_the_reference_is_kept_by_wishes_only(setup: Setup, talking: Any) -> None:
    """The near model's cache saves 1.8 of 3.5 million. Under a certificate it is never taken for that."""
    setup.prices, setup.cost = {"near": FAR, "far": NEAR}, (3.5e6, 4e6)
    async with talking(setup) as new:
        talk = new()
        assert chosen(await talk.turn(max_cost_usd=0.0036)) == ("near", "within_max_cost")
        assert chosen(await talk.turn(price_usd=0.01)) == ("near", "worth_its_price")
        assert chosen(await new().turn(price_usd=0.01)) == ("far", "worth_its_price")
        talk = new()
        await talk.turn(max_cost_usd=0.0036)
        setup.server.cost = (5e6, 4e6)
        second = await talk.turn()
    assert chosen(second) == ("far", "certified"), "4 million without discounts, though 3.2 would do"
    assert [one["nano_usd"] for one in second["forecasts"]] == [3.2e6, 4e6]


@pytest.mark.parametrize(
    "changes",
    [
        {"prices": {"near": NEAR, "far": NEAR}},
        {"prices": {"near": NEAR, "far": (1.0, 5.0, 1.0)}},
        {"kind": "moved_bytes"},
        {"routing": RoutingConfig(audit_share=0, prompt_cache_tokens=2_001)},
        {"routing": RoutingConfig(audit_share=0, prompt_cache_s=1e-9)},
    ],
)
async def test_without_a_cheaper_cache_everything_is_as_before(setup: Setup, talking: Any, changes: Any) -> None:
    async with talking(replace(setup, **changes)) as new:
        talk = new()
        first = await talk.turn(**REFERENCE)
        second = await talk.turn()
    assert (first["arm"], chosen(second)) == ("far", ("near", "certified"))
    assert [list(one.values())[2] for one in second["forecasts"]] == [2e6, 3e6]
    assert second["explained"]["prompt_cache"] is None


@pytest.mark.parametrize("keys", [(None, None), (KEY, None), (KEY, "sk-two")])
async def test_a_conversation_is_that_of_one_key(setup: Setup, talking: Any, keys: Any) -> None:
    async with talking(setup) as new:
        talk = new()
        await talk.turn(keys[0], **REFERENCE)
        assert chosen(await talk.turn(keys[1])) == ("near", "certified")


async def test_the_model_that_stood_in_has_read_the_conversation(setup: Setup, talking: Any) -> None:
    setup.failing = {"near"}
    async with talking(setup) as new:
        talk = new()
        assert chosen(await talk.turn()) == ("far", "arm_unavailable")
        setup.failing = set()
        assert chosen(await talk.turn()) == ("far", "reference_with_prompt_cache")


async def test_an_answer_without_an_end_is_not_remembered(setup: Setup, talking: Any) -> None:
    setup.ending = None
    async with talking(setup) as new:
        talk = new()
        await talk.turn(**REFERENCE)
        assert chosen(await talk.turn()) == ("near", "certified")


async def test_no_more_is_saved_than_the_prompt_is_forecast_to_have(setup: Setup, talking: Any) -> None:
    """The provider counted 2,000 tokens in what is estimated as 1,503 by 6,010 bytes."""
    async with talking(setup) as new:
        talk = new()
        talk.messages = [{**USER, "content": "x" * 6_000}]
        await talk.turn(**REFERENCE)
        second = await talk.turn()
    assert second["explained"]["prompt_cache"]["prompt_tokens"] == 2_000
    assert second["forecasts"][1]["nano_usd"] == 3e6 - 1_503 * SAVES


async def test_votes_read_the_prompt_each(setup: Setup, talking: Any) -> None:
    """Two of three samples are asked for, and read 2,000 tokens each; at least two will be in the next turn."""
    setup.arms, setup.cost = ("near", "far?n=3"), (6e6, 9e6)
    async with talking(setup) as new:
        talk = new()
        first = await talk.turn(**REFERENCE)
        second = await talk.turn()
    assert (first["votes"]["asked"], first["billed"]["prompt_tokens"]) == (2, 4_000)
    assert chosen(second) == ("far?n=3", "reference_with_prompt_cache")
    assert second["explained"]["prompt_cache"]["prompt_tokens"] == 2_000
    assert second["forecasts"][1]["nano_usd"] == 9e6 - 2 * 2_000 * SAVES
    assert second["billed"]["nano_usd"] == 2 * 350_000


@pytest.mark.parametrize("agree", [1.0, 0.0])
async def test_a_look_tells_what_the_model_that_answered_read(setup: Setup, talking: Any, agree: float) -> None:
    """Near and far are both called and agree, or the far model is called after a vote of the near one."""
    first = (0, 1) if agree else (0,)
    moved = np.zeros((1, 2, 2, 2))
    moved[0, :, 1, 0] = 1.0
    setup.arms = ("near", "far") if agree else ("near?n=3", "far")
    setup.sequences = Sequences((Look(first),), np.array([[agree, 0.0]]), moved)
    setup.right, setup.cost = (0.1, 0.2), (1e6, 1e7)
    async with talking(setup) as new:
        talk = new()
        told = await talk.turn()
        assert told["sequence"]["first"][0]["billed"]["prompt_tokens"] == (2_000 if agree else 4_000)
        assert told["arm"] == "far"
        second = await talk.turn()
    assert second["explained"]["prompt_cache"]["prompt_tokens"] == 2_000
