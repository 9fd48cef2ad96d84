"""Whether an emitted function does what CPython does on the original, on examples and generated inputs.

A difference is evidence of a defect; equality on some inputs is no proof. Both functions run in one sandboxed child
(see `sandbox` for what that covers), which is the only place where a source is executed.

An input counts as ``tested`` when both sides gave a behaviour and the two were the same (see `behaviour`). It is
``undecided`` when the original runs out of time, memory or stack, or when the results are too large to compare, and
``unstable`` when the original does something else when it is called again. An emitted function that takes ten times as
long as the original, and more than a second, is a mismatch.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from pointsman.program.check.sandbox import Limits, Outcome, run
from pointsman.program.check.trial import Task, run_trial
from pointsman.program.table.machine import Machine, Node, Program, nodes

__all__ = ["Differential", "Mismatch", "differential_test"]

Status: TypeAlias = Literal["equal", "mismatch", "undecided", "not_runnable", "failed"]

_LINK_SECONDS_A_NODE = 1e-3  # chosen: ten times what emitting and loading a node twice takes
_GRACE_SECONDS = 6.0  # above the most that one input may take: a child that is killed was stuck in one call


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A call, what CPython gives for it and what the emitted function gives, as texts."""

    input: str
    original: str
    emitted: str


@dataclass(frozen=True, slots=True)
class Differential:
    """``equal``: at least one input tested, no mismatch. ``not_runnable``: the source cannot be executed here.

    ``failed``: the emitted code cannot be loaded, or the test itself broke: a defect of ours.

    Attributes:
        returned: how many of the tested inputs gave a value; on the others both sides raised the same.
        extra_tested: how many of the extra inputs, from the first on, were tested before one was not.
        tests_passed: of the own tests that were given, how many pass on the original, and of how many.
        detail: why it is not runnable, or how the child ended when it did not end by itself.
    """

    status: Status
    tested: int
    returned: int
    undecided: int
    unstable: int
    mismatch: Mismatch | None
    seconds: float
    tests_passed: tuple[int, int] | None = None
    extra_tested: int = 0
    detail: str = ""


def differential_test(
    source: str,
    filename: str,
    program: Program,
    *,
    seed: int = 0,
    max_examples: int = 100,
    extra_inputs: Sequence[Any] = (),
    seconds: float = 5.0,
    tests: str = "",
    paths: tuple[str, ...] = (),
    doctests: bool = True,
) -> Differential:
    """Compares the program with its source. Blocks for up to ``seconds``, some more when a call is stuck.

    ``extra_inputs``: positional arguments as a sequence, or all arguments by name as a dict. ``tests``: statements that
    call the function by name, which must end alike on both. ``paths``: where the source may import from.
    ``doctests``: whether the docstring's examples are run for their inputs.
    """
    start = time.monotonic()
    task = Task(source, filename, program, seed, max_examples, seconds, extra_inputs, tests, paths, doctests)
    num_nodes = sum(1 for machine in program.machines.values() for _ in _nodes(machine))
    limit = seconds + _GRACE_SECONDS + num_nodes * _LINK_SECONDS_A_NODE
    outcome = run(lambda send: run_trial(task, send), Limits(limit))
    return _result(outcome, time.monotonic() - start)


def _result(outcome: Outcome, seconds: float) -> Differential:
    by_name: dict[str, list[Any]] = {}
    for name, *rest in outcome.lines:
        by_name.setdefault(name, []).append(rest)
    # what a program raises is caught and compared; a limit may be reached just outside of that
    late = outcome.detail.startswith(("TimeUp", "MemoryError"))
    broken = outcome.status == "crashed" and outcome.signal is None and not late
    phase, call, tested, undecided, unstable, returned = by_name.get("at", [["", "", 0, 0, 0, 0]])[-1]
    found = [Mismatch(*rest) for rest in by_name.get("mismatch", [])]
    detail = by_name["unrunnable"][0][0] if "unrunnable" in by_name else _ending(outcome)
    if outcome.status != "ok" and phase == "emitted":
        found = found or [Mismatch(call, "finishes", f"ends the process: {detail}")]
    undecided += outcome.status != "ok" and not found
    mismatch = min(reversed(found), key=lambda m: len(m.input)) if found else None
    status: Status = "equal" if tested else "undecided"
    if mismatch is not None:
        status = "mismatch"
    elif broken or (phase == "linking" and outcome.status != "ok"):
        status = "failed"
    elif "unrunnable" in by_name:
        status = "not_runnable"
    tests = by_name.get("tests")
    passed = (tests[-1][0], tests[-1][1]) if tests else None
    extra = by_name.get("extra", [[0]])[-1][0]
    return Differential(status, tested, returned, undecided, unstable, mismatch, seconds, passed, extra, detail)


def _nodes(machine: Machine) -> Iterator[Node]:
    for state in (*machine.states, *(machine.generic.states if machine.generic is not None else ())):
        yield from nodes(state.root)


def _ending(outcome: Outcome) -> str:
    if outcome.status == "ok":
        return ""
    text = f"{outcome.status} (signal {outcome.signal})" if outcome.signal else outcome.status
    return f"{text}: {outcome.detail}" if outcome.detail else text
