"""Names of models on the command line: the pair that ships in the package, and whatever the engine finds."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pointsman.cli.extras import has_local, require_local

if TYPE_CHECKING:
    from pointsman.gateway import Config, ModelConfig, ModelSource, TextModel

__all__ = ["model_sources", "source_of"]

_EMBEDDED: Final = "embedded/"
_DESCRIPTIONS: Final = {
    "embedded/large": "The large model of the pair that ships with Pointsman",
    "embedded/small": "The small model of the pair that ships with Pointsman",
}


def source_of(name: str) -> str:
    """What the engine loads under a name: the folder of a model that ships here, or the name itself."""
    from pointsman.embedded.pair import model_folder

    is_ours = name in _DESCRIPTIONS and not Path(name).exists()
    return str(model_folder(name.removeprefix(_EMBEDDED))) if is_ours else name


def model_sources(settings: Config) -> list[ModelSource]:
    """What the server can load: the configured models, and the pair where models can run and nothing has its names.

    Raises Unsupported ``extra_missing`` where models are configured and cannot run.
    """
    from pointsman.gateway import ModelConfig, ModelSource

    if settings.models:
        require_local()
    taken = {model.name for model in settings.models}.union(*(upstream.models for upstream in settings.upstreams))
    pair = [ModelConfig(name, name) for name in _DESCRIPTIONS if name not in taken] if has_local() else []
    return [
        ModelSource(config.name, _DESCRIPTIONS.get(config.source, "A model of this machine"), partial(_load, config))
        for config in [*settings.models, *pair]
    ]


def _load(config: ModelConfig) -> TextModel:
    require_local()
    from pointsman.gateway.local import load_local

    return load_local(replace(config, source=source_of(config.source)))
