"""Weights in the layout of Hugging Face, read into a `Decoder` and written from one.

One table says which part of which parameter a stored tensor is (`named_views`), so that reading is a copy into the
views and writing stores them. Files are mapped into memory and everything is checked before the weights are allocated:
a load takes the memory of the model in its target dtype, and a broken folder none.

Not done here: pickled weights (`pytorch_model.bin`), quantised ones, and looking for NaN.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from json import dumps
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from pointsman.core import BadRequest
from pointsman.engine.config import ModelConfig, RopeConfig, read_object
from pointsman.engine.model import Block, Decoder

CONFIG_FILE, WEIGHTS_FILE, INDEX_FILE = "config.json", "model.safetensors", "model.safetensors.index.json"

_DTYPES = ("F32", "F16", "BF16")
_EMBEDDING, _HEAD = "model.embed_tokens.weight", "lm_head.weight"
_COMPUTED = ".rotary_emb.inv_freq"  # old Llama files store this table, which follows from config.json
_MAX_LISTED = 5


@dataclass(frozen=True, slots=True)
class _Stored:
    """What a file's header says of one tensor."""

    path: Path
    dtype: str
    shape: tuple[int, ...]


def load_weights(config: ModelConfig, folder: Path, *, dtype: torch.dtype, device: torch.device) -> Decoder:
    """The decoder whose weights lie in `folder`, as `model.safetensors` or as an index and its shards.

    Args:
        config: what `config.json` describes.
        folder: where the files are.
        dtype: to which every weight is converted; the rotary tables stay float32.
        device: where the decoder shall live.

    Raises:
        BadRequest: `invalid_weights` where a file is absent, cut off or no safetensors file; where a tensor is missing,
            unexpected, or of another shape or dtype than the configuration asks for; where a tied head differs from the
            embedding. Nothing has been allocated then, except where only the heads differ.
    """
    with torch.device("meta"):
        decoder = Decoder(config)
    stored = _stored_tensors(folder)
    expected = {name: tuple(view.shape) for name, view in named_views(decoder).items()}
    _require_names(folder, stored, expected, may_have_head=config.ties_embedding)
    for name, tensor in stored.items():
        _require_form(name, tensor, expected.get(name, expected[_EMBEDDING]))
    if config.ties_embedding and _HEAD in stored:
        _require_tied(stored[_EMBEDDING], stored[_HEAD])
    decoder = decoder.to(dtype).to_empty(device=device)
    views = named_views(decoder)
    for path in {tensor.path for tensor in stored.values()}:
        with _opened(path) as file:
            for name in views.keys() & file.keys():
                views[name].copy_(file.get_tensor(name))
    return decoder


def save_weights(decoder: Decoder, folder: Path) -> None:
    """Writes `config.json` and `model.safetensors` in the dtype of the weights; loading them gives the same bits."""
    folder.mkdir(parents=True, exist_ok=True)
    dtype = str(decoder.embedding.dtype).removeprefix("torch.")
    config = config_to_hf(decoder.config) | {"torch_dtype": dtype}
    (folder / CONFIG_FILE).write_text(dumps(config, indent=2) + "\n", "utf-8")
    save_file(named_views(decoder), folder / WEIGHTS_FILE, metadata={"format": "pt"})
    (folder / WEIGHTS_FILE).chmod((folder / CONFIG_FILE).stat().st_mode)  # the library leaves it to its owner alone


def config_to_hf(config: ModelConfig) -> dict[str, Any]:
    """The contents of a `config.json` that `read_config` and `transformers`, 4 or 5, read as `config`."""
    eos_tokens: int | list[int] | None = list(config.eos_tokens) or None
    if len(config.eos_tokens) == 1:
        eos_tokens = config.eos_tokens[0]
    return {
        "architectures": [config.architecture],
        "model_type": config.architecture.removesuffix("ForCausalLM").lower(),
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "num_hidden_layers": config.num_layers,
        "num_attention_heads": config.num_heads,
        "num_key_value_heads": config.num_kv_heads,
        "head_dim": config.head_dim,
        "max_position_embeddings": config.context_tokens,
        "sliding_window": None,
        "hidden_act": "silu",
        "rms_norm_eps": config.rms_norm_eps,
        "rope_theta": config.rope.theta,
        "rope_scaling": _rope_scaling(config.rope),
        "tie_word_embeddings": config.ties_embedding,
        "eos_token_id": eos_tokens,
        "bos_token_id": config.bos_token,
    }


