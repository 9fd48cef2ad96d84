"""``make demo``: serve the compiled examples and the embedded models, send real requests, check every answer.

Run from a checkout (it reads ``examples/``). Programs' answers are compared with what the source functions return in
CPython; the models' with the problems' only right answer. Nothing is downloaded.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from pointsman.demo.learning import learn_policy
from pointsman.demo.models import ask_models
from pointsman.demo.programs import (
    SHOWN,
    ask_programs,
    compile_examples,
    expected_answers,
    find_examples,
    show_example,
)
from pointsman.demo.proof import BEFORE, CONFIG, prove, write_report
from pointsman.demo.requests import ask_in_words, prepare_routes
from pointsman.demo.server import served


def main() -> None:
    """Prints the whole story on stdout; the last line is one JSON."""
    console, started = Console(soft_wrap=True), time.perf_counter()
    examples = find_examples()
    build = Path("build/demo")
    build.mkdir(parents=True, exist_ok=True)
    inputs: dict[str, list[dict[str, Any]]] = json.loads((examples / "inputs.json").read_text())
    tables, compile_seconds = compile_examples(console, examples, inputs, build)
    show_example(console, tables[SHOWN], build)
    cases = [(key.partition(":")[2], case) for key, given in inputs.items() for case in given]
    expected = expected_answers(examples, inputs, tables)
    prepare_routes(console, examples, build, tables)
    with served(build, BEFORE, "--infer", "embedded/large") as url:
        console.print(f"server on {url} with {len(tables)} programs, a reader, two models and their pair")
        report, states = ask_programs(console, url, cases, expected)
        words = ask_in_words(console, url, examples, tables)
        models = ask_models(console, url)
        learn_policy(console, url, build)
    for stale in build.glob("*.sqlite3*"), build.glob("ledger.db*"):
        for path in stale:
            path.unlink()
    with served(build, CONFIG) as url:
        console.print(f"server on {url} with all levels behind `auto`")
        proof = prove(console, url)
    write_report(console, build)
    summary = {
        "demo": "program, models, all levels",
        "programs": len(tables),
        "compile_s": round(compile_seconds, 3),
        "requests": report.count,
        "errors": report.errors,
        "requests_per_s": round(report.requests_per_s, 1),
        "p50_ms": report.p50_ms,
        "p90_ms": report.p90_ms,
        "p99_ms": report.p99_ms,
        "states_visited_in_checks": states,
        "model_tokens_of_programs": 0,
        "requests_in_words": words,
        "models": models,
        "proof": proof.told(),
        "demo_seconds": round(time.perf_counter() - started, 1),
    }
    print(json.dumps(summary))  # noqa: T201  the last line of stdout


if __name__ == "__main__":
    main()
