"""`auto` with a policy that looks first: who is called, who answers, and what all of it is billed as."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web

from pointsman.core import BadRequest, UpstreamError
from pointsman.gateway import Config, Opened, RoutingConfig, UpstreamConfig, create_app
from pointsman.gateway.ledger import open_ledger, read_entries
from pointsman.query.certifying import Setting
from pointsman.query.memory import Memory, Settings, Store
from pointsman.query.sequences import Look, Sequences

pytestmark = pytest.mark.anyio

EXPLAIN, STATUS = "/v1/pointsman/explain/", "/v1/pointsman/status"
UNAUDITED = Config(routing=RoutingConfig(audit_share=0))
VOTED, OTHER, LARGE = "small?mode=direct&n=3", "other", "large"
ARMS = (VOTED, OTHER, LARGE)
COST = (10.0, 15.0, 100.0)


def looking(*first: int) -> Sequences:
    """One look: where it agrees its first arm is surely right, where not the large one is."""
    moved = np.zeros((1, 2, 3, 2))
    moved[0, 0, :, 0] = (0.0, 0.0, 1.0)
    moved[0, 1, first[0], 0] = 1.0
    return Sequences((Look(first),), np.array([[0.5, 0.0]]), moved)


class Setup:
    """Two small models and a large one, the reference, behind a policy that looks first."""

    def __init__(self, fakes: Any) -> None:
        self.fakes, self.config = fakes, UNAUDITED
        self.small, self.other = fakes.Writer(lambda request: self.says[request.sampling["seed"]]), fakes.Writer("= 4")
        self.large = fakes.Writer("large", 100)
        self.says = ["so 4", "4", "4"]
        self.policy = self.deciding(looking(0))

    def deciding(self, sequences: Sequences | None, **server: Any) -> Any:
        policy = self.fakes.policy_of(ARMS, (0.5, 0.5, 0.95), COST, **server)
        certificate = policy.certificate and replace(policy.certificate, setting=Setting(1e-4, 0.0, looks=True))
        return replace(policy, sequences=sequences, certificate=certificate)

    def app(self, **opened: Any) -> Any:
        named = (("small", self.small), ("other", self.other), ("large", self.large))
        sources = [self.fakes.source(name, writer) for name, writer in named]
        return create_app(self.config, [], sources, None, Opened(self.policy, **opened))

    @property
    def calls(self) -> tuple[int, int, int]:
        return len(self.small.seen), len(self.other.seen), len(self.large.seen)


@pytest.fixture
def setup(fakes: Any) -> Setup:
    return Setup(fakes)


async def told(client: Any, reply: Any) -> Any:
    return (await client.ask("GET", EXPLAIN + reply.headers["x-request-id"])).json


@pytest.mark.parametrize("stream", [False, True])
async def test_where_votes_agree_the_answer_at_hand_stands(setup: Setup, client_of: Any, stream: bool) -> None:
    client = client_of(setup.app())
    reply = await client.chat(setup.fakes.asking(stream=stream))
    assert (setup.fakes.said(reply), setup.calls) == ("so 4", (2, 0, 0))
    note = setup.fakes.note(reply)
    assert (note["arm"], note["reason"]) == (VOTED, "certified")
    assert reply.headers["x-pointsman-arm"] == VOTED
    assert note["votes"] == {"asked": 2, "of": 3, "agreed": 2}
    assert note["billed"]["moved_bytes"] == 20
    sequence = note["sequence"]
    assert (sequence["seen"], sequence["if_agree"], sequence["if_differ"]) == ("agree", VOTED, LARGE)
    assert sequence["agree"] == 0.5
    (called,) = sequence["first"]
    assert (called["arm"], called["billed"]["moved_bytes"]) == (VOTED, 20)
    assert note["forecasts"][-1]["arm"] == f"sequence/{VOTED}"
    assert note["forecasts"][-1]["moved_bytes"] == 10 + 0.5 * 100
    assert note["saved_against_reference"]["estimate"] == 80
    found = await told(client, reply)
    assert (found["arm"], found["sequence"], found["votes"]) == (VOTED, sequence, note["votes"])


@pytest.mark.parametrize("stream", [False, True])
async def test_where_votes_differ_the_next_arm_answers_and_all_is_billed(
    setup: Setup, client_of: Any, stream: bool
) -> None:
    setup.says = ["4", "5", "6"]
    client = client_of(setup.app())
    reply = await client.chat(setup.fakes.asking(stream=stream))
    assert (setup.fakes.said(reply), setup.calls) == ("large", (3, 0, 1))
    note = setup.fakes.note(reply)
    assert (note["arm"], note["reason"], note["sequence"]["seen"]) == (LARGE, "certified", "differ")
    assert "votes" not in note, "the answer was not elected"
    assert note["sequence"]["first"][0]["votes"] == {"asked": 3, "of": 3, "agreed": 1}
    assert (note["billed"]["moved_bytes"], note["cost"]["moved_bytes"]) == (130, 100)
    assert note["saved_against_reference"]["estimate"] == -30
    if not stream:
        assert setup.fakes.told(reply, "billed") == note["billed"]


@pytest.mark.parametrize(
    ("small", "other", "seen", "calls", "billed"),
    [
        (["4", "so 4"], "it is 4", "agree", (2, 1, 0), 30),
        (["4", "so 4"], "it is 5", "differ", (2, 1, 1), 130),
        (["", "", ""], "", "differ", (3, 1, 1), 140),
    ],
)
async def test_two_arms_are_called_at_once_and_compared(
    setup: Setup, client_of: Any, small: list[str], other: str, seen: str, calls: tuple[int, int, int], billed: int
) -> None:
    setup.policy, setup.says, setup.other.says = setup.deciding(looking(0, 1)), small, other
    setup.small.may_write.clear()
    client = client_of(setup.app())
    asking = asyncio.ensure_future(client.chat(setup.fakes.asking()))
    for _ in range(5000):
        if setup.calls == (2, 1, 0):
            break
        await asyncio.sleep(0.001)
    assert setup.calls == (2, 1, 0), "none waits for the other"
    assert client.reply.status == 0
    setup.small.may_write.set()
    reply = await asking
    note = setup.fakes.note(reply)
    assert (note["sequence"]["seen"], setup.calls) == (seen, calls)
    assert [called["arm"] for called in note["sequence"]["first"]] == [VOTED, OTHER]
    assert note["arm"] == (VOTED if seen == "agree" else LARGE)
    assert note["billed"]["moved_bytes"] == billed


async def test_the_next_arm_is_streamed(setup: Setup, client_of: Any) -> None:
    """What comes after the decision goes to the client as it is written."""
    setup.says = ["4", "5", "6"]
    client = client_of(setup.app())
    setup.large.may_write.clear()
    asking = asyncio.ensure_future(client.chat(setup.fakes.asking(stream=True)))
    for _ in range(5000):
        if setup.calls == (3, 0, 1):
            break
        await asyncio.sleep(0.001)
    assert client.reply.status == 0, "nothing is sent before there is something to send"
    setup.large.may_write.set()
    reply = await asking
    assert reply.headers["x-pointsman-arm"] == LARGE
    assert "x-pointsman-billed" not in reply.headers
    assert setup.fakes.said(reply) == "large"


@pytest.mark.parametrize("who", ["looked at", "next"])
async def test_an_arm_that_cannot_is_replaced_and_what_answered_is_billed(
    setup: Setup, client_of: Any, who: str
) -> None:
    gone = UpstreamError("gone", retryable=True)
    if who == "looked at":
        setup.policy, setup.other.error = setup.deciding(looking(0, 1)), gone
    else:
        moved = looking(0).moved.copy()
        moved[0, 0, :, 0] = (0.0, 1.0, 0.0)
        setup.policy = setup.deciding(replace(looking(0), moved=moved))
        setup.says, setup.other.error = ["4", "5", "6"], gone
    client = client_of(setup.app())
    reply = await client.chat(setup.fakes.asking())
    note = setup.fakes.note(reply)
    assert (setup.fakes.said(reply), note["arm"], note["reason"]) == ("large", LARGE, "arm_unavailable")
    assert note["billed"]["moved_bytes"] == (120 if who == "looked at" else 130)
    assert note["sequence"]["seen"] == ("failed" if who == "looked at" else "differ")
    found = await told(client, reply)
    assert found["tried"][-1] == {"track": f"sequence/{VOTED}{'+other' * (who == 'looked at')}", "reason": gone.code}


async def test_where_the_reference_arm_fails_at_the_end_the_request_does(setup: Setup, client_of: Any) -> None:
    setup.says, setup.large.error = ["4", "5", "6"], UpstreamError("gone", retryable=True)
    reply = await client_of(setup.app()).chat(setup.fakes.asking())
    assert (reply.status, setup.calls) == (502, (3, 0, 1)), "it is not asked twice"


async def test_a_client_that_leaves_ends_the_look(setup: Setup, client_of: Any) -> None:
    setup.small.may_write.clear()
    client = client_of(setup.app())
    asking = asyncio.ensure_future(client.chat(setup.fakes.asking()))
    for _ in range(5000):
        if setup.calls == (2, 0, 0):
            break
        await asyncio.sleep(0.001)
    client.leave()
    await asyncio.wait_for(asking, 5)
    setup.small.may_write.set()
    assert (client.reply.status, setup.calls) == (0, (2, 0, 0))


@pytest.mark.parametrize(
    ("most", "arm", "calls"), [(111, LARGE, (3, 0, 1)), (109, LARGE, (0, 0, 1)), (60, OTHER, (0, 1, 0))]
)
async def test_what_a_client_allows_holds_for_all_calls_at_worst(
    setup: Setup, client_of: Any, most: int, arm: str, calls: tuple[int, int, int]
) -> None:
    """10 for the look and 100 for the large arm are 110; what is forecast of the others is 15 and 10."""
    setup.says = ["4", "5", "6"]
    setup.policy = replace(setup.deciding(looking(0), kind="nano_usd"), certificate=None)
    setup.policy.server.right = (0.5, 0.6, 0.95)
    reply = await client_of(setup.app()).chat(setup.fakes.asking(pointsman={"max_cost_usd": most * 1e-9}))
    assert reply.headers["x-pointsman-reason"] == "within_max_cost"
    assert (reply.headers["x-pointsman-arm"], setup.calls) == (arm, calls)


async def test_the_reference_arm_stands_in_only_where_what_was_spent_leaves_enough(
    setup: Setup, client_of: Any, upstream_at: Callable[..., Any]
) -> None:
    """The look bills 60 in place of the 10 forecast, so that the large arm for 100 would pass the 150 allowed."""

    async def handler(request: web.Request) -> web.StreamResponse:
        seed = (await request.json())["seed"]
        choices = [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": str(seed)}}]
        return web.json_response({"choices": choices, "usage": {"prompt_tokens": 20, "completion_tokens": 0}})

    moved = looking(0).moved.copy()
    moved[0, 0, :, 0] = (0.0, 1.0, 0.0)
    setup.other.error = UpstreamError("gone", retryable=True)
    async with upstream_at(handler) as url:
        upstream = UpstreamConfig("u", url, ("far",), 5.0, None, {"far": (0.001, 0.0)})
        setup.config = replace(UNAUDITED, upstreams=(upstream,))
        policy = setup.fakes.policy_of(("far?n=3", OTHER, LARGE), (0.5, 0.5, 0.95), COST, kind="nano_usd")
        setup.policy = replace(policy, sequences=replace(looking(0), moved=moved))
        app = setup.app()
        async with app.router.lifespan_context(app):
            client = client_of(app)
            for most, status in ((150e-9, 502), (170e-9, 200)):
                reply = await client.chat(setup.fakes.asking(pointsman={"max_cost_usd": most}))
                assert reply.status == status
    assert setup.fakes.note(reply)["reason"] == "arm_unavailable"
    assert setup.fakes.note(reply)["billed"]["nano_usd"] == 60


async def test_the_ledger_names_the_sequence_and_who_answered(setup: Setup, client_of: Any, tmp_path: Path) -> None:
    """An arm's own rows stay its own: what a sequence billed and got right says nothing of the arm that answered."""
    app = setup.app(ledger=open_ledger(tmp_path / "ledger.db"))
    async with app.router.lifespan_context(app):
        client = client_of(app)
        for says in (["4", "4"], ["4", "5", "6"]):
            setup.says = says
            await client.chat(setup.fakes.asking())
    entries = list(read_entries(tmp_path / "ledger.db"))
    assert {entry.decision.arm for entry in entries} == {f"sequence/{VOTED}"}
    assert [(entry.billed.arm, entry.billed.cost.moved_bytes) for entry in entries if entry.billed is not None] == [
        (VOTED, 20),
        (LARGE, 130),
    ]
    forecast = entries[0].decision.forecast_of(f"sequence/{VOTED}")
    assert forecast is not None
    assert forecast.cost.moved_bytes == 60
    assert [dict(entry.decision.dials) for entry in entries] == [{"n": 3.0, "temperature": 0.7}, {}]