def weights_hash(decoder: Decoder) -> str:
    """SHA-256 over names, shapes and values of a model's weights, rounded to bf16 whatever dtype it runs in."""
    digest = sha256()
    for name, parameter in sorted(decoder.named_parameters()):
        digest.update(f"{name} {tuple(parameter.shape)}".encode())
        digest.update(parameter.detach().cpu().to(torch.bfloat16).contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def named_views(decoder: Decoder) -> dict[str, Tensor]:
    """Every tensor of the Hugging Face layout by name, as a view of our parameter that holds it; no copies."""
    views: dict[str, Tensor] = {_EMBEDDING: decoder.embedding, "model.norm.weight": decoder.norm.weight}
    if decoder.head is not None:
        views[_HEAD] = decoder.head
    for layer, block in enumerate(decoder.blocks):
        assert isinstance(block, Block)
        views |= {f"model.layers.{layer}.{name}": view for name, view in _block_views(block).items()}
    return {name: view.detach() for name, view in views.items()}


def _block_views(block: Block) -> dict[str, Tensor]:
    attention, mlp = block.attention, block.mlp
    gate, up = mlp.gate_up.chunk(2)
    views = {
        "input_layernorm.weight": block.attention_norm.weight,
        "self_attn.o_proj.weight": attention.out,
        "post_attention_layernorm.weight": block.mlp_norm.weight,
        "mlp.gate_proj.weight": gate,
        "mlp.up_proj.weight": up,
        "mlp.down_proj.weight": mlp.down,
    }
    q_rows, kv_rows = attention.num_heads * attention.head_dim, attention.num_kv_heads * attention.head_dim
    for kind, fused in (("weight", attention.qkv), ("bias", attention.qkv_bias)):
        if fused is not None:
            views[f"self_attn.q_proj.{kind}"] = fused[:q_rows]
            views[f"self_attn.k_proj.{kind}"] = fused[q_rows : q_rows + kv_rows]
            views[f"self_attn.v_proj.{kind}"] = fused[q_rows + kv_rows :]
    for name, norm in (("q_norm", attention.q_norm), ("k_norm", attention.k_norm)):
        if norm is not None:
            views[f"self_attn.{name}.weight"] = norm.weight
    return views


def _rope_scaling(rope: RopeConfig) -> dict[str, Any] | None:
    if rope.kind == "default":
        return None
    scaling: dict[str, Any] = {"rope_type": rope.kind, "factor": rope.factor}
    if rope.kind == "llama3":
        scaling |= {
            "low_freq_factor": rope.low_freq_factor,
            "high_freq_factor": rope.high_freq_factor,
            "original_max_position_embeddings": rope.original_tokens,
        }
    return scaling


def _stored_tensors(folder: Path) -> dict[str, _Stored]:
    """Every tensor of a folder, without tables that the configuration gives."""
    single, index = folder / WEIGHTS_FILE, folder / INDEX_FILE
    if single.is_file():
        stored = _header(single)
    elif index.is_file():
        stored = _indexed(folder, index)
    else:
        raise _invalid(f"{folder} has no weights; expected {WEIGHTS_FILE}, or {INDEX_FILE} and its shards")
    return {name: tensor for name, tensor in stored.items() if not name.endswith(_COMPUTED)}


def _indexed(folder: Path, index: Path) -> dict[str, _Stored]:
    weight_map = _weight_map(index)
    stored: dict[str, _Stored] = {}
    for shard in sorted(set(weight_map.values())):
        path = folder / shard
        if not path.is_file():
            raise _invalid(f"{index} names the shard {shard!r}, which is not in the folder")
        header = _header(path)
        placed = {name for name, place in weight_map.items() if place == shard}
        if placed != header.keys():
            lost, extra = placed - header.keys(), header.keys() - placed
            problem = f"{path} lacks {_listed(lost)}" if lost else f"{path} holds {_listed(extra)}"
            raise _invalid(f"{problem}; expected what {INDEX_FILE} places there")
        stored |= header
    return stored


def _weight_map(index: Path) -> dict[str, str]:
    weight_map = read_object(index, code="invalid_weights").get("weight_map")
    if not isinstance(weight_map, dict):
        raise _invalid(f"{index}: weight_map is {type(weight_map).__name__}; expected an object")
    for name, shard in weight_map.items():
        if not isinstance(shard, str) or Path(shard).name != shard:
            raise _invalid(f"{index} places {name!r} in {shard!r}; expected the name of a file beside it")
    return weight_map


def _header(path: Path) -> dict[str, _Stored]:
    with _opened(path) as file:
        slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        return {name: _Stored(path, part.get_dtype(), tuple(part.get_shape())) for name, part in slices.items()}


def _require_names(
    folder: Path, stored: Mapping[str, _Stored], expected: Mapping[str, object], *, may_have_head: bool
) -> None:
    if missing := expected.keys() - stored.keys():
        raise _invalid(f"{folder}: the weights lack {_listed(missing)}; {CONFIG_FILE} asks for {len(expected)} tensors")
    unexpected = stored.keys() - expected.keys() - ({_HEAD} if may_have_head else set())
    if unexpected:
        raise _invalid(f"{folder}: the weights hold {_listed(unexpected)}; {CONFIG_FILE} asks for no such tensor")


def _require_form(name: str, tensor: _Stored, shape: Sequence[int]) -> None:
    if tensor.dtype not in _DTYPES:
        raise _invalid(f"{tensor.path}: {name} is of dtype {tensor.dtype}; expected {', '.join(_DTYPES)}")
    if tensor.shape != shape:
        problem = f"{name} has shape {list(tensor.shape)}; {CONFIG_FILE} asks for {list(shape)}"
        raise _invalid(f"{tensor.path}: {problem}")


def _require_tied(embedding: _Stored, head: _Stored) -> None:
    with _opened(embedding.path) as first, _opened(head.path) as second:
        if embedding.dtype != head.dtype or not torch.equal(first.get_tensor(_EMBEDDING), second.get_tensor(_HEAD)):
            problem = f"{_HEAD} differs from {_EMBEDDING}; expected the same, because tie_word_embeddings is true"
            raise _invalid(f"{head.path}: {problem}")


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """An open safetensors file; the only place that knows how the library fails."""
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            yield file
    except SafetensorError as exc:
        raise _invalid(f"{path} is cut off or no safetensors file: {exc}") from exc
    except OSError as exc:
        raise _invalid(f"cannot read {path}: {exc}") from exc


def _listed(names: set[str]) -> str:
    listed = ", ".join(islice(sorted(names), _MAX_LISTED))
    return listed if len(names) <= _MAX_LISTED else f"{listed} and {len(names) - _MAX_LISTED} more"


def _invalid(problem: str) -> BadRequest:
    return BadRequest(problem, code="invalid_weights")
