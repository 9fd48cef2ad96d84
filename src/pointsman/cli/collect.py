"""``pointsman collect``."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from pointsman.cli.fit_query import names_of
from pointsman.cli.progress import counted
from pointsman.core import BadRequest

__all__ = ["collect_command"]


def collect_command(
    requests: Annotated[Path, typer.Argument(help="JSON lines with id, prompt, answer, and perhaps task.")],
    arms: Annotated[str, typer.Option(help="Models of the server and their dials, with commas between.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The table; gone on with where it is there.")] = Path(
        "outcomes.jsonl"
    ),
    url: Annotated[str, typer.Option(help="The server, up to and with /v1.")] = "http://127.0.0.1:8400/v1",
    api_key_env: Annotated[str | None, typer.Option(help="Environment variable with the key of the server.")] = None,
    tracks: Annotated[
        bool, typer.Option("--tracks", help="Ask the model auto first, for what programs and solver take.")
    ] = False,
    skip_taken: Annotated[
        bool, typer.Option("--skip-taken", help="Ask no arm for these; for tables to fit, not to calibrate with.")
    ] = False,
    connections: Annotated[int, typer.Option(min=1, help="Requests at once; with one, bytes are exact.")] = 1,
) -> None:
    """Ask every arm of a server requests whose answers are known: the outcome table that policies are made from.

    pointsman collect requests.jsonl --arms embedded/small,embedded/large?mode=direct,embedded/large -o outcomes.jsonl

    pointsman collect kept.jsonl --arms gpt-small,gpt-large?reasoning_effort=low --connections 8 --api-key-env KEY
    """
    from pointsman.gateway.collecting import Collecting, collect, read_requests
    from pointsman.gateway.config import UpstreamConfig

    if skip_taken and not tracks:
        raise BadRequest("--skip-taken is about --tracks; give both, or none", code="conflicting_options")
    names = names_of(arms) or []
    asked = read_requests(requests)
    server = UpstreamConfig("server", url, (), api_key=_key(api_key_env))
    what = Collecting(server, tuple(names), tracks, skip_taken, connections)
    with counted("requests", len(asked)) as tick:
        refused = asyncio.run(collect(output, asked, what, tick))
    for name, count in refused.items():
        if count:
            print(f"{name}: refused {count} requests")
    print(f"{output}: {len(asked):,} requests, {len(names)} arms; next: pointsman fit query --outcomes {output}")


def _key(variable: str | None) -> str | None:
    if variable is None:
        return None
    found = os.environ.get(variable)
    if not found:
        problem = f"the environment has no variable {variable!r}; expected the key of the server in it"
        raise BadRequest(problem, code="no_api_key", param="api_key_env")
    return found
