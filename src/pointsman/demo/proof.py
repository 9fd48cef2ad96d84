"""The product's proof: mixed requests through an ordinary OpenAI client, to `auto` and to the large model alone.

None of them is in the tables that the policy was learned and certified from. Costs are bytes moved, as the server tells
them in its replies: for `auto` those of whoever answered and of what was missed before.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from openai import OpenAI
from openai.types.chat import ChatCompletion
from rich.console import Console
from rich.table import Table

from pointsman.core import InternalError
from pointsman.demo.learning import CONFIDENCE, QUALITY
from pointsman.demo.progress import bar
from pointsman.embedded.traffic import Asked, draw_traffic

__all__ = ["BEFORE", "CONFIG", "LEVELS", "Proof", "Reply", "compared", "level_of", "prove", "reply_of", "write_report"]

NUM_REQUESTS: Final = 1_000
_SEED: Final = 0
_RESAMPLES: Final = 1_000

BEFORE: Final = """[solver]
on = true

[parts]
on = true
"""
"""How the server is configured that the tables are collected from."""

CONFIG: Final = f"""{BEFORE}
[policy]
folder = "policy"
audit_share = 0.05

[memory]
path = "memory.sqlite3"

[ledger]
path = "ledger.db"
"""
"""And the one that proves."""

LEVELS: Final = ("memory", "program", "solver", "parts", "token", "unit", "query")
"""Who may answer. `query`: a whole model that the policy chose; `token`: both models; `unit`: a part of one."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: who gave it, whether it is right, and what it took."""

    level: str
    is_right: bool
    moved_bytes: int


@dataclass(frozen=True, slots=True)
class Proof:
    """Both ways side by side.

    Attributes:
        quality: right answers over the large model's, with the bounds of its 95 % interval.
        cost: bytes over the large model's, likewise.
        kept: of what the large model answers rightly, the share that `auto` does.
        num_requests: of each way.
        seconds: that both took.
    """

    quality: tuple[float, float, float]
    cost: tuple[float, float, float]
    kept: float
    num_requests: int
    seconds: float

    def told(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def prove(console: Console, url: str) -> Proof:
    """Asks, prints the comparison by level, and returns it."""
    asked = draw_traffic(NUM_REQUESTS, "test", _SEED)
    client = OpenAI(base_url=f"{url}/v1", api_key="demo", max_retries=0)
    started = time.perf_counter()
    ours = _asked(client, "auto", asked)
    theirs = _asked(client, "embedded/large", asked)
    seconds = time.perf_counter() - started
    console.print(_table(ours, theirs))
    proof = compared(ours, theirs, seconds)
    console.print(
        f"right answers over the large model's: {_shown(proof.quality)}; promised at least {QUALITY:.2f} "
        f"with {CONFIDENCE:.0%} confidence\n"
        f"bytes over the large model's: {_shown(proof.cost)}\n"
        f"of what the large model alone gets right, {proof.kept:.1%} stays right"
    )
    return proof


def level_of(arm: str) -> str:
    """Of whom a reply names."""
    if arm.startswith("program/"):
        return "program"
    if arm in LEVELS:
        return arm
    return "token" if arm.startswith("embedded/pair") else "unit" if "budget=" in arm else "query"


def write_report(console: Console, build: Path) -> Path:
    """The ledger's page."""
    from pointsman.gateway.ledger import read_entries, read_grids
    from pointsman.query.report import collect, to_html

    ledger, page = build / "ledger.db", build / "report.html"
    grids = {level: {grid.request_id: grid.rows for grid in read_grids(ledger, level)} for level in ("token", "unit")}
    found = collect(lambda: read_entries(ledger), "moved_bytes", grids["token"], grids["unit"])
    page.write_text(to_html(found, ledger.name), encoding="utf-8")
    console.print(f"the whole of it as a page: {page.resolve().as_uri()}")
    return page


def _asked(client: OpenAI, model: str, asked: Sequence[Asked]) -> list[Reply]:
    with bar(f"asking {model}", len(asked)) as advance:
        found = []
        for one in asked:
            reply = client.chat.completions.create(model=model, messages=[{"role": "user", "content": one.text}])
            found.append(reply_of(reply, one))
            if model == "auto" and found[-1].level != "parts":  # of which each part has a request of its own
                told = {"correct": found[-1].is_right}
                client.post(f"/pointsman/feedback/{reply.id}", body=told, cast_to=object)
            advance(1)
    return found


def reply_of(reply: ChatCompletion, asked: Asked) -> Reply:
    """What counts of a reply to that request. Raises InternalError `demo_reply` where it tells no costs."""
    note = (reply.model_extra or {}).get("pointsman")
    if note is None:
        raise InternalError("a reply has no field `pointsman`", code="demo_reply")
    costs = [note.get("billed") or note["cost"], note.get("missed") or {}]
    moved_bytes = sum(int(cost.get("moved_bytes", 0)) for cost in costs)
    return Reply(level_of(note["arm"]), asked.is_right(reply.choices[0].message.content or ""), moved_bytes)


def _table(ours: Sequence[Reply], theirs: Sequence[Reply]) -> Table:
    table = Table(title="auto beside the large model alone, by the level that answered", title_justify="left")
    for name in ("level", "requests", "right", "right, large", "MB", "MB, large"):
        table.add_column(name, justify="left" if name == "level" else "right")
    both = list(zip(ours, theirs, strict=True))
    for level in (*LEVELS, "all"):
        rows = [pair for pair in both if level in ("all", pair[0].level)]
        if rows:
            ways = list(zip(*rows, strict=True))
            table.add_row(level, f"{len(rows):,}", *(show(way) for show in (_right, _megabytes) for way in ways))
    return table


def _right(replies: Sequence[Reply]) -> str:
    return f"{statistics.fmean(one.is_right for one in replies):.1%}"


def _megabytes(replies: Sequence[Reply]) -> str:
    return f"{sum(one.moved_bytes for one in replies) / 1e6:,.1f}"


def compared(ours: Sequence[Reply], theirs: Sequence[Reply], seconds: float) -> Proof:
    """Both ways to the same requests, in order."""
    kept = [a.is_right for a, b in zip(ours, theirs, strict=True) if b.is_right]
    return Proof(
        _ratio([one.is_right for one in ours], [one.is_right for one in theirs]),
        _ratio([one.moved_bytes for one in ours], [one.moved_bytes for one in theirs]),
        statistics.fmean(kept) if kept else 1.0,
        len(ours),
        round(seconds, 2),
    )


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float, float]:
    """Of the sums, with the bootstrap interval over requests."""
    rng, count = random.Random(_SEED), len(ours)  # noqa: S311
    found = []
    for _ in range(_RESAMPLES):
        drawn = rng.choices(range(count), k=count)
        found.append(sum(ours[i] for i in drawn) / max(sum(theirs[i] for i in drawn), 1))
    found.sort()
    low, high = found[int(0.025 * _RESAMPLES)], found[int(0.975 * _RESAMPLES)]
    return round(sum(ours) / max(sum(theirs), 1), 4), round(low, 4), round(high, 4)


def _shown(ratio: tuple[float, float, float]) -> str:
    return f"{ratio[0]:.3f} ({ratio[1]:.3f} to {ratio[2]:.3f})"
