"""The program level of the demo: compile the examples, and compare every answer with the source in CPython."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import random
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from pointsman.core import InternalError, NotFound
from pointsman.gateway.load import LoadReport, drive
from pointsman.program import CompileOptions, Table, compile_table
from pointsman.program.convert import bind_inputs
from pointsman.program.picture import to_svg
from pointsman.program.results import exception_json, exception_text, to_json
from pointsman.program.rows import show_table

NUM_REQUESTS = 1_000
CONNECTIONS = 4
SHOWN = "refund"

Case = tuple[str, dict[str, Any]]  # program name, inputs


def find_examples() -> Path:
    """The examples' folder. Raises NotFound ``no_examples`` outside a checkout."""
    examples = Path("examples")
    if not (examples / "inputs.json").is_file():
        raise NotFound("no examples/inputs.json here: run the demo from a checkout of the project", code="no_examples")
    return examples


def show_example(console: Console, table: Table, build: Path) -> None:
    """One table as rows and as a picture."""
    console.print(f"\nThe table of [b]{SHOWN}[/b], as rows:\n")
    console.print(show_table(table.program), markup=False, highlight=False)
    picture = build / f"{SHOWN}.svg"
    picture.write_text(to_svg(table.program))
    console.print(f"and as a picture: {picture}\n")


def compile_examples(
    console: Console, examples: Path, inputs: dict[str, list[dict[str, Any]]], build: Path
) -> tuple[dict[str, Table], float]:
    """Compiles every example function and saves its artefact into ``build``."""
    tables: dict[str, Table] = {}
    start = time.perf_counter()
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("compiling", total=len(inputs))
        for key in inputs:
            file, _, name = key.partition(":")
            path = examples / file
            table = compile_table(path.read_text(), str(path), name, CompileOptions()).table
            table.save(build / f"{name}.route.json")
            tables[name] = table
            certificate = table.certificate
            proved = sum(s.level == "proved" for s in certificate.states)
            rows = sum(s.rows for s in certificate.states)
            console.print(
                f"  {name:16} {len(certificate.states):2} state(s) {rows:4} rows, {proved} proved, "
                f"equal to CPython on {certificate.inputs_tested} inputs"
            )
            progress.advance(task)
    return tables, time.perf_counter() - start


def expected_answers(
    examples: Path, inputs: dict[str, list[dict[str, Any]]], tables: dict[str, Table]
) -> dict[str, list[str]]:
    """What the source functions give in CPython, as the JSON text that the server should answer."""
    found: dict[str, list[str]] = {}
    for key, cases in inputs.items():
        file, _, name = key.partition(":")
        module = load_source(examples / file)
        table = tables[name]
        classes = {record: getattr(module, record) for record in table.program.records}
        answers = []
        for case in json.loads(json.dumps(cases)):
            args, kwargs = bind_inputs(table.machine, table.program.records, classes, case)
            answers.append(source_answer(getattr(module, name), args, kwargs))
        found[name] = answers
    return found


def source_answer(function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> str:
    try:
        return to_json(function(*args, **kwargs))
    except Exception as exc:  # noqa: BLE001  an exception is an answer too
        return exception_json(type(exc).__name__, exception_text(exc))


def load_source(path: Path) -> Any:
    """The example itself, as CPython runs it."""
    spec = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise NotFound(f"cannot import {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def ask_programs(
    console: Console, url: str, cases: list[Case], expected: dict[str, list[str]]
) -> tuple[LoadReport, int]:
    """Checks one answer of every case, then sends the timed requests. Returns their report and states visited."""
    states = check_answers(url, cases, expected)
    console.print(f"checked {len(cases)} answers against CPython: all equal")
    rng = random.Random(0)  # noqa: S311  which example is asked next
    bodies = [request_body(*rng.choice(cases)) for _ in range(NUM_REQUESTS)]
    report = asyncio.run(drive(f"{url}/v1/chat/completions", bodies, None, CONNECTIONS))
    console.print(
        f"{report.count} requests, {report.errors} errors, {report.requests_per_s:.0f} requests/s "
        f"over {CONNECTIONS} connections, "
        f"latency p50 {report.p50_ms:.2f} ms, p99 {report.p99_ms:.2f} ms, 0 model tokens"
    )
    return report, states


def request_body(name: str, case: dict[str, Any]) -> bytes:
    message = {"role": "user", "content": json.dumps(case)}
    return json.dumps({"model": f"program/{name}", "messages": [message]}).encode()


def check_answers(url: str, cases: list[Case], expected: dict[str, list[str]]) -> int:
    """Every case once; raises InternalError at the first answer that is not CPython's. Returns states visited."""
    states = 0
    answers = {name: iter(values) for name, values in expected.items()}
    for name, case in cases:
        request = urllib.request.Request(  # noqa: S310  loopback http
            f"{url}/v1/chat/completions", request_body(name, case), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
            body = json.load(response)
        content, wanted = body["choices"][0]["message"]["content"], next(answers[name])
        states += body["pointsman"]["states_visited"]
        if content != wanted or body["usage"]["total_tokens"] != 0:
            raise InternalError(f"program/{name} answered {content}, CPython {wanted}", code="demo_mismatch")
    return states
