"""Ways to run one program: CPython, the interpreter of IR, emitted code, and metered emitted code."""

import copy
import re
import sys
import types
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pointsman.program import frontend
from pointsman.program.compiler import build_program, compile_source
from pointsman.program.emit.module import ModuleEmitter
from pointsman.program.interpret import Interpreter
from pointsman.program.link import link
from pointsman.program.select import SelectDriver
from pointsman.program.select.scripted import ReadingSelector
from pointsman.program.stepping import Stepper
from pointsman.program.table.machine import Program
from pointsman.program.verify import verify_function, verify_program

Runner = Callable[..., Any]
MODULE = "compiled_under_test"
EXAMPLES = Path(__file__).parents[3] / "examples"


def outcome(entry: Runner, arguments: Sequence[Any]) -> tuple[str, str]:
    """What a call does: its value or exception, and what it leaves in its arguments."""
    given = copy.deepcopy(tuple(arguments))
    try:
        return "value", repr((entry(*given), given))
    except Exception as error:  # noqa: BLE001 - what a program raises is its outcome
        return type(error).__name__, repr((error.args, given))


def original(source: str) -> dict[str, Any]:
    """The namespace of the source as CPython executes it."""
    module = types.ModuleType(MODULE)
    sys.modules[MODULE] = module  # dataclasses and enums look their module up
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        exec(compile(source, "<source>", "exec"), vars(module))
    return vars(module)


def runners(source: str, entry: str = "f") -> dict[str, Runner]:
    """The entry under each way of running it; IR and machines are verified on the way."""
    namespace = original(source)
    lowered = frontend.lower_program(frontend.Module.parse(source), entry)
    for function in lowered.functions.values():
        verify_function(function, lowered.functions, lowered.records, opaque=lowered.opaque, globals_=lowered.globals)
    program = build_program(lowered, entry)
    verify_program(program)
    records = {name: namespace[name] for name in lowered.records}
    metered = link(program, metered=True, records=records)
    metered.meter[1] = 10**9
    return {
        "CPython": namespace[entry],
        "interpreter": Interpreter(lowered, records=records).function(entry),
        "stepper": Stepper(program, 10**6, records=records).function(entry),
        "selected": Stepper(
            program, 10**6, records=records, driver=SelectDriver(ReadingSelector(), verifies=False)
        ).function(entry),
        "emitted": link(program, records=records).entry,
        "tables": link(program, records=records, every_table=True).entry,
        "metered": metered.entry,
        "dispatched": dispatched(program, records),
    }


def dispatched(program: Program, records: dict[str, Any]) -> Runner:
    """The entry when every function is a loop over a selector, which is the way out where no structure is found."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ModuleEmitter, "_structured", lambda self, emitter, depth: None)
        linked = link(program, records=records, every_table=True)
    assert "while True:" in linked.source
    return linked.entry


@pytest.fixture(scope="session")
def example() -> Callable[[str], Program]:
    """An example's program, by the file's name; its entry is the last function."""

    @cache
    def compiled(name: str) -> Program:
        source = (EXAMPLES / f"{name}.py").read_text()
        return compile_source(source, re.findall(r"^def (\w+)", source, re.MULTILINE)[-1])

    return compiled


@pytest.fixture
def disagreements() -> Callable[..., list[str]]:
    """Runs a program every way and says where a way differs from CPython."""

    def check(source: str, inputs: Sequence[Sequence[Any]], entry: str = "f") -> list[str]:
        ways = runners(source, entry)
        found = []
        for arguments in inputs:
            results = {name: outcome(run, arguments) for name, run in ways.items()}
            found += [
                f"{entry}{tuple(arguments)!r}: CPython {results['CPython']}, {name} {result}"
                for name, result in results.items()
                if result != results["CPython"]
            ]
        return found

    return check