async def test_a_sequence_is_audited_against_the_reference_arm_alone(
    setup: Setup, client_of: Any, tmp_path: Path
) -> None:
    """Also where the reference arm answered in the end: the look is what that cost more."""
    setup.config = Config(routing=RoutingConfig(audit_share=1.0, comparer="reference_is_right"))
    setup.says = ["4", "5", "6"]
    app = setup.app(ledger=open_ledger(tmp_path / "ledger.db"))
    async with app.router.lifespan_context(app):
        client = client_of(app)
        reply = await client.chat(setup.fakes.asking())
        for _ in range(500):
            audit = (await told(client, reply))["audit"]
            if audit["state"] != "pending":
                break
            await asyncio.sleep(0.01)
    assert (audit["state"], audit["agrees"], audit["cost"]["moved_bytes"]) == ("done", True, 100)
    (entry,) = read_entries(tmp_path / "ledger.db")
    assert entry.billed is not None
    assert entry.referred is not None
    assert (entry.billed.cost.moved_bytes, entry.referred.cost.moved_bytes) == (130, 100)
    assert (entry.billed.arm, entry.billed.correct) == (LARGE, True)


async def until_off(setup: Setup, client: Any) -> Mapping[str, Any]:
    for _ in range(200):
        await client.chat(setup.fakes.asking())
        status: Mapping[str, Any] = (await client.ask("GET", STATUS)).json["routing"]
        if status["state"] == "off":
            return status
    raise AssertionError("routing stayed on")


