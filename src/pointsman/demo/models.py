"""The models of the demo: both embedded ones, and the two together, answer the same held-out problems over HTTP."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
from rich.console import Console
from rich.progress import Progress, TaskID

from pointsman.core import InternalError
from pointsman.embedded import DIFFICULTIES, FAMILIES, Problem, draw
from pointsman.embedded.pair import SIZES

EACH = 5  # of every family and difficulty: 200 in all
CONNECTIONS = 16
_TIMEOUT_S = 300


@dataclass(frozen=True, slots=True)
class _Reply:
    is_right: bool
    completion_tokens: int
    moved_bytes: int


def ask_models(console: Console, url: str) -> dict[str, dict[str, float]]:
    """Accuracy, tokens and bytes of each model, printed and returned."""
    problems = [
        draw(family, difficulty, "test", f"demo/{index}")
        for family in FAMILIES
        for difficulty in DIFFICULTIES
        for index in range(EACH)
    ]
    found: dict[str, dict[str, float]] = {}
    for size in (*SIZES, "pair"):
        start = time.perf_counter()
        with Progress(console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task(f"asking embedded/{size}", total=len(problems))
            replies = asyncio.run(_ask_all(url, f"embedded/{size}", problems, progress, task))
        found[size] = {
            "accuracy": round(statistics.fmean(reply.is_right for reply in replies), 4),
            "tokens": sum(reply.completion_tokens for reply in replies),
            "moved_bytes": sum(reply.moved_bytes for reply in replies),
            "seconds": round(time.perf_counter() - start, 2),
        }
        console.print(
            f"embedded/{size}: {found[size]['accuracy']:.1%} of {len(problems)} held-out problems right, "
            f"{found[size]['tokens']:,} tokens written, {found[size]['moved_bytes'] / 1e9:,.2f} GB moved, "
            f"{found[size]['seconds']} s"
        )
    return found


async def _ask_all(url: str, model: str, problems: Sequence[Problem], progress: Progress, task: TaskID) -> list[_Reply]:
    """The replies in the order of the problems, a few requests at a time."""
    gate = asyncio.Semaphore(CONNECTIONS)
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:

        async def ask(problem: Problem) -> _Reply:
            async with gate:
                reply = await _ask(session, url, model, problem)
            progress.advance(task)
            return reply

        return await asyncio.gather(*map(ask, problems))


async def _ask(session: aiohttp.ClientSession, url: str, model: str, problem: Problem) -> _Reply:
    request = {"model": model, "messages": [{"role": "user", "content": problem.prompt}]}
    async with session.post(f"{url}/v1/chat/completions", json=request) as response:
        body: dict[str, Any] = await response.json()
    if response.status != 200:
        raise InternalError(f"{model} answered with {response.status}: {body['error']['message']}", code="demo_model")
    answer = body["choices"][0]["message"]["content"]
    cost = body["pointsman"]["cost"]
    return _Reply(problem.is_right(answer), cost["completion_tokens"], cost["moved_bytes"])
