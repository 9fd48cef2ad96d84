"""Models on the command line that answer the questions of a program."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from pointsman.cli.extras import require_local
from pointsman.cli.models import source_of
from pointsman.core import BadRequest, Unsupported

if TYPE_CHECKING:
    from pointsman.core.asking import Answerer
    from pointsman.program import Table
    from pointsman.program.ladder import Rung

__all__ = ["answerer_of", "answerers_of", "reader_rungs"]


def reader_rungs(names: Sequence[str]) -> list[Rung]:
    """A rung for each model, in this order; `URL#MODEL` is one behind an OpenAI-compatible server.

    Such a server gets the key of the environment variable `OPENAI_API_KEY`, where there is one.

    Raises:
        BadRequest: `conflicting_options` for a model that is named twice, `invalid_endpoint` for a URL without a model;
            what `load_model` raises.
        Unsupported: `not_a_reader` for a model that ships here, none of which was taught to answer questions yet.
    """
    if len(set(names)) < len(names):
        raise BadRequest("a model is named twice; expected the cheapest first, each once", code="conflicting_options")
    return [_endpoint(name) if name.startswith(("http://", "https://")) else _local(name) for name in names]


def _local(name: str) -> Rung:
    if source_of(name) != name:
        problem = f"{name} was not taught to answer questions about texts; name a model that follows instructions"
        raise Unsupported(problem, code="not_a_reader")
    require_local()
    from pointsman.engine import load_model
    from pointsman.engine.reading import Reader

    return Reader(load_model(name), name)


def _endpoint(name: str) -> Rung:
    from pointsman.gateway import UpstreamConfig
    from pointsman.gateway.reading import EndpointReader

    url, _, model = name.partition("#")
    if not model:
        problem = f"{name} names no model; expected a URL and a model, as in http://127.0.0.1:8000/v1#qwen3"
        raise BadRequest(problem, code="invalid_endpoint")
    config = UpstreamConfig(url, url, (model,), api_key=os.environ.get("OPENAI_API_KEY"))
    return EndpointReader(config, model, name)


def answerers_of(names: Sequence[str]) -> Callable[[Table], Answerer]:
    """Who answers the questions of each of several programs; the models are loaded once, here.

    Raises:
        BadRequest: as `reader_rungs`.
    """
    return partial(_answerer, rungs=reader_rungs(names))


def answerer_of(table: Table, names: Sequence[str]) -> Answerer:
    """The program's ladder with these models; the last one alone where the program has no ladder.

    Raises:
        BadRequest: as `reader_rungs` and `StoredLadder.ladder`.
    """
    return _answerer(table, reader_rungs(names))


def _answerer(table: Table, rungs: list[Rung]) -> Answerer:
    if table.ladder is not None:
        return table.ladder.ladder(rungs)
    if len(rungs) > 1:
        problem = "several models answer where a ladder was calibrated for them (`pointsman calibrate program`)"
        raise BadRequest(problem, code="other_rungs")
    return rungs[0]
