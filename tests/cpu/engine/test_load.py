"""A name becomes a model, and files that do not fit each other become errors."""

import json
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from pointsman.core import BadRequest, NotFound, Unsupported
from pointsman.engine import load as load_module
from pointsman.engine.load import load_model
from pointsman.engine.model import Decoder
from pointsman.engine.weights import save_weights

MakeDecoder = Callable[..., Decoder]


def save_tokenizer(folder: Path, num_words: int, eos_token: str | None = None) -> None:
    vocabulary = {letter: token for token, letter in enumerate("abcdefghijklmnopqrstuvwxyz"[:num_words])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": eos_token}))


@pytest.fixture
def folder(make_decoder: MakeDecoder, tmp_path: Path) -> Path:
    save_weights(make_decoder(), tmp_path)
    save_tokenizer(tmp_path, 26, "d")
    return tmp_path


def test_everything_of_a_folder(folder: Path, make_decoder: MakeDecoder) -> None:
    model = load_model(str(folder), dtype="float32", device="cpu")
    assert model.name == str(folder)
    assert model.tokenizer.encode("cab", special=True) == [2, 0, 1]
    assert model.config == model.decoder.config
    assert torch.equal(model.decoder.embedding, make_decoder().embedding)


def test_end_tokens_of_all_files_end_a_text(folder: Path) -> None:
    assert load_model(str(folder), device="cpu").config.eos_tokens == (1, 3)
    (folder / "generation_config.json").write_text('{"eos_token_id": [7, 1]}')
    assert load_model(str(folder), device="cpu").config.eos_tokens == (1, 7, 3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("{", "is not JSON"), ('{"eos_token_id": "x"}', "a token id or a list"), ("[]", "holds list")],
)
def test_a_broken_generation_config(text: str, expected: str, folder: Path) -> None:
    (folder / "generation_config.json").write_text(text)
    with pytest.raises(BadRequest, match=expected) as caught:
        load_model(str(folder), device="cpu")
    assert caught.value.code == "invalid_model"


@pytest.mark.parametrize(
    ("has_bf16", "large_parameters", "expected"),
    [(False, 10**9, torch.float32), (True, 10**9, torch.bfloat16), (False, 1000, torch.bfloat16)],
    ids=["small", "bf16-processor", "large"],
)
def test_the_dtype_that_auto_takes_on_a_cpu(
    has_bf16: bool, large_parameters: int, expected: torch.dtype, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load_module, "cpu_has_bf16", lambda: has_bf16)
    monkeypatch.setattr(load_module, "_LARGE_PARAMETERS", large_parameters)
    assert load_model(str(folder), device="cpu").decoder.embedding.dtype is expected


@pytest.mark.parametrize(("name", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_a_dtype_that_is_named(name: load_module.DtypeName, dtype: torch.dtype, folder: Path) -> None:
    assert load_model(str(folder), dtype=name, device="cpu").decoder.embedding.dtype is dtype


def test_a_gpu_that_is_not_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(Unsupported, match="'cuda' is not available here; expected 'auto' or 'cpu'") as caught:
        load_model(str(folder), device="cuda")
    assert caught.value.code == "no_cuda"
    assert load_model(str(folder), device="auto").decoder.embedding.device.type == "cpu"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_auto_takes_the_gpu(folder: Path) -> None:
    decoder = load_model(str(folder)).decoder
    assert decoder.embedding.device.type == decoder.cos.device.type == "cuda"
    assert decoder.embedding.dtype is torch.bfloat16
    assert decoder.cos.dtype is torch.float32


def test_a_tokenizer_with_more_tokens_than_the_model(make_decoder: MakeDecoder, tmp_path: Path) -> None:
    save_weights(make_decoder(vocab_size=25), tmp_path)
    save_tokenizer(tmp_path, 26)
    with pytest.raises(BadRequest, match="the tokenizer has 26 tokens and the model 25; expected no more") as caught:
        load_model(str(tmp_path), device="cpu")
    assert caught.value.code == "invalid_tokenizer"


def test_a_model_may_have_more_tokens_than_its_tokenizer(folder: Path) -> None:
    model = load_model(str(folder), device="cpu")
    assert (model.config.vocab_size, model.tokenizer.vocab_size) == (60, 26)


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("config.json", "invalid_model"),
        ("model.safetensors", "invalid_weights"),
        ("tokenizer.json", "invalid_tokenizer"),
    ],
)
def test_a_file_that_is_absent(file: str, code: str, folder: Path) -> None:
    (folder / file).unlink()
    with pytest.raises(BadRequest, match=file) as caught:
        load_model(str(folder), device="cpu")
    assert caught.value.code == code


def test_a_name_that_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no model"):
        load_model(str(tmp_path / "absent"))


@pytest.fixture
def bin_file(tmp_path: Path) -> Path:
    """A llama2.c model of one layer and zeros."""
    num_values = 300 * 8 + 8 * 3 + 4 * 8 * 8 + 3 * 16 * 8 + 2 * 10 * 2
    (tmp_path / "tiny.bin").write_bytes(struct.pack("<7i", 8, 16, 1, 2, 2, 300, 10) + bytes(4 * num_values))
    return tmp_path / "tiny.bin"


def write_llama2c_tokenizer(path: Path, num_tokens: int) -> None:
    names = [b"<unk>", b"<s>", b"</s>", *(b"<0x%02X>" % byte for byte in range(256))]
    names += [b"piece%d" % index for index in range(num_tokens - len(names))]
    path.write_bytes(struct.pack("<i", 9) + b"".join(struct.pack("<fi", 0.0, len(name)) + name for name in names))


@pytest.mark.parametrize("file", ["tok300.bin", "tokenizer.bin"])
def test_llama2c_with_the_tokenizer_beside_it(file: str, bin_file: Path) -> None:
    write_llama2c_tokenizer(bin_file.with_name(file), 300)
    model = load_model(str(bin_file), device="cpu")
    assert (model.config.vocab_size, model.tokenizer.vocab_size) == (300, 300)
    assert model.config.eos_tokens == (2, 1)
    assert not model.decoder.embedding.any()


def test_llama2c_without_a_tokenizer(bin_file: Path) -> None:
    with pytest.raises(BadRequest, match=r"no tokenizer beside it; expected tok300\.bin or tokenizer\.bin"):
        load_model(str(bin_file), device="cpu")


def test_llama2c_with_the_tokenizer_of_another_model(bin_file: Path) -> None:
    write_llama2c_tokenizer(bin_file.with_name("tokenizer.bin"), 301)
    with pytest.raises(BadRequest, match="the tokenizer has 301 tokens and the model 300"):
        load_model(str(bin_file), device="cpu")


def test_a_loaded_model_is_a_value(folder: Path) -> None:
    model = load_model(str(folder), device="cpu")
    assert replace(model, name="other").decoder is model.decoder
