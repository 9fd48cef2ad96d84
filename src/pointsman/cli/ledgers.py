"""What commands that read a ledger share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from pointsman.cli.progress import counted

if TYPE_CHECKING:
    from pointsman.core.entries import Entry

__all__ = ["CostKind", "LedgerPath", "reading"]

_MANY, _STEP = 20_000, 1_000  # from how many entries on there is a bar, and how often it moves; chosen

LedgerPath: TypeAlias = Annotated[Path, typer.Argument(help="The ledger, as the server wrote it.")]
CostKind: TypeAlias = Annotated[
    str, typer.Option("--cost", help="nano_usd, prompt_tokens, completion_tokens, moved_bytes or seconds.")
]


def reading(path: Path, num_passes: int = 1) -> Callable[[], Iterable[Entry]]:
    """What reads a ledger from its start whenever it is called, with a bar where it is long.

    Raises:
        BadRequest: as `read_entries`.
        Unsupported: likewise.
    """
    from pointsman.gateway.ledger import count_entries, read_entries  # the server, which other commands do not need

    total, started = count_entries(path), [0]

    def read() -> Iterator[Entry]:
        started[0] += 1
        if total < _MANY:
            yield from read_entries(path)
            return
        with counted(f"reading ({started[0]} of {num_passes})", total) as advance:
            for number, entry in enumerate(read_entries(path), 1):
                if number % _STEP == 0:
                    advance(_STEP)
                yield entry

    return read
