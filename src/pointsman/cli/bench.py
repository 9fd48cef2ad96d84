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


@app.command("program-models")
def program_models(
    quick: Annotated[bool, typer.Option("--quick", help="Few cases, under a minute; says so in the JSON.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of cases and intervals.")] = 0,
    examples: Annotated[Path, typer.Option(help="The folder of programs.")] = Path("examples"),
    clrs: Annotated[Path | None, typer.Option(help="CLRS as text: JSON Lines, or those compressed by gzip.")] = None,
    questions: Annotated[
        list[Path] | None, typer.Option(help="JSON Lines of questions that no program covers; repeatable.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw accuracy over size, CLRS, as SVG or PNG.")] = None,
) -> None:
    """The program level with a small model: it selects rows, reads texts, answers questions, or stands back.

    pointsman bench program-models --quick

    pointsman bench program-models --clrs clrs.jsonl.gz --questions svamp.jsonl.gz --plot sizes.svg
    """
    require_local()
    from pointsman.bench.program_models import main

    for path in (*([clrs] if clrs else []), *(questions or ())):
        if not path.is_file():
            raise BadRequest(f"there is no file {str(path)!r}; expected JSON Lines", code="bad_corpus")
    if not (examples / "gcd.py").is_file():
        raise BadRequest(
            f"{str(examples)!r} is not the folder of examples; run this from a checkout", code="no_examples"
        )
    main(quick, seed, examples, clrs, questions or (), plot)


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


@app.command("unit")
def unit(
    quick: Annotated[bool, typer.Option("--quick", help="The embedded model only, few steps; says so.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of texts and random weights.")] = 0,
    folder: Annotated[
        Path | None, typer.Option(help="Where what is fitted is kept [default: the user's cache].")
    ] = None,
    stories: Annotated[Path | None, typer.Option(help="stories260K.bin of llama2.c, its tokenizer beside it.")] = None,
    books: Annotated[
        list[Path] | None, typer.Option("--book", help="A text with chapters; repeatable. Trains a model of them once.")
    ] = None,
) -> None:
    """Leave units of one model out, against every published way; some hours with all three models, and resumable.

    pointsman bench unit --quick

    pointsman bench unit --stories stories260K.bin --book bronte.txt --book darwin.txt
    """
    require_local()
    from pointsman.bench.unit_bench import main
    from pointsman.program.cache import default_folder

    for path in (*([stories] if stories else []), *(books or ())):
        if not path.is_file():
            raise BadRequest(f"there is no file {str(path)!r}; expected weights or a text", code="bad_corpus")
    kept = folder or default_folder() / "bench-unit" / ("quick" if quick else "full")
    main(quick, seed, kept, stories, books or ())


@app.command("solver")
def solver(
    quick: Annotated[bool, typer.Option("--quick", help="Fewer problems; says so in the JSON.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of problems and intervals.")] = 0,
) -> None:
    """The solver arm on logic grids, assignments, knapsacks and schedules, from JSON and from text, beside a model.

    pointsman bench solver --quick
    """
    require_local()
    from pointsman.bench.solver import main

    main(quick=quick, seed=seed)


@app.command("query")
def query(
    data: Annotated[Path, typer.Option(help="Folder with routing/ and budgets/, the tables that are measured.")],
    quick: Annotated[bool, typer.Option("--quick", help="Two splits, four resplits, no rivals; says so.")] = False,
    splits: Annotated[int, typer.Option(min=2, help="Random halves, and as many halves of the tasks.")] = 10,
    resplits: Annotated[int, typer.Option(min=1, help="Thirds on which certificates are made and tested.")] = 200,
    only: Annotated[list[str] | None, typer.Option(help="Only this table, such as bbh; repeatable.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Keep finished splits in this folder, and go on from it.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of splits, learning and intervals.")] = 0,
) -> None:
    """The query level on outcome tables: gap closed, certificates, what each part adds, all rivals, latency.

    pointsman bench query --data data --quick

    pointsman bench query --data data --resume measured
    """
    require_local()
    from pointsman.bench.query import Effort, bench

    if not data.is_dir():
        raise BadRequest(f"--data takes a folder of outcome tables, and {str(data)!r} is none", code="bad_outcomes")
    effort = Effort(2, 4, with_rivals=False, kept=resume) if quick else Effort(splits, resplits, kept=resume)
    bench(data, effort, seed=seed, quick=quick, only=only or ())


@app.command("ledger")
def ledger(
    quick: Annotated[bool, typer.Option("--quick", help="Fewer rows and seeds; says so in the JSON.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of rows.")] = 0,
) -> None:
    """The ledger's speed, what a kill loses, and whether intervals and alarms keep their promises; simulated traffic.

    pointsman bench ledger --quick
    """
    from pointsman.bench.ledger import main

    main(quick=quick, seed=seed)


@app.command("memory")
def memory(
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer requests, under a minute; says so in the JSON.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of generated traffic.")] = 0,
    plot: Annotated[Path | None, typer.Option(help="Draw the cost over memory's share, as SVG or PNG.")] = None,
) -> None:
    """Answers from memory against a static threshold and vCache: how many, how many wrong, how fast, at what share.

    pointsman bench memory --quick

    pointsman bench memory --plot share.svg
    """
    require_local()
    from pointsman.bench.memory import main

    main(quick, seed, plot)


@app.command("arms")
def arms(
    output: Annotated[Path, typer.Option("-o", "--output", help="The table, as JSON Lines; appended to.")],
    requests: Annotated[int, typer.Option(min=1, help="Of generated traffic.")] = 2_000,
    split: Annotated[str, typer.Option(help="Part of the traffic: fit, calibration or test.")] = "test",
    seed: Annotated[int, typer.Option(help="Seed of the traffic.")] = 0,
) -> None:
    """Let every embedded arm answer mixed requests, as an outcome table with bytes moved; resumable.

    pointsman bench arms -o calibration.jsonl --split calibration
    """
    require_local()
    from pointsman.bench.arms import main
    from pointsman.embedded.traffic import PARTS

    part = next((one for one in PARTS if one == split), None)
    if part is None:
        raise BadRequest(f"--split is {split!r}; expected {', '.join(PARTS)}", code="unknown_split")
    main(output, requests, part, seed)


@app.command("all-levels")
def all_levels(
    quick: Annotated[bool, typer.Option("--quick", help="Few requests, arms and a weaker promise; says so.")] = False,
    requests: Annotated[int, typer.Option(min=400, help="Of the test traffic.")] = 2_000,
    learning: Annotated[int, typer.Option(min=400, help="To learn from.")] = 2_000,
    calibration: Annotated[int, typer.Option(min=400, help="To certify on.")] = 4_000,
    seed: Annotated[int, typer.Option(help="Seed of traffic, learning and intervals.")] = 0,
    keep: Annotated[Path | None, typer.Option(help="Folder for the tables, which are reused and gone on with.")] = None,
    examples: Annotated[Path, typer.Option(help="The folder of programs.")] = Path("examples"),
    plot: Annotated[Path | None, typer.Option(help="Draw quality over cost, as SVG or PNG.")] = None,
) -> None:
    """One decision over programs, memory, solver, models, dials and budgets, against the large model on everything.

    pointsman bench all-levels --quick

    pointsman bench all-levels --keep tables --plot levels.svg
    """
    require_local()
    from pointsman.bench.all_levels import Effort, main

    effort = Effort.quick() if quick else Effort(requests, learning, calibration)
    main(effort, quick=quick, seed=seed, keep=keep, examples=examples, plot=plot)
