"""Audits in the background, what they say, and routing that is switched off by them."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from pointsman.core import UpstreamError
from pointsman.gateway import Config, Opened, RoutingConfig, create_app
from pointsman.gateway.ledger import open_ledger, read_entries

pytestmark = pytest.mark.anyio

EXPLAIN, STATUS = "/v1/pointsman/explain/", "/v1/pointsman/status"


class Setup:
    """A small model, a large one that is the reference, and everything audited."""

    def __init__(self, fakes: Any, folder: Path) -> None:
        self.fakes, self.path = fakes, folder / "ledger.db"
        self.small, self.large = fakes.Writer("so 4"), fakes.Writer("= 4", 100)

    def app(self, share: float = 1.0, *, most: int = 2, comparer: Any = "agreement", **policy: Any) -> Any:
        sources = [self.fakes.source("small", self.small), self.fakes.source("large", self.large)]
        routing = RoutingConfig(audit_share=share, max_audits=most, comparer=comparer)
        opened = Opened(self.fakes.policy_of(**policy), ledger=open_ledger(self.path))
        return create_app(Config(routing=routing), [], sources, None, opened)


@pytest.fixture
def setup(fakes: Any, tmp_path: Path) -> Setup:
    return Setup(fakes, tmp_path)


async def audited(client: Any, request_id: str) -> Any:
    """What became of a request's audit, once it has ended."""
    for _ in range(500):
        audit = (await client.ask("GET", EXPLAIN + request_id)).json["audit"]
        if audit["state"] != "pending":
            return audit
        await asyncio.sleep(0.01)
    raise AssertionError("the audit did not end")


@pytest.mark.parametrize("stream", [False, True])
async def test_the_reference_arm_answers_too_unseen(setup: Setup, client_of: Any, stream: bool) -> None:
    app = setup.app()
    async with app.router.lifespan_context(app):
        client = client_of(app)
        reply = await client.chat(setup.fakes.asking(stream=stream, max_tokens=9, pointsman={"quality": 0.9}))
        assert (setup.fakes.said(reply), reply.is_complete) == ("so 4", True)
        audit = await audited(client, reply.headers["x-request-id"])
        status = (await client.ask("GET", STATUS)).json
    assert (audit["state"], audit["agrees"], audit["cost"]["moved_bytes"]) == ("done", True, 100)
    assert status["audits"] == {"share": 1.0, "num_waiting": 0, "drawn": 1, "done": 1, "agree": 1}
    (asked,) = setup.large.seen
    assert (asked.sampling["max_tokens"], asked.messages[0]["content"]) == (9, "What is 2 + 2?")
    (entry,) = read_entries(setup.path)
    assert entry.decision.is_audited
    assert entry.billed is not None
    assert entry.audit is not None
    assert (entry.billed.cost.moved_bytes, entry.audit.cost.moved_bytes, entry.audit.arm) == (10, 100, "large")
    assert (entry.billed.correct, entry.audit.correct) == (None, None), "agreement is not correctness"
    assert (entry.billed.agrees, entry.audit.agrees) == (None, True)
    assert entry.referred == entry.audit


async def test_a_reply_does_not_wait_for_its_audit(setup: Setup, client_of: Any) -> None:
    setup.large.may_write.clear()
    app = setup.app(most=1)
    async with app.router.lifespan_context(app):
        client = client_of(app)
        replies = [await client.chat(setup.fakes.asking()) for _ in range(3)]
        assert [setup.fakes.said(reply) for reply in replies] == ["so 4"] * 3
        await asyncio.sleep(0.05)
        assert len(setup.large.seen) == 1, "one at a time"
        setup.large.may_write.set()
        for reply in replies:
            assert (await audited(client, reply.headers["x-request-id"]))["state"] == "done"


