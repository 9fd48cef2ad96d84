"""What the server is told: defaults, then `pointsman.toml`, then the environment, then flags; the later wins.

    [server]
    host = "127.0.0.1"
    port = 8400
    max_body_bytes = 16777216
    programs = ["programs"]        # files and folders, relative to this file
    readers = ["models/qwen3"]     # models that answer the questions of programs, the cheapest first; or URL#MODEL
    infer = "qwen3-8b"             # who answers requests to the model `auto` that no program covers

    [[upstream]]
    name = "local"
    base_url = "http://127.0.0.1:8000/v1"
    api_key_env = "LOCAL_API_KEY"  # the variable that holds the key; leave out where none is needed
    models = ["qwen3-8b"]
    timeout_s = 120.0              # longest silence
    prices = { "qwen3-8b" = [0.1, 0.4] }  # US dollars for a million prompt tokens, and for a million written ones;
                                   # perhaps a third, [0.1, 0.4, 0.05]: for prompt tokens from the prompt cache

    [[model]]
    source = "models/qwen3"        # a folder or .bin file, relative to this file, or an id on the Hub
    name = "qwen3-0.6b"            # default: the id, or the name of the folder or file
    num_rows = 8                   # texts computed together
    context_tokens = 4096          # longest prompt and text together; costs memory for each row
    dtype = "auto"
    device = "auto"
    unit = "units"                 # folder of `pointsman fit unit`, relative to this file; left out: no budget
    budget = 1.0                   # share of its bytes to move, where a request does not say
    prompt_budget = 1.0            # share of a long prompt's multiplications, where units were fitted to plain text
    prices = "bytes"               # what budgets are shares of; or "ms", where `fit unit --prices ms` measured them

    [[pair]]
    name = "mine"                  # two models that write one text
    small = "models/small"         # sources, as above
    large = "models/large"
    router = "router"              # folder of `pointsman fit token`, relative to this file
    method = "pointsman"           # how they share the work
    dials = {}                     # of the method; left out: those that were certified
    num_rows = 8
    context_tokens = 4096
    dtype = "auto"
    device = "auto"

What `auto` is told besides stands at the top of `routing_config.py`. A key that is unknown, or that contradicts
another, is an error before anything starts.
"""

import os
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct, to_builtins

from pointsman.core import BadRequest
from pointsman.gateway import wire
from pointsman.gateway.programs import PREFIX
from pointsman.gateway.routing_config import RoutingConfig, RoutingFlags, RoutingTables, routing_config

DEFAULT_TIMEOUT_S = 120.0

Dtype = Literal["auto", "float32", "bfloat16"]
Device = Literal["auto", "cpu", "cuda"]

_Port = Annotated[int, Meta(ge=0, le=65535)]
_Positive = Annotated[int, Meta(ge=1)]
_Name = Annotated[str, Meta(min_length=1, pattern=r"^[A-Za-z0-9._-]+$")]
_Model = Annotated[str, Meta(min_length=1)]
_Price = Annotated[float, Meta(ge=0)]

_MODEL_NAME = re.compile(r"[A-Za-z0-9._:/-]+")
"""What a header can carry and a URL need not quote."""

