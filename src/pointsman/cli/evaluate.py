"""``pointsman evaluate NAME``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pointsman.cli.extras import require_local
from pointsman.core import BadRequest

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _evaluate() -> None:
    """Measure quality on problems that were kept from training; each ends in one JSON line.

    pointsman evaluate embedded --quick

    pointsman evaluate token --quick

    pointsman evaluate unit --quick --plot unit.png
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


@app.command("token")
def token(
    router: Annotated[Path | None, typer.Option(help="Folder of `fit token` [default: the embedded pair's].")] = None,
    small: Annotated[str, typer.Option(help="The small model: a name, a folder or a Hub id.")] = "embedded/small",
    large: Annotated[str, typer.Option(help="The large model.")] = "embedded/large",
    data: Annotated[
        str, typer.Option(help="embedded, or a JSON Lines file with prompt, answer and perhaps reference.")
    ] = "embedded",
    tasks: Annotated[int, typer.Option(min=8, help="At most so many.")] = 1000,
    method: Annotated[list[str] | None, typer.Option(help="Only this method; repeatable [default: all].")] = None,
    rows: Annotated[int, typer.Option(min=1, help="Texts written at a time.")] = 1,
    delimiter: Annotated[str, typer.Option(help="Stands before the answer in a text.")] = "=>",
    csv: Annotated[Path | None, typer.Option(help="Write every point to this file.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw accuracy over each cost to this .png or .svg.")] = None,
    labels: Annotated[
        int, typer.Option("--labels", min=0, help="Along so many references, how wrong label rules are.")
    ] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="80 tasks, every third setting; says so.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of the embedded tasks.")] = 0,
) -> None:
    """Accuracy of every way to mix two models against seconds, bytes and operations.

    pointsman evaluate token --quick --plot token.png

    pointsman evaluate token --method pointsman --method citer --rows 16

    pointsman evaluate token --small models/small --large models/large --router router --data tasks.jsonl
    """
    require_local()
    from pointsman.bench.token import main
    from pointsman.bench.token_curves import OURS, RIVALS
    from pointsman.cli.pairs import load_pair, pair_tasks
    from pointsman.embedded.pair import router_folder

    names = method or []
    if unknown := set(names) - {*RIVALS, OURS}:
        problem = f"there is no method {', '.join(sorted(unknown))}; there is {', '.join((*RIVALS, OURS))}"
        raise BadRequest(problem, code="unknown_method", param="method")
    pair = load_pair(small, large)
    found = pair_tasks(pair, data, 80 if quick else tasks, "test", delimiter, seed)
    every = 3 if quick else 1
    main(
        pair,
        router or router_folder(),
        found,
        names,
        num_rows=rows,
        every=every,
        seed=seed,
        plot=plot,
        csv=csv,
        num_labelled=labels,
    )


@app.command("unit")
def unit(
    model: Annotated[str, typer.Option(help="A name, a folder, a llama2.c .bin file or a Hub id.")] = "embedded/large",
    unit: Annotated[Path | None, typer.Option(help="Folder of `fit unit` [default: the embedded model's].")] = None,
    data: Annotated[
        str, typer.Option(help="A text file, embedded for its problems, or generated: what the model writes itself.")
    ] = "embedded",
    texts: Annotated[int, typer.Option(min=8, help="At most so many texts, or windows of 256 tokens.")] = 400,
    csv: Annotated[Path | None, typer.Option(help="Write every point to this file.")] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw curves, and what was executed for a text, to this .png or .svg.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="60 texts, every third rate; says so.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of texts and intervals.")] = 100,
) -> None:
    """What leaving units out costs and saves, beside random, static and all published routers fitted into the folder.

    pointsman evaluate unit --plot unit.png

    pointsman evaluate unit --model stories260K.bin --unit units --data generated --csv points.csv
    """
    require_local()
    from pointsman.bench.unit import evaluate
    from pointsman.cli.models import shipped_units
    from pointsman.cli.units import load_for_fit, parted, unit_texts
    from pointsman.unit import load_router

    folder = unit or shipped_units(model)
    if folder is None:
        raise BadRequest(f"expected --unit, the folder of a `fit unit` for {model}", code="missing_option")
    loaded = load_for_fit(model)
    router, _ = load_router(folder, loaded.decoder)
    found = unit_texts(loaded, data, 60 if quick else texts, "test", seed)
    measured, kept = parted(found, 4)
    evaluate(loaded, router, folder, measured, kept, seed=seed, every=3 if quick else 1, plot=plot, csv=csv)


@app.command("query")
def query(
    files: Annotated[list[Path], typer.Argument(help="Outcome tables: JSON Lines, or those compressed by gzip.")],
    arms: Annotated[
        str | None, typer.Option(help="Only these arms, with commas between [default: all priced].")
    ] = None,
    costs: Annotated[
        Path | None, typer.Option(help="JSON of prices by arm: [input, output] US dollars per million tokens.")
    ] = None,
    votes: Annotated[int | None, typer.Option(min=3, help="Add arms of which so many samples vote.")] = None,
    embedding: Annotated[
        Path | None, typer.Option(help="Folder of an embedding, or a model, whose vectors all entrants learn from too.")
    ] = None,
    splits: Annotated[int, typer.Option(min=2, help="Random halves, and as many halves of the tasks.")] = 5,
    leave_task_out: Annotated[
        bool, typer.Option("--leave-task-out/--no-leave-task-out", help="Also learn on some tasks and test on others.")
    ] = True,
    resplits: Annotated[int, typer.Option(min=0, help="Thirds on which certificates are made and tested.")] = 20,
    plot: Annotated[Path | None, typer.Option(help="Draw quality against cost to this .png or .svg.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Keep finished splits in this folder, and go on from it.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Two splits, four resplits, no rivals; says so.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of splits, learning and intervals.")] = 0,
) -> None:
    """How far a router gets between random mixtures of the arms and an oracle, beside all rivals, on your outcomes.

    pointsman evaluate query outcomes.jsonl --plot quality.svg

    pointsman evaluate query outcomes.jsonl.gz --arms small,large --costs costs.json --splits 10

    pointsman evaluate query outcomes.jsonl --embedding potion
    """
    require_local()
    from pointsman.bench.query import Effort, evaluate
    from pointsman.bench.query_jobs import Table
    from pointsman.cli.models import source_of
    from pointsman.query.reading import read_tariffs

    names = tuple(name.strip() for name in arms.split(",") if name.strip()) if arms is not None else None
    place = None if embedding is None else Path(source_of(str(embedding)))
    table = Table(tuple(files), names, None if costs is None else read_tariffs(costs), votes, place)
    counts, with_rivals = ((2, 4), False) if quick else ((splits, resplits), True)
    effort = Effort(*counts, leave_task_out, with_rivals, resume)
    evaluate(table, effort, seed=seed, quick=quick, plot=plot)
