"""Names of models on the command line: the pair that ships in the package, and whatever the engine finds."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pointsman.cli.extras import has_local, require_local

if TYPE_CHECKING:
    from pointsman.gateway import Config, ModelConfig, ModelSource, PairConfig, TextModel

__all__ = ["model_sources", "shipped_units", "source_of"]

_EMBEDDED: Final = "embedded/"
_DESCRIPTIONS: Final = {
    "embedded/large": "The large model of the pair that ships with Pointsman",
    "embedded/small": "The small model of the pair that ships with Pointsman",
}
_PAIR: Final = "embedded/pair"
_EMBEDDED_PAIR: Final = ("embedded/small", "embedded/large")
_PAIR_DESCRIPTION: Final = "Both: the small one writes most tokens, the large one the critical ones"


def source_of(name: str) -> str:
    """What the engine loads under a name: the folder of a model that ships here, or the name itself."""
    from pointsman.embedded.pair import MODELS, model_folder

    own = name.removeprefix(_EMBEDDED)
    is_ours = name.startswith(_EMBEDDED) and own in MODELS and not Path(name).exists()
    return str(model_folder(own)) if is_ours else name


def shipped_units(name: str) -> Path | None:
    """The folder of the forecasters and gates that ship for a model of that name, if there are any."""
    from pointsman.embedded.pair import units_folder

    return units_folder() if name == "embedded/large" and not Path(name).exists() else None


def model_sources(settings: Config) -> list[ModelSource]:
    """What the server can load: the configured models, and the pair where models can run and nothing has its names.

    Raises Unsupported ``extra_missing`` where models are configured and cannot run.
    """
    from pointsman.embedded.pair import router_folder
    from pointsman.gateway import ModelConfig, ModelSource, PairConfig

    if settings.models or settings.pairs:
        require_local()
    own = {model.name for model in settings.models} | {pair.name for pair in settings.pairs}
    taken = own.union(*(upstream.models for upstream in settings.upstreams))
    models, pairs = list(settings.models), list(settings.pairs)
    if has_local():
        models += [ModelConfig(name, name, unit=shipped_units(name)) for name in _DESCRIPTIONS if name not in taken]
        pairs += [PairConfig(_PAIR, *_EMBEDDED_PAIR, router_folder())] if _PAIR not in taken else []
    return [
        ModelSource(
            one.name,
            _DESCRIPTIONS.get(one.source, "A model of this machine"),
            partial(_load, one),
            "query" if one.unit is None else "unit",
        )
        for one in models
    ] + [
        ModelSource(
            one.name,
            _PAIR_DESCRIPTION if one.router == router_folder() else "Two models of this machine that write one text",
            partial(_load_pair, one),
            "token",
        )
        for one in pairs
    ]


def _load(config: ModelConfig) -> TextModel:
    require_local()
    from pointsman.gateway.local import load_local

    return load_local(replace(config, source=source_of(config.source)))


def _load_pair(config: PairConfig) -> TextModel:
    require_local()
    from pointsman.gateway.local_pair import load_local_pair

    return load_local_pair(replace(config, small=source_of(config.small), large=source_of(config.large)))
