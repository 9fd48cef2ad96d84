"""``pointsman calibrate routes FOLDER``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from pointsman.cli.extras import require_local
from pointsman.cli.lines import decoded, filled_lines
from pointsman.cli.progress import counted
from pointsman.core import BadRequest, Unverified

if TYPE_CHECKING:
    from pointsman.program import Table
    from pointsman.program.text.calibrating_routes import Covered

__all__ = ["routes", "tables_of"]

_REPLIES: Final = "routes.replies.jsonl"


def routes(
    programs: Annotated[Path, typer.Argument(help="A folder of *.route.json files.")],
    data: Annotated[Path, typer.Option(help='JSON Lines: {"request": ..., "program": NAME or null}.')],
    model: Annotated[str, typer.Option("--model", help="Who reads requests: embedded/reader, a folder or URL#MODEL.")],
    epsilon: Annotated[float, typer.Option(help="Share of requests that may go to a wrong program.")] = 0.02,
    confidence: Annotated[float, typer.Option(help="With which that is certified.")] = 0.95,
    seed: Annotated[int, typer.Option(help="Of the halves of the sample.")] = 0,
    replies: Annotated[
        Path | None, typer.Option(help="Where answers are kept [default: for URL#MODEL routes.replies.jsonl, there].")
    ] = None,
) -> None:
    """Certify when a request in free words goes to a program, for the server's model `auto`.

    Half of the requests teach which words belong to which program, the other half certifies. They should be as those
    that will come, with many that no program covers. Writes routes.json into the folder. Interrupt it with Ctrl-C, and
    the same command goes on with the answers that are kept.

    pointsman calibrate routes build/ --data requests.jsonl --model embedded/reader
    """
    require_local()
    from pointsman.cli.readers import reader_rungs
    from pointsman.program.ladder import Promise
    from pointsman.program.ladder.remembering import Remembered
    from pointsman.program.text.calibrating_routes import calibrate_routes
    from pointsman.program.text.routes import save_routes

    promise, tables, examples = Promise(epsilon, confidence), tables_of(programs), _examples(data)
    kept = replies or (programs / _REPLIES if "://" in model else None)
    reader = Remembered(reader_rungs([model])[0], kept)
    with counted("requests read", len(examples) // 2) as tick:
        found = calibrate_routes(tables, examples, reader, promise, seed=seed, on_match=tick)
    path, certificate = save_routes(found, programs), found.certificate
    told = f"{path}: {certificate.num_examples} different requests: {certificate.num_wrong} went wrong"
    if not certificate.is_certified:
        print(f"{told} at the highest threshold; nothing is certified, so everything is inferred")
        raise typer.Exit(1)
    print(
        f"{told}; certified: at most {promise.epsilon:.1%} do, with {promise.confidence:.0%} confidence; "
        f"{certificate.found_share:.1%} of those that a program covers are routed to it (from {found.threshold:g} on)"
    )


def tables_of(folder: Path) -> dict[str, Table]:
    """The programs of a folder by name; opaque ones are left out, as the server leaves them.

    Raises:
        BadRequest: `no_programs` where it has none.
    """
    from pointsman.program import load_table

    found = {}
    for path in sorted(folder.glob("*.route.json")):
        try:
            table = load_table(path)
        except Unverified as error:
            if error.code != "opaque_untrusted":
                raise
            continue
        found[table.name] = table
    if not found:
        raise BadRequest(f"{folder} holds no compiled programs; expected *.route.json files", code="no_programs")
    return found


def _examples(path: Path) -> list[Covered]:
    from pointsman.program.text.calibrating_routes import Covered

    lines = filled_lines(path, "a JSON object a line")
    return [Covered(*_example(decoded(line, where), where)) for where, line in lines]


def _example(record: Any, where: str) -> tuple[str, str | None]:
    is_one = isinstance(record, dict) and set(record) == {"request", "program"}
    if not is_one or not isinstance(record["request"], str) or not isinstance(record["program"], str | None):
        problem = f'{where}: expected {{"request": TEXT, "program": NAME or null}}'
        raise BadRequest(problem, code="bad_examples")
    return record["request"], record["program"]
