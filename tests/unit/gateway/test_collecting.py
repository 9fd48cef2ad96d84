"""Outcome tables from a server: what is asked, judged, written, gone on with, and refused."""

import json
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from pointsman.core import BadRequest, UpstreamError
from pointsman.gateway import UpstreamConfig
from pointsman.gateway.collecting import Asking, Collecting, answers_right, collect, read_requests
from pointsman.query.resuming import lines_done

pytestmark = pytest.mark.anyio


class Server:
    """Answers `auto` by a program where a text says so, and arms by what they are."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.status = 200

    async def answer(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        self.seen.append(body)
        text = body["messages"][-1]["content"]
        if self.status != 200 or "refused" in text:
            return web.json_response({"error": {"message": "no"}}, status=self.status if self.status != 200 else 400)
        cost = {"prompt_tokens": 9, "completion_tokens": 2, "nano_usd": 0, "moved_bytes": 50, "seconds": 0.1}
        if body["model"] == "auto":
            arm = "program/add" if "program" in text else "model/large"
            note: dict[str, Any] = {"arm": arm, "cost": cost, "missed": {**cost, "moved_bytes": 8}}
            return self.said("4", note)
        return self.said("5" if body["model"] == "small" else "so: 4", {"arm": body["model"], "cost": cost})

    def said(self, text: str, note: dict[str, Any]) -> web.Response:
        usage = {"prompt_tokens": 9, "completion_tokens": 2}
        return web.json_response(
            {"choices": [{"message": {"content": text}, "finish_reason": "stop"}], "usage": usage, "pointsman": note}
        )

    @property
    def models(self) -> Counter[str]:
        return Counter(body["model"] for body in self.seen)


@pytest.fixture
def server() -> Server:
    return Server()


def asking(*texts: str) -> list[Asking]:
    return [Asking(f"q{n}", text, "sums", partial(answers_right, answer="4")) for n, text in enumerate(texts)]


async def rows_of(server: Server, upstream_at: Any, path: Path, asked: list[Asking], **options: Any) -> Any:
    async with upstream_at(server.answer) as base_url:
        what = Collecting(UpstreamConfig("s", base_url, ()), ("small", "large?mode=direct"), **options)
        refused = await collect(path, asked, what)
    return lines_done(path), refused


async def test_every_arm_is_asked_with_its_dials_and_judged(server: Server, upstream_at: Any, tmp_path: Path) -> None:
    rows, refused = await rows_of(server, upstream_at, tmp_path / "o", asking("2 + 2?", "1 + 3?"), connections=2)
    assert refused == {"small": 0, "large?mode=direct": 0}
    assert [(row["id"], row["task"], row["prompt"]) for row in rows] == [
        ("q0", "sums", "2 + 2?"),
        ("q1", "sums", "1 + 3?"),
    ]
    outcome = rows[0]["outcomes"]["large?mode=direct"]
    assert outcome.pop("seconds") > 0
    assert outcome == {"correct": 1, "input_tokens": 9, "output_tokens": 2, "moved_bytes": 50, "ans": "4"}
    assert rows[0]["outcomes"]["small"]["correct"] == 0
    assert "taken" not in rows[0]
    kwargs = {body["model"]: body.get("chat_template_kwargs", {}).get("mode") for body in server.seen}
    assert kwargs == {"small": None, "large": "direct"}


async def test_what_is_taken_ahead_is_told(server: Server, upstream_at: Any, tmp_path: Path) -> None:
    asked = asking("program: 2 + 2?", "2 + 2?")
    rows, _ = await rows_of(server, upstream_at, tmp_path / "o", asked, tracks=True)
    assert rows[0]["taken"] == {"by": "program/add", "correct": 1.0, "cost_usd": 0.0, "moved_bytes": 58}
    assert rows[1]["missed"] == {"moved_bytes": 8}
    assert server.models == {"auto": 2, "small": 2, "large": 2}
    rows, _ = await rows_of(server, upstream_at, tmp_path / "skipped", asked, tracks=True, skips_taken=True)
    assert (rows[0]["outcomes"], set(rows[1]["outcomes"])) == ({}, {"small", "large?mode=direct"})
    assert server.models["small"] == 3


async def test_a_request_that_an_arm_refuses_has_no_outcome_of_it(
    server: Server, upstream_at: Any, tmp_path: Path
) -> None:
    rows, refused = await rows_of(server, upstream_at, tmp_path / "o", asking("refused", "2 + 2?"), tracks=True)
    assert (rows[0]["refused"], rows[0]["outcomes"]) == (["small", "large?mode=direct"], {})
    assert refused == {"small": 1, "large?mode=direct": 1}


async def test_what_was_done_is_gone_on_with(server: Server, upstream_at: Any, tmp_path: Path) -> None:
    path = tmp_path / "o"
    await rows_of(server, upstream_at, path, asking("a", "b"))
    cut_in_the_second_row(path)
    server.seen.clear()
    rows, _ = await rows_of(server, upstream_at, path, asking("a", "b", "c"))
    assert [row["prompt"] for row in rows] == ["a", "b", "c"]
    assert {body["messages"][0]["content"] for body in server.seen} == {"b", "c"}
    with pytest.raises(BadRequest) as caught:
        await rows_of(server, upstream_at, path, asking("a", "other"))
    assert caught.value.code == "other_table"
    assert "from row 1 on" in caught.value.message


@pytest.mark.parametrize(
    ("status", "code"), [(404, "upstream_refused"), (401, "upstream_refused"), (503, "upstream_failed")]
)
async def test_a_server_that_cannot_answer_ends_it(
    server: Server, upstream_at: Any, tmp_path: Path, status: int, code: str
) -> None:
    server.status = status
    with pytest.raises(UpstreamError) as caught:
        await rows_of(server, upstream_at, tmp_path / "o", asking("a"))
    assert caught.value.code == code
    nowhere = Collecting(UpstreamConfig("s", "http://127.0.0.1:9", ()), ("small",))
    with pytest.raises(UpstreamError):
        await collect(tmp_path / "p", asking("a"), nowhere)
    assert lines_done(tmp_path / "p") == []


def cut_in_the_second_row(path: Path) -> None:
    whole = path.read_text()
    path.write_text(whole[: whole.index("\n") + 20])


def test_requests_are_read(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(
        '{"id": 1, "prompt": "2 + 2?", "answer": "4"}\n\n{"id": "b", "prompt": "x", "answer": ["1", "2"]}\n'
    )
    one, two = read_requests(path)
    assert (one.id, one.prompt, one.task, one.is_right("it is 4."), one.is_right("5")) == (
        "1",
        "2 + 2?",
        "",
        True,
        False,
    )
    assert two.is_right("1) is 1\n\n2) is 2")
    assert not two.is_right("1) is 2\n2) is 1")
    assert not two.is_right("1")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty"),
        ("{", "line 1"),
        ('{"id": "a", "prompt": "x"}', "missing required field `answer`"),
        ('{"id": "a", "prompt": "x", "answer": 4}', "answer"),
        ('{"id": 1, "prompt": "x", "answer": "4"}\n{"id": "1", "prompt": "y", "answer": "4"}', "occurs twice"),
    ],
)
def test_bad_requests_say_where(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(text)
    with pytest.raises(BadRequest) as caught:
        read_requests(path)
    assert (caught.value.code, problem in caught.value.message) == ("bad_requests", True), caught.value.message


def test_requests_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="No such file"):
        read_requests(tmp_path / "none")
