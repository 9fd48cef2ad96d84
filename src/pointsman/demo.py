"""``make demo``: compile the example programs, serve them, send real requests, check every answer, print what happened.

Run from a checkout (it reads ``examples/``). The answers are compared with what the source functions return in CPython.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import random
import socket
import subprocess
import sys
import time
import urllib.error
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


def main() -> None:
    """Prints the whole story on stdout; the last line is one JSON."""
    console = Console(soft_wrap=True)
    examples = Path("examples")
    if not (examples / "inputs.json").is_file():
        raise NotFound("no examples/inputs.json here: run the demo from a checkout of the project", code="no_examples")
    build = Path("build/demo")
    build.mkdir(parents=True, exist_ok=True)
    inputs: dict[str, list[dict[str, Any]]] = json.loads((examples / "inputs.json").read_text())
    tables, compile_seconds = compile_examples(console, examples, inputs, build)
    console.print(f"\nThe table of [b]{SHOWN}[/b], as rows:\n")
    console.print(show_table(tables[SHOWN].program), markup=False, highlight=False)
    picture = build / f"{SHOWN}.svg"
    picture.write_text(to_svg(tables[SHOWN].program))
    console.print(f"and as a picture: {picture}\n")
    cases = [(key.partition(":")[2], case) for key, given in inputs.items() for case in given]
    expected = expected_answers(examples, inputs, tables)
    report, states = asyncio.run(serve_and_ask(console, build, cases, expected))
    print_summary(console, tables, compile_seconds, report, states)


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


async def serve_and_ask(
    console: Console, build: Path, cases: list[Case], expected: dict[str, list[str]]
) -> tuple[LoadReport, int]:
    """Starts the server, checks one answer of every case, then sends the timed requests."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "pointsman", "serve", str(build), "--port", str(port)]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # noqa: S603, ASYNC220  our own interpreter
    try:
        wait_until_ready(url, server)
        console.print(f"server on {url} with {len(expected)} programs")
        states = check_answers(url, cases, expected)
        console.print(f"checked {len(cases)} answers against CPython: all equal")
        rng = random.Random(0)  # noqa: S311  which example is asked next
        bodies = [request_body(*rng.choice(cases)) for _ in range(NUM_REQUESTS)]
        return await drive(f"{url}/v1/chat/completions", bodies, None, CONNECTIONS), states
    finally:
        server.terminate()
        server.wait(10)


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


def wait_until_ready(url: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=1):  # noqa: S310
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise InternalError("the server did not start", code="demo_server")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def print_summary(
    console: Console, tables: dict[str, Table], compile_seconds: float, report: LoadReport, states: int
) -> None:
    console.print(
        f"{report.count} requests, {report.errors} errors, {report.requests_per_s:.0f} requests/s "
        f"over {CONNECTIONS} connections, "
        f"latency p50 {report.p50_ms:.2f} ms, p99 {report.p99_ms:.2f} ms, 0 model tokens"
    )
    summary = {
        "demo": "program",
        "programs": len(tables),
        "compile_s": round(compile_seconds, 3),
        "requests": report.count,
        "errors": report.errors,
        "requests_per_s": round(report.requests_per_s, 1),
        "p50_ms": report.p50_ms,
        "p90_ms": report.p90_ms,
        "p99_ms": report.p99_ms,
        "states_visited_in_checks": states,
        "model_tokens": 0,
    }
    print(json.dumps(summary))  # noqa: T201  the last line of stdout


if __name__ == "__main__":
    main()
