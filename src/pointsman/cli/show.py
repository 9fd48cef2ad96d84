"""``pointsman show ARTEFACT``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pointsman.core import NotFound
from pointsman.program import load_table
from pointsman.program.picture import to_dot, to_svg
from pointsman.program.rows import show_table

__all__ = ["show_command"]


def show_command(
    artefact: Annotated[Path, typer.Argument(help="A *.route.json file.")],
    function: Annotated[str | None, typer.Option(help="Only this function of the program.")] = None,
    svg: Annotated[bool, typer.Option("--svg", help="The state machine as an SVG picture.")] = False,
    dot: Annotated[bool, typer.Option("--dot", help="The state machine for Graphviz.")] = False,
    python: Annotated[bool, typer.Option("--python", help="The emitted Python.")] = False,
) -> None:
    """Show a table: its rows to read, or a picture of its states.

    pointsman show refund.route.json

    pointsman show refund.route.json --svg > refund.svg
    """
    table = load_table(artefact, trust_opaque=False)
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
