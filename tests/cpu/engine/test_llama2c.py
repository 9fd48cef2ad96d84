"""llama2.c's files, written on the spot and computed by its own definition: rotations of neighbouring pairs."""

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from pointsman.core import BadRequest, PointsmanError, Unsupported
from pointsman.engine.llama2c import Llama2cTokenizer, load_llama2c, read_llama2c_config, read_llama2c_tokenizer
from pointsman.engine.model import Decoder

FullLogits = Callable[[Decoder, Tensor], Tensor]

CPU = torch.device("cpu")
TOKENS = torch.randint(0, 300, (2, 20), generator=torch.Generator().manual_seed(5))
TOLERANCE = 1e-4
"""Logits are about 1; both compute in float32, in another order."""


@dataclass(frozen=True, slots=True)
class Header:
    """The seven numbers of a file, in its order."""

    dim: int = 32
    hidden_dim: int = 48
    num_layers: int = 2
    num_heads: int = 4
    num_kv_heads: int = 2
    vocab_size: int = 300
    seq_len: int = 24

    def pack(self) -> bytes:
        names = ("dim", "hidden_dim", "num_layers", "num_heads", "num_kv_heads", "vocab_size", "seq_len")
        return struct.pack("<7i", *(getattr(self, name) for name in names))


def make_tensors(header: Header) -> dict[str, Tensor]:
    """Random tensors by llama2.c's names, in the order of the file."""
    generator = torch.Generator().manual_seed(1)
    layers, dim, hidden = header.num_layers, header.dim, header.hidden_dim
    kv_dim = dim // header.num_heads * header.num_kv_heads
    angles = (header.seq_len, dim // header.num_heads // 2)
    shapes = {
        "tokens": (abs(header.vocab_size), dim),
        "rms_att": (layers, dim),
        "wq": (layers, dim, dim),
        "wk": (layers, kv_dim, dim),
        "wv": (layers, kv_dim, dim),
        "wo": (layers, dim, dim),
        "rms_ffn": (layers, dim),
        "w1": (layers, hidden, dim),
        "w2": (layers, dim, hidden),
        "w3": (layers, hidden, dim),
        "rms_final": (dim,),
        "freq_cis_real": angles,
        "freq_cis_imag": angles,
    }
    if header.vocab_size < 0:
        shapes["wcls"] = (abs(header.vocab_size), dim)
    means = {name: 1.0 if name.startswith("rms") else 0.0 for name in shapes}
    return {name: torch.randn(shape, generator=generator) * 0.3 + means[name] for name, shape in shapes.items()}


def write_model(path: Path, header: Header) -> dict[str, Tensor]:
    tensors = make_tensors(header)
    path.write_bytes(header.pack() + b"".join(tensor.numpy().tobytes() for tensor in tensors.values()))
    return tensors


def reference_logits(header: Header, w: dict[str, Tensor], tokens: Tensor) -> Tensor:
    """(T,) tokens to (T, V) logits, position by position, as the C program computes them."""
    head_dim = header.dim // header.num_heads
    group = header.num_heads // header.num_kv_heads
    rows = []
    keys: list[list[Tensor]] = [[] for _ in range(header.num_layers)]
    values: list[list[Tensor]] = [[] for _ in range(header.num_layers)]
    for position, token in enumerate(tokens.tolist()):
        x = w["tokens"][token]
        for layer in range(header.num_layers):
            normed = rms_norm(x, w["rms_att"][layer])
            q = turn(w["wq"][layer] @ normed, head_dim, position).view(-1, head_dim)
            keys[layer].append(turn(w["wk"][layer] @ normed, head_dim, position).view(-1, head_dim))
            values[layer].append((w["wv"][layer] @ normed).view(-1, head_dim))
            heads = []
            for head in range(header.num_heads):
                k = torch.stack([key[head // group] for key in keys[layer]])
                v = torch.stack([value[head // group] for value in values[layer]])
                heads.append((k @ q[head] / head_dim**0.5).softmax(0) @ v)
            x = x + w["wo"][layer] @ torch.cat(heads)
            normed = rms_norm(x, w["rms_ffn"][layer])
            x = x + w["w2"][layer] @ (functional.silu(w["w1"][layer] @ normed) * (w["w3"][layer] @ normed))
        rows.append(w.get("wcls", w["tokens"]) @ rms_norm(x, w["rms_final"]))
    return torch.stack(rows)


def rms_norm(x: Tensor, weight: Tensor) -> Tensor:
    return weight * x / (x.square().mean() + 1e-5).sqrt()


def turn(x: Tensor, head_dim: int, position: int) -> Tensor:
    """Every neighbouring pair of `x` turned by its angle."""
    x = x.clone()
    for first in range(0, len(x), 2):
        angle = torch.tensor(position / 10000 ** (first % head_dim / head_dim))
        a, b = x[first].clone(), x[first + 1].clone()
        x[first], x[first + 1] = a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()
    return x


@pytest.mark.parametrize("header", [Header(), Header(vocab_size=-300, num_kv_heads=4)], ids=["tied", "untied"])
def test_logits_are_those_of_the_definition(header: Header, tmp_path: Path, full_logits: FullLogits) -> None:
    tensors = write_model(tmp_path / "model.bin", header)
    decoder = load_llama2c(tmp_path / "model.bin", dtype=torch.float32, device=CPU)
    expected = torch.stack([reference_logits(header, tensors, row) for row in TOKENS])
    assert expected.std() > 0.5
    torch.testing.assert_close(full_logits(decoder, TOKENS), expected, atol=TOLERANCE, rtol=TOLERANCE)


def test_the_header_becomes_the_shape(tmp_path: Path) -> None:
    write_model(tmp_path / "model.bin", Header(vocab_size=-300))
    config = read_llama2c_config(tmp_path / "model.bin")
    assert (config.hidden_size, config.intermediate_size, config.num_layers) == (32, 48, 2)
    assert (config.num_heads, config.num_kv_heads, config.head_dim) == (4, 2, 8)
    assert (config.vocab_size, config.ties_embedding, config.context_tokens) == (300, False, 24)
    assert (config.bos_token, config.eos_tokens) == (1, (2, 1))


def test_weights_are_converted(tmp_path: Path) -> None:
    tensors = write_model(tmp_path / "model.bin", Header())
    decoder = load_llama2c(tmp_path / "model.bin", dtype=torch.bfloat16, device=CPU)
    assert torch.equal(decoder.embedding, tensors["tokens"].bfloat16())
    assert decoder.cos.dtype is torch.float32


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (Header(dim=0), "expected numbers from 1 up"),
        (Header(num_layers=-1), "expected numbers from 1 up"),
        (Header(vocab_size=0), "expected numbers from 1 up"),
        (Header(vocab_size=-(2**31)), "its header asks for "),
        (Header(dim=2**31 - 4, num_heads=2, num_layers=2**31 - 1), "its header asks for "),
        (Header(num_heads=3), "do not divide each other"),
        (Header(num_heads=32), "do not divide each other"),
        (Header(num_kv_heads=3), "do not divide each other"),
        (Header(num_layers=3), r"it has \d+ bytes; its header asks for \d+"),
        (Header(vocab_size=-300), r"it has \d+ bytes; its header asks for \d+"),
    ],
)
def test_a_header_that_cannot_be(header: Header, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    write_model(path, Header())
    path.write_bytes(header.pack() + path.read_bytes()[28:])
    with pytest.raises(BadRequest, match=expected) as caught:
        load_llama2c(path, dtype=torch.float32, device=CPU)
    assert caught.value.code == "invalid_weights"


@pytest.mark.parametrize("kept_bytes", [0, 10, 28, 5000, -1])
def test_a_model_that_is_cut_off(kept_bytes: int, tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    write_model(path, Header())
    path.write_bytes(path.read_bytes()[:kept_bytes])
    with pytest.raises(BadRequest, match=r"it has \d+ bytes; (its header asks|expected a header)"):
        read_llama2c_config(path)


def test_a_model_that_is_absent(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="No such file"):
        read_llama2c_config(tmp_path / "model.bin")


def test_a_later_export_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(struct.pack("<7i", 0x616B3432, 2, 32, 48, 2, 4, 4))
    with pytest.raises(Unsupported, match="an export of version 2; expected the legacy one") as caught:
        read_llama2c_config(tmp_path / "model.bin")
    assert caught.value.code == "unsupported_model"


BYTES = [b"<0x%02X>" % byte for byte in range(256)]


def write_tokenizer(path: Path, pieces: list[tuple[bytes, float]]) -> None:
    names = [(b"<unk>", 0.0), (b"\n<s>\n", 0.0), (b"\n</s>\n", 0.0), *((name, 0.0) for name in BYTES), *pieces]
    tokens = b"".join(struct.pack("<fi", score, len(name)) + name for name, score in names)
    path.write_bytes(struct.pack("<i", 9) + tokens)


PIECES = [(piece.encode(), -float(rank)) for rank, piece in enumerate([" t", "he", " the", "at", " c", " cat", "é"])]
LETTERS = [(letter.encode(), -100.0 - rank) for rank, letter in enumerate(" abcdehilt")]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Llama2cTokenizer:
    path = tmp_path_factory.mktemp("tokenizer") / "tok.bin"
    write_tokenizer(path, PIECES + LETTERS)
    return read_llama2c_tokenizer(path)


def test_the_best_pair_is_joined_first(tokenizer: Llama2cTokenizer) -> None:
    text = [name for name, _ in PIECES + LETTERS]
    ids = [259 + text.index(piece) for piece in (b" the", b" cat")]
    assert tokenizer.encode("the cat", special=False) == ids
    assert tokenizer.encode("the cat", special=True) == [1, *ids]
    assert tokenizer.encode_plain(" the cat") == ids
    assert tokenizer.encode("", special=True) == [1]


def test_letters_without_a_token_are_bytes(tokenizer: Llama2cTokenizer) -> None:
    assert tokenizer.encode_plain("é🙂") == [259 + 6, *(3 + byte for byte in "🙂".encode())]
    assert tokenizer.encode_plain("<0x41>") == [3 + ord(letter) for letter in "<0x41>"]


def test_decoding(tokenizer: Llama2cTokenizer) -> None:
    tokens = tokenizer.encode("the é🙂 cat", special=True)
    assert tokenizer.decode([*tokens, 2]) == "the é🙂 cat"
    stream = tokenizer.stream()
    assert "".join(map(stream.push, tokens)) == " the é🙂 cat"
    assert tokenizer.decode([3 + 0xFF, 99999]) == "�"


def test_what_else_a_tokenizer_has(tokenizer: Llama2cTokenizer) -> None:
    assert (tokenizer.vocab_size, tokenizer.eos_tokens) == (259 + 17, (2, 1))
    assert len(tokenizer.vocabulary_hash) == 64
    with pytest.raises(Unsupported, match="no chat template"):
        tokenizer.render_chat([])
    with pytest.raises(BadRequest, match="half of a surrogate pair"):
        tokenizer.encode("\udc00", special=False)


def plain_encoding(text: str, scores: dict[bytes, float]) -> list[bytes]:
    """The definition: look for the best pair from the left, join it, begin again."""
    pieces = [letter.encode() for letter in text]
    while True:
        joined = [scores.get(left + right) for left, right in pairwise(pieces)]
        known = [score for score in joined if score is not None]
        if not known:
            return pieces
        best = joined.index(max(known))
        pieces[best : best + 2] = [pieces[best] + pieces[best + 1]]


@settings(deadline=None)  # the machine may be busy
@given(text=st.text("abc", max_size=60), seed=st.integers(0, 1000))
def test_joining_is_the_definition(text: str, seed: int) -> None:
    """On random vocabularies with equal scores among them."""
    rng = random.Random(seed)
    pieces = {"".join(rng.choices("abc", k=rng.randint(1, 5))).encode(): float(rng.randint(0, 6)) for _ in range(30)}
    pieces |= dict.fromkeys((b"a", b"b", b"c"), 0.0)
    names = [b"", b"", b"", *BYTES, *pieces]
    tokenizer = Llama2cTokenizer(names, [0.0] * 259 + list(pieces.values()))
    assert [names[token] for token in tokenizer.encode_plain(text)] == plain_encoding(text, pieces)


def test_broken_tokenizers(tmp_path: Path) -> None:
    path = tmp_path / "tok.bin"
    write_tokenizer(path, PIECES)
    whole = path.read_bytes()
    for broken in (b"", whole[:3], whole[:100], whole[:-1], whole + b"\0\0\0", whole[:8] + b"\xff" * 8 + whole[16:]):
        path.write_bytes(broken)
        with pytest.raises(
            BadRequest, match=r"tok\.bin is (no tokenizer of llama2\.c|cut off or no tokenizer)"
        ) as caught:
            read_llama2c_tokenizer(path)
        assert caught.value.code == "invalid_tokenizer"
    with pytest.raises(BadRequest, match="No such file"):
        read_llama2c_tokenizer(tmp_path / "absent.bin")


def test_a_damaged_tokenizer_is_never_a_foreign_exception(tmp_path: Path) -> None:
    path = tmp_path / "tok.bin"
    write_tokenizer(path, PIECES + LETTERS)
    whole = path.read_bytes()
    rng = random.Random(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[rng.randrange(len(whole))] = rng.randrange(256)
        path.write_bytes(damaged)
        try:
            read_llama2c_tokenizer(path).encode("the cat 🙂", special=True)
        except PointsmanError:
            refused += 1
    assert refused > 200
