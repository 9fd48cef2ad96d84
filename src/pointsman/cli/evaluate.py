"""``pointsman evaluate NAME``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pointsman.cli.extras import require_local

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _evaluate() -> None:
    """Measure quality on problems that were kept from training; each ends in one JSON line.

    pointsman evaluate embedded --quick
    """


@app.command("embedded")
def embedded(
    quick: Annotated[bool, typer.Option("--quick", help="Fewer problems; says so in the JSON.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of the problems.")] = 0,
    plot: Annotated[Path | None, typer.Option(help="Draw accuracy over difficulty to this .png or .svg.")] = None,
    large: Annotated[Path | None, typer.Option(help="Folder of a large model [default: the shipped one].")] = None,
    small: Annotated[Path | None, typer.Option(help="Folder of a small model [default: the shipped one].")] = None,
) -> None:
    """Accuracy of both embedded models by family, difficulty and mode.

    pointsman evaluate embedded --plot accuracy.png

    pointsman evaluate embedded --large runs/large --quick
    """
    require_local()
    from pointsman.bench.embedded import main
    from pointsman.embedded.pair import model_folder

    folders = {"large": large or model_folder("large"), "small": small or model_folder("small")}
    main(quick=quick, seed=seed, plot=plot, folders=folders)
