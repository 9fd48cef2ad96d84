"""Compiled programs as models: each is served under the name `program/NAME` at a cost of no tokens.

A program runs on the event loop, which adds no latency while answers take microseconds. Once an answer of a program
has taken longer than `SLOW_S`, that program runs on a thread of its own from then on, so that a computation of many
steps delays other requests by thread switches only.

Not covered: one huge operation, such as `10 ** 10 ** 9`. It is one step that holds the interpreter's lock from start to
end, on whatever thread, and so holds up the whole process, signals included. A process for each program, which would
confine that, is not built. Nor does a thread's run end when the server is told to stop: the process waits for it.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from starlette.types import Receive, Send

from pointsman.core import BadRequest, Cost, Decision, Unverified
from pointsman.core.asking import Answerer
from pointsman.gateway import wire
from pointsman.gateway.arms import POLICY_VERSION, Call, Ending, send_answer

if TYPE_CHECKING:  # a gateway without programs does not load the compiler
    from pointsman.program import Table
    from pointsman.program.ladder import Rung
    from pointsman.program.text.router import Router

PREFIX = "program/"
SUFFIX = ".route.json"

SLOW_S = 0.005
"""Longest answer, in seconds, that still leaves a program on the event loop. Chosen: the length of CPython's own
thread switch interval, so below it a thread would change little for other requests."""

_REASONS = {
    "value": "program_value",
    "exception": "program_exception",
    "out_of_fuel": "out_of_fuel",
    "question": "asks_back",
}


class ProgramAnswer(Protocol):
    """What a program came to."""

    @property
    def kind(self) -> Literal["value", "exception", "out_of_fuel", "question"]:
        """A result, an exception that the program raised, the end of its fuel before either, or what is missing."""

    @property
    def json_text(self) -> bytes | str:
        """The answer's whole content as JSON: the result, or `{"exception": {"type": ..., "message": ...}}`."""

    @property
    def states_visited(self) -> int:
        """States of the routing table that were entered."""

    @property
    def cost(self) -> Cost:
        """What answering its questions took; nothing where it asks none."""


class Program(Protocol):
    """A compiled program, as far as the gateway knows it."""

    @property
    def name(self) -> str:
        """Its name, without the prefix `program/`."""

    @property
    def description(self) -> str:
        """One line for people."""

    @property
    def asks(self) -> bool:
        """Whether models answer questions for it, so that an answer takes more than microseconds."""

    def answer(self, inputs: wire.Inputs) -> ProgramAnswer:
        """Runs the program. Blocks; never called twice at once for one program, but perhaps from two threads in turn.

        Raises:
            BadRequest: `inputs` are not what the program takes.
            PointsmanError: a question cannot be answered.
        """


class ReadProgram:
    """A program with readers: they answer its questions, each once in a run, and read requests in free words."""

    def __init__(self, table: "Table", answerer: Answerer, reader: Answerer | None = None) -> None:
        self.name, self.description, self.asks = table.name, table.description, table.asks
        self.table, self._answerer, self._reader = table, answerer, reader or answerer

    def answer(self, inputs: wire.Inputs) -> ProgramAnswer:
        """See `Program.answer`."""
        from pointsman.program import answering

        with answering(self._answerer) as asking:
            found = self.table.answer(inputs)
        return replace(found, cost=sum((reply.cost for reply in asking.replies.values()), Cost.zero()))

    def answer_text(self, request: str, given: dict[str, object]) -> ProgramAnswer:
        """Runs the program on a request in free words, or asks for what is missing. Raises as `answer`."""
        from pointsman.program.text.router import answer_text

        return answer_text(self.table, request, given, self._reader, self._answerer)