_HUB_ID = re.compile(r"\w[\w.-]*/[\w.-]+")


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Where the server listens and what it accepts. Port 0 takes any free port."""

    host: str = "127.0.0.1"
    port: int = 8400
    max_body_bytes: int = 16 * 2**20
    programs: tuple[Path, ...] = ()
    readers: tuple[str, ...] = ()
    infer: str | None = None


@dataclass(frozen=True, slots=True)
class UpstreamConfig:
    """One OpenAI-compatible server and the models that it answers for.

    Attributes:
        name: its name in messages and headers.
        base_url: the URL before `/chat/completions`.
        models: the names under which clients reach it.
        timeout_s: longest silence before it counts as failed, in seconds.
        api_key: sent as a bearer token; never shown.
        prices: of a model, in US dollars for a million prompt tokens and for a million written ones; a third is for
            prompt tokens that come from the provider's prompt cache, which else cost what all others do.
    """

    name: str
    base_url: str
    models: tuple[str, ...]
    timeout_s: float = DEFAULT_TIMEOUT_S
    api_key: str | None = field(default=None, repr=False)
    prices: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def nano_usd(self, model: str, prompt_tokens: int, completion_tokens: int, cached_tokens: int = 0) -> int | None:
        """The bill for so many tokens, `cached_tokens` of the prompt's from the cache; None where no price is known."""
        if model not in self.prices:
            return None
        read, written = self.prices[model][:2]
        whole = 1_000 * (read * prompt_tokens + written * completion_tokens)
        return round(whole - self.cache_saves(model) * cached_tokens)

    def cache_saves(self, model: str) -> float:
        """Nano-dollars that a prompt token costs less from the cache; 0 where no such price is known."""
        prices = self.prices.get(model, ())
        return 1_000 * (prices[0] - prices[2]) if len(prices) > 2 else 0.0


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """A model of this machine.

    Attributes:
        name: under which clients reach it.
        source: a folder in the Hugging Face format, a `.bin` file of llama2.c, or an id on the Hub.
        num_rows: texts computed together.
        context_tokens: longest prompt and text together; the model's own context where that is shorter. Every row has
            memory for so many from the start, which is why the default is not the model's context.
        dtype: of the weights.
        device: where it computes.
        unit: folder of `pointsman fit unit` for it, or None where it has no budget to choose.
        budget: share of its bytes that decoding may move, where a request does not say; 1 for the model itself.
        prices: what budgets are shares of.
        prompt_budget: share of a long prompt's multiplications; 1 for the model itself.
    """

    name: str
    source: str
    num_rows: int = 8
    context_tokens: int = 4096
    dtype: Dtype = "auto"
    device: Device = "auto"
    unit: Path | None = None
    budget: float = 1.0
    prices: Literal["bytes", "ms"] = "bytes"
    prompt_budget: float = 1.0


