"""Models of llama2.c: one `.bin` with a header of seven numbers and float32 tensors, and a tokenizer in another.

The layout is that of the legacy export (version 0). llama2.c rotates the pairs (2i, 2i + 1) of a head where our model
rotates (i, i + E/2), so the rows of queries and keys change their places on the way in.

Not done here: the later exports, which begin with a magic number, and quantised ones.
"""

import math
import struct
from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush
from pathlib import Path

import torch
from torch import Tensor

from pointsman.core import BadRequest, Unsupported
from pointsman.engine.config import ModelConfig
from pointsman.engine.model import Decoder
from pointsman.engine.tokenizer import TextTokenizer
from pointsman.engine.weights import named_views

BOS, EOS = 1, 2

_HEADER = struct.Struct("<7i")
_MAGIC = 0x616B3432  # "ak42", where the legacy export has the width
_TOKEN = struct.Struct("<fi")
_FIRST_BYTE, _FIRST_PIECE = 3, 259  # ids 3 to 258 are the 256 bytes
_ROTATED = ("q_proj.weight", "k_proj.weight")


def read_llama2c_config(path: Path) -> ModelConfig:
    """The shape of the model in a `.bin`.

    Raises:
        BadRequest: `invalid_weights` for a header that describes no model, or a file of another size than it says.
        Unsupported: `unsupported_model` for a later export.
    """
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER.size)
    except OSError as exc:
        raise BadRequest(f"cannot read {path}: {exc.strerror}", code="invalid_weights") from exc
    if len(header) < _HEADER.size:
        raise _invalid(path, f"it has {len(header)} bytes; expected a header of {_HEADER.size}")
    config = _config(path, *_HEADER.unpack(header))
    expected_bytes = _HEADER.size + 4 * sum(math.prod(shape) for shape in _layout(config).values())
    num_bytes = path.stat().st_size
    if num_bytes != expected_bytes:
        raise _invalid(path, f"it has {num_bytes} bytes; its header asks for {expected_bytes}")
    return config


