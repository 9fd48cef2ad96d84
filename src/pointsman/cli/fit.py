"""``pointsman fit NAME``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from pointsman.cli.extras import require_local
from pointsman.cli.models import source_of
from pointsman.core import BadRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pointsman.token import Pair, Task

__all__ = ["app"]

_CALIBRATION_SHARE = 4
"""One of so many tasks of a file is kept for certifying dials."""

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _fit() -> None:
    """Fit what decides at a level to your models and data.

    pointsman fit token --small models/small --large models/large --data tasks.jsonl -o router
    """


@app.command("token")
def token(
    data: Annotated[
        str, typer.Option(help="embedded, or a JSON Lines file with prompt, answer and perhaps reference.")
    ] = "embedded",
    small: Annotated[str, typer.Option(help="The small model: a name, a folder or a Hub id.")] = "embedded/small",
    large: Annotated[str, typer.Option(help="The large model.")] = "embedded/large",
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the gates.")] = Path("router"),
    tasks: Annotated[int, typer.Option(min=40, help="With --data embedded: so many tasks to learn from.")] = 4000,
    calibration: Annotated[int, typer.Option(min=40, help="With --data embedded: so many to certify with.")] = 1000,
    tolerance: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="How far behind its best the large model lets a token stand.")
    ] = 0.1,
    most_losses: Annotated[float, typer.Option(help="Share of answers that the pair may lose.")] = 0.01,
    confidence: Annotated[float, typer.Option(help="With which the dials are certified.")] = 0.95,
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
    from pointsman.engine import load_model
    from pointsman.token import Fit, Pair, Settings
    from pointsman.token.calibration import Promise
    from pointsman.token.fitting import KINDS

    if unknown := set(gates or ()) - set(KINDS):
        problem = f"there is no gate {', '.join(sorted(unknown))}; there is {', '.join(KINDS)}"
        raise BadRequest(problem, code="unknown_method")
    pair = Pair(load_model(source_of(small)), load_model(source_of(large)))
    learned, kept = _tasks(pair, data, tasks, calibration, delimiter, seed)
    settings = Settings(f"{data}, {len(learned)} tasks, seed {seed}", tolerance, seed=seed)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as shown:
        promise = Promise(most_losses, confidence)
        fit = Fit(pair, learned, settings, output, _Shown(shown), kept, promise)
        fit.run([kind for kind in KINDS if gates is None or kind in gates])
    print(f"{output}: fitted; see it with: pointsman evaluate token --router {output}")


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


def _tasks(
    pair: Pair, data: str, num_learned: int, num_kept: int, delimiter: str, seed: int
) -> tuple[Sequence[Task], Sequence[Task]]:
    """Tasks to learn from, and others to certify with."""
    from pointsman.embedded.tasks import draw_tasks
    from pointsman.token import read_tasks

    if data == "embedded":
        return draw_tasks(pair.large, num_learned, "train", seed), draw_tasks(pair.large, num_kept, "test", seed + 1)
    if not pair.large.config.eos_tokens:
        problem = f"{pair.large.name} has no token that ends a text; expected one, so that references can end"
        raise BadRequest(problem, code="invalid_model")
    found = read_tasks(Path(data), pair.large.tokenizer, pair.large.config.eos_tokens[0], delimiter)
    kept = found[::_CALIBRATION_SHARE]
    return [task for index, task in enumerate(found) if index % _CALIBRATION_SHARE], kept
