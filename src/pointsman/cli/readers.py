"""Models on the command line that answer the questions of a program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pointsman.cli.extras import require_local
from pointsman.cli.models import source_of
from pointsman.core import BadRequest, Unsupported

if TYPE_CHECKING:
    from pointsman.core.asking import Answerer
    from pointsman.program import Table
    from pointsman.program.ladder import Rung

__all__ = ["answerer_of", "reader_rungs"]


def reader_rungs(names: Sequence[str]) -> list[Rung]:
    """A rung for each model, in this order.

    Raises:
        BadRequest: `conflicting_options` for a model that is named twice; what `load_model` raises.
        Unsupported: `not_a_reader` for a model that ships here, none of which was taught to answer questions yet.
    """
    if len(set(names)) < len(names):
        raise BadRequest("a model is named twice; expected the cheapest first, each once", code="conflicting_options")
    for name in names:
        if source_of(name) != name:
            problem = f"{name} was not taught to answer questions about texts; name a model that follows instructions"
            raise Unsupported(problem, code="not_a_reader")
    require_local()
    from pointsman.engine import load_model
    from pointsman.engine.reading import Reader

    return [Reader(load_model(name), name) for name in names]


def answerer_of(table: Table, names: Sequence[str]) -> Answerer:
    """The program's ladder with these models; the last one alone where the program has no ladder.

    Raises:
        BadRequest: as `reader_rungs` and `StoredLadder.ladder`.
    """
    rungs = reader_rungs(names)
    if table.ladder is not None:
        return table.ladder.ladder(rungs)
    if len(rungs) > 1:
        problem = "several models answer where a ladder was calibrated for them (`pointsman calibrate program`)"
        raise BadRequest(problem, code="other_rungs")
    return rungs[0]