def load_llama2c(path: Path, *, dtype: torch.dtype, device: torch.device) -> Decoder:
    """The decoder in a `.bin`, in `dtype` on `device`. Raises as `read_llama2c_config`."""
    config = read_llama2c_config(path)
    with torch.device("meta"):
        decoder = Decoder(config)
    decoder = decoder.to(dtype).to_empty(device=device)
    views = named_views(decoder)
    layout = _layout(config)
    num_values = sum(math.prod(shape) for shape in layout.values()) + _HEADER.size // 4
    values = torch.from_file(str(path), shared=False, size=num_values, dtype=torch.float32)[_HEADER.size // 4 :]
    for name, shape in layout.items():
        stored, values = values[: math.prod(shape)].view(shape), values[math.prod(shape) :]
        if "{}" in name:
            for layer, tensor in enumerate(stored):
                is_rotated = name.endswith(_ROTATED)
                views[name.format(layer)].copy_(_half_split(tensor, config.head_dim) if is_rotated else tensor)
        elif name in views:
            views[name].copy_(stored)
    return decoder


class Llama2cTokenizer(TextTokenizer):
    """SentencePiece-like BPE: joins neighbours, best score first, until no two make a token.

    Id 0 is unknown, 1 begins a text, 2 ends one, 3 to 258 are bytes, the rest are pieces of text. llama2.c's training
    texts have no end token; the begin of the next one is their end.

    Args:
        pieces: bytes of every token.
        scores: of every token; higher is joined earlier.
    """

    _begins_with_space = True

    def __init__(self, pieces: Sequence[bytes], scores: Sequence[float]) -> None:
        self.vocab_size = len(pieces)
        self.eos_tokens = (EOS, BOS)
        self._pieces = pieces
        self._scores = scores
        # the earlier of two equal pieces wins; names of special tokens and bytes are no text
        self._ids = {pieces[token]: token for token in reversed(range(_FIRST_PIECE, len(pieces))) if pieces[token]}

    def encode(self, text: str, *, special: bool) -> list[int]:
        begin = [BOS] if special else []
        return begin + self.encode_plain(f" {text}") if text else begin

    def encode_plain(self, text: str) -> list[int]:
        try:
            letters = [letter.encode() for letter in text]
        except UnicodeEncodeError as exc:
            raise BadRequest("the text holds half of a surrogate pair; expected Unicode", code="invalid_text") from exc
        tokens: list[int] = []
        for piece in self._join(letters):
            token = self._ids.get(piece)
            tokens += [_FIRST_BYTE + byte for byte in piece] if token is None else [token]
        return tokens

    def token_bytes(self, token: int) -> bytes:
        if _FIRST_BYTE <= token < _FIRST_PIECE:
            return bytes([token - _FIRST_BYTE])
        return self._pieces[token] if _FIRST_PIECE <= token < self.vocab_size else b""

    def _vocabulary(self) -> Iterable[tuple[int, bytes]]:
        return enumerate(self._pieces)

    def _join(self, pieces: list[bytes]) -> list[bytes]:
        """`pieces` with neighbours joined, the leftmost first among equal scores; O(n log n)."""
        after = list(range(1, len(pieces) + 1))
        before = list(range(-1, len(pieces) - 1))
        queue: list[tuple[float, int, bytes]] = []

        def pair(left: int) -> bytes:
            return pieces[left] + pieces[after[left]] if after[left] < len(pieces) else b""

        def offer(left: int) -> None:
            token = self._ids.get(pair(left)) if left >= 0 else None
            if token is not None:
                heappush(queue, (-self._scores[token], left, self._pieces[token]))

        for left in range(len(pieces)):
            offer(left)
        while queue:
            _, left, joined = heappop(queue)
            if not pieces[left] or pair(left) != joined:
                continue  # one of the two was joined with another in the meantime
            right = after[left]
            pieces[left], pieces[right] = joined, b""
            after[left] = after[right]
            if after[right] < len(pieces):
                before[after[right]] = left
            offer(before[left])
            offer(left)
        return [piece for piece in pieces if piece]


def read_llama2c_tokenizer(path: Path) -> Llama2cTokenizer:
    """The tokenizer in a file such as `tok512.bin`: the longest length, then score, length and bytes of every token.

    Raises:
        BadRequest: `invalid_tokenizer` for a file that is absent, cut off, or lacks the tokens that every one has.
    """
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise BadRequest(f"cannot read {path}: {exc.strerror}", code="invalid_tokenizer") from exc
    entries = list(_entries(path, data))
    pieces = [piece for piece, _ in entries]
    if pieces[_FIRST_BYTE:_FIRST_PIECE] != [b"<0x%02X>" % byte for byte in range(256)]:
        problem = f"ids {_FIRST_BYTE} to {_FIRST_PIECE - 1} are not the tokens <0x00> to <0xFF>"
        raise BadRequest(f"{path} is no tokenizer of llama2.c: {problem}", code="invalid_tokenizer")
    return Llama2cTokenizer(pieces, [score for _, score in entries])


def _entries(path: Path, data: bytes) -> Iterator[tuple[bytes, float]]:
    start = struct.calcsize("<i")
    while start < len(data):
        first = start + _TOKEN.size
        score, length = _TOKEN.unpack_from(data, start) if first <= len(data) else (0.0, -1)
        if not 0 <= length <= len(data) - first:
            raise BadRequest(
                f"{path} is cut off or no tokenizer: byte {start} begins no token", code="invalid_tokenizer"
            )
        yield data[first : first + length], score
        start = first + length


def _config(path: Path, *header: int) -> ModelConfig:
    hidden_size, intermediate_size, num_layers, num_heads, num_kv_heads, vocab_size, context_tokens = header
    if hidden_size == _MAGIC:
        problem = f"{path} is an export of version {intermediate_size}; expected the legacy one (version 0)"
        raise Unsupported(problem, code="unsupported_model")
    if min(hidden_size, intermediate_size, num_layers, num_heads, num_kv_heads, abs(vocab_size), context_tokens) < 1:
        raise _invalid(path, f"its header is {list(header)}; expected numbers from 1 up")
    if hidden_size % (2 * num_heads) or num_heads % num_kv_heads:
        problem = f"width {hidden_size}, {num_heads} heads and {num_kv_heads} key heads do not divide each other"
        raise _invalid(path, problem)
    return ModelConfig(
        architecture="LlamaForCausalLM",
        vocab_size=abs(vocab_size),
        hidden_size=hidden_size,
        intermediate_size=intermediate_size,
        num_layers=num_layers,
        num_heads=num_heads,
        num_kv_heads=num_kv_heads,
        head_dim=hidden_size // num_heads,
        context_tokens=context_tokens,
        rms_norm_eps=1e-5,
        ties_embedding=vocab_size > 0,
        eos_tokens=(EOS, BOS),
        bos_token=BOS,
    )


def _layout(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Tensors in the order of the file by our names; `{}` stands for the layer, which is the first axis then."""
    num_layers, width, inner = config.num_layers, config.hidden_size, config.intermediate_size
    q_rows, kv_rows = config.num_heads * config.head_dim, config.num_kv_heads * config.head_dim
    angles = (config.context_tokens, config.head_dim // 2)
    block = "model.layers.{}."
    layout: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (config.vocab_size, width),
        block + "input_layernorm.weight": (num_layers, width),
        block + "self_attn.q_proj.weight": (num_layers, q_rows, width),
        block + "self_attn.k_proj.weight": (num_layers, kv_rows, width),
        block + "self_attn.v_proj.weight": (num_layers, kv_rows, width),
        block + "self_attn.o_proj.weight": (num_layers, width, q_rows),
        block + "post_attention_layernorm.weight": (num_layers, width),
        block + "mlp.gate_proj.weight": (num_layers, inner, width),
        block + "mlp.down_proj.weight": (num_layers, width, inner),
        block + "mlp.up_proj.weight": (num_layers, inner, width),
        "model.norm.weight": (width,),
        "cosines": angles,  # these two follow from the header and are not read
        "sines": angles,
    }
    return layout if config.ties_embedding else layout | {"lm_head.weight": (config.vocab_size, width)}


def _half_split(weight: Tensor, head_dim: int) -> Tensor:
    """(H * E, D) with rows of a head in pairs (2i, 2i + 1) -> the same with pairs (i, i + E/2)."""
    pairs = weight.view(-1, head_dim // 2, 2, weight.shape[-1])
    return pairs.transpose(1, 2).reshape(weight.shape)


def _invalid(path: Path, problem: str) -> BadRequest:
    return BadRequest(f"{path} is broken or no model of llama2.c: {problem}", code="invalid_weights")
