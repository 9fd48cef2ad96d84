"""A run as a record that can be checked again without any model: what decided, where, and what was answered.

    {"format": "pointsman-trace", "version": 1, "program": "price", "tables": "9f...", "inputs": {...},
     "fuel": 10000000,
     "steps": [{"function": "price", "state": 0, "exit": 2, "exits": 5, "by": "guards", "confidence": 1.0,
                "values": {"days": "12"}}],
     "replies": [{"kind": "judge", "wording": "...", "type": "bool", "options": [], "text": "...", "value": true,
                  "confidence": 0.98, "rung": "recorded"}],
     "kind": "value", "result": "17"}

A *step* is a region of decisions that was left by one of its exits, or a loop that took an item or ended. A trace
holds the inputs and the texts that were asked about.

Not covered: the depth at which recursion ends, which depends on Python's stack.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from pointsman.core import BadRequest, Cost, NotFound
from pointsman.core.asking import Question, Reply, Value
from pointsman.program.artefact import region_hash
from pointsman.program.convert import bind_inputs
from pointsman.program.ir import content_hash
from pointsman.program.judgement import Unanswered, answering, current_asking
from pointsman.program.results import exception_json, exception_text, to_json
from pointsman.program.runtime import DEFAULT_FUEL, Answer, Table
from pointsman.program.stepping import Driver, Place, Stepper
from pointsman.program.support import OutOfFuel
from pointsman.program.table.machine import Decide, Node, Pick, Switch, Take, successors

__all__ = ["Audit", "Trace", "audit", "exits", "load_trace", "run_traced"]

_FORMAT: Final = "pointsman-trace"
_VERSION: Final = 1
_ADDRESS: Final = re.compile(r" at 0x[0-9a-f]+")
_SHOWN: Final = 80  # characters of a value


@dataclass(frozen=True, slots=True)
class Step:
    """A region of decisions, or a loop over items: where it is, its exit of how many, who chose it, and how surely."""

    function: str
    state: int
    exit: int
    exits: int
    by: str
    confidence: float
    values: dict[str, str]


@dataclass(frozen=True, slots=True)
class Answered:
    """A question about a text, with its reply."""

    kind: Literal["judge", "choose", "extract"]
    wording: str
    type: Literal["bool", "int", "float", "date", "option", "span"]
    options: tuple[str, ...]
    text: str
    value: Value
    confidence: float
    rung: str


@dataclass(frozen=True, slots=True)
class Trace:
    """One run. ``result``: JSON text, as in ``runtime.Answer``."""

    format: str
    version: int
    program: str
    tables: str
    inputs: Any
    fuel: int
    steps: list[Step]
    replies: list[Answered]
    kind: Literal["value", "exception", "out_of_fuel"]
    result: str

    def save(self, path: Path) -> None:
        """Raises BadRequest ``cannot_write``."""
        try:
            path.write_text(json.dumps(asdict(self), ensure_ascii=True, indent=1) + "\n", encoding="utf-8")
        except OSError as exc:
            raise BadRequest(f"cannot write {str(path)!r}: {exc.strerror}", code="cannot_write") from exc


def load_trace(path: Path) -> Trace:
    """Raises NotFound ``no_trace``, BadRequest ``bad_trace``."""
    try:
        trace = msgspec.json.decode(path.read_bytes(), type=Trace)
    except FileNotFoundError as exc:
        raise NotFound(f"no file {str(path)!r}", code="no_trace") from exc
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise BadRequest(f"{path}: not a trace: {exc}", code="bad_trace") from exc
    if (trace.format, trace.version) != (_FORMAT, _VERSION):
        raise BadRequest(f"{path}: not a trace of version {_VERSION}", code="bad_trace")
    return trace


def exits(region: Node) -> list[Node]:
    """What a region of decisions can come to: the first nodes that do not decide, in the order of its ways.

    A loop over items goes on with one or ends.
    """
    if isinstance(region, Take):
        return list(dict.fromkeys((region.then, region.exhausted)))
    found: dict[Node, None] = {}
    stack: list[Node] = [region]
    seen: set[Node] = {region}
    while stack:
        node = stack.pop()
        if not isinstance(node, Decide | Switch | Pick):
            found[node] = None
            continue
        fresh = [child for child in dict.fromkeys(successors(node)) if child not in seen]
        seen.update(fresh)
        stack.extend(reversed(fresh))
    return list(found)


def run_traced(
    table: Table, inputs: dict[str, Any] | list[Any], *, driver: Driver | None = None, fuel: int = DEFAULT_FUEL
) -> tuple[Answer, Trace]:
    """Runs on JSON inputs, state by state, and records it. Raises BadRequest ``bad_inputs``, what questions raise."""
    recording, given = _Recording(driver), copy.deepcopy(inputs)  # a program may change what it is given
    answer = _stepped(table, inputs, recording, fuel)
    asking = current_asking()
    replies = [] if asking is None else [_answered(*asked, reply) for asked, reply in asking.replies.items()]
    about = (_FORMAT, _VERSION, table.name, tables_hash(table), given, fuel)
    return answer, Trace(*about, recording.steps, replies, answer.kind, answer.json_text)


def tables_hash(table: Table) -> str:
    """Of all regions of a program: equal for programs that decide alike."""
    machines = sorted(table.program.machines.items())
    return content_hash([(name, [region_hash(state) for state in machine.states]) for name, machine in machines])


def _answered(question: Question, text: str, reply: Reply) -> Answered:
    return Answered(
        question.kind,
        question.wording,
        question.type,
        question.options,
        text,
        reply.value,
        reply.confidence,
        reply.rung,
    )


def _stepped(table: Table, inputs: dict[str, Any] | list[Any], driver: Driver, fuel: int) -> Answer:
    stepper = Stepper(table.program, fuel, records=table.records, opaque=table.opaque, driver=driver)
    args, kwargs = bind_inputs(table.machine, table.program.records, stepper.classes, inputs)
    kind: Literal["value", "exception", "out_of_fuel"] = "value"
    try:
        text = to_json(stepper.function(table.name)(*args, **kwargs))
    except OutOfFuel:
        kind, text = "out_of_fuel", exception_json("OutOfFuel", f"no result within {fuel} states")
    except Unanswered as exc:
        raise exc.error from exc
    except (Exception, SystemExit, GeneratorExit) as exc:  # noqa: BLE001  whatever the program raises is its outcome
        kind, text = "exception", exception_json(type(exc).__name__, exception_text(exc))
    return Answer(kind, text, fuel - max(stepper.fuel, 0))


@dataclass
class _Recording:
    """A driver that notes what another one, or the guards, decide."""

    driver: Driver | None
    steps: list[Step] = field(default_factory=list)

    @property
    def decided(self) -> tuple[str, float]:
        return ("guards", 1.0) if self.driver is None else self.driver.decided

    def choose(self, place: Place, exact: Node) -> Node:
        chosen = exact if self.driver is None else self.driver.choose(place, exact)
        self.steps.append(_step(place, chosen, *self.decided))
        return chosen


def _step(place: Place, chosen: Node, by: str, confidence: float) -> Step:
    ways = exits(place.node)
    index = ways.index(chosen)
    values = {name: _shown(place.values[name]) for name, _ in place.state.variables if name in place.values}
    return Step(place.machine.name, place.state.index, index, len(ways), by, confidence, values)


def _shown(value: Any) -> str:
    """A value for people, and to compare: the beginning of its repr, without what differs in every process.

    That is addresses of objects and the order of sets. Long containers are read as far as they are shown.
    """
    text = ""
    for piece in _pieces(value, _SHOWN):
        text += piece
        if len(text) >= _SHOWN:
            break
    return text[:_SHOWN]


def _pieces(value: Any, depth: int) -> Iterator[str]:
    kind = type(value)
    if depth and kind in {list, tuple} and value:
        opening, closing = ("[", "]") if kind is list else ("(", ",)" if len(value) == 1 else ")")
        for number, item in enumerate(value):
            yield ", " if number else opening
            yield from _pieces(item, depth - 1)
        yield closing
    elif depth and kind is dict:
        yield "{"
        for number, (key, item) in enumerate(value.items()):
            yield ", " if number else ""
            yield from _pieces(key, depth - 1)
            yield ": "
            yield from _pieces(item, depth - 1)
        yield "}"
    elif kind in {set, frozenset} and value:
        items = ", ".join(sorted(map(_shown, value)))
        yield f"{{{items}}}" if kind is set else f"frozenset({{{items}}})"
    else:
        yield _ADDRESS.sub("", _repr(value))


def _repr(value: Any) -> str:
    try:
        return repr(value)
    except (ValueError, RecursionError):  # Python writes no integer of more than some thousand digits
        return hex(value) if type(value) is int else f"<{type(value).__name__}>"


# -- checking it again -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Audit:
    """What a check of a trace found.

    Attributes:
        num_steps: how many of its steps were reached again.
        wrong_steps: numbers of steps at which something else than the guards' exit was taken.
        findings: what is not as the trace has it, for people; none where it is a record of this program's run.
    """

    num_steps: int
    wrong_steps: tuple[int, ...]
    findings: tuple[str, ...]

    @property
    def is_exact(self) -> bool:
        """Whether the trace is true, and every step was the right one."""
        return not self.findings and not self.wrong_steps


def audit(trace: Trace, table: Table) -> Audit:
    """Runs the trace's inputs again, with its replies, along the exits that it took.

    Raises:
        BadRequest: `other_program` where the trace is of other tables; `bad_inputs` where its inputs are none.
    """
    if trace.tables != tables_hash(table):
        raise BadRequest(
            f"the trace is of other tables than {table.name!r} has (a program {trace.program!r})", code="other_program"
        )
    again = _Again(trace.steps)
    with answering(_Replies(trace.replies)):
        answer = _stepped(table, copy.deepcopy(trace.inputs), again, trace.fuel)
    if again.position < len(trace.steps):
        again.findings.append(f"the run ends after {again.position} steps; the trace has {len(trace.steps)}")
    if (answer.kind, answer.json_text) != (trace.kind, trace.result):
        again.findings.append(f"the run comes to {answer.json_text:.200}; the trace says {trace.result:.200}")
    return Audit(again.position, tuple(again.wrong), tuple(again.findings))


@dataclass
class _Again:
    """A driver that takes the exits of a trace."""

    steps: Sequence[Step]
    position: int = 0
    wrong: list[int] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    decided: tuple[str, float] = ("trace", 1.0)

    def choose(self, place: Place, exact: Node) -> Node:
        if self.position >= len(self.steps):
            self.findings += [f"the run goes on where the trace ends, at step {self.position + 1}"][: not self.findings]
            return exact
        number, step, ways = self.position, self.steps[self.position], exits(place.node)
        self.position += 1
        expected = _step(place, ways[min(max(step.exit, 0), len(ways) - 1)], step.by, step.confidence)
        if expected != step:
            self.findings.append(f"step {number + 1} is not at {step.function} state {step.state} with these values")
            return exact
        if ways[step.exit] != exact:
            self.wrong.append(number)
        return ways[step.exit]


class _Replies:
    """Answers as a trace has them."""

    def __init__(self, replies: Sequence[Answered]) -> None:
        self._replies = {
            (Question(one.kind, one.wording, one.type, one.options), one.text): Reply(
                one.value, one.confidence, one.rung, Cost.zero()
            )
            for one in replies
        }

    def answer(self, asked: Sequence[tuple[Question, str]]) -> list[Reply]:
        missing = [question.wording for question, text in asked if (question, text) not in self._replies]
        if missing:
            raise BadRequest(f"the trace has no reply to {missing[0]!r}", code="bad_trace")
        return [self._replies[pair] for pair in asked]
