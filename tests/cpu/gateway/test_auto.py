"""`auto` with a policy that was fitted, over the small model that ships: two modes of it are the arms."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pointsman.bench.query_latency import synthetic_sample
from pointsman.cli.models import model_sources
from pointsman.gateway import Config, Opened, RoutingConfig, create_app
from pointsman.gateway.ledger import open_ledger, read_entries
from pointsman.query.certifying import Setting
from pointsman.query.difficulty.joint import Joint
from pointsman.query.difficulty.learners import LEARNERS
from pointsman.query.difficulty.serving import Server
from pointsman.query.policy import Certificate, Policy
from pointsman.query.promise import Promise
from pointsman.query.sequences import Look, Sequences

pytestmark = pytest.mark.anyio

ARMS = ("embedded/small?mode=direct&max_tokens=12", "embedded/small?mode=steps&max_tokens=24")
QUESTION = "What is 2 + 3?"


@pytest.fixture(scope="module")
def policy() -> Policy:
    """Fitted to made-up outcomes; its certificate takes the cheapest arm."""
    server = Server.of(Joint(learners=tuple(LEARNERS)[:2]).fit(synthetic_sample(120, 2, 1), 1))
    certificate = Certificate(Promise.of_quality(0.99), Setting(float("inf"), 0.0), 1.0, 1.0, 120, 0.5, ARMS, "made up")
    return Policy(ARMS, ARMS[1], "moved_bytes", server, certificate, "policy/made-up")


async def test_the_policy_chooses_a_mode_and_the_other_is_audited(
    policy: Policy, gateway_client: Any, tmp_path: Path
) -> None:
    config = Config(routing=RoutingConfig(audit_share=1.0))
    sources = [source for source in model_sources(config) if source.name == "embedded/small"]
    opened = Opened(policy, ledger=open_ledger(tmp_path / "ledger.db"))
    app = create_app(config, [], sources, None, opened)
    body = {"messages": [{"role": "user", "content": QUESTION}], "max_tokens": 100, "stream": True}
    async with app.router.lifespan_context(app):
        client = gateway_client(app)
        await client.chat({**body, "model": "embedded/small", "max_tokens": 1})  # loads it
        reply = await client.chat({**body, "model": "auto", "pointsman": {"quality": 0.9}})
        (note,) = [event["pointsman"] for event in reply.events[:-1] if "pointsman" in event]
        explained = await _audited(client, reply.headers["x-request-id"])
    assert (note["arm"], note["reason"]) == (ARMS[0], "certified")
    assert note["dials"] == {"mode": "direct", "max_tokens": 12.0}
    assert [one["prompt"] for one in note["forecasts"]] == ["counted", "counted"]
    assert 0 < note["cost"]["completion_tokens"] <= 12
    assert note["saved_against_reference"]["kind"] == "moved_bytes"
    assert explained["audit"]["cost"]["completion_tokens"] > 0
    audited = [entry for entry in read_entries(tmp_path / "ledger.db") if entry.decision.is_audited]
    (entry,) = audited
    assert entry.billed is not None
    assert entry.audit is not None
    assert entry.billed.cost.moved_bytes == note["cost"]["moved_bytes"]
    counted = [forecast.cost.prompt_tokens for forecast in entry.decision.forecasts]
    assert counted == [entry.billed.cost.prompt_tokens, entry.audit.cost.prompt_tokens]
    assert json.loads(reply.headers["x-pointsman-dials"]) == note["dials"]
    forecasts = policy.server.forecast(QUESTION, np.array(counted, dtype=np.float64))
    assert note["forecasts"][0]["moved_bytes"] == round(float(forecasts.nano_usd[0, 0]))


async def test_samples_of_the_small_model_vote(policy: Policy, gateway_client: Any) -> None:
    arms = ("embedded/small?mode=direct&max_tokens=12&n=3", ARMS[1])
    certificate = replace(policy.certificate, arms=arms)  # type: ignore[type-var]
    config = Config(routing=RoutingConfig(audit_share=0))
    sources = [source for source in model_sources(config) if source.name == "embedded/small"]
    voting = Opened(replace(policy, arms=arms, reference=arms[1], certificate=certificate))
    app = create_app(config, [], sources, None, voting)
    body = {"messages": [{"role": "user", "content": QUESTION}]}
    async with app.router.lifespan_context(app):
        replies = [await gateway_client(app).chat({**body, "model": "auto"}) for _ in range(2)]
    texts = {reply.json["choices"][0]["message"]["content"] for reply in replies}
    votes = replies[0].json["pointsman"]["votes"]
    assert votes["of"] == 3
    assert votes["asked"] in (2, 3)
    assert len(texts) == 1, "seeds make votes repeatable"


async def test_a_look_at_the_small_model_s_votes_decides_who_answers(policy: Policy, gateway_client: Any) -> None:
    arms = ("embedded/small?mode=direct&max_tokens=12&n=3&temperature=2", ARMS[1])
    moved = np.zeros((1, 2, 2, 2))
    moved[0, (0, 1), (1, 0), 0] = (
        2.0  # surely right: the other mode where votes differ, what is at hand where they agree
    )
    sequences = Sequences((Look((0,)),), np.array([[0.5, 0.0]]), moved)
    setting = Setting(0.0, 0.0, looks=True)
    certificate = replace(policy.certificate, arms=arms, setting=setting)  # type: ignore[type-var]
    looking = replace(policy, arms=arms, reference=arms[1], sequences=sequences, certificate=certificate)
    config = Config(routing=RoutingConfig(audit_share=0))
    sources = [source for source in model_sources(config) if source.name == "embedded/small"]
    app = create_app(config, [], sources, None, Opened(looking))
    async with app.router.lifespan_context(app):
        for question in ("What is 2 + 3?", "Sort 5, 3 and 9.", "What is 123 * 45?"):
            body = {"model": "auto", "messages": [{"role": "user", "content": question}], "stream": True}
            reply = await gateway_client(app).chat(body)
            (note,) = [event["pointsman"] for event in reply.events[:-1] if "pointsman" in event]
            (called,) = note["sequence"]["first"]
            votes, agrees = called["votes"], note["sequence"]["seen"] == "agree"
            assert agrees == (votes["agreed"] == votes["asked"])
            assert note["arm"] == arms[0 if agrees else 1]
            own = 0 if agrees else note["cost"]["moved_bytes"]
            assert note["billed"]["moved_bytes"] == called["billed"]["moved_bytes"] + own


async def _audited(client: Any, request_id: str) -> Any:
    for _ in range(1000):
        found = (await client.ask("GET", f"/v1/pointsman/explain/{request_id}")).json
        if found["audit"]["state"] != "pending":
            assert found["audit"]["state"] == "done"
            return found
        await asyncio.sleep(0.02)
    raise AssertionError("the audit did not end")
