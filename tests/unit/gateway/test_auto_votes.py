"""`auto` with arms whose samples vote: who is asked how often, what is answered, and what it is billed as."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from pointsman.core import BadRequest, UpstreamError
from pointsman.gateway import Config, Opened, RoutingConfig, UpstreamConfig, create_app
from pointsman.gateway.ledger import open_ledger, read_entries
from pointsman.query.memory import Memory, Settings, Store

pytestmark = pytest.mark.anyio

EXPLAIN, STATUS = "/v1/pointsman/explain/", "/v1/pointsman/status"
UNAUDITED = Config(routing=RoutingConfig(audit_share=0))
VOTED = "small?mode=direct&n=3"


class Setup:
    """A small model whose samples say what `says` says, by their number, and a large one that is the reference."""

    def __init__(self, fakes: Any, says: Sequence[str | Exception] = ("so 4", "it is 4", "5")) -> None:
        self.fakes, self.says = fakes, list(says)
        self.small, self.large = fakes.Writer(self._said), fakes.Writer("large", 100)
        self.policy = fakes.policy_of((VOTED, "large"))
        self.config = UNAUDITED

    def _said(self, request: Any) -> str:
        said = self.says[request.sampling["seed"]]
        if isinstance(said, Exception):
            raise said
        return said

    def app(self, **opened: Any) -> Any:
        sources = [self.fakes.source("small", self.small), self.fakes.source("large", self.large)]
        return create_app(self.config, [], sources, None, Opened(self.policy, **opened))


@pytest.fixture
def setup(fakes: Any) -> Setup:
    return Setup(fakes)


async def two_are_asked(setup: Setup) -> None:
    for _ in range(5000):
        if len(setup.small.seen) == 2:
            return
        await asyncio.sleep(0.001)
    raise AssertionError(f"{len(setup.small.seen)} samples were asked for together")


@pytest.mark.parametrize("stream", [False, True])
async def test_votes_stop_where_the_outcome_stands(setup: Setup, client_of: Any, stream: bool) -> None:
    client = client_of(setup.app())
    reply = await client.chat(setup.fakes.asking(stream=stream, stream_options={"include_usage": True}))
    assert (reply.status, setup.fakes.said(reply)) == (200, "so 4"), "the first of the plurality, all of its text"
    assert [request.sampling["seed"] for request in setup.small.seen] == [0, 1], "the third is never asked for"
    assert {request.sampling["temperature"] for request in setup.small.seen} == {0.7}
    note = setup.fakes.note(reply)
    assert note["votes"] == {"asked": 2, "of": 3, "agreed": 2}
    assert note["dials"] == {"mode": "direct", "n": 3.0, "temperature": 0.7}
    assert (note["billed"]["moved_bytes"], note["billed"]["completion_tokens"]) == (20, 2)
    assert note["arm"] == reply.headers["x-pointsman-arm"] == VOTED
    if stream:
        pieces = [c["delta"].get("content") for e in reply.events[:-1] for c in e["choices"] if "delta" in c]
        assert [piece for piece in pieces if piece] == ["so 4"], "one piece"
        assert reply.events[-2]["usage"]["completion_tokens"] == 2
    else:
        assert reply.json["usage"]["completion_tokens"] == 2
    told = (await client.ask("GET", EXPLAIN + reply.headers["x-request-id"])).json
    assert told["votes"] == note["votes"]


@pytest.mark.parametrize(
    ("says", "answer", "votes"),
    [
        (["5", "so 4", "it is 4"], "so 4", (3, 2)),
        (["5", "6", "7"], "5", (3, 1)),
        (["", "", "7"], "7", (3, 1)),
        (["", "7", "8"], "7", (2, 1)),
        (["", " ", ""], "", (3, 1)),
        ([UpstreamError("gone", retryable=True), "so 4", "4"], "so 4", (2, 1)),
        ([UpstreamError("gone", retryable=True)] * 2 + ["4"], "4", (3, 1)),
    ],
)
async def test_who_wins(
    setup: Setup, client_of: Any, says: Sequence[str | Exception], answer: str, votes: tuple[int, int]
) -> None:
    setup.says = list(says)
    reply = await client_of(setup.app()).chat(setup.fakes.asking())
    assert setup.fakes.said(reply) == answer
    found = setup.fakes.note(reply)
    assert found["votes"] == {"asked": votes[0], "of": 3, "agreed": votes[1]}
    answered = [said for said in says[: votes[0]] if isinstance(said, str)]
    assert found["billed"]["moved_bytes"] == 10 * len(answered), "all that answered, whoever won"


async def test_the_samples_of_a_wave_are_asked_together(setup: Setup, client_of: Any) -> None:
    setup.small.may_write.clear()
    asking = asyncio.ensure_future(client_of(setup.app()).chat(setup.fakes.asking()))
    await two_are_asked(setup)
    setup.small.may_write.set()
    assert (await asking).status == 200


async def test_where_all_fail_the_reference_arm_answers(setup: Setup, client_of: Any) -> None:
    setup.says = [UpstreamError("gone", retryable=True)] * 3
    reply = await client_of(setup.app()).chat(setup.fakes.asking())
    assert (setup.fakes.said(reply), reply.headers["x-pointsman-reason"]) == ("large", "arm_unavailable")
    assert "votes" not in setup.fakes.note(reply)
    assert len(setup.small.seen) == 3


async def test_a_fault_of_the_request_ends_the_vote(setup: Setup, client_of: Any) -> None:
    setup.says = [BadRequest("wrong", code="invalid_parameter")] * 3
    reply = await client_of(setup.app()).chat(setup.fakes.asking())
    assert (reply.status, reply.error["code"], len(setup.small.seen)) == (400, "invalid_parameter", 2)
    setup.says = [BadRequest("long", code="prompt_too_long")] * 3
    reply = await client_of(setup.app()).chat(setup.fakes.asking())
    assert reply.headers["x-pointsman-reason"] == "arm_unavailable"


async def test_the_client_s_seed_and_the_arm_s_temperature(setup: Setup, client_of: Any) -> None:
    setup.says = ["4"] * 10
    setup.policy = setup.fakes.policy_of(("small?n=5&temperature=1.2", "large"))
    await client_of(setup.app()).chat(setup.fakes.asking(seed=5, temperature=0.1))
    sampling = [request.sampling for request in setup.small.seen]
    assert [(one["seed"], one["temperature"]) for one in sampling] == [(5, 1.2), (4, 1.2), (7, 1.2)]


async def test_prompts_count_once_a_vote(setup: Setup, client_of: Any) -> None:
    client = client_of(setup.app())
    await client.chat({**setup.fakes.asking("x" * 40), "model": "small", "seed": 0})
    await client.chat(setup.fakes.asking("x" * 40))
    assert setup.policy.server.seen[-1][1] == [3 * 8, 10]


async def test_what_cannot_be_compared_is_asked_once(setup: Setup, client_of: Any) -> None:
    """A reference arm that votes gets what was not calibrated, too."""
    setup.policy = setup.fakes.policy_of(("large", VOTED))
    setup.small.says = "one"
    client = client_of(setup.app())
    for fields in ({"logprobs": True}, {"tools": []}, {"guided_choice": ["one"]}):
        reply = await client.chat(setup.fakes.asking(**fields))
        assert (reply.status, reply.headers["x-pointsman-reason"]) == (200, "reference_for_unread_request")
        assert setup.fakes.told(reply, "dials") == {"mode": "direct"}
        assert "votes" not in setup.fakes.note(reply)
    assert len(setup.small.seen) == 3
    assert "temperature" not in setup.small.seen[0].sampling


async def test_a_reference_arm_that_votes_is_audited_by_its_votes(setup: Setup, client_of: Any, tmp_path: Any) -> None:
    setup.policy = setup.fakes.policy_of(("large", VOTED))
    setup.large.says = "= 4"
    setup.config = Config(routing=RoutingConfig(audit_share=1.0))
    app = setup.app(ledger=open_ledger(tmp_path / "ledger.db"))
    async with app.router.lifespan_context(app):
        client = client_of(app)
        reply = await client.chat(setup.fakes.asking(stream=True))
        for _ in range(500):
            audit = (await client.ask("GET", EXPLAIN + reply.headers["x-request-id"])).json["audit"]
            if audit["state"] != "pending":
                break
            await asyncio.sleep(0.01)
    assert (audit["state"], audit["agrees"], audit["cost"]["moved_bytes"]) == ("done", True, 20)
    (entry,) = read_entries(tmp_path / "ledger.db")
    assert entry.audit is not None
    assert entry.audit.cost.moved_bytes == 20


async def test_memory_keeps_what_was_elected(setup: Setup, client_of: Any, tmp_path: Any) -> None:
    app = setup.app(memory=Memory(Store(tmp_path / "memory.db"), Settings()))
    async with app.router.lifespan_context(app):
        client, key = client_of(app), [(b"authorization", b"Bearer k")]
        body = json.dumps(setup.fakes.asking(temperature=0)).encode()
        first = await client.ask("POST", "/v1/chat/completions", body, key)
        for _ in range(500):
            again = await client.ask("POST", "/v1/chat/completions", body, key)
            if again.headers["x-pointsman-arm"] == "memory":
                break
            await asyncio.sleep(0.01)
    assert setup.fakes.said(first) == setup.fakes.said(again) == "so 4"
    assert again.headers["x-pointsman-reason"] == "exact_hit"


async def test_the_ledger_has_the_whole_bill(setup: Setup, client_of: Any, tmp_path: Any) -> None:
    app = setup.app(ledger=open_ledger(tmp_path / "ledger.db"))
    async with app.router.lifespan_context(app):
        await client_of(app).chat(setup.fakes.asking())
    (entry,) = read_entries(tmp_path / "ledger.db")
    assert entry.billed is not None
    assert (entry.decision.arm, entry.billed.cost.moved_bytes) == (VOTED, 20)
    assert entry.decision.dials == {"n": 3.0, "temperature": 0.7}


async def test_a_client_that_leaves_ends_all_samples(setup: Setup, client_of: Any) -> None:
    setup.small.may_write.clear()
    client = client_of(setup.app())
    asking = asyncio.ensure_future(client.chat(setup.fakes.asking()))
    await two_are_asked(setup)
    client.leave()
    await asyncio.wait_for(asking, 5)
    setup.small.may_write.set()
    assert (client.reply.status, len(setup.small.seen)) == (0, 2)


async def voted_upstream(setup: Setup, client_of: Any, upstream_at: Any, answers: Any, prices: Any) -> tuple[Any, Any]:
    """A reply of an upstream whose samples are `answers`, and what it was sent."""
    seen: list[Any] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.append(await request.json())
        answer = answers[len(seen) - 1]
        if isinstance(answer, int):
            return web.json_response({"error": {"message": "no", "code": "theirs"}}, status=answer)
        message = {"role": "assistant", "content": answer}
        usage = {"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010}
        choices = [{"index": 0, "finish_reason": "stop", "message": message}]
        return web.json_response({"id": "up", "choices": choices, "usage": usage})

    async with upstream_at(handler) as url:
        upstream = UpstreamConfig("u", url, ("far",), 5.0, None, prices)
        setup.policy = setup.fakes.policy_of(("far?n=3", "large"), kind="nano_usd")
        setup.config = replace(UNAUDITED, upstreams=(upstream,))
        app = setup.app()
        async with app.router.lifespan_context(app):
            return await client_of(app).chat(setup.fakes.asking(stream=True, unknown=1)), seen


async def test_an_upstream_s_samples_vote_too(setup: Setup, client_of: Any, upstream_at: Any) -> None:
    reply, seen = await voted_upstream(setup, client_of, upstream_at, ["4", "= 4"], {"far": (1.0, 5.0)})
    assert [(body["seed"], body["temperature"], body["stream"], body["unknown"]) for body in seen] == [
        (0, 0.7, False, 1),
        (1, 0.7, False, 1),
    ]
    note = setup.fakes.note(reply)
    assert note["votes"] == {"asked": 2, "of": 3, "agreed": 2}
    assert note["billed"]["nano_usd"] == 2 * 1_050_000


async def test_a_sample_without_a_price_leaves_the_bill_unknown(setup: Setup, client_of: Any, upstream_at: Any) -> None:
    reply, _ = await voted_upstream(setup, client_of, upstream_at, ["4", "= 4"], {})
    assert setup.fakes.said(reply) in ("4", "= 4")
    assert setup.fakes.note(reply)["billed"] is None


async def test_a_refused_sample_fails_the_request_only_where_all_are(
    setup: Setup, client_of: Any, upstream_at: Any
) -> None:
    reply, seen = await voted_upstream(setup, client_of, upstream_at, [429, "4", "5"], {"far": (1.0, 5.0)})
    assert (setup.fakes.said(reply), len(seen)) == ("4", 2)
    assert setup.fakes.note(reply)["billed"]["nano_usd"] == 1_050_000
    reply, seen = await voted_upstream(setup, client_of, upstream_at, [422] * 3, {"far": (1.0, 5.0)})
    assert (reply.status, reply.json["error"]["code"], len(seen)) == (422, "theirs", 3), "as it came"
    assert setup.large.seen == [], "an upstream's refusal is relayed"
