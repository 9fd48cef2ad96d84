"""The ledger behind the server, what can be explained of a request, and the status of routing."""

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pointsman.core import BadRequest, Cost, Decision, Unsupported, UpstreamError
from pointsman.gateway import Config, Opened, RoutingConfig, ServerConfig, create_app, open_routing, serve
from pointsman.gateway.auto.explaining import Trail, Trails
from pointsman.gateway.ledger import open_ledger, read_entries

pytestmark = pytest.mark.anyio

CHAT, EXPLAIN, STATUS = "/v1/chat/completions", "/v1/pointsman/explain/", "/v1/pointsman/status"
KEY = [(b"authorization", b"Bearer sk-one")]


@pytest.fixture
def ledger_path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def app_of(fakes: Any, ledger_path: Path, program: Any) -> Any:
    """`app_of(routing)`: a small and a large model, a program, a policy, and a ledger."""

    def make(routing: RoutingConfig | None = None, **policy: Any) -> Any:
        sources = [
            fakes.source("small", fakes.Writer("the secret answer is 4")),
            fakes.source("large", fakes.Writer("4", 100), "unit"),
        ]
        opened = Opened(fakes.policy_of(**policy), ledger=open_ledger(ledger_path))
        return create_app(Config(routing=routing or RoutingConfig(audit_share=0)), [program], sources, None, opened)

    return make


async def test_every_request_is_in_the_ledger(app_of: Any, client_of: Any, fakes: Any, ledger_path: Path) -> None:
    app = app_of()
    async with app.router.lifespan_context(app):
        client = client_of(app)
        for stream in (False, True):
            for model in ("auto", "large", "small"):
                assert (await client.chat({**fakes.asking(stream=stream), "model": model})).status == 200
        await client.chat({"model": "program/double", "inputs": [21]})
        await client.chat({**fakes.asking(n=2), "model": "large"})  # refused
    entries = list(read_entries(ledger_path))
    named = [(entry.level, entry.decision.arm, entry.decision.reason) for entry in entries]
    by_name = [("unit", "model/large", "named_by_client"), ("query", "model/small", "named_by_client")]
    three = [("query", "small?mode=direct", "certified"), *by_name]
    assert named == [*three, *three, ("program", "program/double", "program_value")]
    assert [entry.billed.cost.moved_bytes for entry in entries if entry.billed] == [10, 100, 10, 10, 100, 10, 0]
    auto = entries[0]
    assert (auto.reference, auto.decision.certificate, auto.decision.policy_version) == ("large", "sha", "policy/test")
    assert [(one.arm, one.right, one.cost.moved_bytes) for one in auto.decision.forecasts] == [
        ("small?mode=direct", 0.7, 10),
        ("large", 0.9, 100),
    ]
    assert auto.decision.propensity == 1
    assert b"secret" not in await asyncio.to_thread(ledger_path.read_bytes)


async def test_what_fails_has_a_decision_and_no_bill(fakes: Any, client_of: Any, ledger_path: Path) -> None:
    small, large = fakes.Writer("s"), fakes.Writer("l")
    small.error = large.error = UpstreamError("gone", retryable=True)
    sources = [fakes.source("small", small), fakes.source("large", large)]
    opened = Opened(fakes.policy_of(), ledger=open_ledger(ledger_path))
    app = create_app(Config(routing=RoutingConfig(audit_share=0)), [], sources, None, opened)
    async with app.router.lifespan_context(app):
        client = client_of(app)
        reply = await client.chat(fakes.asking())
        found = await client.ask("GET", EXPLAIN + reply.headers["x-request-id"])
    assert (reply.status, found.json["state"], found.json["billed"]) == (502, "failed", None)
    assert found.json["tried"][-2:] == [
        {"track": "policy", "reason": "certified"},
        {"track": "small?mode=direct", "reason": "upstream_error"},
    ]
    (entry,) = read_entries(ledger_path)
    assert entry.billed is None


async def test_times_are_those_of_the_request(fakes: Any, client_of: Any, ledger_path: Path) -> None:
    now = [1000.0]

    def says(_: Any) -> str:
        now[0] += 5  # while the model writes
        return "4"

    sources = [fakes.source(name, fakes.Writer(says)) for name in ("small", "large")]
    opened = Opened(fakes.policy_of(), ledger=open_ledger(ledger_path), clock=lambda: now[0])
    app = create_app(Config(routing=RoutingConfig(audit_share=0)), [], sources, None, opened)
    async with app.router.lifespan_context(app):
        client = client_of(app)
        reply = await client.chat(fakes.asking())
        found = await client.ask("GET", EXPLAIN + reply.headers["x-request-id"])
        await client.chat({**fakes.asking(), "model": "large"})
    assert found.json["time_us"] == 1_000_000_000
    assert [entry.time_us for entry in read_entries(ledger_path)] == [1_000_000_000, 1_005_000_000]


