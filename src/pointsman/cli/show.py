"""``pointsman show ARTEFACT``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pointsman.cli.options import TrustOpaque
from pointsman.core import BadRequest, NotFound
from pointsman.program import load_table
from pointsman.program.picture import to_dot, to_svg
from pointsman.program.rows import show_table

__all__ = ["show_command"]


def show_command(
    artefact: Annotated[Path, typer.Argument(help="A *.route.json file.")],
    function: Annotated[str | None, typer.Option(help="Only the rows of this function.")] = None,
    svg: Annotated[bool, typer.Option("--svg", help="The state machine as an SVG picture.")] = False,
    dot: Annotated[bool, typer.Option("--dot", help="The state machine for Graphviz.")] = False,
    python: Annotated[bool, typer.Option("--python", help="The emitted Python.")] = False,
    trust_opaque: TrustOpaque = False,
) -> None:
    """Show a table: its rows to read, or a picture of its states.

    pointsman show refund.route.json

    pointsman show refund.route.json --svg > refund.svg
    """
    forms = [name for name, wanted in (("--svg", svg), ("--dot", dot), ("--python", python)) if wanted]
    if len(forms) > 1 or (forms and function is not None):
        given = [*forms, *(["--function"] if function is not None else [])]
        raise BadRequest(f"{given[0]} does not go together with {given[1]}", code="conflicting_options")
    table = load_table(artefact, trust_opaque=trust_opaque)
    if function is not None and function not in table.program.machines:
        known = ", ".join(sorted(table.program.machines))
        raise NotFound(f"no function {function!r} in {artefact}; it has: {known}", code="no_function")
    if svg:
        print(to_svg(table.program))
    elif dot:
        print(to_dot(table.program))
    elif python:
        print(table.source)
    else:
        print(show_table(table.program, function))
