"""Models on the command line that answer the questions of a program, or select its rows."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from pointsman.cli.extras import require_local
from pointsman.cli.models import source_of
from pointsman.core import BadRequest, Unsupported
from pointsman.core.selecting import AnswererSelector

if TYPE_CHECKING:
    from pointsman.core.asking import Answerer
    from pointsman.core.selecting import Selector
    from pointsman.engine import LoadedModel
    from pointsman.engine.forms import Form
    from pointsman.gateway import UpstreamConfig
    from pointsman.gateway.reading import EndpointReader
    from pointsman.program import Table
    from pointsman.program.ladder import Rung

__all__ = ["answerer_of", "answerers_of", "endpoint_of", "is_endpoint", "reader_rungs", "selector_of"]

_READER: Final = "embedded/reader"


def reader_rungs(names: Sequence[str]) -> list[Rung]:
    """A rung for each model, in this order; `URL#MODEL` is one behind an OpenAI-compatible server.

    Such a server gets the key of the environment variable `OPENAI_API_KEY`, where there is one.

    Raises:
        BadRequest: `conflicting_options` for a model that is named twice, `invalid_endpoint` for a URL without a model;
            what `load_model` raises.
        Unsupported: `not_a_reader` for a model that ships here and was not taught to answer questions.
    """
    if len(set(names)) < len(names):
        raise BadRequest("a model is named twice; expected the cheapest first, each once", code="conflicting_options")
    return [_endpoint(name) if is_endpoint(name) else _local(name) for name in names]


def selector_of(name: str) -> Selector:
    """A model that selects rows. Raises as `reader_rungs`."""
    if is_endpoint(name):
        return AnswererSelector(_endpoint(name), name)
    model, form = _loaded(name)
    from pointsman.engine.selecting import RowSelector

    return RowSelector(model, name, form)


def is_endpoint(name: str) -> bool:
    """Whether a name is `URL#MODEL`, or would be if it named a model."""
    return name.startswith(("http://", "https://"))


def _local(name: str) -> Rung:
    model, form = _loaded(name)
    from pointsman.engine.reading import Reader

    return Reader(model, name, form=form)


def _loaded(name: str) -> tuple[LoadedModel, Form | None]:
    """A model with the form in which it was taught to be asked, None for the common one."""
    source = source_of(name)
    if source != name and name != _READER:
        problem = f"{name} was not taught to answer questions about texts; name {_READER}, or a model that follows "
        raise Unsupported(problem + "instructions", code="not_a_reader")
    require_local()
    from pointsman.embedded.reading.form import ReaderForm
    from pointsman.engine import load_model

    return load_model(source), ReaderForm() if source != name else None


def _endpoint(name: str) -> EndpointReader:
    from pointsman.gateway.reading import EndpointReader

    return EndpointReader(*endpoint_of(name), name)


def endpoint_of(name: str, timeout_s: float | None = None) -> tuple[UpstreamConfig, str]:
    """The server of `URL#MODEL` and the model's name there. Raises BadRequest `invalid_endpoint`."""
    from pointsman.gateway import UpstreamConfig

    url, _, model = name.partition("#")
    if not model:
        problem = f"{name} names no model; expected a URL and a model, as in http://127.0.0.1:8000/v1#qwen3"
        raise BadRequest(problem, code="invalid_endpoint")
    config = UpstreamConfig(url, url, (model,), api_key=os.environ.get("OPENAI_API_KEY"))
    return (config if timeout_s is None else replace(config, timeout_s=timeout_s)), model


def answerers_of(rungs: Sequence[Rung]) -> Callable[[Table], Answerer]:
    """Who answers the questions of each of several programs."""
    return partial(answerer_of, rungs=rungs)


def answerer_of(table: Table, rungs: Sequence[Rung]) -> Answerer:
    """The program's ladder with these models; the only one where the program has no ladder.

    Raises:
        BadRequest: `other_rungs`, also where a ladder was calibrated for others.
    """
    if table.ladder is not None:
        return table.ladder.ladder(rungs)
    if len(rungs) > 1:
        problem = "several models answer where a ladder was calibrated for them (`pointsman calibrate program`)"
        raise BadRequest(problem, code="other_rungs")
    return rungs[0]
