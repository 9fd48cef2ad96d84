"""``pointsman train NAME``."""

from __future__ import annotations

import ctypes.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from pointsman.cli.extras import require_local
from pointsman.core import BadRequest

if TYPE_CHECKING:
    from pointsman.embedded.run import Progress as RunProgress

__all__ = ["app"]

_DEFAULT_MINUTES = {"large": 90.0, "small": 20.0, "reader": 25.0}
_PRELOADED = "POINTSMAN_TCMALLOC"

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _train() -> None:
    """Train models from scratch.

    pointsman train embedded --size small --minutes 20
    """


@app.command("embedded")
def embedded(
    size: Annotated[Literal["large", "small", "reader"], typer.Option(help="Which of the three.")] = "large",
    minutes: Annotated[
        float | None,
        typer.Option(min=0.1, help="How long, in all [default: large 90, small 20, reader 25]."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder for the model [default: embedded-SIZE].")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of weights and problems.")] = 0,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where to train.")] = "auto",
    compiles: Annotated[bool, typer.Option("--compile/--no-compile", help="Use torch.compile.")] = True,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads [default: all cores].")] = None,
) -> None:
    """Train one model of the embedded pair on its task families.

    Interrupt it with Ctrl-C, and the same command goes on from its last checkpoint. The folder gets log.jsonl, a
    checkpoint, and at the end the model in Hugging Face's layout.

    pointsman train embedded --size large --minutes 90 -o runs/large

    pointsman train embedded --size small --device cuda
    """
    require_local()
    _preload_tcmalloc()
    import torch

    from pointsman.embedded.run import train

    if device == "cuda" and not torch.cuda.is_available():
        raise BadRequest("--device cuda: no CUDA device is available to this build of torch", code="no_device")
    if threads is not None:
        torch.set_num_threads(threads)
    chosen = "cuda" if device == "cuda" or (device == "auto" and torch.cuda.is_available()) else "cpu"
    seconds = 60 * (minutes if minutes is not None else _DEFAULT_MINUTES[size])
    folder = output or Path(f"embedded-{size}")
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(f"training {size}: compiling", total=seconds)

        def show(now: RunProgress) -> None:
            scores = [score for row in now.scores.values() for score in row]
            text = (
                f"training {size}: step {now.step}, loss {now.loss:.3f}, {now.tokens_per_s:,.0f} tokens/s, "
                f"right {sum(scores) / len(scores):.2f}"
            )
            progress.update(task, completed=now.elapsed_s, description=text)

        train(size, seconds, folder, seed=seed, device=torch.device(chosen), compiles=compiles, on_progress=show)
        progress.update(task, completed=seconds)
    print(f"{folder}: trained for {seconds / 60:g} minutes; see it with: pointsman evaluate embedded --{size} {folder}")


def _preload_tcmalloc() -> None:
    """Starts this command anew with tcmalloc, where the system has it and it is not loaded yet.

    glibc returns large buffers to the system and takes them back for every step, and a virtual machine pays for each
    page: an element-wise pass over 7 MB took 36 ms in place of 4.
    """
    library = ctypes.util.find_library("tcmalloc_minimal") or ctypes.util.find_library("tcmalloc")
    if library is None or os.environ.get(_PRELOADED) or "tcmalloc" in os.environ.get("LD_PRELOAD", ""):
        return
    preload = " ".join(filter(None, (library, os.environ.get("LD_PRELOAD"))))
    environment = {**os.environ, "LD_PRELOAD": preload, _PRELOADED: "1"}
    sys.stderr.write(f"with {library}\n")
    os.execve(sys.executable, [sys.executable, "-m", "pointsman", *sys.argv[1:]], environment)  # noqa: S606  ourselves
