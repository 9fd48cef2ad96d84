"""``pointsman fit NAME``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from pointsman.cli.extras import require_local
from pointsman.core import BadRequest

__all__ = ["app"]

_CALIBRATION_SHARE = 4
"""One of so many tasks of a file is kept for certifying dials."""

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _fit() -> None:
    """Fit what decides at a level to your models and data.

    pointsman fit token --small models/small --large models/large --data tasks.jsonl -o router

    pointsman fit unit --model models/large --data book.txt -o units
    """


@app.command("token")
def token(
    data: Annotated[
        str, typer.Option(help="embedded, or a JSON Lines file with prompt, answer and perhaps reference.")
    ] = "embedded",
    small: Annotated[str, typer.Option(help="The small model: a name, a folder or a Hub id.")] = "embedded/small",
    large: Annotated[str, typer.Option(help="The large model.")] = "embedded/large",
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the gates.")] = Path("router"),
    tasks: Annotated[int, typer.Option(min=40, help="So many tasks to learn from; of a file at most.")] = 4000,
    calibration: Annotated[int, typer.Option(min=40, help="So many to certify with; of a file one in four.")] = 4000,
    tolerance: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="How far behind its best the large model lets a token stand.")
    ] = 0.1,
    most_losses: Annotated[float, typer.Option(help="Share of answers that the pair may lose.")] = 0.01,
    confidence: Annotated[float, typer.Option(help="With which the dials are certified.")] = 0.95,
    price: Annotated[
        Literal["bytes", "seconds", "flops"], typer.Option(help="In which handing over shall be cheapest.")
    ] = "bytes",
    delimiter: Annotated[str, typer.Option(help="Stands before the answer in a text.")] = "=>",
    gates: Annotated[
        list[str] | None, typer.Option("--gate", help="Only this gate; repeatable [default: ours and all rivals].")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of tasks and training.")] = 0,
) -> None:
    """Teach gates which tokens of a small model may stand, and certify the dials of ours.

    Interrupt it with Ctrl-C, and the same command goes on where it was.

    pointsman fit token --gate pointsman -o router

    pointsman fit token --small models/small --large models/large --data tasks.jsonl --delimiter "####" -o router
    """
    require_local()
    from pointsman.cli.pairs import load_pair, pair_tasks
    from pointsman.token import Fit, Settings
    from pointsman.token.calibration import Promise
    from pointsman.token.fitting import KINDS

    if unknown := set(gates or ()) - set(KINDS):
        problem = f"there is no gate {', '.join(sorted(unknown))}; there is {', '.join(KINDS)}"
        raise BadRequest(problem, code="unknown_method")
    promise = Promise(most_losses, confidence)
    pair = load_pair(small, large)
    if data == "embedded":
        learned = pair_tasks(pair, data, tasks, "train", delimiter, seed)
        kept = pair_tasks(pair, data, calibration, "test", delimiter, seed + 1)
    else:
        found = pair_tasks(pair, data, tasks + calibration, "train", delimiter, seed)
        kept = found[::_CALIBRATION_SHARE]
        learned = [task for index, task in enumerate(found) if index % _CALIBRATION_SHARE]
    settings = Settings(f"{data}, {len(learned)} tasks, seed {seed}", tolerance, seed=seed)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as shown:
        fit = Fit(pair, learned, settings, output, _Shown(shown), kept, promise, price)
        fit.run([kind for kind in KINDS if gates is None or kind in gates])
    print(f"{output}: fitted; see it with: pointsman evaluate token --router {output}")


@app.command("unit")
def unit(
    model: Annotated[str, typer.Option(help="A name, a folder, a llama2.c .bin file or a Hub id.")] = "embedded/large",
    data: Annotated[
        str, typer.Option(help="A text file, embedded for its problems, or generated: what the model writes itself.")
    ] = "embedded",
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the forecasters and gates.")] = Path(
        "units"
    ),
    texts: Annotated[int, typer.Option(min=8, help="At most so many texts, or windows of 256 tokens.")] = 4000,
    rank: Annotated[int | None, typer.Option(min=1, help="Latent numbers of a forecaster [default: by width].")] = None,
    kv: Annotated[
        Literal["computed", "forecast", "evicted"],
        typer.Option(help="What becomes of keys and values where attention is not executed."),
    ] = "computed",
    lessons: Annotated[int, typer.Option(min=0, help="Steps of distilling after the closed forms.")] = 200,
    seed: Annotated[int, typer.Option(help="Seed of texts and lessons.")] = 0,
) -> None:
    """Forecast what each attention and MLP would add, and learn where that will do.

    One fit serves every budget. Interrupt it with Ctrl-C, and the same command goes on where it was.

    pointsman fit unit -o units

    pointsman fit unit --model stories260K.bin --data generated -o units

    pointsman fit unit --model Qwen/Qwen3-0.6B --data book.txt --rank 32 -o units
    """
    require_local()
    from dataclasses import replace

    from pointsman.cli.units import load_for_fit, parted, unit_texts
    from pointsman.unit import Fit, Lessons, Settings, default_shape

    loaded = load_for_fit(model)
    shape = default_shape(loaded.config)
    shape = replace(shape, rank=rank or shape.rank, kv=kv)
    found = unit_texts(loaded, data, texts, "train", seed)
    learned, kept = parted(found, _CALIBRATION_SHARE * 2)
    if data == "embedded":
        learned, kept = found, unit_texts(loaded, data, max(texts // 10, 40), "test", seed + 1)
    settings = Settings(f"{data}, {len(learned)} texts, seed {seed}", shape, Lessons(steps=lessons, seed=seed), seed)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as shown:
        card = Fit(loaded.decoder, learned, kept, settings, output, _Shown(shown)).run()
    print(f"{output}: fitted in {card.seconds:.0f} s; see it with: pointsman evaluate unit --unit {output}")


class _Shown:
    """Progress as bars: one a stage, with what came of its last part."""

    def __init__(self, shown: Progress) -> None:
        self._shown, self._stage = shown, ""
        self._bar: TaskID | None = None

    def begin(self, what: str, total: int) -> None:
        """A stage of so many tasks, or of unknown length where 0."""
        if self._bar is not None:
            self._shown.stop_task(self._bar)
        self._stage = what
        self._bar = self._shown.add_task(what.ljust(60), total=total or None)

    def advance(self, done: int, told: str) -> None:
        """More of the stage is done."""
        assert self._bar is not None
        self._shown.update(self._bar, advance=done, description=f"{self._stage}: {told}".ljust(60))
