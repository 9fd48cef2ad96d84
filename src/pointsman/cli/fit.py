"""``pointsman fit NAME``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from pointsman.cli.extras import require_local
from pointsman.cli.fit_query import query
from pointsman.core import BadRequest

if TYPE_CHECKING:  # torch is loaded by the commands, not by --help
    from pointsman.engine import LoadedModel
    from pointsman.unit import Clock, Lessons, Shape, Texts
    from pointsman.unit.rivals.published import Kind
    from pointsman.unit.rivals.training import Recipe
    from pointsman.unit.router import KvPolicy

__all__ = ["app"]

_CALIBRATION_SHARE = 4
"""One of so many tasks of a file is kept for certifying dials."""

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _fit() -> None:
    """Fit what decides at a level to your models and data.

    pointsman fit token --small models/small --large models/large --data tasks.jsonl -o router

    pointsman fit unit --model models/large --data book.txt -o units

    pointsman fit query --outcomes outcomes.jsonl -o policy
    """


app.command("query")(query)


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
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for forecasters and gates.")] = Path("units"),
    method: Annotated[
        Literal["ours", "informed", "skipgpt", "d-llm", "mod"],
        typer.Option(help="Ours serves every budget; a published one is trained for one, to compare with."),
    ] = "ours",
    budget: Annotated[float, typer.Option(help="Of a published method: share of the model's bytes to move.")] = 0.75,
    lora: Annotated[bool, typer.Option("--lora", help="Of a published method: tune the model to it as well.")] = False,
    texts: Annotated[int, typer.Option(min=8, help="At most so many texts, or windows of 256 tokens.")] = 4000,
    rank: Annotated[int | None, typer.Option(min=1, help="Latent numbers of a forecaster [default: by width].")] = None,
    kv: Annotated[
        Literal["computed", "forecast", "evicted"],
        typer.Option(help="What becomes of keys and values where attention is not executed."),
    ] = "computed",
    prices: Annotated[
        Literal["bytes", "ms"], typer.Option(help="ms: time this machine too, so that budgets can be milliseconds.")
    ] = "bytes",
    lessons: Annotated[
        int | None, typer.Option(min=0, help="Steps of training [default: 200 after closed forms, 600 published].")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of texts and lessons.")] = 0,
) -> None:
    """Forecast what each attention and MLP would add, and learn where that will do.

    Interrupt it with Ctrl-C, and the same command goes on where it was.

    pointsman fit unit -o units

    pointsman fit unit --model stories260K.bin --data generated -o units

    pointsman fit unit --model Qwen/Qwen3-0.6B --data book.txt --rank 32 -o units

    pointsman fit unit --prices ms -o units

    pointsman fit unit --method skipgpt --budget 0.6 --lora -o units
    """
    if lora and method == "ours":
        raise BadRequest("--lora is for a published --method", code="conflicting_options")
    require_local()
    from pointsman.cli.units import fitting_texts, load_for_fit
    from pointsman.unit import Fit, Settings

    loaded = load_for_fit(model)
    learned, kept = fitting_texts(loaded, data, texts, seed)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        shown = _Shown(progress)
        if method == "ours":
            given = f"{data}, {len(learned)} texts, seed {seed}"
            settings = Settings(given, _shape(loaded, rank, kv), _lessons(lessons, seed), seed)
            clock = _clock(model, settings.shape) if prices == "ms" else None
            card = Fit(loaded.decoder, learned, kept, settings, output, shown, clock).run()
            told = f"fitted in {card.seconds:.0f} s"
        else:
            recipe = _recipe(lessons, seed)
            moved = _fit_rival(method, loaded, (learned, kept), budget, output, recipe, shown, lora=lora)
            told = f"{method} fitted, which moves {moved:.3f} of the bytes"
    print(f"{output}: {told}; see it with: pointsman evaluate unit --model {model} --unit {output} --data {data}")


def _shape(loaded: LoadedModel, rank: int | None, kv: KvPolicy) -> Shape:
    from pointsman.unit import default_shape

    shape = default_shape(loaded.config)
    return replace(shape, rank=rank or shape.rank, kv=kv)


def _clock(name: str, shape: Shape) -> Clock:
    """Of this machine, for the model as it will write, in its own precision."""
    import torch

    from pointsman.bench.report import machine
    from pointsman.cli.models import source_of
    from pointsman.engine import load_model
    from pointsman.unit import Clock, timed_prices

    decoder = load_model(source_of(name)).decoder
    device = decoder.embedding.device
    told = torch.cuda.get_device_name(device) if device.type == "cuda" else machine()
    return Clock(told, timed_prices(decoder, shape))


def _lessons(steps: int | None, seed: int) -> Lessons:
    from pointsman.unit import Lessons

    return Lessons(seed=seed) if steps is None else Lessons(steps=steps, seed=seed)


def _fit_rival(
    kind: Kind,
    loaded: LoadedModel,
    texts: tuple[Texts, Texts],
    budget: float,
    folder: Path,
    recipe: Recipe,
    shown: _Shown,
    *,
    lora: bool,
) -> float:
    """Returns the share of bytes that is moved."""
    from pointsman.unit.rivals.fitted import fit_published

    num_stages = 1 + (kind == "informed") + lora
    shown.begin(f"{kind} for {budget:g}", recipe.steps * num_stages)

    def tell(_: int) -> None:
        shown.advance(1, "step by step")

    return fit_published(kind, loaded.decoder, *texts, budget, folder, recipe, tell, lora=lora)


def _recipe(steps: int | None, seed: int) -> Recipe:
    from pointsman.unit.rivals.training import Recipe

    return Recipe(seed=seed) if steps is None else Recipe(steps=steps, forecaster_steps=steps, seed=seed)


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
