"""``pointsman serve``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pointsman.cli.models import model_sources, source_of
from pointsman.cli.readers import answerers_of, reader_rungs

if TYPE_CHECKING:  # the server's libraries are loaded by the command, not by --help
    from pointsman.gateway import UpstreamConfig

__all__ = ["serve_command"]


def serve_command(
    programs: Annotated[list[Path] | None, typer.Argument(help="Artefacts, or folders of them, to serve.")] = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", help="A folder, a .bin file or a Hub id to serve too; repeatable.")
    ] = None,
    readers: Annotated[
        list[str] | None,
        typer.Option("--reader", help="A model that answers the questions of programs, or URL#MODEL; repeatable."),
    ] = None,
    infer: Annotated[
        str | None, typer.Option(help="The model that gets what no program covers, for requests to `auto`.")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="The folder of a policy, which chooses among models for requests to `auto`.")
    ] = None,
    embedding: Annotated[
        Path | None, typer.Option(help="The policy's embedding: its folder now, or a model [default: where it was].")
    ] = None,
    memory: Annotated[
        Path | None, typer.Option(help="A file; `auto` answers again what it answered before to the same API key.")
    ] = None,
    solver: Annotated[
        bool | None,
        typer.Option("--solver/--no-solver", help="Let `auto` solve problems [default: where there is a policy]."),
    ] = None,
    ledger: Annotated[Path | None, typer.Option(help="A file for every request's decision and bill.")] = None,
    config: Annotated[
        Path | None, typer.Option(help="A pointsman.toml; default: the one in this folder, if any.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to bind [default: 127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="Port [default: 8400].")] = None,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print the settings and where they come from.")
    ] = False,
) -> None:
    """Start the OpenAI-compatible server. A compiled program is the model program/NAME.

    With a --reader, programs take requests in free words too, and where their folder has routes.json (`pointsman
    calibrate routes`) the model `auto` is the program that covers a request, or else the model that --infer names.
    Where PyTorch is installed, embedded/large, embedded/small and embedded/pair, which is both together, are models
    too, each loaded at its first request.

    pointsman serve build/

    pointsman serve refund.route.json --port 8500

    pointsman serve airline.route.json --reader http://127.0.0.1:8000/v1#qwen3-32b

    pointsman serve build/ --reader embedded/reader --infer embedded/large

    pointsman serve --model Qwen/Qwen3-0.6B --model models/mine

    pointsman serve --policy policy --ledger ledger.db
    """
    from pointsman.gateway import Overrides, RoutingFlags, load_config
    from pointsman.gateway import serve as run_server

    flags = Overrides(
        host=host,
        port=port,
        programs=tuple(programs) if programs else None,
        readers=tuple(readers) if readers else None,
        infer=infer,
    )
    if config is None and Path("pointsman.toml").is_file():
        config = Path("pointsman.toml")
    routing = RoutingFlags(policy=policy, embedding=embedding, memory=memory, solver=solver, ledger=ledger)
    settings = load_config(config, flags=flags, models=model or (), routing=routing)
    if print_config:
        shown = {
            "settings": asdict(settings.server),
            "origins": dict(settings.origins),
            "upstreams": [_without_key(upstream) for upstream in settings.upstreams],
            "models": [asdict(one) for one in settings.models],
            "pairs": [asdict(one) for one in settings.pairs],
            "routing": asdict(settings.routing),
        }
        print(json.dumps(shown, default=str, indent=2))
        return
    rungs = reader_rungs(settings.server.readers)
    answerers, reader = (answerers_of(rungs), rungs[0]) if rungs else (None, None)
    run_server(settings, model_sources(settings), answerers, reader, source_of=source_of)


def _without_key(upstream: UpstreamConfig) -> dict[str, object]:
    settings = asdict(upstream)
    return {**settings, "api_key": "(set)" if settings["api_key"] else None}