async def test_a_request_is_explained_to_who_asked_it(app_of: Any, client_of: Any, fakes: Any) -> None:
    client = client_of(app_of())
    body = json.dumps(fakes.asking("a secret question")).encode()
    asked = await client.ask("POST", CHAT, body, KEY)
    request_id = asked.headers["x-request-id"]
    reply = await client.ask("GET", EXPLAIN + request_id, headers=KEY)
    found = reply.json
    assert (found["id"], found["state"], found["level"]) == (request_id, "answered", "query")
    assert found["tried"] == [
        {"track": "memory", "reason": "off"},
        {"track": "program", "reason": "off"},
        {"track": "solver", "reason": "off"},
        {"track": "policy", "reason": "certified"},
    ]
    told = fakes.note(asked)
    for name in ("arm", "reason", "dials", "forecasts", "billed", "saved_against_reference", "certificate"):
        assert found[name] == told[name], name
    assert (found["novelty"], found["policy"], found["audit"], found["parts"]) == (0.0, "policy/test", None, [])
    assert b"secret" not in reply.body
    by_answer = await client.ask("GET", EXPLAIN + asked.json["id"], headers=KEY)
    assert by_answer.body == reply.body
    for headers in ([], [(b"authorization", b"Bearer sk-two")], [(b"authorization", b"Basic sk-one")]):
        refused = await client.ask("GET", EXPLAIN + request_id, headers=headers)
        assert (refused.status, refused.error["code"]) == (404, "request_not_found")
        assert "sk-" not in refused.error["message"]


async def test_only_the_last_requests_can_be_explained(app_of: Any, client_of: Any, fakes: Any) -> None:
    client = client_of(app_of(RoutingConfig(audit_share=0, explained=2)))
    names = [(await client.chat(fakes.asking())).headers["x-request-id"] for _ in range(3)]
    statuses = [(await client.ask("GET", EXPLAIN + name)).status for name in names]
    assert statuses == [404, 200, 200]
    for path in (EXPLAIN, EXPLAIN + "none", EXPLAIN + "a/b"):
        assert (await client.ask("GET", path)).status == 404
    assert (await client.ask("POST", EXPLAIN + names[2])).status == 405


async def test_the_status_tells_how_routing_does(app_of: Any, client_of: Any, fakes: Any) -> None:
    app = app_of()
    async with app.router.lifespan_context(app):
        client = client_of(app)
        await client.chat(fakes.asking())
        found = (await client.ask("GET", STATUS)).json
        refused = await client.ask("POST", STATUS)
    assert (refused.status, refused.error["code"]) == (405, "method_not_allowed")
    assert (found["auto"], found["routing"]["state"], found["routing"]["reason"]) == (True, "on", None)
    assert found["routing"]["limits"]["most_reference"] == 1000, "ten times the forecast"
    assert found["routing"]["shift"] == {"usual": 0.1, "tolerance": 0.05, "confidence": 0.95}
    assert "restart" in found["routing"]["turn_on"]
    assert found["certificate"]["data"] == "sha"
    arms = ["small?mode=direct", "large"]
    assert found["policy"] == {"version": "policy/test", "arms": arms, "reference": "large", "kind": "moved_bytes"}
    assert (found["ledger"]["num_settled"], found["ledger"]["writing"]["failure"]) == (1, None)
    assert (found["memory"], found["audits"], found["solver"], found["parts"]) == (None, None, False, False)


async def test_a_server_without_any_of_it_says_so(client: Any) -> None:
    found = (await client.ask("GET", STATUS)).json
    assert (found["auto"], found["routing"], found["policy"]) == (False, {"state": "not_configured"}, None)
    assert (await client.ask("GET", EXPLAIN + "req-1")).status == 404


def test_everything_that_is_configured_is_opened(tmp_path: Path, fakes: Any) -> None:
    policy, seen = fakes.policy_of(), []

    def load(folder: Path, embedding: Path | None) -> Any:
        seen.append((folder, embedding))
        return policy

    routing = RoutingConfig(policy=tmp_path, memory=tmp_path / "m", ledger=tmp_path / "l")
    opened = open_routing(Config(routing=routing), load)
    assert (opened.policy, seen) == (policy, [(tmp_path, None)])
    assert opened.memory is not None
    assert opened.ledger is not None
    opened.close()
    off = open_routing(Config(routing=RoutingConfig(policy=tmp_path, solver=False)), load)
    assert (off.has_solver, off.memory, off.ledger) == (False, None, None)
    assert open_routing(Config(), load) == Opened()
    (tmp_path / "bad").write_text("no database, and longer than a header of one would be" * 3)
    with pytest.raises(BadRequest) as caught:
        open_routing(Config(routing=RoutingConfig(memory=tmp_path / "m", ledger=tmp_path / "bad")), load)
    assert caught.value.code == "invalid_ledger"


