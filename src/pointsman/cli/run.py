"""``pointsman run ARTEFACT INPUTS``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pointsman.cli.failures import shown
from pointsman.cli.options import TrustOpaque
from pointsman.cli.readers import answerer_of, reader_rungs, selector_of
from pointsman.core import BadRequest
from pointsman.program import Answer, Table, answering, load_table
from pointsman.program.convert import read_inputs
from pointsman.program.recorded import RecordedAnswers
from pointsman.program.runtime import DEFAULT_FUEL

if TYPE_CHECKING:
    from pointsman.program.ladder import Rung
    from pointsman.program.select import SelectDriver

__all__ = ["run_command"]


def run_command(
    artefact: Annotated[Path, typer.Argument(help="A *.route.json file.")],
    inputs: Annotated[
        str,
        typer.Argument(help="A JSON object of parameters, an array, - for one a line; with --text a request."),
    ],
    fuel: Annotated[int, typer.Option(min=1, help="States that one run may visit.")] = DEFAULT_FUEL,
    as_json: Annotated[bool, typer.Option("--json", help="Print kind, result and states visited.")] = False,
    answers: Annotated[
        str | None, typer.Option(help="A JSON object with the answer to each question that the program asks.")
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option("--model", help="Who answers its questions: a folder, a Hub id or URL#MODEL; repeatable."),
    ] = None,
    select: Annotated[
        str | None, typer.Option(help="Let a model select the rows: embedded/reader, a folder, a Hub id or URL#MODEL.")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Correct what it selects wrong, or go on with it.")
    ] = True,
    text: Annotated[
        bool, typer.Option("--text", help="The inputs are a request in free words, which --model reads.")
    ] = False,
    given: Annotated[str | None, typer.Option(help="With --text: parameters that are known, as a JSON object.")] = None,
    trace: Annotated[Path | None, typer.Option(help="Write a record of the run, for `pointsman audit`.")] = None,
    trust_opaque: TrustOpaque = False,
) -> None:
    """Run a compiled table on JSON inputs. Exits 1 when the program raises or runs out of fuel.

    With --text what the request does not state is asked for on stderr, and the exit status is 3.
    With - a line that holds no inputs is named on stderr, the others are run, and the exit status is 2.

    pointsman run refund.route.json '{"days": 12, "opened": false, "amount": 80}'

    cat inputs.jsonl | pointsman run refund.route.json - --json

    pointsman run airline.route.json "$INPUTS" --model Qwen/Qwen2.5-0.5B-Instruct

    pointsman run returns.route.json '["It came broken.", 12]' --answers '{"the item arrived damaged": true}'

    pointsman run gcd.route.json '[84, 36]' --select embedded/reader --no-verify

    pointsman run gcd.route.json --text "What is the greatest common divisor of 84 and 36?" --model embedded/reader
    """
    table = load_table(artefact, trust_opaque=trust_opaque)
    conflicts = {
        "--trace and --select are for one run, and - may hold many": inputs == "-" and (trace or select) is not None,
        "--answers does not go together with --model": answers is not None and models,
        "--no-verify goes with --select": not verify and select is None,
    }
    for problem in (problem for problem, is_so in conflicts.items() if is_so):
        raise BadRequest(problem, code="conflicting_options")
    if text and (not models or inputs == "-"):
        raise BadRequest("--text takes one request and a --model that reads it", code="no_reader")
    known = _known(given, text)
    rungs = reader_rungs(models) if models and (text or table.asks) else []
    if text:
        inputs = _filled(table, inputs, known, rungs[0])
    with _answering(table, answers, rungs):
        if trace is None and select is None:
            _run_lines(table, inputs, fuel, as_json)
        else:
            _run_stepped(table, inputs, fuel, as_json, trace, _driver(select, verify))


def _answering(table: Table, answers: str | None, rungs: Sequence[Rung]) -> AbstractContextManager[object]:
    if answers is not None:
        return answering(RecordedAnswers(_answers(answers)))
    return answering(answerer_of(table, rungs)) if rungs and table.asks else nullcontext()


def _known(given: str | None, text: bool) -> dict[str, Any]:
    if given is not None and not text:
        raise BadRequest("--given goes with --text", code="conflicting_options")
    known = read_inputs("{}" if given is None else given)
    if not isinstance(known, dict):
        raise BadRequest("--given takes a JSON object of parameters", code="bad_inputs")
    return known


def _filled(table: Table, request: str, known: dict[str, Any], reader: Rung) -> str:
    """The inputs that a request states, as JSON text. Ends the command where something is missing."""
    from pointsman.program.text import fill

    filled = fill(table, request, reader, known)
    if filled.missing:
        sys.stderr.write(f"{filled.question}\n")
        raise typer.Exit(3)
    return json.dumps(filled.inputs)


def _driver(select: str | None, verifies: bool) -> SelectDriver | None:
    if select is None:
        return None
    from pointsman.program.select import SelectDriver

    return SelectDriver(selector_of(select), verifies=verifies)


def _run_stepped(
    table: Table, inputs: str, fuel: int, as_json: bool, path: Path | None, driver: SelectDriver | None
) -> None:
    from pointsman.program.trace import run_traced  # the interpreter, which other runs do not need

    answer, trace = run_traced(table, read_inputs(inputs), driver=driver, fuel=fuel)
    if path is not None:
        trace.save(path)
    print(_as_json(answer) if as_json else answer.json_text)
    if driver is not None:
        wrong = f"{driver.num_wrong} wrong" + (" and corrected" if driver.verifies and driver.num_wrong else "")
        sys.stderr.write(f"{driver.num_selections} selections by {driver.selector.name}, {wrong}\n")
    if answer.kind != "value":
        raise typer.Exit(1)


def _run_lines(table: Table, inputs: str, fuel: int, as_json: bool) -> None:
    failed, dropped, total = False, 0, 0
    for number, line in _lines(inputs):
        total += 1
        try:
            answer = table.answer(read_inputs(_text(line)), fuel=fuel)
        except BadRequest as error:
            if number is None:
                raise
            dropped += 1
            sys.stderr.write(shown(error, f"line {number}") + "\n")
            continue
        failed = failed or answer.kind != "value"
        print(_as_json(answer) if as_json else answer.json_text)
    if dropped:
        raise BadRequest(f"{dropped} of {total} lines hold no inputs for it and were not run", code="bad_inputs")
    if failed:
        raise typer.Exit(1)


def _answers(text: str) -> dict[str, Any]:
    try:
        answers = read_inputs(text)
    except BadRequest as error:
        raise BadRequest(error.message.replace("inputs are", "the answers are"), code=error.code) from error
    if not isinstance(answers, dict):
        raise BadRequest("the answers are not a JSON object of questions and answers", code="bad_inputs")
    return answers


def _lines(inputs: str) -> Iterator[tuple[int | None, str | bytes]]:
    """The inputs given, or the lines of stdin that are not empty, with their numbers."""
    if inputs != "-":
        yield None, inputs
        return
    if sys.stdin is None:
        raise BadRequest("standard input is closed", code="no_input")
    for number, line in enumerate(sys.stdin.buffer, 1):
        if line.strip():
            yield number, line


def _text(line: str | bytes) -> str:
    try:
        return line if isinstance(line, str) else line.decode()
    except UnicodeDecodeError as exc:
        raise BadRequest(f"not text (UTF-8): {exc.reason}", code="bad_inputs") from exc


def _as_json(answer: Answer) -> str:
    """The result goes in as it is: its text is JSON, and may hold longer integers than json reads."""
    rest = json.dumps({"states_visited": answer.states_visited})
    return f'{{"kind": "{answer.kind}", "result": {answer.json_text}, {rest[1:]}'
