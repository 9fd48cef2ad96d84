"""Tracks of `auto` that answer by themselves: memory, programs, the solver. Each gives a plan, or says why not."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec

from pointsman.core import BadRequest, Cost, Decision, InternalError
from pointsman.gateway import wire
from pointsman.gateway.auto.asked import Asked, Missed, Plan
from pointsman.gateway.programs import PREFIX
from pointsman.gateway.tap import Heard

if TYPE_CHECKING:  # each is loaded where it is configured only
    from pointsman.program.text.router import Router
    from pointsman.query.memory import Look, Memory
    from pointsman.query.solver import Answer, Problem

__all__ = ["POLICY", "MemoryTrack", "ProgramTrack", "SolverTrack"]

POLICY: Final = "route-or-infer/1"

_SOLVE_S: Final = 2.0
"""Seconds for one problem. Chosen: above the 99th percentile of `bench solver`, short of what a model would take."""

_MOST_WAITING: Final = 4
"""Problems that are solved or wait; what comes besides is not kept waiting. Chosen."""

_PROVED: Final = ("unique", "optimal")
"""Verdicts that answer. The questions that `query.solver.text` reads ask for values, never whether there is a solution
or how many, so `several` and `infeasible` answer none of them."""

_LOG = logging.getLogger("pointsman.gateway")


class MemoryTrack:
    """Answers what was answered before to the same API key. A request without one is neither answered nor kept."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="memory")

    async def find(self, asked: Asked) -> tuple[Plan | str, Look | None]:
        """A plan or why not, and what `keep` needs."""
        api_key = asked.call.api_key
        if api_key is None:
            return "no_api_key", None
        try:
            look = await asyncio.get_running_loop().run_in_executor(self._thread, self._look, api_key, asked)
        except BadRequest as error:  # of messages, or of the file: another arm answers, or says what is wrong
            _LOG.warning("%s: memory does not answer: %s (%s)", asked.call.request_id, error.message, error.code)
            return error.code, None
        if look.kept is None:
            return look.reason, look
        return Plan(Decision("memory", look.reason, POLICY), "memory", look.kept.answer, look.cost), look

    def keep(self, look: Look, heard: Heard, arm: str) -> None:
        """Keeps an answer that ended by itself, later and on another thread."""
        if heard.is_answer and heard.billed is not None and heard.finish_reason == "stop" and heard.num_choices == 1:
            self._thread.submit(self._keep, look, heard.text, heard.billed, arm)

    def told(self) -> dict[str, int]:
        """Numbers, as JSON."""
        return {"num_entries": len(self._memory), "kept_bytes": self._memory.kept_bytes}

    def close(self) -> None:
        """Writes what is left. Blocks."""
        self._thread.shutdown(wait=True)
        self._memory.close()

    def _keep(self, look: Look, text: str, cost: Cost, arm: str) -> None:
        try:
            self._memory.keep(look, text, cost, arm)
        except BadRequest as error:
            _LOG.warning("memory does not keep an answer: %s (%s)", error.message, error.code)

    def _look(self, api_key: str, asked: Asked) -> Look:
        from pointsman.query.memory import Request

        body = wire.read(msgspec.json.decode, asked.call.body, "the request body", "invalid_json")
        return self._memory.look(api_key, Request.of(body, asked.preference.quality))


class ProgramTrack:
    """Answers what a program covers surely enough."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="auto")

    async def find(self, asked: Asked) -> Plan | Missed:
        """A plan, or why not. Raises what readers raise."""
        if asked.text is None:
            return Missed("not_one_text")
        found = await asyncio.get_running_loop().run_in_executor(self._thread, self._router.answer, asked.text)
        if found.answer is None:
            return Missed("not_covered", found.cost)
        decision = Decision(f"{PREFIX}{found.program}", "covered", POLICY)
        text, states = _plain(found.answer.json_text), found.answer.states_visited
        return Plan(decision, "program", text, found.cost, states_visited=states)

    def close(self) -> None:
        """Ends the thread after the request that it is at."""
        self._thread.shutdown(wait=False, cancel_futures=True)


class SolverTrack:
    """Answers problems over finite domains in words, where a verdict proves the answer."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="solver")
        self._num_waiting = 0

    async def find(self, asked: Asked) -> Plan | Missed:
        """A plan, or why not."""
        from pointsman.query.solver.text import recognise

        if asked.text is None or asked.is_shaped:
            return Missed("not_one_text")
        if recognise(asked.text) is None:
            return Missed("no_such_problem")
        if self._num_waiting >= _MOST_WAITING:
            return Missed("busy")
        self._num_waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._solved, asked.text)
        finally:
            self._num_waiting -= 1

    def close(self) -> None:
        """Ends the thread after the problem that it is at."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _solved(self, text: str) -> Plan | Missed:
        from pointsman.query.solver import solve
        from pointsman.query.solver.text import read_problem

        reading = read_problem(text)
        if reading.problem is None:
            return Missed(reading.reason or "not_read", reading.cost)
        try:
            answer = solve(reading.problem, _SOLVE_S, conflict_s=0)
        except InternalError as error:
            _LOG.error("%s (%s); another track answers", error.message, error.code)
            return Missed(error.code, reading.cost)
        if answer.verdict not in _PROVED or answer.solution is None:
            return Missed(f"verdict_{answer.verdict}", reading.cost)
        decision = Decision("solver", answer.verdict, POLICY)
        cost = replace(Cost.zero(), seconds=reading.cost.seconds + answer.cost.seconds)
        return Plan(decision, "solver", _as_text(reading.problem, answer), cost)


def _plain(json_text: str | bytes) -> str:
    """A program's value for who asked in free words: a string as its text, everything else as JSON."""
    value = json_text if isinstance(json_text, str) else json_text.decode()
    return str(msgspec.json.decode(value)) if value.startswith('"') else value


def _as_text(problem: Problem, answer: Answer) -> str:
    """The one value that is asked for; several each on a line with its name; last the best value of an objective."""
    assert answer.solution is not None
    asked = {name: _shown(answer.solution[name]) for name in problem.asked()}
    if len(asked) == 1 and answer.objective is None:
        return next(iter(asked.values()))
    best = [] if answer.objective is None else [f"objective: {answer.objective}"]
    return "\n".join((*(f"{name}: {value}" for name, value in asked.items()), *best))


def _shown(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
