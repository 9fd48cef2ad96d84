"""What `auto` is told: the tables [policy], [memory], [solver], [parts], [ledger] and [explain] of pointsman.toml.

    [policy]
    folder = "policy"              # of `pointsman fit query`, relative to this file; chooses among models
    audit_share = 0.02             # of requests to `auto`, which the reference arm answers too, unseen
    max_audits = 2                 # at once
    comparer = "agreement"         # or "reference_is_right": what an audit says of an answer
    most_reference = 5e6           # most that the reference arm bills, in the policy's unit; left out: from forecasts
    shift_tolerance = 0.05         # mean novelty of requests above that of the calibration rows; 1 for any
    prompt_cache_s = 300.0         # how long providers keep a prompt, for models with a price of cached tokens
    prompt_cache_tokens = 1024     # the shortest prompt that they keep
    embedding = "potion"           # where the embedding that the policy has learned with is now, or the model
                                   # embedded/small; left out: where it was

    [memory]
    path = "memory.sqlite3"        # answers that were given before answer again, for each API key by itself
    capacity_bytes = 268435456
    seconds_to_live = 604800.0
    semantic = false               # whether a request in other words may be answered; needs numpy

    [solver]
    on = true                      # left out: where there is a policy and the solver is installed

    [parts]
    on = false                     # whether a request of several questions is split

    [ledger]
    path = "ledger.db"             # every request's decision and bill
    heat_maps = true               # and numbers for heat maps of the last few answers; see docs/server.md

    [explain]
    keep = 1000                    # requests that can be explained

All of it is off unless it is configured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from pointsman.core import BadRequest
from pointsman.query.shift import TOLERANCE

__all__ = ["RoutingConfig", "RoutingFlags", "RoutingTables", "routing_config"]

Comparer = Literal["agreement", "reference_is_right"]

_Count = Annotated[int, Meta(ge=1)]
_Path = Annotated[str, Meta(min_length=1)]


@dataclass(frozen=True, slots=True)
class RoutingConfig:
    """The settings; a path of None switches off what it is for.

    Attributes:
        policy: folder of the policy.
        audit_share: of requests that the reference arm answers too.
        max_audits: at once.
        comparer: whether an audit compares only, or takes the reference arm's answer for the right one.
        most_reference: most that the reference arm bills for a request, in the policy's kind; None: from forecasts.
        shift_tolerance: of the mean novelty of requests, above that of the calibration rows.
        prompt_cache_s: how long a provider is taken to keep a prompt that it has read, in seconds.
        prompt_cache_tokens: of the shortest prompt that it keeps.
        embedding: folder of what the policy has learned with, or a model's name; None: where it was then.
        memory: file of the memory.
        capacity_bytes: of all that memory keeps.
        seconds_to_live: of what it keeps.
        semantic: whether it answers requests in other words.
        solver: whether problems are solved; None: where there is a policy and the solver is installed.
        parts: whether requests of several questions are split.
        ledger: file of the ledger.
        heat_maps: whether it gets heat maps of a few answers.
        explained: requests that can be explained.
    """

    policy: Path | None = None
    audit_share: float = 0.02
    max_audits: int = 2
    comparer: Comparer = "agreement"
    most_reference: float | None = None
    shift_tolerance: float = TOLERANCE
    prompt_cache_s: float = 300.0
    prompt_cache_tokens: int = 1_024
    embedding: Path | None = None
    memory: Path | None = None
    capacity_bytes: int = 256 << 20
    seconds_to_live: float = 7 * 86_400.0
    semantic: bool = False
    solver: bool | None = None
    parts: bool = False
    ledger: Path | None = None
    heat_maps: bool = True
    explained: int = 1_000

    @property
    def is_on(self) -> bool:
        """Whether `auto` does more than to run programs and to infer."""
        return self.policy is not None or self.memory is not None or bool(self.solver) or self.parts


@dataclass(frozen=True, slots=True)
class RoutingFlags:
    """Settings from the command line; None leaves one as it is."""

    policy: Path | None = None
    embedding: Path | None = None
    memory: Path | None = None
    solver: bool | None = None
    ledger: Path | None = None


class _PolicyTable(Struct, frozen=True, forbid_unknown_fields=True):
    folder: _Path | None = None
    audit_share: Annotated[float, Meta(ge=0, le=1)] | None = None
    max_audits: _Count | None = None
    comparer: Comparer | None = None
    most_reference: Annotated[float, Meta(gt=0)] | None = None
    shift_tolerance: Annotated[float, Meta(ge=0, le=1)] | None = None
    prompt_cache_s: Annotated[float, Meta(gt=0)] | None = None
    prompt_cache_tokens: _Count | None = None
    embedding: _Path | None = None


class _MemoryTable(Struct, frozen=True, forbid_unknown_fields=True):
    path: _Path | None = None
    capacity_bytes: _Count | None = None
    seconds_to_live: Annotated[float, Meta(gt=0)] | None = None
    semantic: bool | None = None


class _SwitchTable(Struct, frozen=True, forbid_unknown_fields=True):
    on: bool | None = None


class _LedgerTable(Struct, frozen=True, forbid_unknown_fields=True):
    path: _Path | None = None
    heat_maps: bool | None = None


class _ExplainTable(Struct, frozen=True, forbid_unknown_fields=True):
    keep: _Count | None = None


class RoutingTables(Struct, frozen=True):
    """The part of pointsman.toml that this module reads."""

    policy: _PolicyTable = _PolicyTable()
    memory: _MemoryTable = _MemoryTable()
    solver: _SwitchTable = _SwitchTable()
    parts: _SwitchTable = _SwitchTable()
    ledger: _LedgerTable = _LedgerTable()
    explain: _ExplainTable = _ExplainTable()


_PLACES: Mapping[str, tuple[str, str]] = {
    "policy": ("policy", "folder"),
    "audit_share": ("policy", "audit_share"),
    "max_audits": ("policy", "max_audits"),
    "comparer": ("policy", "comparer"),
    "most_reference": ("policy", "most_reference"),
    "shift_tolerance": ("policy", "shift_tolerance"),
    "prompt_cache_s": ("policy", "prompt_cache_s"),
    "prompt_cache_tokens": ("policy", "prompt_cache_tokens"),
    "embedding": ("policy", "embedding"),
    "memory": ("memory", "path"),
    "capacity_bytes": ("memory", "capacity_bytes"),
    "seconds_to_live": ("memory", "seconds_to_live"),
    "semantic": ("memory", "semantic"),
    "solver": ("solver", "on"),
    "parts": ("parts", "on"),
    "ledger": ("ledger", "path"),
    "heat_maps": ("ledger", "heat_maps"),
    "explained": ("explain", "keep"),
}
"""Where each setting stands in the file."""

_FILES = ("folder", "path", "embedding")
"""Keys whose values are relative to the file."""

_SHIPPED = "embedded"
"""What names of models that ship begin with."""


def routing_config(
    tables: RoutingTables, path: Path | None, flags: RoutingFlags, infer: str | None
) -> tuple[RoutingConfig, dict[str, str]]:
    """The settings, and where each comes from, under names such as `memory.path`.

    Raises:
        BadRequest: `invalid_config` for settings that contradict each other, or a folder that is not there.
    """
    origins = {".".join(place): "default" for place in _PLACES.values()}
    given: dict[str, Any] = {}
    for name, (table, key) in _PLACES.items():
        value = getattr(getattr(tables, table), key)
        if value is not None:
            given[name] = _placed(value, path) if key in _FILES else value
            origins[f"{table}.{key}"] = str(path)
    for item in fields(flags):
        value = getattr(flags, item.name)
        if value is not None:
            given[item.name] = value
            origins[".".join(_PLACES[item.name])] = "flag"
    config = replace(RoutingConfig(), **given)
    _refuse_contradictions(config, origins, infer)
    return config, origins


def _placed(given: str, file: Path | None) -> Path:
    """Relative to the file, but for the name of a model that ships, where nothing else has it."""
    place = (file.parent if file else Path()) / given
    return Path(given) if Path(given).parts[:1] == (_SHIPPED,) and not place.exists() else place


def _refuse_contradictions(config: RoutingConfig, origins: Mapping[str, str], infer: str | None) -> None:
    if config.policy is not None and infer is not None:
        problem = f"infer is {infer!r}, and there is a policy, which chooses the model; expected one of them"
        raise _invalid(problem)
    if config.policy is not None and not config.policy.is_dir():
        raise _invalid(f"there is no folder {str(config.policy)!r} with a policy")
    for table in ("policy", "memory", "ledger"):  # the setting that the others need is named as its table
        others = [key for key in _given(origins, table) if key != f"{table}.{_PLACES[table][1]}"]
        if getattr(config, table) is None and others:
            raise _invalid(f"{others[0]} is set without {table}.{_PLACES[table][1]}")
    for name in ("memory", "ledger"):
        file = getattr(config, name)
        if file is not None and not file.parent.is_dir():
            raise _invalid(f"there is no folder {str(file.parent)!r} for {name}.path")
    if config.memory is not None and config.memory == config.ledger:
        raise _invalid(f"memory.path and ledger.path are both {str(config.memory)!r}; expected two files")


def _given(origins: Mapping[str, str], table: str) -> list[str]:
    return [key for key, origin in origins.items() if key.startswith(f"{table}.") and origin != "default"]


def _invalid(message: str) -> BadRequest:
    return BadRequest(message, code="invalid_config")
