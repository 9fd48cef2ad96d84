"""Weights go in and out unchanged, and whatever is wrong with a folder is said."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from pointsman.core import BadRequest, PointsmanError
from pointsman.engine.config import ARCHITECTURES, ModelConfig, RopeConfig, read_config
from pointsman.engine.model import Decoder
from pointsman.engine.weights import config_to_hf, load_weights, named_views, save_weights

MakeDecoder = Callable[..., Decoder]
Tensors = dict[str, Tensor]

NORM = "model.norm.weight"
GATE = "model.layers.1.mlp.gate_proj.weight"
EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"


def load(folder: Path, dtype: torch.dtype = torch.float32) -> Decoder:
    return load_weights(read_config(folder / "config.json"), folder, dtype=dtype, device=torch.device("cpu"))


def refusal(folder: Path) -> str:
    """The message that the folder is refused with."""
    with pytest.raises(BadRequest) as caught:
        load(folder)
    assert caught.value.code == "invalid_weights"
    return caught.value.message


def change(folder: Path, edit: Callable[[Tensors], object]) -> None:
    """Writes the weights of a folder anew after `edit` of them."""
    tensors = load_file(folder / "model.safetensors")
    edit(tensors)
    save_file(tensors, folder / "model.safetensors")


def split(folder: Path) -> dict[str, str]:
    """Turns the weights of a folder into two shards and an index; returns which tensor is where."""
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    shards: dict[str, Tensors] = {"first.safetensors": {}, "second.safetensors": {}}
    for index, (name, tensor) in enumerate(sorted(tensors.items())):
        shards["first.safetensors" if index % 2 else "second.safetensors"][name] = tensor
    for shard, held in shards.items():
        save_file(held, folder / shard)
    places = {name: shard for shard, held in shards.items() for name in held}
    write_index(folder, {"weight_map": places})
    return places


def write_index(folder: Path, index: object) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


@pytest.fixture
def saved(make_decoder: MakeDecoder, tmp_path: Path) -> Path:
    """A folder with a good, untied model."""
    save_weights(make_decoder(), tmp_path)
    return tmp_path


@pytest.fixture
def saved_tied(make_decoder: MakeDecoder, tmp_path: Path) -> Path:
    save_weights(make_decoder(ties_embedding=True), tmp_path)
    return tmp_path


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("is_split", [False, True], ids=["whole", "shards"])
def test_what_is_saved_comes_back_bit_for_bit(
    dtype: torch.dtype, is_split: bool, make_decoder: MakeDecoder, tmp_path: Path
) -> None:
    decoder = make_decoder(dtype=dtype, has_qkv_bias=True, architecture="Qwen2ForCausalLM", has_qk_norm=False)
    save_weights(decoder, tmp_path)
    if is_split:
        split(tmp_path)
    again = load(tmp_path, dtype)
    assert again.config == decoder.config
    assert again.state_dict().keys() == decoder.state_dict().keys()
    assert all(torch.equal(again.state_dict()[name], value) for name, value in decoder.state_dict().items())


def test_rotary_tables_are_exact_whatever_the_weights_are(saved: Path, make_decoder: MakeDecoder) -> None:
    decoder, fresh = load(saved, torch.bfloat16), make_decoder()
    assert decoder.embedding.dtype is torch.bfloat16
    assert torch.equal(decoder.cos, fresh.cos)
    assert torch.equal(decoder.sin, fresh.sin)


def test_views_cover_every_parameter_once(make_decoder: MakeDecoder) -> None:
    decoder = make_decoder()
    views = named_views(decoder)
    assert sum(view.numel() for view in views.values()) == decoder.config.num_parameters
    for view in views.values():
        view.fill_(7)
    assert all((parameter == 7).all() for parameter in decoder.parameters())


def test_half_precision_is_converted(saved: Path) -> None:
    before = load(saved).norm.weight.detach()
    change(saved, lambda tensors: tensors.update({NORM: tensors[NORM].half()}))
    assert torch.equal(load(saved).norm.weight, before.half().float())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(
    "rope",
    [RopeConfig(5e5), RopeConfig(1e4, "linear", 2.0), RopeConfig(5e5, "llama3", 8.0, 1.5, 3.5, 4096)],
    ids=["default", "linear", "llama3"],
)
@pytest.mark.parametrize("eos_tokens", [(), (3,), (3, 4)])
def test_a_written_config_reads_as_it_was(
    architecture: str, rope: RopeConfig, eos_tokens: tuple[int, ...], tmp_path: Path
) -> None:
    config = ModelConfig(
        architecture,
        vocab_size=50,
        hidden_size=24,
        intermediate_size=40,
        num_layers=3,
        num_heads=6,
        num_kv_heads=2,
        head_dim=8,
        context_tokens=100,
        rms_norm_eps=1e-5,
        rope=rope,
        ties_embedding=True,
        has_qkv_bias=architecture.startswith("Qwen2"),
        has_qk_norm=architecture.startswith("Qwen3"),
        eos_tokens=eos_tokens,
        bos_token=0,
    )
    (tmp_path / "config.json").write_text(json.dumps(config_to_hf(config)))
    assert read_config(tmp_path / "config.json") == config


def test_no_weights(saved: Path) -> None:
    (saved / "model.safetensors").unlink()
    assert "expected model.safetensors, or model.safetensors.index.json" in refusal(saved)


@pytest.mark.parametrize("kept_bytes", [0, 5, 100, -1])
def test_cut_off_file(saved: Path, kept_bytes: int) -> None:
    whole = (saved / "model.safetensors").read_bytes()
    (saved / "model.safetensors").write_bytes(whole[:kept_bytes])
    assert "model.safetensors is cut off or no safetensors file" in refusal(saved)


def test_cut_off_shard(saved: Path) -> None:
    split(saved)
    whole = (saved / "second.safetensors").read_bytes()
    (saved / "second.safetensors").write_bytes(whole[:-4])
    assert "second.safetensors is cut off" in refusal(saved)


def test_missing_shard(saved: Path) -> None:
    split(saved)
    (saved / "second.safetensors").unlink()
    assert "names the shard 'second.safetensors', which is not in the folder" in refusal(saved)


def test_index_that_names_a_tensor_its_shard_lacks(saved: Path) -> None:
    places = split(saved)
    other = {"first.safetensors": "second.safetensors", "second.safetensors": "first.safetensors"}
    write_index(saved, {"weight_map": places | {NORM: other[places[NORM]]}})
    assert f"safetensors lacks {NORM}; expected what model.safetensors.index.json places there" in refusal(saved)


def test_shard_that_holds_more_than_its_index_says(saved: Path) -> None:
    places = split(saved)
    write_index(saved, {"weight_map": {name: shard for name, shard in places.items() if name != NORM}})
    assert f"{places[NORM]} holds {NORM}; expected what" in refusal(saved)


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        ([], "holds list; expected an object"),
        ({}, "weight_map is NoneType; expected an object"),
        ({"weight_map": {NORM: 3}}, "in 3; expected the name of a file beside it"),
        ({"weight_map": {NORM: "../a.safetensors"}}, "expected the name of a file beside it"),
        ({"weight_map": {}}, "the weights lack lm_head.weight"),
    ],
)
def test_broken_index(saved: Path, index: object, expected: str) -> None:
    (saved / "model.safetensors").unlink()
    write_index(saved, index)
    assert expected in refusal(saved)


def test_missing_tensors_are_named(saved: Path) -> None:
    change(saved, lambda tensors: [tensors.pop(NORM), tensors.pop(GATE)])
    assert f"the weights lack {GATE}, {NORM}; config.json asks for" in refusal(saved)


def test_many_missing_tensors_are_counted(saved: Path) -> None:
    change(saved, lambda tensors: [tensors.pop(name) for name in list(tensors) if "layers.1" in name])
    assert "post_attention_layernorm.weight and 6 more; config.json asks for 25" in refusal(saved)


def test_unexpected_tensors_are_named(saved: Path) -> None:
    change(saved, lambda tensors: tensors.update({"model.layers.2.mlp.gate_proj.weight": torch.ones(2)}))
    assert "the weights hold model.layers.2.mlp.gate_proj.weight; config.json asks for no such" in refusal(saved)


def test_wrong_shape(saved: Path) -> None:
    change(saved, lambda tensors: tensors.update({GATE: tensors[GATE].T.contiguous()}))
    message = refusal(saved)
    assert f"model.safetensors: {GATE} has shape [32, 48]; config.json asks for [48, 32]" in message


@pytest.mark.parametrize("dtype", [torch.int8, torch.float64, torch.float8_e4m3fn])
def test_wrong_dtype(saved: Path, dtype: torch.dtype) -> None:
    change(saved, lambda tensors: tensors.update({GATE: tensors[GATE].to(dtype)}))
    message = refusal(saved)
    assert f"{GATE} is of dtype " in message
    assert "expected F32, F16, BF16" in message


def test_a_tied_head_may_be_stored_too(saved_tied: Path) -> None:
    change(saved_tied, lambda tensors: tensors.update({HEAD: tensors[EMBEDDING].clone()}))
    assert load(saved_tied).head is None


@pytest.mark.parametrize("spoil", [lambda x: x + 1, lambda x: x.half()], ids=["value", "dtype"])
def test_a_tied_head_that_differs(saved_tied: Path, spoil: Callable[[Tensor], Tensor]) -> None:
    change(saved_tied, lambda tensors: tensors.update({HEAD: spoil(tensors[EMBEDDING])}))
    assert f"{HEAD} differs from {EMBEDDING}; expected the same" in refusal(saved_tied)


def test_a_tied_head_of_another_shape(saved_tied: Path) -> None:
    change(saved_tied, lambda tensors: tensors.update({HEAD: tensors[EMBEDDING][:5].clone()}))
    assert f"{HEAD} has shape [5, 32]; config.json asks for [60, 32]" in refusal(saved_tied)


def test_an_untied_head_must_be_there(saved: Path) -> None:
    change(saved, lambda tensors: tensors.pop(HEAD))
    assert f"the weights lack {HEAD}" in refusal(saved)


def test_rotary_tables_of_old_files_are_passed_over(saved: Path) -> None:
    name = "model.layers.0.self_attn.rotary_emb.inv_freq"
    change(saved, lambda tensors: tensors.update({name: torch.ones(4)}))
    assert load(saved).config.num_layers == 2


def test_a_damaged_header_is_never_a_foreign_exception(saved: Path) -> None:
    path = saved / "model.safetensors"
    whole = path.read_bytes()
    header_bytes = 8 + int.from_bytes(whole[:8], "little")
    rng = random.Random(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[rng.randrange(header_bytes)] = rng.randrange(256)
        path.write_bytes(damaged)
        try:
            load(saved)
        except PointsmanError as error:
            assert error.code == "invalid_weights"  # noqa: PT017 - some damage, as to metadata, is none
            refused += 1
    assert refused > 200
