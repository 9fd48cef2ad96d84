"""Requests in free words: a policy with questions, and `auto`, which routes to a program or infers."""

from __future__ import annotations

import json
import random
import urllib.request
from pathlib import Path
from typing import Any

from rich.console import Console

from pointsman.demo.programs import load_source, source_answer
from pointsman.program import Table, answering, compile_table
from pointsman.program.convert import bind_inputs
from pointsman.program.picture import to_svg
from pointsman.program.recorded import RecordedAnswers

__all__ = ["READER", "ask_in_words", "prepare_routes"]

READER = "embedded/reader"
POLICY, POLICY_FILE = "assist", "airline"
_ASKING = {POLICY: POLICY_FILE, "how_many": "word_problem", "where": "whereabouts"}
_TICKET = {"fare": "basic", "price_cents": 9_000, "hours_to_departure": 70, "hours_since_booking": 400,
           "checked_in": False, "num_changes": 0, "status": "none"}  # fmt: skip
_NUM_MESSAGES, _NUM_REQUESTS, _NUM_CERTIFYING = 40, 60, 600


def prepare_routes(console: Console, examples: Path, build: Path, tables: dict[str, Table]) -> None:
    """Compiles the programs that ask, draws the policy, and certifies when `auto` may route to one."""
    from pointsman.embedded.pair import model_folder
    from pointsman.embedded.reading.coverage import covered, uncovered
    from pointsman.embedded.reading.form import ReaderForm
    from pointsman.engine import load_model
    from pointsman.engine.reading import Reader
    from pointsman.program.ladder import Promise
    from pointsman.program.text.calibrating_routes import Covered, calibrate_routes
    from pointsman.program.text.routes import save_routes

    for name, file in _ASKING.items():
        path = examples / f"{file}.py"
        tables[name] = compile_table(path.read_text(), str(path), name).table
        tables[name].save(build / f"{name}.route.json")
    picture = build / f"{POLICY_FILE}.svg"
    picture.write_text(to_svg(tables[POLICY].program))
    console.print(
        f"\nthe policy {POLICY_FILE}.py asks {len(tables[POLICY].questions)} questions; its picture: {picture}"
    )
    rng = random.Random(0)  # noqa: S311
    drawn = [covered(rng, "test") for _ in range(_NUM_CERTIFYING)]
    asked = [Covered(text, name) for text, name in drawn if name in tables and name != POLICY]
    asked += [Covered(uncovered(rng, "test"), None) for _ in range(_NUM_CERTIFYING)]
    reader = Reader(load_model(str(model_folder("reader"))), READER, form=ReaderForm())
    routes = calibrate_routes({one: tables[one] for one in tables if one != POLICY}, asked, reader, Promise())
    save_routes(routes, build)
    found = routes.certificate
    told = f"{found.num_wrong} went wrong, {found.found_share:.0%} of what programs cover is found"
    console.print(f"routes certified on {found.num_examples} requests: {told}")


def ask_in_words(console: Console, url: str, examples: Path, tables: dict[str, Table]) -> dict[str, Any]:
    """Messages to the policy, whose answers are checked against CPython, and a mix of requests to `auto`."""
    return {**_ask_policy(console, url, examples, tables[POLICY]), **_ask_auto(console, url)}


def _ask_policy(console: Console, url: str, examples: Path, table: Table) -> dict[str, Any]:
    from pointsman.embedded.reading.messages import message

    module, rng, right = load_source(examples / f"{POLICY_FILE}.py"), random.Random(1), 0  # noqa: S311
    classes = {record: getattr(module, record) for record in table.program.records}
    for number in range(_NUM_MESSAGES):
        text, answers = message(rng, "test", rng.randint(1, 4))
        reply = _asked(url, f"program/{POLICY}", text, {"ticket": _TICKET})
        with answering(RecordedAnswers(answers)):
            inputs = bind_inputs(table.machine, table.program.records, classes, {"message": text, "ticket": _TICKET})
            wanted = source_answer(getattr(module, POLICY), *inputs)
        said = reply["choices"][0]["message"]["content"]
        right += said == wanted
        if number < 3:
            console.print(f"  {text}\n    -> {said}", markup=False, highlight=False)
    console.print(f"{right} of {_NUM_MESSAGES} messages decided as by the rules in CPython with the true answers")
    return {"policy_messages": _NUM_MESSAGES, "policy_right": right}


def _ask_auto(console: Console, url: str) -> dict[str, Any]:
    from pointsman.embedded.reading.coverage import covered, uncovered

    rng, wrong, found, num_covered = random.Random(2), 0, 0, 0  # noqa: S311
    for number in range(_NUM_REQUESTS):
        text, name = covered(rng, "test") if number % 2 else (uncovered(rng, "test"), "")
        if name == POLICY:  # it needs a ticket
            continue
        reply = _asked(url, "auto", text)
        arm = reply["pointsman"]["arm"]
        routed = arm.removeprefix("program/") if arm.startswith("program/") else ""
        num_covered, found = num_covered + bool(name), found + bool(name and routed == name)
        wrong += bool(routed and routed != name)
        if number in {0, 1, 3}:
            said = reply["choices"][0]["message"]["content"]
            console.print(f"  {text}\n    -> {arm}: {said[:100]}", markup=False, highlight=False)
    console.print(
        f"auto: {found} of {num_covered} requests that a program covers went to it, {wrong} went to a wrong one"
    )
    return {"auto_covered": num_covered, "auto_found": found, "auto_wrong": wrong}


def _asked(url: str, model: str, text: str, inputs: dict[str, Any] | None = None) -> dict[str, Any]:
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": text}]}
    if inputs is not None:
        body["inputs"] = inputs
    request = urllib.request.Request(  # noqa: S310  loopback http
        f"{url}/v1/chat/completions", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
        answer: dict[str, Any] = json.load(response)
    return answer