async def test_bills_of_sequences_above_their_forecast_switch_routing_off(setup: Setup, client_of: Any) -> None:
    """Forecast are 60; 130 are billed, since the votes never agree. 130 is not the large arm's own bill."""
    setup.says = ["4", "5", "6"]
    client = client_of(setup.app())
    status = await until_off(setup, client)
    assert (status["reason"], status["numbers"]["arm"]) == ("drift_cost_up", f"sequence/{VOTED}")
    reply = await client.chat(setup.fakes.asking())
    assert (reply.headers["x-pointsman-arm"], reply.headers["x-pointsman-reason"]) == (LARGE, "routing_off")


async def test_sequences_that_cost_more_than_the_reference_arm_are_switched_off(setup: Setup, client_of: Any) -> None:
    setup.config = Config(routing=RoutingConfig(audit_share=1.0, most_reference=200))
    setup.says = ["4", "5", "6"]
    setup.policy.server.cost = (30, 15, 400)  # so that bills do not pass their forecast
    client = client_of(setup.app())
    for _ in range(300):
        await client.chat(setup.fakes.asking())
        await asyncio.sleep(0)
        status = (await client.ask("GET", STATUS)).json["routing"]
        if status["state"] == "off":
            break
    assert (status["reason"], status["numbers"]["mean"]) == ("costs_more", 30)