@dataclass(frozen=True, slots=True)
class PairConfig:
    """Two models of this machine that write one text.

    Attributes:
        name: under which clients reach them.
        small: source of the small model; see `ModelConfig`.
        large: source of the large model.
        router: folder of `pointsman fit token`.
        method: how they share the work.
        dials: of the method, or none for those that were certified.
        num_rows: texts computed together.
        context_tokens: longest prompt and text together, in tokens.
        dtype: of the weights.
        device: where they compute.
    """

    name: str
    small: str
    large: str
    router: Path
    method: str = "pointsman"
    dials: Mapping[str, float] = field(default_factory=dict)
    num_rows: int = 8
    context_tokens: int = 4096
    dtype: Dtype = "auto"
    device: Device = "auto"


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration; `origins` says where each setting of the server and of `auto` comes from."""

    server: ServerConfig = ServerConfig()
    upstreams: tuple[UpstreamConfig, ...] = ()
    models: tuple[ModelConfig, ...] = ()
    pairs: tuple[PairConfig, ...] = ()
    routing: RoutingConfig = RoutingConfig()  # noqa: RUF009  immutable
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Overrides:
    """Server settings from one later source; None leaves a setting as it is."""

    host: str | None = None
    port: int | None = None
    max_body_bytes: int | None = None
    programs: tuple[Path, ...] | None = None
    readers: tuple[str, ...] | None = None
    infer: str | None = None


class _ServerTable(Struct, frozen=True, forbid_unknown_fields=True):
    host: str | None = None
    port: _Port | None = None
    max_body_bytes: _Positive | None = None
    programs: list[str] | None = None
    readers: list[_Model] | None = None
    infer: _Model | None = None


class _UpstreamTable(Struct, frozen=True, forbid_unknown_fields=True):
    name: _Name
    base_url: str
    models: Annotated[list[_Model], Meta(min_length=1)]
    api_key_env: str | None = None
    timeout_s: Annotated[float, Meta(gt=0)] = DEFAULT_TIMEOUT_S
    prices: dict[str, Annotated[tuple[_Price, ...], Meta(min_length=2, max_length=3)]] = {}


class _ModelTable(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    source: _Model
    name: str | None = None
    num_rows: _Positive | None = None
    context_tokens: _Positive | None = None
    dtype: Dtype | None = None
    device: Device | None = None
    unit: _Model | None = None
    budget: Annotated[float, Meta(gt=0, le=1)] | None = None
    prices: Literal["bytes", "ms"] | None = None
    prompt_budget: Annotated[float, Meta(gt=0, le=1)] | None = None


class _PairTable(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    name: _Model
    small: _Model
    large: _Model
    router: _Model
    method: str | None = None
    dials: dict[str, float] | None = None
    num_rows: _Positive | None = None
    context_tokens: _Positive | None = None
    dtype: Dtype | None = None
    device: Device | None = None


class _File(RoutingTables, frozen=True, forbid_unknown_fields=True, kw_only=True):
    server: _ServerTable = _ServerTable()
    upstream: tuple[_UpstreamTable, ...] = ()
    model: tuple[_ModelTable, ...] = ()
    pair: tuple[_PairTable, ...] = ()


def load_config(
    path: Path | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Overrides | None = None,
    models: Sequence[str] = (),
    routing: RoutingFlags | None = None,
) -> Config:
    """The configuration from a file, the environment (`os.environ` where None) and flags.

    Variables are `POINTSMAN_HOST`, `POINTSMAN_PORT`, `POINTSMAN_MAX_BODY_BYTES` and `POINTSMAN_PROGRAMS`, the last a
    list of paths separated as in `PATH`. `models` are sources of models that a flag adds to those of the file, and
    `routing` holds the flags of `auto`.

    Raises:
        BadRequest: `invalid_config`; the message names the source, the key and what was expected.
    """
    environ = os.environ if environ is None else environ
    file = _File() if path is None else _read(path)
    sources = [
        (str(path), _from_file(file.server, path.parent if path else Path())),
        ("environment", _from_environ(environ)),
        ("flag", flags or Overrides()),
    ]
    server, origins = ServerConfig(), {item.name: "default" for item in fields(ServerConfig)}
    for source, overrides in sources:
        given = {item.name: getattr(overrides, item.name) for item in fields(Overrides)}
        given = {name: value for name, value in given.items() if value is not None}
        server = replace(server, **given)
        origins.update(dict.fromkeys(given, source))
    _refuse_address(server, origins)
    upstreams = tuple(_upstream(table, environ) for table in file.upstream)
    local = [_model(table, path.parent if path else Path()) for table in file.model]
    local += [_model(_ModelTable(source), Path()) for source in models]
    pairs = [_pair(table, path.parent if path else Path()) for table in file.pair]
    _refuse_conflicts(upstreams, local, pairs)
    auto, auto_origins = routing_config(file, path, routing or RoutingFlags(), server.infer)
    return Config(server, upstreams, tuple(local), tuple(pairs), auto, {**origins, **auto_origins})


def _refuse_address(server: ServerConfig, origins: Mapping[str, str]) -> None:
    """Whatever source it comes from; an empty host would mean every address of the machine."""
    if not 0 <= server.port <= 65535:
        raise _invalid(f"port ({origins['port']}) is {server.port}; expected a port from 0 to 65535")
    if not server.host.strip() or not server.host.isprintable():
        raise _invalid(f"host ({origins['host']}) is {server.host!r}; expected an address, such as 127.0.0.1")


def _read(path: Path) -> _File:
    try:
        return wire.convert(tomllib.loads(path.read_text("utf-8")), _File, "the configuration")
    except OSError as exc:
        raise _invalid(f"cannot read {path}: {exc.strerror}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise _invalid(f"{path} is not TOML: {exc}") from exc
    except BadRequest as exc:
        raise _invalid(f"{path}: {exc.message}") from exc


def _from_file(table: _ServerTable, folder: Path) -> Overrides:
    programs = None if table.programs is None else tuple(folder / item for item in table.programs)
    readers = None if table.readers is None else tuple(_reader(item, folder) for item in table.readers)
    return Overrides(table.host, table.port, table.max_body_bytes, programs, readers, table.infer)


def _reader(given: str, folder: Path) -> str:
    """A model that is here, an id on the Hub, or one behind a URL."""
    return given if given.startswith(("http://", "https://")) else _source(given, folder)


def _from_environ(environ: Mapping[str, str]) -> Overrides:
    programs = environ.get("POINTSMAN_PROGRAMS")
    return Overrides(
        host=environ.get("POINTSMAN_HOST"),
        port=_number(environ, "POINTSMAN_PORT", lambda value: 0 <= value <= 65535, "a port from 0 to 65535"),
        max_body_bytes=_number(environ, "POINTSMAN_MAX_BODY_BYTES", lambda value: value >= 1, "a number from 1 up"),
        programs=None if programs is None else tuple(Path(item) for item in programs.split(os.pathsep) if item),
    )


def _number(environ: Mapping[str, str], name: str, accepts: Callable[[int], bool], expected: str) -> int | None:
    text = environ.get(name)
    if text is None:
        return None
    if not text.isdecimal() or not accepts(int(text)):
        raise _invalid(f"{name} is {text!r}; expected {expected}")
    return int(text)


def _upstream(table: _UpstreamTable, environ: Mapping[str, str]) -> UpstreamConfig:
    if not _is_base_url(table.base_url):
        raise _invalid(f"upstream {table.name!r}: base_url must be http(s)://HOST[:PORT][/PATH]")
    api_key = None
    if table.api_key_env is not None:
        api_key = environ.get(table.api_key_env)
        if not api_key:
            raise _invalid(f"upstream {table.name!r}: the variable {table.api_key_env!r} of api_key_env is not set")
        if not (api_key.isascii() and api_key.isprintable()):
            raise _invalid(
                f"upstream {table.name!r}: the variable {table.api_key_env!r} of api_key_env holds a line break or "
                "another character that a header cannot carry"
            )
    unknown = set(table.prices) - set(table.models)
    if unknown:
        raise _invalid(f"upstream {table.name!r}: prices name {min(unknown)!r}, which is none of its models")
    for model, (read, _, *cached) in table.prices.items():
        if cached and cached[0] > read:
            problem = f"the price of {model!r} for cached prompt tokens is {cached[0]:g}, above {read:g} for others"
            raise _invalid(f"upstream {table.name!r}: {problem}; expected that or less")
    return UpstreamConfig(table.name, table.base_url, tuple(table.models), table.timeout_s, api_key, table.prices)


def _is_base_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        _ = url.port  # raises where it is no port
    except ValueError:
        return False
    is_plain = text.isprintable() and " " not in text
    return is_plain and url.scheme in ("http", "https") and bool(url.hostname) and not (url.query or url.fragment)


def _model(table: _ModelTable, folder: Path) -> ModelConfig:
    source = _source(table.source, folder)
    name = table.name
    if name is None:
        is_here = source != table.source or Path(source).exists()
        name = Path(source).resolve().name.removesuffix(".bin") if is_here else table.source
    if not _MODEL_NAME.fullmatch(name):
        expected = "a name of letters, digits and . _ : / -, which the key `name` of [[model]] can give it"
        raise _invalid(f"the model {table.source!r} is named {name!r}; expected {expected}")
    unit = None if table.unit is None else folder / Path(table.unit).expanduser()
    if unit is not None and not unit.is_dir():
        raise _invalid(f"the model {name!r}: there is no folder {str(unit)!r}; expected one of `fit unit`")
    if unit is None and any(key is not None for key in (table.budget, table.prompt_budget, table.prices)):
        problem = f"the model {name!r} has a budget or prices without a unit"
        raise _invalid(f"{problem}; expected the folder of a `fit unit`")
    return ModelConfig(**{**to_builtins(table), "name": name, "source": source, "unit": unit})


def _pair(table: _PairTable, folder: Path) -> PairConfig:
    if not _MODEL_NAME.fullmatch(table.name):
        problem = f"a [[pair]] is named {table.name!r}; expected a name of letters, digits and . _ : / -"
        raise _invalid(problem)
    router = folder / Path(table.router).expanduser()
    if not router.is_dir():
        raise _invalid(f"the pair {table.name!r}: there is no folder {str(router)!r}; expected one of `fit token`")
    sources = {role: _source(getattr(table, role), folder) for role in ("small", "large")}
    return PairConfig(**{**to_builtins(table), **sources, "router": router})


def _source(given: str, folder: Path) -> str:
    """The path of a model that is here, else the id on the Hub."""
    path = folder / Path(given).expanduser()
    if path.exists():
        return str(path)
    if path.suffix == ".bin" or not _HUB_ID.fullmatch(given):
        expected = "a folder, a llama2.c .bin file or an id such as Qwen/Qwen3-0.6B"
        raise _invalid(f"there is no model {given!r}; expected {expected}")
    return given


def _refuse_conflicts(
    upstreams: Sequence[UpstreamConfig], models: Sequence[ModelConfig], pairs: Sequence[PairConfig]
) -> None:
    names: set[str] = set()
    for upstream in upstreams:
        if upstream.name in names:
            raise _invalid(f"two upstreams are named {upstream.name!r}")
        names.add(upstream.name)
    owners: dict[str, str] = {}
    owned = [(name, f"the upstream {upstream.name!r}") for upstream in upstreams for name in upstream.models]
    owned += [(model.name, f"the model of {model.source!r}") for model in models]
    owned += [(pair.name, f"the pair of {pair.small!r} and {pair.large!r}") for pair in pairs]
    for name, owner in owned:
        if name.startswith(PREFIX):
            raise _invalid(f"{owner}: the name {name!r} is reserved for programs")
        if name in owners:
            raise _invalid(f"the model {name!r} is listed twice: by {owners[name]} and by {owner}")
        owners[name] = owner


def _invalid(message: str) -> BadRequest:
    return BadRequest(message, code="invalid_config")
