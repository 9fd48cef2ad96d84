"""``pointsman write DESCRIPTION --examples FILE --model M``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from pointsman.cli.compile_ import destination, summary, told, warn_untested
from pointsman.cli.drafters import drafter_of
from pointsman.core import BadRequest
from pointsman.program import Table
from pointsman.program.writing import (
    DEFAULT_FUEL,
    DEFAULT_ROUNDS,
    MOST_SHOWN,
    Round,
    Task,
    read_examples,
    write_program,
)

__all__ = ["write_command"]


def write_command(
    description: Annotated[str, typer.Argument(help="What the function shall do, for the model.")],
    examples: Annotated[
        Path, typer.Option(help='JSON lines: {"inputs": ..., "output": ...}, or "raises" for the output.')
    ],
    model: Annotated[str, typer.Option(help="Who writes: a folder, a Hub id, URL#MODEL, or script:FILE of replies.")],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="The artefact, or a folder; the source stands beside it.")
    ] = None,
    function: Annotated[
        str | None, typer.Option(help="Its name [default: the last function that the model writes].")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Drafts that the model may write.")] = DEFAULT_ROUNDS,
    fuel: Annotated[int, typer.Option(min=1, help="States that a draft may visit on one example.")] = DEFAULT_FUEL,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result and the rounds as JSON.")] = False,
) -> None:
    """Let a model write a function, and keep it if it compiles and agrees with all examples. Exits 1 if none does.

    What is wrong with a draft goes back to the model. Nothing is written before a draft agrees.

    pointsman write "Is it a leap year?" --examples leap.jsonl --model http://127.0.0.1:8000/v1#qwen3

    pointsman write "Is it a leap year?" --examples leap.jsonl --model script:replies.jsonl -o leap.route.json --json
    """
    if function is not None and not function.isidentifier():
        raise BadRequest(f"{function!r} is no name for a function", code="invalid_function")
    task = Task(description, read_examples(examples), function)
    _check_output(out, function, overwrite=overwrite)
    count = len(task.examples)
    sys.stderr.write(f"{min(count, MOST_SHOWN)} of {count} examples are in the prompt; all are checked\n")
    done = write_program(
        drafter_of(model), task, max_rounds=rounds, fuel=fuel, on_round=lambda one: _show_round(one, count)
    )
    compiled = done[-1].compiled if done[-1].is_kept else None
    paths = None if compiled is None else _save(compiled.table, done[-1].source, out, overwrite=overwrite)
    if as_json:
        facts = {} if compiled is None else {"function": compiled.table.name, **summary(compiled)}
        print(json.dumps({**_as_json(done, paths, count), **facts}))
    if compiled is None or paths is None:
        if not as_json:
            print(f"no draft agrees with all {count} examples after {len(done)} round(s); nothing is written")
        raise typer.Exit(1)
    warn_untested(compiled)
    if not as_json:
        agrees = f"agrees with all {count} examples in round {len(done)}"
        print(f"{compiled.table.name}: {agrees}; {told(compiled)} -> {paths[0]}, {paths[1]}")


def _show_round(found: Round, count: int) -> None:
    state = "not compiled" if found.compiled is None else f"compiled, {found.num_agreeing} of {count} examples agree"
    sys.stderr.write(f"round {found.number}: {state}" + (f"; {found.problem}" if found.problem else "") + "\n")


def _as_json(done: list[Round], paths: tuple[Path, Path] | None, count: int) -> dict[str, object]:
    return {
        "function": None,
        "source": None if paths is None else str(paths[0]),
        "artefact": None if paths is None else str(paths[1]),
        "examples": count,
        "examples_in_prompt": min(count, MOST_SHOWN),
        "rounds": [
            {
                "compiled": one.compiled is not None,
                "agreeing": one.num_agreeing,
                "code": one.code,
                "problem": one.problem,
            }
            for one in done
        ],
    }


def _check_output(out: Path | None, function: str | None, *, overwrite: bool) -> None:
    """What is known to fail does so before a model works. Makes no folder. Raises as `_free_paths`."""
    in_folder = out is None or out.is_dir()
    if in_folder and function is not None:
        _free_paths(out, function, overwrite=overwrite)
    elif out is not None and not in_folder and (out.suffix or out.exists()):
        _free_paths(out, "", overwrite=overwrite)


def _free_paths(out: Path | None, name: str, *, overwrite: bool) -> tuple[Path, Path]:
    """Where the source and the artefact go.

    Raises:
        BadRequest: `output_exists`, `bad_output` for an artefact that is called like a source; as `destination`.
    """
    artefact = destination(out, name, several=False)
    source = artefact.with_name(artefact.name.removesuffix(".json").removesuffix(".route") + ".py")
    if artefact.suffix == ".py":
        problem = f"-o {artefact} is called like a source; expected the artefact's name, such as NAME.route.json"
        raise BadRequest(problem, code="bad_output")
    taken = next((path for path in (source, artefact) if path.exists()), None)
    if taken is not None and not overwrite:
        raise BadRequest(f"{taken} is there; give --overwrite, or another name with -o", code="output_exists")
    return source, artefact


def _save(table: Table, text: str, out: Path | None, *, overwrite: bool) -> tuple[Path, Path]:
    """Writes both files or none; a source that agrees is shown where it cannot be written. Raises BadRequest."""
    try:
        source, artefact = _free_paths(out, table.name, overwrite=overwrite)
        table.source_file = source.name
        table.save(artefact)
        try:
            source.write_text(text, encoding="utf-8")
        except OSError as exc:
            artefact.unlink()
            raise BadRequest(f"cannot write {str(source)!r}: {exc.strerror}", code="cannot_write") from exc
    except BadRequest:
        sys.stderr.write(f"this agrees, and was not written:\n{text}")
        raise
    return source, artefact