async def test_without_looks_in_the_certificate_none_are_taken(setup: Setup, client_of: Any) -> None:
    policy = setup.policy
    setup.policy = replace(policy, certificate=replace(policy.certificate, setting=Setting(1e-4, 0.0)))
    reply = await client_of(setup.app()).chat(setup.fakes.asking())
    assert (setup.fakes.said(reply), setup.calls) == ("large", (0, 0, 1))
    assert "sequence" not in setup.fakes.note(reply)


async def test_a_look_at_votes_takes_an_arm_that_votes(setup: Setup) -> None:
    setup.policy = setup.deciding(looking(1))
    with pytest.raises(BadRequest, match="expected the dial n") as caught:
        setup.app()
    assert caught.value.code == "invalid_arm"


async def test_memory_keeps_what_a_sequence_answered_under_its_whole_cost(
    setup: Setup, client_of: Any, tmp_path: Path
) -> None:
    setup.says = ["4", "5", "6"]
    app = setup.app(memory=Memory(Store(tmp_path / "memory.db"), Settings()))
    async with app.router.lifespan_context(app):
        client, key = client_of(app), [(b"authorization", b"Bearer k")]
        body = json.dumps(setup.fakes.asking(temperature=0)).encode()
        for _ in range(500):
            again = await client.ask("POST", "/v1/chat/completions", body, key)
            if again.headers["x-pointsman-arm"] == "memory":
                break
            await asyncio.sleep(0.01)
    assert setup.fakes.said(again) == "large"