def test_a_policy_is_loaded_by_the_query_level(fakes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Served(Exception):
        pass

    def listens(*_: Any) -> Any:
        raise Served

    def missing(name: str) -> Any:
        raise ModuleNotFoundError(name, name="numpy")

    policy, loaded = fakes.policy_of(("embedded/small", "embedded/large")), []
    storing = SimpleNamespace(load_policy=lambda *given: loaded.append(given) or policy)
    monkeypatch.setattr("pointsman.gateway.server._listening", listens)
    monkeypatch.setattr("pointsman.gateway.server.import_module", lambda name: storing)
    routing = RoutingConfig(policy=tmp_path, embedding=tmp_path / "e", ledger=tmp_path / "l")
    sources = [fakes.source(f"embedded/{name}", fakes.Writer()) for name in ("small", "large")]
    for _ in range(2):
        with pytest.raises(Served):
            serve(Config(routing=routing), sources)
    with pytest.raises(Served):
        serve(Config(routing=routing), sources, source_of=str.upper)
    assert loaded == [*[(tmp_path, tmp_path / "e", str)] * 2, (tmp_path, tmp_path / "e", str.upper)]
    with pytest.raises(BadRequest) as caught:
        serve(Config(routing=routing), [])
    assert caught.value.code == "invalid_arm"
    monkeypatch.setattr("pointsman.gateway.server.import_module", missing)
    with pytest.raises(Unsupported, match=r"pointsman\[local\]") as lacking:
        serve(Config(routing=routing), sources)
    assert lacking.value.code == "extra_missing"


def test_who_infers_still_has_to_be_there(fakes: Any) -> None:
    with pytest.raises(BadRequest, match="infer names 'none'"):
        create_app(Config(ServerConfig(infer="none")), [], [fakes.source("m", fakes.Writer())])


FEEDBACK = "/v1/pointsman/feedback/"


async def test_who_asked_may_say_whether_the_answer_was_right(
    app_of: Any, client_of: Any, fakes: Any, ledger_path: Path
) -> None:
    app = app_of()
    async with app.router.lifespan_context(app):
        client = client_of(app)
        asked = await client.ask("POST", CHAT, json.dumps(fakes.asking()).encode(), KEY)
        path = FEEDBACK + asked.json["id"]
        for said in (False, True):
            reply = await client.ask("POST", path, json.dumps({"correct": said}).encode(), KEY)
            assert (reply.status, reply.json["correct"]) == (200, said)
        for body, headers, status, code in (
            (b'{"correct": true}', [], 404, "request_not_found"),
            (b'{"correct": 1}', KEY, 400, "invalid_type"),
            (b"{}", KEY, 400, "missing_field"),
            (b'{"correct": true, "why": "x"}', KEY, 400, "invalid_type"),
        ):
            refused = await client.ask("POST", path, body, headers)
            assert (refused.status, refused.error["code"]) == (status, code), body
        assert (await client.ask("GET", path, headers=KEY)).status == 405
    (entry,) = read_entries(ledger_path)
    assert entry.billed is not None
    assert (entry.billed.correct, entry.billed.cost.moved_bytes, entry.billed.arm) == (True, 10, "small?mode=direct")


async def test_feedback_that_nothing_can_keep_is_refused(fakes: Any, client_of: Any, ledger_path: Path) -> None:
    small, large = fakes.Writer("s"), fakes.Writer("l")
    sources = [fakes.source("small", small), fakes.source("large", large)]
    client = client_of(create_app(Config(), [], sources, None, Opened(fakes.policy_of())))
    asked = await client.chat(fakes.asking())
    refused = await client.ask("POST", FEEDBACK + asked.json["id"], b'{"correct": true}')
    assert refused.error["code"] == "no_ledger"
    config = Config(routing=RoutingConfig(parts=True, audit_share=0))
    app = create_app(config, [], sources, None, Opened(fakes.policy_of(), ledger=open_ledger(ledger_path)))
    async with app.router.lifespan_context(app):
        client = client_of(app)
        asked = await client.chat(fakes.asking("1) What is 2 + 2?\n2) Who wrote the novel Emma?"))
        name = asked.json["id"]
        refused = await client.ask("POST", FEEDBACK + name, b'{"correct": true}')
        assert refused.error["code"] == "is_joined"
        assert (await client.ask("POST", f"{FEEDBACK}{name}.2", b'{"correct": true}')).status == 200
        small.error = large.error = UpstreamError("gone", retryable=True)
        failed = await client.chat(fakes.asking("And now?"))
        refused = await client.ask("POST", FEEDBACK + failed.headers["x-request-id"], b'{"correct": true}')
        assert refused.error["code"] == "not_settled"


async def test_feedback_waits_until_the_books_are_settled(
    app_of: Any, client_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client has the answer a moment before."""
    trail = Trail("req-1", b"", 1, decision=Decision("small", "certified", "p"), arm="small")
    monkeypatch.setattr(Trails, "find", lambda *_: trail)
    app = app_of()
    async with app.router.lifespan_context(app):
        said = asyncio.create_task(client_of(app).ask("POST", FEEDBACK + "req-1", b'{"correct": true}'))
        await asyncio.sleep(0.03)
        assert not said.done()
        trail.billed, trail.state = Cost.zero(), "answered"
        assert (await said).status == 200
