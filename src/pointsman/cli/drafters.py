"""Models on the command line that write programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pointsman.cli.extras import require_local
from pointsman.cli.models import source_of
from pointsman.cli.readers import endpoint_of, is_endpoint
from pointsman.core import Unsupported
from pointsman.program.writing import Message, ScriptedWriter, Writer

if TYPE_CHECKING:
    from pointsman.engine import LoadedModel

__all__ = ["ModelWriter", "drafter_of"]

_SCRIPT: Final = "script:"
_SILENCE_S: Final = 600.0
"""A large model may think for minutes before its answer comes whole. Chosen."""

_MOST_TOKENS: Final = 4_096
"""Of a draft by a model of this machine. Chosen: ten times what a function takes."""


class ModelWriter:
    """Implements `program.writing.Writer` with a model of the engine, greedily."""

    def __init__(self, model: LoadedModel) -> None:
        self._model = model

    def write(self, messages: Sequence[Message]) -> str:
        """Raises Unsupported `no_chat_template`, BadRequest `prompt_too_long`."""
        from pointsman.engine import Sampling, generate

        tokenizer = self._model.tokenizer
        prompt = tokenizer.encode(tokenizer.render_chat(messages, add_generation_prompt=True), special=False)
        return generate(self._model, [prompt], Sampling(max_tokens=_MOST_TOKENS))[0].text


def drafter_of(name: str) -> Writer:
    """A folder or Hub id of the engine, `URL#MODEL` behind an OpenAI-compatible server, or `script:FILE` of replies.

    Such a server gets the key of the environment variable `OPENAI_API_KEY`, where there is one.

    Raises:
        BadRequest: `bad_script`, `invalid_endpoint`; what `load_model` raises.
        Unsupported: `not_a_writer` for a model that ships here, which was not taught to write programs.
    """
    if name.startswith(_SCRIPT):
        return ScriptedWriter.read(Path(name.removeprefix(_SCRIPT)))
    if is_endpoint(name):
        from pointsman.gateway.drafting import EndpointWriter

        return EndpointWriter(*endpoint_of(name, _SILENCE_S))
    source = source_of(name)
    if source != name:
        problem = f"{name} was not taught to write programs; name a model that follows instructions"
        raise Unsupported(problem, code="not_a_writer")
    require_local()
    from pointsman.engine import load_model

    return ModelWriter(load_model(source))