async def test_audits_that_a_stopping_server_cannot_end_are_skipped_and_counted(setup: Setup, client_of: Any) -> None:
    setup.large.may_write.clear()
    app = setup.app(most=1)
    async with app.router.lifespan_context(app):
        client = client_of(app)
        names = [(await client.chat(setup.fakes.asking())).headers["x-request-id"] for _ in range(2)]
        await asyncio.sleep(0.05)
    status = (await client.ask("GET", STATUS)).json
    assert status["audits"]["skipped_stopping"] == 2
    assert (await audited(client, names[1]))["state"] == "skipped_stopping"
    entries = list(read_entries(setup.path))
    assert [(entry.audit, entry.billed is not None) for entry in entries] == [(None, True)] * 2


async def test_too_many_audits_are_skipped(setup: Setup, client_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pointsman.gateway.auto.auditing._MOST_WAITING", 1)
    setup.large.may_write.clear()
    app = setup.app()
    async with app.router.lifespan_context(app):
        client = client_of(app)
        for _ in range(3):
            await client.chat(setup.fakes.asking())
        assert (await client.ask("GET", STATUS)).json["audits"]["skipped_too_many"] == 2
        setup.large.may_write.set()


async def test_an_audit_that_fails_is_counted(setup: Setup, client_of: Any, caplog: pytest.LogCaptureFixture) -> None:
    client = client_of(setup.app())
    for error in (UpstreamError("gone", retryable=True), RuntimeError("a secret")):
        setup.large.error = error
        reply = await client.chat(setup.fakes.asking())
        assert (await audited(client, reply.headers["x-request-id"]))["state"] == "failed"
    assert "its audit failed: gone" in caplog.text
    assert "secret" not in caplog.text


async def test_a_request_of_the_reference_arm_is_its_own_audit(setup: Setup, client_of: Any) -> None:
    client = client_of(setup.app(certified=False))
    reply = await client.chat(setup.fakes.asking())
    assert (await audited(client, reply.headers["x-request-id"]))["state"] == "is_reference"
    assert len(setup.large.seen) == 1


async def test_a_request_that_failed_is_not_audited(setup: Setup, client_of: Any) -> None:
    setup.small.error = setup.large.error = UpstreamError("gone", retryable=True)
    client = client_of(setup.app())
    reply = await client.chat(setup.fakes.asking())
    assert (await audited(client, reply.headers["x-request-id"]))["state"] == "skipped_no_bill"


async def test_draws_do_not_depend_on_the_arm(setup: Setup, client_of: Any) -> None:
    client = client_of(setup.app(0.0))
    reply = await client.chat(setup.fakes.asking())
    assert (await client.ask("GET", EXPLAIN + reply.headers["x-request-id"])).json["audit"] is None
    assert (await client.ask("GET", STATUS)).json["audits"] is None
    client = client_of(setup.app(0.5))
    for number in range(200):
        wish = {"quality": 0.9999} if number % 2 else {}  # the reference arm, or the small one
        await client.chat(setup.fakes.asking(pointsman=wish))
    counts = (await client.ask("GET", STATUS)).json["audits"]
    assert 60 < counts["drawn"] < 140
    assert 20 < counts["is_reference"] < 80


async def until_off(setup: Setup, client: Any, most: int = 200) -> tuple[int, Any]:
    """Requests until routing is off, and the status then."""
    for number in range(most):
        reply = await client.chat(setup.fakes.asking())
        await audited(client, reply.headers["x-request-id"])
        status = (await client.ask("GET", STATUS)).json
        if status["routing"]["state"] == "off":
            return number, status
    raise AssertionError("routing stayed on")


async def stays_off(setup: Setup, client: Any, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        reply = await client.chat(setup.fakes.asking())
        assert (reply.headers["x-pointsman-arm"], reply.headers["x-pointsman-reason"]) == ("large", "routing_off")
        assert setup.fakes.note(reply)["certificate"] is None
    assert sum(record.levelno == logging.ERROR for record in caplog.records) == 1


async def test_routing_that_costs_more_is_switched_off(
    setup: Setup, client_of: Any, caplog: pytest.LogCaptureFixture
) -> None:
    setup.small.moved_bytes = 300
    client = client_of(setup.app(cost=(290, 330)))
    number, status = await until_off(setup, client)
    assert number > 3
    assert (status["routing"]["reason"], status["routing"]["numbers"]["mean"]) == ("costs_more", 200)
    assert status["certificate"] is None
    await stays_off(setup, client, caplog)


async def test_routing_that_loses_answers_is_switched_off_where_the_reference_counts_as_right(
    setup: Setup, client_of: Any, caplog: pytest.LogCaptureFixture
) -> None:
    setup.small.says = "so 5"
    client = client_of(setup.app(comparer="reference_is_right"))
    _, status = await until_off(setup, client)
    assert (status["routing"]["reason"], status["routing"]["numbers"]["mean"]) == ("quality_below", 1)
    await stays_off(setup, client, caplog)


async def test_by_agreement_alone_quality_is_not_judged(setup: Setup, client_of: Any) -> None:
    setup.small.says = "so 5"
    client = client_of(setup.app())
    with pytest.raises(AssertionError, match="stayed on"):
        await until_off(setup, client, 60)
    assert (await client.ask("GET", STATUS)).json["audits"]["disagree"] == 60


async def test_bills_above_their_forecast_drop_the_certificate(
    setup: Setup, client_of: Any, caplog: pytest.LogCaptureFixture
) -> None:
    setup.small.moved_bytes = 15
    client = client_of(setup.app())
    _, status = await until_off(setup, client)
    assert (status["routing"]["reason"], status["routing"]["numbers"]["arm"]) == ("drift_cost_up", "small?mode=direct")
    await stays_off(setup, client, caplog)


async def test_requests_unlike_those_of_the_certificate_go_to_the_reference(
    setup: Setup, client_of: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """None is above `most_novel`, and the mean of the calibration rows was 0.1; no audit is needed."""
    client = client_of(setup.app(0.0, novelty=0.5))
    replies = [await client.chat(setup.fakes.asking()) for _ in range(60)]
    arms = [reply.headers["x-pointsman-arm"] for reply in replies]
    number = arms.index("large")
    assert number >= 12
    assert set(arms[number:]) == {"large"}
    routing = (await client.ask("GET", STATUS)).json["routing"]
    assert (routing["reason"], routing["numbers"]["mean"]) == ("shift", 0.5)
    assert routing["numbers"]["num_requests"] == number + 1, "the request that shows it goes to the reference already"
    assert routing["numbers"]["allowed"] == pytest.approx(0.15)
    await stays_off(setup, client, caplog)


@pytest.mark.parametrize(("novelty", "wish"), [(0.9, {}), (0.5, {"quality": 0.9999}), (0.14, {})])
async def test_what_the_certificate_does_not_decide_or_allows_is_no_shift(
    setup: Setup, client_of: Any, novelty: float, wish: dict[str, float]
) -> None:
    client = client_of(setup.app(0.0, novelty=novelty))
    for _ in range(60):
        await client.chat(setup.fakes.asking(pointsman=wish))
    assert (await client.ask("GET", STATUS)).json["routing"]["state"] == "on"


async def test_a_request_is_told_by_what_held_when_it_was_decided(setup: Setup, client_of: Any) -> None:
    setup.small.moved_bytes = 10**6
    client = client_of(setup.app(0.0))
    reply = await client.chat(setup.fakes.asking())
    assert (await client.ask("GET", STATUS)).json["routing"]["state"] == "off", "its own bill does that"
    found = (await client.ask("GET", EXPLAIN + reply.headers["x-request-id"])).json
    assert found["certificate"] == setup.fakes.note(reply)["certificate"]
    assert found["certificate"]["data"] == "sha"


async def test_correctness_is_in_the_ledger_where_it_is_configured(setup: Setup, client_of: Any) -> None:
    app = setup.app(comparer="reference_is_right")
    async with app.router.lifespan_context(app):
        client = client_of(app)
        for says, wish in (("so 4", {}), ("so 5", {}), ("", {"quality": 0.9999})):
            setup.small.says = says
            reply = await client.chat(setup.fakes.asking(pointsman=wish))
            await audited(client, reply.headers["x-request-id"])
    settled = [(entry.billed, entry.audit) for entry in read_entries(setup.path)]
    found = [(billed and billed.correct, audit and audit.correct) for billed, audit in settled]
    assert found == [(True, True), (False, True), (True, None)], "the last one was the reference arm's"
