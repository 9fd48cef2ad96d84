r"""Outcome tables from requests with known answers: every arm of a server is asked, and what each said is judged.

    {"id": "q1", "task": "sums", "prompt": "What is 2 + 2?", "answer": "4"}
    {"id": "q2", "prompt": "1) What is 2 + 2?\n2) And 3 + 3?", "answer": ["4", "6"]}

An answer is right where it comes to the same as the known one (`query/comparing.py`); to a list, where it has a line
for each that does, in order. Costs are those that the server tells: bytes moved of models of its own, tokens of others,
which `fit query` prices.

With tracks, the model `auto` is asked first, on a server without a policy: where memory, a program, the solver or parts
answer, the request never comes to an arm. The row says so (`taken`), and so the certificate can be about all that
answers. Rows that were taken can go without arms, where they are for learning.

Requests go one after the other by default. In a batch a model's weights are read once for all its texts, and an
answer's bytes depend on its neighbours.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import aiohttp
import msgspec

from pointsman.core import BadRequest, UpstreamError
from pointsman.gateway.auto.spec import ArmSpec
from pointsman.gateway.completion import completion_of, post_chat
from pointsman.gateway.config import UpstreamConfig
from pointsman.gateway.upstream import new_session
from pointsman.query.comparing import agree, final_answer
from pointsman.query.resuming import lines_done

__all__ = ["Asking", "Collecting", "answers_right", "collect", "read_requests"]

_AHEAD: Final = re.compile(r"memory|program/.+|solver|parts")
"""How arms are called that answer ahead of a policy's."""


@dataclass(frozen=True, slots=True)
class Asking:
    """A request, and whether an answer to it is right."""

    id: str
    prompt: str
    task: str
    is_right: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Collecting:
    """What is asked, and of whom.

    Attributes:
        server: an OpenAI-compatible one, of Pointsman where arms have dials or tracks are asked.
        arms: a model and dials each, as a policy names them.
        tracks: whether `auto` is asked first.
        skips_taken: whether arms are not asked for what was taken.
        connections: requests at once.
    """

    server: UpstreamConfig
    arms: tuple[str, ...]
    tracks: bool = False
    skips_taken: bool = False
    connections: int = 1


class _Request(msgspec.Struct, frozen=True):
    id: str | int
    prompt: str
    answer: str | list[str]
    task: str = ""


_decode = msgspec.json.Decoder(_Request).decode


