"""``pointsman calibrate NAME``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pointsman.cli.calibrate_query import query
from pointsman.cli.extras import require_local
from pointsman.cli.lines import decoded, filled_lines
from pointsman.cli.progress import counted
from pointsman.cli.routes import routes
from pointsman.core import BadRequest

if TYPE_CHECKING:  # numpy is loaded by the command, not by --help
    from pointsman.program.ladder import Calibrated, Example

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _calibrate() -> None:
    """Find out what may be promised, from a sample of requests.

    pointsman calibrate program airline.route.json --data requests.jsonl --model models/small --model models/large

    pointsman calibrate query policy --outcomes kept.jsonl
    """


app.command("routes")(routes)
app.command("query")(query)


@app.command("program")
def program(
    artefact: Annotated[Path, typer.Argument(help="A *.route.json file of a program that asks questions.")],
    data: Annotated[Path, typer.Option(help="JSON Lines: inputs, and answers to questions where they are known.")],
    models: Annotated[
        list[str], typer.Option("--model", help="Who answers, the cheapest first; the last one is the reference.")
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The artefact with its ladder [default: the same file].")
    ] = None,
    epsilon: Annotated[float, typer.Option(help="Share of requests that may come to something else.")] = 0.02,
    confidence: Annotated[float, typer.Option(help="With which that is certified.")] = 0.95,
    heads: Annotated[bool, typer.Option(help="Whether linear heads on the text's words are the first rung.")] = True,
    seed: Annotated[int, typer.Option(help="Of the halves of the sample.")] = 0,
    replies: Annotated[
        Path | None, typer.Option(help="Where answers of models are kept [default: beside the artefact].")
    ] = None,
) -> None:
    """Certify when a cheaper answerer may answer a program's questions in place of the last model.

    Half of the requests choose, the other half certifies, so they should be as those that will come: a promise of
    2 % with 95 % confidence takes 300 or more. Interrupt it with Ctrl-C, and the same command goes on where it was.

    pointsman calibrate program airline.route.json --data requests.jsonl --model models/small --model models/large

    pointsman calibrate program airline.route.json --data requests.jsonl --model http://127.0.0.1:8000/v1#qwen3-32b
    """
    require_local()
    from dataclasses import replace

    from pointsman.cli.readers import reader_rungs
    from pointsman.program import load_table
    from pointsman.program.ladder import Promise, StoredLadder, calibrate
    from pointsman.program.ladder.remembering import Remembered

    promise, table = Promise(epsilon, confidence), load_table(artefact)
    if not table.asks:
        raise BadRequest(f"{artefact} asks no questions, so nobody has to answer", code="nothing_asked")
    examples = _examples(data)
    kept = replies or artefact.with_name(f"{artefact.name.partition('.')[0]}.replies.jsonl")
    rungs = [Remembered(rung, kept) for rung in reader_rungs(models)]
    with counted("requests answered", len(examples)) as tick:
        found = calibrate(table, examples, rungs, promise, seed=seed, with_heads=heads, on_run=tick)
    target = output or artefact
    replace(table, ladder=StoredLadder.of(found)).save(target)
    print(_told(found, target))
    if not found.certificate.is_certified:
        raise typer.Exit(1)


def _examples(path: Path) -> list[Example]:
    from pointsman.program.ladder import Example

    lines = filled_lines(path, "a JSON object a line")
    return [Example(*_example(decoded(line, where), where)) for where, line in lines]


def _example(record: Any, where: str) -> tuple[Any, dict[str, Any]]:
    if not isinstance(record, dict) or not isinstance(record.get("inputs"), dict | list):
        raise BadRequest(f'{where}: expected {{"inputs": ..., "answers": {{...}}}}', code="bad_examples")
    answers = record.get("answers", {})
    if not isinstance(answers, dict) or set(record) - {"inputs", "answers"}:
        raise BadRequest(f"{where}: expected inputs, and answers by the words of the questions", code="bad_examples")
    return record["inputs"], answers


def _told(found: Calibrated, target: Path) -> str:
    certificate = found.certificate
    lines = [
        f"errors of {error:.3f} trusted: {lost} of {certificate.num_examples} requests came to something else, "
        f"{top:.1%} of the questions went to the last model"
        for error, lost, top in found.tried
    ]
    promise = certificate.promise
    if certificate.is_certified:
        lines.append(
            f"{target}: certified: at most {promise.epsilon:.1%} come to something else, with {promise.confidence:.0%} "
            f"confidence; {certificate.top_share:.1%} of the questions go to {certificate.rungs[-1]}"
        )
    else:
        lines.append(
            f"{target}: nothing is certified, so {certificate.rungs[-1]} answers all questions; "
            f"{certificate.num_examples} different requests were there to certify with"
        )
    return "\n".join(lines)
