"""``pointsman run ARTEFACT INPUTS``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from pointsman.core import BadRequest
from pointsman.program import load_table
from pointsman.program.runtime import DEFAULT_FUEL

__all__ = ["run_command"]


def run_command(
    artefact: Annotated[Path, typer.Argument(help="A *.route.json file.")],
    inputs: Annotated[str, typer.Argument(help="A JSON object of parameters, an array, or - to read one a line.")],
    fuel: Annotated[int, typer.Option(help="States that one run may visit.")] = DEFAULT_FUEL,
    as_json: Annotated[bool, typer.Option("--json", help="Print kind, result and states visited.")] = False,
    trust_opaque: Annotated[
        bool, typer.Option("--trust-opaque", help="Import and run the original for opaque parts.")
    ] = False,
) -> None:
    """Run a compiled table on JSON inputs. Exits 1 when the program raises or runs out of fuel.

    pointsman run refund.route.json '{"days": 12, "opened": false, "amount": 80}'

    cat inputs.jsonl | pointsman run refund.route.json - --json
    """
    table = load_table(artefact, trust_opaque=trust_opaque)
    lines = sys.stdin if inputs == "-" else [inputs]
    failed = False
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except ValueError as exc:
            where = f"line {number}: " if inputs == "-" else ""
            raise BadRequest(f"{where}inputs are not JSON: {exc}", code="bad_inputs") from exc
        answer = table.answer(values, fuel=fuel)
        failed = failed or answer.kind != "value"
        if as_json:
            print(
                json.dumps(
                    {
                        "kind": answer.kind,
                        "result": json.loads(answer.json_text),
                        "states_visited": answer.states_visited,
                    }
                )
            )
        else:
            print(answer.json_text)
    if failed:
        raise typer.Exit(1)
