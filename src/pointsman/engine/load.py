"""From a name to a model that is ready to write: files, configuration, weights and tokenizer together."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch

from pointsman.core import BadRequest, Unsupported
from pointsman.engine.cache import KVCache
from pointsman.engine.config import ModelConfig, read_config, read_eos_tokens
from pointsman.engine.llama2c import load_llama2c, read_llama2c_config, read_llama2c_tokenizer
from pointsman.engine.model import Decoder, cpu_has_bf16
from pointsman.engine.session import Execution, Session
from pointsman.engine.source import resolve_model
from pointsman.engine.tokenizer import TextTokenizer, read_tokenizer
from pointsman.engine.weights import CONFIG_FILE, load_weights

DtypeName = Literal["auto", "float32", "bfloat16"]
DeviceName = Literal["auto", "cpu", "cuda"]

GENERATION_FILE = "generation_config.json"

_LARGE_PARAMETERS = 100_000_000
"""Chosen: far beyond a processor's caches, where reading the weights takes the time and bf16 halves it."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model that is ready to write.

    Attributes:
        name: by which it was asked for.
        decoder: its weights.
        tokenizer: its vocabulary and chat template.
        config: its shape; `eos_tokens` are those of `config.json`, `generation_config.json` and the tokenizer.
        execution: makes what reads tokens in place of the decoder, or None.
    """

    name: str
    decoder: Decoder
    tokenizer: TextTokenizer
    config: ModelConfig
    execution: Callable[[Decoder, KVCache], Execution] | None = None

    def session(self, num_rows: int, capacity_tokens: int, *, compiles: bool = False) -> Session:
        """New rows that this model reads; see `Session`."""
        return Session(self.decoder, num_rows, capacity_tokens, compiles=compiles, execution=self.execution)


def load_model(name: str, *, dtype: DtypeName = "auto", device: DeviceName = "auto") -> LoadedModel:
    """The model of that name; see `resolve_model` for what a name may be.

    Args:
        name: a folder, a `.bin` file of llama2.c, or an id on the Hub.
        dtype: of the weights. `auto` is bfloat16 on a GPU, on a processor that multiplies it, and for a model of more
            than 100 million parameters; else float32.
        device: where the model lives. `auto` is the GPU where there is one.

    Raises:
        BadRequest: `invalid_model`, `invalid_weights` or `invalid_tokenizer` for files that are broken or do not fit
            each other.
        NotFound: `model_not_found`.
        Unsupported: `unsupported_model`, `unsupported_tokenizer`, or `no_cuda` where a GPU is asked for and there is
            none.
        UpstreamError: where the model must be downloaded and cannot.
    """
    target = _device(device)
    path = resolve_model(name)
    is_file = path.is_file()
    config = read_llama2c_config(path) if is_file else read_config(path / CONFIG_FILE)
    tokenizer = _llama2c_tokenizer(path, config) if is_file else read_tokenizer(path)
    _require_vocabulary(path, config, tokenizer)
    config = replace(config, eos_tokens=_eos_tokens(path, config, tokenizer))
    kind = _dtype(dtype, target, config)
    if is_file:
        decoder = load_llama2c(path, dtype=kind, device=target)
    else:
        decoder = load_weights(config, path, dtype=kind, device=target)
    return LoadedModel(name, decoder, tokenizer, config)


def _device(name: DeviceName) -> torch.device:
    has_cuda = torch.cuda.is_available()
    if name == "cuda" and not has_cuda:
        raise Unsupported("device 'cuda' is not available here; expected 'auto' or 'cpu'", code="no_cuda")
    return torch.device("cuda" if name != "cpu" and has_cuda else "cpu")


def _dtype(name: DtypeName, device: torch.device, config: ModelConfig) -> torch.dtype:
    if name == "auto":
        is_fast = device.type == "cuda" or cpu_has_bf16()
        return torch.bfloat16 if is_fast or config.num_parameters > _LARGE_PARAMETERS else torch.float32
    return torch.bfloat16 if name == "bfloat16" else torch.float32


def _llama2c_tokenizer(path: Path, config: ModelConfig) -> TextTokenizer:
    """The tokenizer beside a `.bin`: llama2.c calls one of 512 tokens `tok512.bin`, and Llama 2's `tokenizer.bin`."""
    own, common = path.with_name(f"tok{config.vocab_size}.bin"), path.with_name("tokenizer.bin")
    if not own.exists() and not common.exists():
        problem = f"{path} has no tokenizer beside it; expected {own.name} or {common.name}"
        raise BadRequest(problem, code="invalid_tokenizer")
    return read_llama2c_tokenizer(own if own.exists() else common)


def _require_vocabulary(path: Path, config: ModelConfig, tokenizer: TextTokenizer) -> None:
    if tokenizer.vocab_size > config.vocab_size:
        problem = f"the tokenizer has {tokenizer.vocab_size} tokens and the model {config.vocab_size}"
        raise BadRequest(f"{path}: {problem}; expected no more than the model has", code="invalid_tokenizer")


def _eos_tokens(path: Path, config: ModelConfig, tokenizer: TextTokenizer) -> tuple[int, ...]:
    """Every id that some file says ends a text, each once."""
    generation = path / GENERATION_FILE
    more = read_eos_tokens(generation) if generation.is_file() else ()
    return tuple(dict.fromkeys((*config.eos_tokens, *more, *tokenizer.eos_tokens)))
