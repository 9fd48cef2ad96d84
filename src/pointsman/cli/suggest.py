"""``pointsman suggest PROGRAMS REQUESTS``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pointsman.cli.extras import require_local
from pointsman.cli.lines import decoded, filled_lines
from pointsman.cli.progress import counted
from pointsman.core import BadRequest

if TYPE_CHECKING:
    from pointsman.program.text.suggesting import Suggestion

__all__ = ["suggest_command"]


def suggest_command(
    programs: Annotated[Path, typer.Argument(help="A folder of *.route.json files with routes.json.")],
    requests: Annotated[Path, typer.Argument(help="Requests: one a line, or JSON Lines with a field `request`.")],
    model: Annotated[str, typer.Option("--model", help="Who reads them: embedded/reader, a folder or URL#MODEL.")],
    limit: Annotated[int, typer.Option(min=1, help="Kinds of requests that are listed.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a kind.")] = False,
) -> None:
    """List what is asked for often and that no program covers, with the program that comes nearest.

    Requests that differ in numbers, lists and names only are of one kind. Nothing is recorded by the server: the
    requests are those of a file that you have.

    pointsman suggest build/ requests.txt --model embedded/reader
    """
    require_local()
    from pointsman.cli.readers import reader_rungs
    from pointsman.cli.routes import tables_of
    from pointsman.program.text.routes import load_routes
    from pointsman.program.text.suggesting import suggest

    routes = load_routes(programs)
    if routes is None:
        raise BadRequest(f"{programs} has no routes.json; make one with `pointsman calibrate routes`", code="no_routes")
    texts = [_request(line, where) for where, line in filled_lines(requests, "one a line")]
    reader = reader_rungs([model])[0]
    if reader.name != routes.reader:
        problem = f"the routes were certified with {routes.reader}, and --model names {reader.name}"
        raise BadRequest(problem, code="other_reader")
    with counted("requests read", len(texts)) as tick:
        found, num_routed = suggest(tables_of(programs), routes, reader, texts, tick)
    for one in found[:limit]:
        print(json.dumps(one.to_json()) if as_json else _told(one))
    if not as_json:
        print(f"{num_routed} of {len(texts)} requests are covered; {len(found)} kinds are not")


def _request(line: str, where: str) -> str:
    if not line.lstrip().startswith("{"):
        return line.strip()
    record = decoded(line, where)
    if not isinstance(record.get("request"), str):
        raise BadRequest(f"{where}: expected a field `request` with a text", code="bad_examples")
    return str(record["request"])


def _told(one: Suggestion) -> str:
    near = f"nearest: {one.program} ({one.score:.2f})" if one.program else "nothing is near"
    missing = f", without {', '.join(one.missing)}" if one.missing else ""
    return f"{one.count:>6} x {one.kind}\n         {near}{missing}; such as: {one.example}"
