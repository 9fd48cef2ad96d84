"""The child's side of the differential test: run the source, link the program, call both, report.

Reports are lists whose first item names them:
    ["at", phase, call, tested, undecided, unstable, returned]   before ``linking``, and before each call of the
                                                                 ``original`` or the ``emitted``
    ["mismatch", call, original, emitted]                        several while a counterexample is made smaller
    ["tests", passed, total]                                     own tests, on the original
    ["extra", done]                                              how many extra inputs were tested, none left out
    ["unrunnable", why]
"""

from __future__ import annotations

import contextlib
import copy
import random
import sys
import time
import types
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pointsman.program.check.behaviour import Behaviour, Row, observe, same, show
from pointsman.program.check.choices import choose
from pointsman.program.check.examples import call_text, definition, recorded_rows, run_tests
from pointsman.program.check.inputs import Inputs, rows
from pointsman.program.check.sandbox import Send, TimeUp, time_limit
from pointsman.program.check.scripted import ScriptedAnswers
from pointsman.program.check.shapes import constants_of
from pointsman.program.check.shrink import shrink
from pointsman.program.judgement import answering
from pointsman.program.link import link
from pointsman.program.table.machine import Program

__all__ = ["ORIGINAL_SECONDS", "Task", "run_trial"]

ORIGINAL_SECONDS = 0.1  # chosen: a call that takes longer says little per second spent on it
_EMITTED_FACTOR = 10
_EMITTED_LEAST_SECONDS = 1.0
_COMPARE_SECONDS = 1.0
_MODULE = "pointsman.emitted"  # as in emitted code: messages show it
_TESTS = "the function's own tests"
_SHRINK_SECONDS = 1.5
_STACK_ORIGINAL, _STACK_EMITTED = 1_000, 4_000  # frames; the emitted one may use more than the original for a call


@dataclass(frozen=True, slots=True)
class Task:
    """``tests``: statements that call the function by name, such as assertions. ``doctests``: and the docstring's."""

    source: str
    filename: str
    program: Program
    seed: int
    max_examples: int
    seconds: float
    extra_inputs: Sequence[Any] = ()
    tests: str = ""
    paths: tuple[str, ...] = ()
    doctests: bool = True


class _Stop(BaseException):
    """The time is spent."""


class _Unrunnable(Exception):
    """The source cannot be executed."""


def run_trial(task: Task, send: Send) -> None:
    """Everything of one differential test. Call in a sandboxed child: it executes the source."""
    warnings.simplefilter("ignore")
    random.seed(task.seed)
    try:
        trial = _Trial(task, _execute(task), send)
    except _Unrunnable as exc:
        send(["unrunnable", str(exc)])
        return
    constants = constants_of(definition(task.source, task.program.entry))
    with contextlib.suppress(_Stop), answering(ScriptedAnswers((*constants["int"], *constants["float"]))):
        trial.run()
    trial.report("end", "")


def _execute(task: Task) -> dict[str, Any]:
    """The source's namespace after running it as a module that is not ``__main__``."""
    sys.path[:0] = task.paths
    module = types.ModuleType(_MODULE)
    sys.modules[_MODULE] = module  # dataclasses look their module up by name
    sys.setrecursionlimit(_STACK_ORIGINAL)
    try:
        code = compile(task.source, task.filename, "exec", dont_inherit=True)
        with time_limit(max(1.0, task.seconds)):
            exec(code, module.__dict__)  # noqa: S102  the one place where a source is executed, in a sandboxed child
    except BaseException as exc:
        raise _Unrunnable(f"running the source raises {type(exc).__name__}: {exc}"[:300]) from exc
    if task.program.entry not in module.__dict__:
        raise _Unrunnable(f"running the source does not define {task.program.entry!r}")
    return module.__dict__