def read_requests(path: Path) -> list[Asking]:
    """From JSON lines. Raises BadRequest: `bad_requests` for what cannot be read, an id that occurs twice, or none."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as exc:
        raise BadRequest(f"cannot read {path}: {exc.strerror}", code="bad_requests") from exc
    found: dict[str, Asking] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            one = _decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
            raise BadRequest(f"{path}, line {number}: {exc}", code="bad_requests") from exc
        if str(one.id) in found:
            raise BadRequest(f"{path}, line {number}: the id {one.id!r} occurs twice", code="bad_requests", param="id")
        found[str(one.id)] = Asking(str(one.id), one.prompt, one.task, partial(answers_right, answer=one.answer))
    if not found:
        raise BadRequest(f"{path} is empty; expected a request a line", code="bad_requests")
    return list(found.values())


def answers_right(text: str, answer: str | list[str]) -> bool:
    """Whether a text comes to the known answer, or has a line for each of several, in order."""
    if isinstance(answer, str):
        return agree(text, answer)
    lines = [line for line in text.splitlines() if line.strip()]
    return list(map(final_answer, lines)) == list(map(final_answer, answer))


async def collect(
    path: Path, asked: Sequence[Asking], what: Collecting, on_done: Callable[[int], None] = lambda _: None
) -> dict[str, int]:
    """Appends the rows that `path` lacks, in order, and counts by arm the requests that it refused.

    An arm that refuses a request, with a status of 400 to 499, has no outcome in its row.

    Raises:
        BadRequest: `invalid_arm`; `other_table` where the file has rows of other requests or arms.
        UpstreamError: `upstream_*` where the server is not there, has no such model, or fails; what was done is kept.
    """
    specs = [ArmSpec.parse(name) for name in what.arms]
    done = _done(path, asked, what)
    refused = dict.fromkeys(what.arms, 0)
    on_done(done)
    async with new_session() as session:
        client = _Client(session, what.server)
        with path.open("a", encoding="utf-8") as file:
            for start in range(done, len(asked), what.connections):
                chunk = asked[start : start + what.connections]
                for row in await asyncio.gather(*(_row(client, specs, one, what) for one in chunk)):
                    for name in row.get("refused", ()):
                        refused[name] += 1
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
                file.flush()
                on_done(len(chunk))
    return refused


def _done(path: Path, asked: Sequence[Asking], what: Collecting) -> int:
    rows = lines_done(path)
    for number, (row, one) in enumerate(zip(rows, asked, strict=False)):
        arms = {*row["outcomes"], *row.get("refused", ())}
        skipped = what.skips_taken and "taken" in row
        if (row["id"], row["prompt"]) != (one.id, one.prompt) or not (skipped or arms == set(what.arms)):
            problem = f"{path} has a table of other requests or arms, from row {number} on; expected {one.id!r} of"
            raise BadRequest(f"{problem} {', '.join(what.arms)}. Remove it, or name another file", code="other_table")
    return min(len(rows), len(asked))


async def _row(client: _Client, specs: Sequence[ArmSpec], one: Asking, what: Collecting) -> dict[str, Any]:
    row: dict[str, Any] = {"id": one.id, "task": one.task, "prompt": one.prompt, "outcomes": {}}
    taken, missed = await client.taken(one) if what.tracks else (None, {})
    if taken is not None:
        row["taken"] = taken
    elif missed:
        row["missed"] = missed
    if taken is None or not what.skips_taken:
        for spec in specs:
            outcome = await client.outcome(spec, one)
            if outcome is None:
                row.setdefault("refused", []).append(spec.name)
            else:
                row["outcomes"][spec.name] = outcome
    return row


class _Client:
    """Asks the server."""

    def __init__(self, session: aiohttp.ClientSession, server: UpstreamConfig) -> None:
        self._session, self._server = session, server

    async def taken(self, one: Asking) -> tuple[dict[str, Any] | None, dict[str, Any]]:
        """What answered ahead of the arms, None where nothing did; and what the others took that were tried."""
        answer = await self._asked(b'{"model": "auto"}', one)
        if answer is None:
            return None, {}
        note = answer.get("pointsman") or {}
        by, cost, missed = str(note.get("arm", "")), note.get("cost"), note.get("missed") or {}
        if not _AHEAD.fullmatch(by) or cost is None:
            return None, _costs(missed)
        total = {name: cost.get(name, 0) + missed.get(name, 0) for name in cost}
        told = {"cost_usd": 0.0, "moved_bytes": 0, **_costs(total)}
        return {"by": by, "correct": float(one.is_right(_text(answer))), **told}, {}

    async def outcome(self, spec: ArmSpec, one: Asking) -> dict[str, Any] | None:
        """Of one arm; None where it refuses the request."""
        started = perf_counter()
        answer = await self._asked(spec.body(b"{}"), one)
        if answer is None:
            return None
        usage, text = answer.get("usage") or {}, _text(answer)
        return {
            "correct": float(one.is_right(text)),
            "input_tokens": usage.get("prompt_tokens"),
            "output_tokens": usage.get("completion_tokens"),
            **_costs((answer.get("pointsman") or {}).get("cost") or {}),
            "seconds": round(perf_counter() - started, 6),
            "ans": final_answer(text),
        }

    async def _asked(self, fields: bytes, one: Asking) -> dict[str, Any] | None:
        body = {**json.loads(fields), "messages": [{"role": "user", "content": one.prompt}]}
        status, data = await post_chat(self._session, self._server, body)
        if 400 <= status < 500 and status not in (401, 403, 404, 408, 429):
            return None
        if status in (401, 403, 404):
            told = data[:300].decode(errors="replace")
            problem = f"the server refuses {body['model']!r} with status {status}: {told}"
            raise UpstreamError(problem, retryable=False, code="upstream_refused")
        return completion_of(status, data, self._server.name)


def _text(answer: dict[str, Any]) -> str:
    return str(answer["choices"][0]["message"].get("content") or "")


def _costs(cost: dict[str, Any]) -> dict[str, Any]:
    """Those that are known: a model of the server's own costs no money, and another moves nothing that is seen."""
    found: dict[str, Any] = {}
    if cost.get("nano_usd"):
        found["cost_usd"] = cost["nano_usd"] / 1e9
    if cost.get("moved_bytes"):
        found["moved_bytes"] = cost["moved_bytes"]
    return found
