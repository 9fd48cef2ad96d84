"""``pointsman diff OLD NEW``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pointsman.cli.options import TrustOpaque
from pointsman.program import load_table
from pointsman.program.proof.difference import compare

__all__ = ["diff_command"]


def diff_command(
    old: Annotated[Path, typer.Argument(help="The artefact before.")],
    new: Annotated[Path, typer.Argument(help="The artefact after.")],
    examples: Annotated[int, typer.Option(min=0, help="Inputs to try where the solver cannot decide.")] = 2_000,
    trust_opaque: TrustOpaque = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Which inputs change behaviour between two tables, with an example of each. Exits 1 when some do.

    pointsman diff old.route.json new.route.json
    """
    tables = [load_table(path, trust_opaque=trust_opaque) for path in (old, new)]
    found = compare(*tables, examples=examples)
    if as_json:
        print(json.dumps(asdict(found)))
    else:
        print(f"{found.verdict}: {found.detail}")
        for change in found.changes:
            print(f"  {change.inputs}\n    old: {change.old}\n    new: {change.new}")
    if found.verdict == "changed":
        raise typer.Exit(1)