class ProgramArm:
    """Serves one program."""

    def __init__(self, program: Program) -> None:
        self.owner = "pointsman"
        self.description = program.description
        self._program = program
        self._arm = PREFIX + program.name
        self._thread = self._new_thread() if program.asks else None

    async def answer(self, call: Call, receive: Receive, send: Send) -> None:
        """Runs the program on the request's inputs and sends what it came to, be it a value or an exception."""
        text = wire.free_words(call.request) if isinstance(self._program, ReadProgram) else None
        if text is not None:
            self._thread = self._thread or self._new_thread()
            work = partial(self._run_text, text, wire.given_inputs(call.request))
            result, seconds = await asyncio.get_running_loop().run_in_executor(self._thread, work)
            await self._send(call, result, seconds, send)
            return
        inputs = wire.program_inputs(call.request)
        if self._thread is None:
            result, seconds = self._run(inputs)
            if seconds > SLOW_S:
                self._thread = self._new_thread()
        else:
            result, seconds = await asyncio.get_running_loop().run_in_executor(self._thread, self._run, inputs)
        await self._send(call, result, seconds, send)

    async def _send(self, call: Call, result: ProgramAnswer, seconds: float, send: Send) -> None:
        text = result.json_text
        await send_answer(call, text if isinstance(text, str) else text.decode(), self._ending(result, seconds), send)

    def _new_thread(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(max_workers=1, thread_name_prefix=self._arm)

    def close(self) -> None:
        """Ends the program's thread, if it has one, after the answer that it is computing."""
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)

    def _run(self, inputs: wire.Inputs) -> tuple[ProgramAnswer, float]:
        started = time.perf_counter()
        result = self._program.answer(inputs)
        return result, time.perf_counter() - started

    def _run_text(self, text: str, given: dict[str, object]) -> tuple[ProgramAnswer, float]:
        assert isinstance(self._program, ReadProgram)
        started = time.perf_counter()
        result = self._program.answer_text(text, given)
        return result, time.perf_counter() - started

    def _ending(self, result: ProgramAnswer, seconds: float) -> Ending:
        return Ending(
            decision=Decision(self._arm, _REASONS[result.kind], POLICY_VERSION),
            cost=replace(result.cost, seconds=seconds),
            finish_reason="length" if result.kind == "out_of_fuel" else "stop",
            states_visited=result.states_visited,
        )


def load_folder(
    paths: Iterable[Path],
    answerer_of: Callable[["Table"], Answerer] | None = None,
    reader: Answerer | None = None,
) -> list[Program]:
    """Loads compiled programs: every `*.route.json` of a folder, in the order of names, and every file named itself.

    Args:
        paths: files and folders.
        answerer_of: who answers the questions of a program that asks some.
        reader: who reads requests in free words; by default who answers a program's questions.

    Raises:
        BadRequest: `invalid_config` where a path does not exist, a folder holds no program, or two share a name;
            and whatever `pointsman.program.load_table` raises for a file that it cannot accept.
        Unverified: `nobody_answers` for a program that asks, where nobody is there to answer.
    """
    found: dict[str, Path] = {}
    programs: list[Program] = []
    for file in (file for path in paths for file in _files(path)):
        program = _load(file, answerer_of, reader)
        if program.name in found:
            message = f"two programs are named {program.name!r}: {found[program.name]} and {file}"
            raise BadRequest(message, code="invalid_config")
        found[program.name] = file
        programs.append(program)
    return programs


def _load(file: Path, answerer_of: Callable[["Table"], Answerer] | None, reader: Answerer | None) -> Program:
    from pointsman.program import load_table  # here, so that a gateway without programs does not load the compiler

    try:
        table = load_table(file)
    except Unverified as error:
        if error.code != "opaque_untrusted":
            raise
        message = f"{file} has opaque parts: the server runs no original functions; `pointsman run` can"
        raise Unverified(message, code=error.code) from error
    if table.asks and answerer_of is None:
        message = f"{file} asks questions about texts, which nobody answers; name a model with `serve --reader`"
        raise Unverified(message, code="nobody_answers")
    table.prepare()  # so that the first request does not wait for it
    return table if answerer_of is None else ReadProgram(table, answerer_of(table), reader)


def find_router(
    paths: Iterable[Path], programs: Sequence[Program], answerer_of: Callable[["Table"], Answerer], reader: "Rung"
) -> "Router | None":
    """What routes requests to the programs of the one folder that has routes; None where none has.

    Raises:
        BadRequest: `invalid_config` for two such folders; as `load_routes` and `Router`.
    """
    from pointsman.program.text.router import Router
    from pointsman.program.text.routes import load_routes

    found = [routes for path in paths if path.is_dir() and (routes := load_routes(path)) is not None]
    if len(found) > 1:
        raise BadRequest("two folders of programs have routes; expected one at most", code="invalid_config")
    tables = {program.name: program.table for program in programs if isinstance(program, ReadProgram)}
    return Router(tables, found[0], reader, answerer_of) if found else None


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise BadRequest(f"no compiled program or folder of them at {path}", code="invalid_config")
    files = sorted(path.glob(f"*{SUFFIX}"))
    if not files:
        raise BadRequest(f"the folder {path} holds no file named *{SUFFIX}", code="invalid_config")
    return files
