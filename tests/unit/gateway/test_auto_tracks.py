"""The order of `auto`'s tracks: memory, parts, programs, the solver, then a model."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from pointsman.core import BadRequest, Cost, InternalError, Unsupported, UpstreamError
from pointsman.gateway import Config, Opened, RoutingConfig, ServerConfig, UpstreamConfig, create_app, open_routing
from pointsman.gateway.ledger import open_ledger, read_entries
from pointsman.program.runtime import Answer
from pointsman.program.text.router import Routed
from pointsman.query.memory import Memory, Settings, Store

pytestmark = pytest.mark.anyio

CHAT, EXPLAIN = "/v1/chat/completions", "/v1/pointsman/explain/"
KEY = [(b"authorization", b"Bearer sk-one")]
PUZZLE = (
    "Three houses stand in a row and are numbered 1 to 3 from left to right. One person lives in each house. The "
    "people are Cyta, Jovin and Oldy. The drinks are juice, cider and milk. The colours are yellow, blue and white. "
    "Everyone has a different drink and a different colour. Cyta is a direct neighbour of whoever lives in the blue "
    "house. The person in the white house lives somewhere to the left of Oldy. The person who drinks milk does not "
    "live in the blue house. Cyta lives somewhere to the left of whoever drinks juice. Whoever lives in the white "
    "house lives somewhere between whoever lives in the blue house and the juice drinker. Who lives in the white house?"
)


READING = Cost(0, 0, 0, 6, 0.0)
"""What it takes to read a request."""


class Covers:
    """A router that covers `double 21`, or another request with another answer."""

    def __init__(self, request: str = "double 21", json_text: str = "42") -> None:
        self.seen: list[str] = []
        self.request, self.json_text = request, json_text

    def answer(self, request: str) -> Routed:
        self.seen.append(request)
        covered = Answer("value", self.json_text, 3)
        return Routed("double", covered, READING) if request == self.request else Routed(None, None, READING)


async def ask(client: Any, body: Any, headers: Any = KEY) -> Any:
    return await client.ask("POST", CHAT, json.dumps(body).encode(), headers)


async def tried(client: Any, reply: Any, headers: Any = KEY) -> dict[str, str]:
    found = await client.ask("GET", EXPLAIN + reply.headers["x-request-id"], headers=headers)
    return {one["track"]: one["reason"] for one in found.json["tried"]}


@pytest.fixture
def writer(fakes: Any) -> Any:
    return fakes.Writer("4")


@pytest.fixture
def remembering(fakes: Any, client_of: Any, writer: Any) -> Any:
    """A client of `auto` with memory and a model that infers; `clock[0]` is the time."""
    clock = [1000.0]
    memory = Memory(Store(), Settings(is_semantic=False, seconds_to_live=60), clock=lambda: clock[0])
    app = create_app(Config(ServerConfig(infer="m")), [], [fakes.source("m", writer)], None, Opened(memory=memory))
    client = client_of(app)
    client.clock, client.app = clock, app
    return client


async def kept(client: Any, num: int) -> None:
    """Waits until memory holds so many entries."""
    for _ in range(500):
        if (await client.ask("GET", "/v1/pointsman/status")).json["memory"]["num_entries"] == num:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("memory did not keep it")


@pytest.mark.parametrize("stream", [False, True])
async def test_what_was_asked_before_is_answered_again(remembering: Any, fakes: Any, writer: Any, stream: bool) -> None:
    first = await ask(remembering, fakes.asking("What is  2 + 2?", stream=stream))
    assert (first.headers["x-pointsman-arm"], first.headers["x-pointsman-reason"]) == ("model/m", "not_covered")
    await kept(remembering, 1)
    again = await ask(remembering, fakes.asking(" What is 2 + 2?", stream=stream))
    assert (fakes.said(again), again.headers["x-pointsman-arm"]) == ("4", "memory")
    assert (fakes.note(again)["reason"], len(writer.seen)) == ("exact_hit", 1)
    assert fakes.note(again)["billed"]["prompt_tokens"] == 0
    assert fakes.note(again)["saved_against_reference"] == {"estimate": None, "reason": "no_reference"}
    assert (await tried(remembering, again)) == {"memory": "exact_hit"}


async def test_nothing_is_shared_between_keys(remembering: Any, fakes: Any, writer: Any) -> None:
    await ask(remembering, fakes.asking())
    await kept(remembering, 1)
    for headers in ([(b"authorization", b"Bearer sk-two")], []):
        reply = await ask(remembering, fakes.asking(), headers)
        assert reply.headers["x-pointsman-arm"] == "model/m"
    assert len(writer.seen) == 3
    assert (await tried(remembering, reply, []))["memory"] == "no_api_key"
    await kept(remembering, 2)


async def test_memory_forgets_and_refuses(remembering: Any, fakes: Any, writer: Any) -> None:
    await ask(remembering, fakes.asking())
    await kept(remembering, 1)
    remembering.clock[0] += 61
    reply = await ask(remembering, fakes.asking())
    assert (await tried(remembering, reply))["memory"] == "miss"
    for request, reason in (
        (fakes.asking(temperature=0.5), "sampled_without_seed"),
        (fakes.asking("What is the latest news?"), "time_dependent"),
    ):
        for _ in range(2):
            reply = await ask(remembering, request)
            assert (await tried(remembering, reply))["memory"] == reason
    assert len(writer.seen) == 6


async def test_a_memory_that_is_broken_stops_nobody(
    remembering: Any, fakes: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(*_: Any) -> Any:
        raise BadRequest("the file is locked", code="memory_locked")

    monkeypatch.setattr(Memory, "keep", breaks)
    assert (await ask(remembering, fakes.asking())).status == 200
    monkeypatch.setattr(Memory, "look", breaks)
    reply = await ask(remembering, fakes.asking())
    assert (fakes.said(reply), (await tried(remembering, reply))["memory"]) == ("4", "memory_locked")
    assert "memory does not keep an answer: the file is locked" in caplog.text
    assert "memory does not answer: the file is locked" in caplog.text.replace(f"{reply.headers['x-request-id']}: ", "")


async def test_of_an_upstream_s_model_the_default_temperature_is_not_known(tmp_path: Path) -> None:
    upstream = UpstreamConfig("u", "http://127.0.0.1:1/v1", ("m",))
    routing = RoutingConfig(memory=tmp_path / "m", seconds_to_live=5.0, capacity_bytes=99, semantic=True)
    for upstreams, temperature in (((), 0.0), ((upstream,), 1.0)):
        opened = open_routing(Config(upstreams=upstreams, routing=routing), lambda _: None)  # type: ignore[arg-type,return-value]
        assert opened.memory is not None
        settings = opened.memory.settings
        assert (settings.default_temperature, settings.seconds_to_live) == (temperature, 5.0)
        assert (settings.capacity_bytes, settings.is_semantic) == (99, True)
        opened.close()


async def test_memory_outlives_the_server(fakes: Any, client_of: Any, writer: Any, tmp_path: Path) -> None:
    config = Config(ServerConfig(infer="m"), routing=RoutingConfig(memory=tmp_path / "memory.sqlite3"))
    arms = []
    for _ in range(2):
        opened = open_routing(config, lambda *_: fakes.policy_of())
        app = create_app(config, [], [fakes.source("m", writer)], None, opened)
        async with app.router.lifespan_context(app):
            arms.append((await ask(client_of(app), fakes.asking())).headers["x-pointsman-arm"])
    assert arms == ["model/m", "memory"]


async def test_programs_come_before_models(fakes: Any, client_of: Any, program: Any) -> None:
    small, router = fakes.Writer("small"), Covers()
    sources = [fakes.source("small", small), fakes.source("large", fakes.Writer("large"))]
    config = Config(routing=RoutingConfig(audit_share=0))
    made: Any = router
    client = client_of(create_app(config, [program], sources, made, Opened(fakes.policy_of())))
    reply = await ask(client, fakes.asking("double 21"))
    found = fakes.note(reply)
    assert (fakes.said(reply), found["arm"], found["states_visited"]) == ("42", "program/double", 3)
    assert found["saved_against_reference"] == {"estimate": None, "reason": "not_forecast"}
    assert small.seen == []
    reply = await ask(client, fakes.asking("a poem"))
    assert (await tried(client, reply)) == {
        "memory": "off", "program": "not_covered", "solver": "off", "policy": "certified"
    }  # fmt: skip
    found = fakes.note(reply)
    assert (found["missed"]["moved_bytes"], found["billed"]["moved_bytes"]) == (6, 10), "in no arm's bill"
    assert found["saved_against_reference"]["estimate"] == 100 - 10 - 6


@pytest.mark.parametrize(("json_text", "said"), [('"a \\"b\\""', 'a "b"'), ("[1, 2]", "[1, 2]"), ("true", "true")])
async def test_a_program_s_string_is_told_as_its_text(
    fakes: Any, client_of: Any, program: Any, json_text: str, said: str
) -> None:
    router: Any = Covers(json_text=json_text)
    config = Config(ServerConfig(infer="m"))
    client = client_of(create_app(config, [program], [fakes.source("m", fakes.Writer())], router))
    assert fakes.said(await ask(client, fakes.asking("double 21"))) == said


async def test_a_program_never_answers_one_of_several_questions(fakes: Any, client_of: Any, program: Any) -> None:
    """Where parts are off, or a request has a limit, it stays whole and goes to a model."""
    router: Any = Covers(QUESTIONS)
    client = client_of(
        create_app(Config(ServerConfig(infer="m")), [program], [fakes.source("m", fakes.Writer())], router)
    )
    reply = await ask(client, fakes.asking(QUESTIONS))
    assert (fakes.said(reply), router.seen) == ("inferred", [])
    assert reply.headers["x-pointsman-reason"] == "not_covered"


async def test_a_program_gets_the_parts_and_never_the_whole(fakes: Any, client_of: Any, program: Any) -> None:
    """It covers the first question: of the whole request it would answer that one and no other."""
    router: Any = Covers("What is 2 + 2?", "4")
    config = Config(ServerConfig(infer="m"), routing=RoutingConfig(parts=True))
    client = client_of(create_app(config, [program], [fakes.source("m", fakes.Writer("Jane Austen"))], router))
    reply = await ask(client, fakes.asking(QUESTIONS))
    assert fakes.said(reply) == "1) 4\n2) Jane Austen"
    assert sorted(router.seen) == ["What is 2 + 2?", "Who wrote the novel Emma?"]
    assert fakes.note(reply)["missed"]["moved_bytes"] == 6, "what looking at the second part took"


@pytest.fixture
def solving(fakes: Any, client_of: Any, writer: Any) -> Any:
    app = create_app(Config(ServerConfig(infer="m")), [], [fakes.source("m", writer)], None, Opened(has_solver=True))
    return client_of(app)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_puzzle_is_solved(solving: Any, fakes: Any, writer: Any, stream: bool) -> None:
    pytest.importorskip("ortools")
    reply = await ask(solving, fakes.asking(PUZZLE, stream=stream))
    assert (fakes.said(reply), writer.seen) == ("Cyta", [])
    assert (fakes.note(reply)["arm"], fakes.note(reply)["reason"]) == ("solver", "unique")
    assert fakes.note(reply)["billed"]["seconds"] > 0


async def test_what_is_not_proved_is_inferred(solving: Any, fakes: Any) -> None:
    pytest.importorskip("ortools")
    several = PUZZLE[: PUZZLE.index("Cyta is a direct")] + "Who lives in the white house?"
    never = PUZZLE.replace("Who lives", "Oldy lives in house 1. Who lives")
    unread = PUZZLE.replace("Who lives", "Perhaps Oldy is tall. Who lives")
    asked = {"2 + 2?": "no_such_problem", never: "verdict_infeasible", unread: "sentence_not_read"}
    for text, reason in {**asked, several: "verdict_several"}.items():
        reply = await ask(solving, fakes.asking(text))
        assert (await tried(solving, reply))["solver"] == reason
        assert reply.headers["x-pointsman-arm"] == "model/m"
    reply = await ask(solving, fakes.asking(PUZZLE, tools=[{}]))
    off = {"memory": "off", "program": "off"}
    assert (await tried(solving, reply)) == {**off, "solver": "not_one_text", "infer": "not_covered"}


async def test_a_solver_that_contradicts_itself_is_not_believed(
    solving: Any, fakes: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def disagrees(*_: Any, **__: Any) -> Any:
        raise InternalError("no", code="solver_disagrees")

    monkeypatch.setattr("pointsman.query.solver.solve", disagrees)
    reply = await ask(solving, fakes.asking(PUZZLE))
    assert (await tried(solving, reply))["solver"] == "solver_disagrees"
    assert "solver_disagrees" in caplog.text


async def test_a_busy_solver_lets_others_pass(solving: Any, fakes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pointsman.gateway.auto.tracks._MOST_WAITING", 0)
    reply = await ask(solving, fakes.asking(PUZZLE))
    assert (await tried(solving, reply))["solver"] == "busy"


def test_a_solver_that_is_switched_on_has_to_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pointsman.gateway.auto.building.find_spec", lambda _: None)
    with pytest.raises(Unsupported) as caught:
        open_routing(Config(routing=RoutingConfig(solver=True)), lambda _: None)  # type: ignore[arg-type,return-value]
    assert caught.value.code == "extra_missing"
    assert not open_routing(Config(), lambda _: None).has_solver  # type: ignore[arg-type,return-value]


QUESTIONS = "1) What is 2 + 2? 2) Who wrote the novel Emma?"


def by_question(request: Any) -> str:
    return "Jane Austen" if "Emma" in request.messages[-1]["content"] else "4"


@pytest.mark.parametrize("stream", [False, True])
async def test_parts_go_through_the_tracks_alone(fakes: Any, client_of: Any, tmp_path: Path, stream: bool) -> None:
    writer = fakes.Writer(by_question)
    config = Config(ServerConfig(infer="m"), routing=RoutingConfig(parts=True))
    opened = Opened(ledger=open_ledger(tmp_path / "l"))
    app = create_app(config, [], [fakes.source("m", writer)], None, opened)
    async with app.router.lifespan_context(app):
        client = client_of(app)
        reply = await ask(client, fakes.asking(QUESTIONS, stream=stream, seed=9))
        assert fakes.said(reply) == "1) 4\n2) Jane Austen"
        assert (fakes.note(reply)["arm"], fakes.note(reply)["reason"]) == ("parts", "split")
        assert (fakes.note(reply)["cost"]["prompt_tokens"], fakes.note(reply)["cost"]["moved_bytes"]) == (10, 20)
        assert [request.sampling["seed"] for request in writer.seen] == [9, 9]
        found = await client.ask("GET", EXPLAIN + reply.headers["x-request-id"], headers=KEY)
        assert found.json["parts"] == [f"{found.json['id']}.1", f"{found.json['id']}.2"]
        for name in found.json["parts"]:
            part = await client.ask("GET", EXPLAIN + name, headers=KEY)
            assert (part.json["state"], part.json["arm"]) == ("answered", "m")
        whole = await ask(client, fakes.asking("What is 2 + 2?"))
        assert (await tried(client, whole))["parts"] == "one_question"
    counted = [(entry.request_id[-2:], entry.decision.arm) for entry in read_entries(tmp_path / "l")]
    assert sorted(counted)[:2] == [(".1", "m"), (".2", "m")]
    assert len(counted) == 3, "the parts are counted, and not the whole once more"


async def test_a_limit_of_the_whole_answer_keeps_a_request_whole(fakes: Any, client_of: Any, writer: Any) -> None:
    config = Config(ServerConfig(infer="m"), routing=RoutingConfig(parts=True))
    client = client_of(create_app(config, [], [fakes.source("m", writer)]))
    for limit in ({"max_tokens": 1}, {"stop": "x"}, {"logprobs": True}):
        reply = await ask(client, fakes.asking(QUESTIONS, **limit))
        assert (await tried(client, reply))["parts"] == "has_limits"
    reply = await ask(client, fakes.asking(QUESTIONS, n=1, max_tokens=None, logprobs=False))
    assert (await tried(client, reply)) == {"memory": "off", "parts": "split"}


async def test_parts_share_what_the_whole_may_cost(fakes: Any, client_of: Any) -> None:
    sources = [fakes.source(name, fakes.Writer(by_question)) for name in ("small", "large")]
    config = Config(routing=RoutingConfig(audit_share=0, parts=True))
    opened = Opened(fakes.policy_of(cost=(10, 100), kind="nano_usd"))
    client = client_of(create_app(config, [], sources, None, opened))
    whole = fakes.asking("What is 2 + 2?", pointsman={"max_cost_usd": 150e-9})
    assert (await ask(client, whole)).headers["x-pointsman-arm"] == "large"
    reply = await ask(client, fakes.asking(QUESTIONS, pointsman={"max_cost_usd": 150e-9}))
    found = await client.ask("GET", EXPLAIN + reply.headers["x-request-id"] + ".1", headers=KEY)
    assert (found.json["arm"], found.json["reason"]) == ("small?mode=direct", "within_max_cost")
    reply = await ask(client, fakes.asking(QUESTIONS, pointsman={"max_cost_usd": 15e-9}))
    assert (await tried(client, reply))["parts"] == "max_cost_too_low"
    assert fakes.said(reply) == "Jane Austen", "the whole request may still cost as much"


async def test_where_a_part_fails_the_request_stays_whole(fakes: Any, client_of: Any) -> None:
    def only_whole(request: Any) -> str:
        if "Emma" in (text := request.messages[-1]["content"]) and "2 + 2" not in text:
            raise UpstreamError("gone", retryable=True)
        return "whole"

    config = Config(ServerConfig(infer="m"), routing=RoutingConfig(parts=True))
    client = client_of(create_app(config, [], [fakes.source("m", fakes.Writer(only_whole))]))
    reply = await ask(client, fakes.asking(QUESTIONS))
    assert fakes.said(reply) == "whole"
    assert (await tried(client, reply))["parts"] == "upstream_error"


async def test_parts_are_off_by_default(fakes: Any, client_of: Any, writer: Any) -> None:
    sources = [fakes.source("small", writer), fakes.source("large", writer)]
    config = Config(routing=RoutingConfig(audit_share=0))
    client = client_of(create_app(config, [], sources, None, Opened(fakes.policy_of())))
    await ask(client, fakes.asking(QUESTIONS))
    assert len(writer.seen) == 1