class _Trial:
    def __init__(self, task: Task, namespace: dict[str, Any], send: Send) -> None:
        self.task, self.namespace, self.send = task, namespace, send
        self.entry = task.program.entry
        self.original: Callable[..., Any] = namespace[self.entry]
        self.agreed: set[str] = set()  # calls, so that shrinking does not repeat them
        self.tested = self.undecided = self.unstable = self.returned = 0
        program = task.program
        missing = [name for name in program.opaque if name not in namespace]
        if missing:
            raise _Unrunnable(f"running the source does not define {missing[0]!r}")
        self.classes = {name: namespace[name] for name in program.records if isinstance(namespace.get(name), type)}
        opaque = {name: namespace[name] for name in program.opaque}
        self.report("linking", "")
        as_run = link(program, records=self.classes, opaque=opaque)
        tables = link(program, records=self.classes, opaque=opaque, every_table=True)
        self.emitted: Callable[..., Any] = as_run.entry
        # the tables that are shown are tested, and the code that runs
        self.forms = [as_run.entry] if as_run.source == tables.source else [tables.entry, as_run.entry]
        self.base_depth = _depth() + 20
        self.deadline = time.monotonic() + task.seconds

    def report(self, phase: str, call: str) -> None:
        self.send(["at", phase, call, self.tested, self.undecided, self.unstable, self.returned])

    def run(self) -> None:
        tests, seconds = self.task.tests, min(1.0, self.task.seconds / 2)
        examples = recorded_rows(self.entry, self.original, self.namespace, tests, seconds, doctests=self.task.doctests)
        if tests and not self._tests_agree():
            return
        if not all(map(self._agrees_or_shrinks, examples)):
            return
        before = self.undecided + self.unstable
        for done, item in enumerate(self.task.extra_inputs, 1):
            if not self._agrees_or_shrinks(_row(item)):
                return
            if self.undecided + self.unstable == before:
                self.send(["extra", done])
        all(map(self._agrees_or_shrinks, self._generated(examples)))

    def _agrees_or_shrinks(self, row: Row) -> bool:
        """False for a mismatch, of which smaller forms are then reported."""
        agrees = self.agrees(row)
        if not agrees:
            shrink(row, lambda smaller: not self.agrees(smaller), _SHRINK_SECONDS)
        return agrees

    # -- one input ---------------------------------------------------------------------------------------------------

    def agrees(self, row: Row) -> bool:
        """False for a confirmed mismatch, which is then reported. Raises _Stop when the time is spent."""
        left_seconds = self.deadline - time.monotonic()
        if left_seconds <= 0:
            raise _Stop
        call = call_text(self.entry, row)
        if call in self.agreed:
            return True
        self.report("original", call)
        left = self._observe_original(row, min(ORIGINAL_SECONDS / (1 + self.undecided), left_seconds))
        if left is None or left.kind == "exhausted":
            self.undecided += 1
            return True
        self.report("emitted", call)
        right = self._observe_emitted(row, left)
        agree = _same(left, right)
        if agree is False:
            self.report("confirming", call)
            if self._confirmed(row, left):
                self.send(["mismatch", call, *_difference(left, right)])
                return False
            self.unstable += 1
        elif agree:
            self.agreed.add(call)
            self.tested += 1
            self.returned += left.kind == "returned"
        else:
            self.undecided += 1
        return True

    def _observe_original(self, row: Row, seconds: float) -> Behaviour | None:
        try:
            return observe(self.original, copy.deepcopy(row), seconds, self.base_depth + _STACK_ORIGINAL)
        except Exception:  # noqa: BLE001  a value that cannot be copied cannot be tested
            return None

    def _observe_emitted(self, row: Row, left: Behaviour) -> Behaviour:
        seconds = max(_EMITTED_LEAST_SECONDS, _EMITTED_FACTOR * left.seconds)
        for form in self.forms:
            right = observe(form, copy.deepcopy(row), seconds, self.base_depth + _STACK_EMITTED)
            if _same(left, right) is not True:
                break
        return right

    def _confirmed(self, row: Row, left: Behaviour) -> bool:
        """Whether the original does the same again, and the emitted function still does something else."""
        again = self._observe_original(row, ORIGINAL_SECONDS * 2)
        if again is None or not _same(left, again):
            return False
        return _same(again, self._observe_emitted(row, again)) is False

    # -- where inputs come from --------------------------------------------------------------------------------------

    def _tests_agree(self) -> bool:
        """Runs the own tests on both: each must end alike."""
        results: list[list[Behaviour]] = []
        for phase, candidate in (("original", self.original), ("emitted", self.emitted)):
            self.report(phase, _TESTS)
            names = {**self.namespace, self.entry: candidate}
            results.append(run_tests(self.task.tests, names, self.base_depth + _STACK_EMITTED))
        self.send(["tests", sum(left.kind == "returned" for left in results[0]), len(results[0])])
        for left, right in zip(*results, strict=True):
            if left.kind not in {right.kind, "exhausted"}:
                self.send(["mismatch", _TESTS, show(left), show(right)])
                return False
        return True

    def _generated(self, examples: list[Row]) -> Iterator[Row]:
        program = self.task.program
        params = program.machines[self.entry].params if self.entry in program.machines else ()
        node = definition(self.task.source, self.entry)
        choices = choose(node, params, program.records, examples, self.original, self.base_depth + _STACK_ORIGINAL)
        inputs = Inputs(program.records, self.classes, constants_of(node))
        return islice(rows(params, choices, inputs, examples, self.task.seed), self.task.max_examples if params else 1)


def _same(left: Behaviour, right: Behaviour) -> bool | None:
    """None where the results are too large to compare."""
    try:
        with time_limit(_COMPARE_SECONDS):
            return same(left, right)
    except (TimeUp, RecursionError, MemoryError):
        return None


def _difference(left: Behaviour, right: Behaviour) -> tuple[str, str]:
    """Both behaviours as texts that differ."""
    texts = show(left), show(right)
    if texts[0] != texts[1]:
        return texts
    after = repr(left.args), repr(right.args)
    if after[0] != after[1]:
        return f"{texts[0]}, leaving the arguments {after[0]}", f"{texts[1]}, leaving the arguments {after[1]}"
    return f"{texts[0]}, as it shares objects there", f"{texts[1]}, sharing other objects, or of other types"


def _depth() -> int:
    frame, depth = sys._getframe(), 0
    while frame.f_back is not None:
        frame, depth = frame.f_back, depth + 1
    return depth


def _row(item: Any) -> Row:
    """An extra input: positional arguments, or all arguments by name."""
    return ((), dict(item)) if isinstance(item, dict) else (tuple(item), {})
