"""From the name of a model to its files, and the only place where huggingface_hub's exceptions are translated.

A folder or file of that name comes first, then the Hub's cache on this machine, then the Hub. A complete copy in the
cache is taken as it is, so a model does not change until somebody downloads it anew.
"""

import re
from pathlib import Path

from pointsman.core import BadRequest, NotFound, PointsmanError, UpstreamError
from pointsman.engine.config import read_object
from pointsman.engine.weights import CONFIG_FILE, INDEX_FILE, WEIGHTS_FILE

FILES = (
    CONFIG_FILE,
    "generation_config.json",
    "*.safetensors",
    INDEX_FILE,
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
)
"""What is downloaded of a model."""

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def resolve_model(name: str) -> Path:
    """The folder, or the llama2.c file, that holds a model.

    Args:
        name: a folder in the Hugging Face format, a `.bin` file of llama2.c, or the id of a model on the Hub, such as
            `Qwen/Qwen3-0.6B`.

    Raises:
        BadRequest: `invalid_model` for a file that is no `.bin`.
        NotFound: `model_not_found` where nothing has the name, here or on the Hub.
        UpstreamError: `hub_unreachable`, `hub_refused` or `hub_failed` where the model must be downloaded and cannot.
    """
    path = Path(name)
    if name and _exists(path):
        if path.is_dir() or path.suffix == ".bin":
            return path
        raise BadRequest(f"{name!r} is a file; expected a folder or a llama2.c .bin file", code="invalid_model")
    if path.suffix == ".bin" or not _HUB_ID.fullmatch(name):
        expected = "a folder, a llama2.c .bin file or an id such as Qwen/Qwen3-0.6B"
        raise NotFound(f"there is no model {name!r}; expected {expected}", code="model_not_found")
    return _hub_folder(name)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that is too long, or below a folder that may not be read
        return False


def _hub_folder(name: str) -> Path:
    """The folder of a model of the Hub, downloaded unless the cache has all of it."""
    from huggingface_hub import errors  # here, because it takes long to import

    try:
        return _cached(name) or _downloaded(name)
    except (_client_error(), OSError, ValueError, RuntimeError, errors.EntryNotFoundError) as exc:
        raise _translate(exc, name) from exc


def _cached(name: str) -> Path | None:
    from huggingface_hub import errors, snapshot_download

    try:
        folder = Path(snapshot_download(name, allow_patterns=list(FILES), local_files_only=True))
    except errors.LocalEntryNotFoundError:
        return None
    return folder if _has_weights(folder) else None


def _downloaded(name: str) -> Path:
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(name, allow_patterns=list(FILES)))


def _has_weights(folder: Path) -> bool:
    """Whether the weights are all there; an earlier download may have stopped half-way or wanted other files."""
    if (folder / WEIGHTS_FILE).is_file():
        return True
    if not (folder / INDEX_FILE).is_file():
        return False
    shards = read_object(folder / INDEX_FILE, code="invalid_weights").get("weight_map")
    return isinstance(shards, dict) and all((folder / str(shard)).is_file() for shard in shards.values())


def _translate(exc: Exception, name: str) -> PointsmanError:
    """The error to raise in place of `exc`, which asking the Hub for `name` raised."""
    from huggingface_hub import errors

    by_hand = f"or put {', '.join(FILES)} of https://huggingface.co/{name} into a folder and name that folder"
    if isinstance(exc, errors.GatedRepoError):
        problem = f"the Hub wants permission for {name!r}; accept its terms there and set HF_TOKEN, {by_hand}"
        return UpstreamError(problem, retryable=False, code="hub_refused")
    if isinstance(exc, errors.RepositoryNotFoundError | errors.RevisionNotFoundError | errors.HFValidationError):
        problem = f"there is no folder {name!r} here, and the Hub has no such model, or a private one (set HF_TOKEN)"
        return NotFound(problem, code="model_not_found")
    has_answered = isinstance(exc, errors.HfHubHTTPError)
    if isinstance(exc, _client_error() | ConnectionError | errors.EntryNotFoundError) and not has_answered:
        problem = f"{name!r} is neither a folder here nor in the Hub's cache, and the Hub cannot be reached"
        return UpstreamError(f"{problem}; try again online, {by_hand}", retryable=True, code="hub_unreachable")
    problem = f"{name!r} cannot be downloaded: {exc}; try again, {by_hand}"
    return UpstreamError(problem, retryable=has_answered, code="hub_failed")


def _client_error() -> type[Exception]:
    """The base of the errors of the HTTP client that this version of huggingface_hub uses; they have been three."""
    from huggingface_hub import errors

    base: type[Exception] = errors.HfHubHTTPError.__bases__[0]
    return base
