"""``pointsman bench NAME``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pointsman.cli.extras import require_local
from pointsman.core import BadRequest

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _bench() -> None:
    """Measurements; each checks its answers first and ends in one JSON line.

    pointsman bench program --quick
    """


@app.command("program")
def program(
    quick: Annotated[bool, typer.Option("--quick", help="Less data, under a minute; says so in the JSON.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of generated data.")] = 0,
    data: Annotated[
        Path | None, typer.Option(help="A HumanEval or MBPP file, for compile times over its functions.")
    ] = None,
) -> None:
    """The program level: emitted code, selection, compile times, recompilation, server.

    pointsman bench program --quick
    """
    from pointsman.bench.program import main

    if data is not None and not data.is_file():
        raise BadRequest(f"--data takes a HumanEval or MBPP file, and {str(data)!r} is no file", code="bad_corpus")
    main(quick=quick, seed=seed, data=data)


@app.command("engine")
def engine(
    quick: Annotated[bool, typer.Option("--quick", help="Fewer rounds; says so in the JSON.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of prompts and random weights.")] = 0,
) -> None:
    """The engine beside transformers on the same weights: decoding, batches, prompts, memory.

    pointsman bench engine --quick
    """
    require_local()
    from pointsman.bench.engine import main

    main(quick=quick, seed=seed)


@app.command("token")
def token(
    quick: Annotated[bool, typer.Option("--quick", help="Fewer problems and settings; says so in the JSON.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of problems and random weights.")] = 0,
) -> None:
    """Two models that write one text, against every published way to mix them; half an hour without --quick.

    pointsman bench token --quick
    """
    require_local()
    from pointsman.bench.token_bench import main

    main(quick=quick, seed=seed)
