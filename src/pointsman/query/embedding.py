"""What a request is about, as far as a table of word pieces or a model tells: an optional embedding.

A model of the engine is one too (`model_embedding.py`). All else here is about tables, which need no torch.

A folder in the format of the library model2vec: `tokenizer.json`, of the library tokenizers, and one `.safetensors`
file with one matrix, a row for each token. A text's vector is the mean of its tokens' rows, scaled to length 1. Special
tokens count for nothing: none is added, and those that a text has, such as a marked unknown word, have no row. Of more
than `HEAD + TAIL` characters the first `HEAD` and the last `TAIL` are read, as in `surface.py`.

A text of 400 words takes 0.7 ms with 256 dimensions and a vocabulary of 32,000, of which the tokenizer takes 0.5. Texts
are embedded one by one, so that a request gets the bits that it got in a table.

Not covered: matrices that come with weights of tokens or a mapping of ids beside them, which are refused; what
`config.json` says, which is not read: a folder with one matrix is a table, whatever stands beside it.

Axes: N texts, T tokens, X dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from pointsman.core import BadRequest, Cost, Unsupported
from pointsman.query.surface import HEAD, TAIL

__all__ = [
    *("Embedder", "SourceOf", "StaticEmbedder", "Vectors", "bad_embedding", "extra_of", "kept_part", "load_embedder"),
    *("load_known_embedder", "scaled"),
]

SourceOf = Callable[[str], str]
"""From the name of a model to its folder; what is no such name stays as it is."""

TOKENIZER_FILE: Final = "tokenizer.json"
CONFIG_FILE: Final = "config.json"

_RULE: Final = b"mean/1"
"""How rows become a vector; part of the digest."""

_DTYPES = ("F16", "F32")
_MAX_DIMS = 4_096  # chosen; matrices in this format have 64 to 1,024
_MAX_MATRIX_BYTES = 2 << 30  # chosen
_MAX_TOKENIZER_BYTES = 256 << 20  # chosen; the largest known have 20 MB
_UNUSUAL = "\N{SNOWMAN} qzxj"  # a vocabulary that cannot write unknown words fails at it

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """Makes `Features.extra` of texts. Safe from several threads."""

    @property
    def folder(self) -> Path:
        """That it was loaded from, or the name of a model, as given."""

    @property
    def num_dims(self) -> int:
        """X, 1 or more."""

    @property
    def digest(self) -> str:
        """Sha256 of what decides: equal digests give equal vectors."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """(N, X) rows of length 1, zeros for a text without tokens. Of a text they do not depend on the others.

        Raises BadRequest `bad_embedding` where the tokenizer cannot read a text.
        """

    def cost(self, text: str) -> Cost:
        """What a model takes to read a text: tokens and bytes moved; nothing of a table. Seconds are not counted."""


@dataclass(frozen=True, slots=True)
class StaticEmbedder:
    """Means of rows. Attributes: `tokenizer` of the library tokenizers, `matrix` (tokens, X), zeros where special."""

    folder: Path
    digest: str
    tokenizer: Any
    matrix: NDArray[Any]

    @property
    def num_dims(self) -> int:
        """X."""
        return int(self.matrix.shape[1])

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder`."""
        return np.array([self._embedded(text) for text in texts], dtype=np.float32).reshape(len(texts), self.num_dims)

    def cost(self, text: str) -> Cost:
        """See `Embedder`."""
        return Cost.zero()

    def _embedded(self, text: str) -> NDArray[np.float64]:
        try:
            tokens = self.tokenizer.encode(kept_part(text), add_special_tokens=False).ids
        except Exception as exc:  # the library raises nothing narrower
            raise bad_embedding(self.folder / TOKENIZER_FILE, f"cannot read a text: {exc}") from exc
        if not tokens:
            return np.zeros(self.num_dims)
        return scaled(self.matrix[tokens].mean(0, dtype=np.float64))


def kept_part(text: str) -> str:
    """What is read of a text, as Unicode."""
    kept = text if len(text) <= HEAD + TAIL else text[:HEAD] + text[-TAIL:]
    return kept if kept.isascii() else kept.encode("utf-8", "replace").decode()  # half a surrogate pair is none


def scaled(mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """(X,), scaled to length 1; zeros stay."""
    length = float(np.sqrt(mean @ mean))
    return np.asarray(mean / length) if length else np.zeros_like(mean)


def extra_of(embedder: Embedder | None, texts: Sequence[str]) -> Vectors | None:
    """(N, X) for `features_of`; None without an embedder."""
    return None if embedder is None else embedder.embed(texts)


def load_embedder(place: Path, source_of: SourceOf = str) -> Embedder:
    """The embedder in a folder, or the model of that name.

    Raises:
        BadRequest: `no_embedding` where there is no such folder; `bad_embedding`, naming the file, for what is missing,
            there more than once, damaged or too large, for tokens without a row, and for values that are not finite;
            as `engine.load_model` for a model.
        Unsupported: `extra_missing` without the library tokenizers, or without torch for a model; as
            `engine.load_model`.
    """
    folder = Path(source_of(str(place)))
    if not folder.is_dir():
        expected = f"expected {TOKENIZER_FILE} and one .safetensors file in it, or a model such as embedded/small"
        raise _missing(f"there is no folder {str(place)!r} with an embedding; {expected}")
    if _is_model(folder):
        from pointsman.query.model_embedding import load_model_embedder

        return load_model_embedder(place, folder)
    return _load_static(place, folder)


def _is_model(folder: Path) -> bool:
    """Whether it has `config.json`, and more than the one matrix of a table, which may have such a file too."""
    files = list(folder.glob("*.safetensors"))
    if not (folder / CONFIG_FILE).is_file() or len(files) != 1:
        return (folder / CONFIG_FILE).is_file()
    try:
        with safe_open(files[0], "np") as file:
            return len(file.keys()) != 1
    except (SafetensorError, OSError):
        return True  # whoever loads it says what is wrong


def _load_static(place: Path, folder: Path) -> StaticEmbedder:
    tokenizer, data = _read_tokenizer(folder / TOKENIZER_FILE)
    path = _matrix_file(folder)
    matrix = _read_matrix(path)
    highest = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1)
    if not 0 <= highest < len(matrix):
        problem = f"has tokens up to {highest}, and {path.name} {len(matrix)} rows; expected a row for each"
        raise bad_embedding(folder / TOKENIZER_FILE, problem)
    digest = _digest(data, matrix)
    matrix[[number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special]] = 0
    found = StaticEmbedder(place, digest, tokenizer, matrix)
    found.embed([_UNUSUAL])
    return found


def load_known_embedder(digest: str, stored: Path, given: Path | None, source_of: SourceOf = str) -> Embedder:
    """The embedder of that digest, from where it was (`stored`), or from where somebody says that it is now.

    Raises as `load_embedder`, and BadRequest `other_embedding` where the folder holds another one.
    """
    if given is None and not Path(source_of(str(stored))).is_dir():
        problem = f"the policy has learned with the embedding in {str(stored)!r}, and there is no such folder"
        raise _missing(f"{problem}; where it has moved, name the new one with --embedding")
    folder = stored if given is None else given
    found = load_embedder(folder, source_of)
    if found.digest != digest:
        problem = f"{folder} holds the embedding {found.digest[:16]}; the policy has learned with {digest[:16]}"
        raise BadRequest(f"{problem}, expected that one", code="other_embedding", param="embedding")
    return found


def _read_tokenizer(path: Path) -> tuple[Any, bytes]:
    """The tokenizer, which neither cuts nor pads, and the bytes of its file."""
    try:
        from tokenizers import Tokenizer
    except ImportError as exc:
        problem = "an embedding needs tokenizers, which is not installed; install the extra: pip install"
        raise Unsupported(f"{problem} 'pointsman[local]'", code="extra_missing") from exc
    try:
        _refuse_large(path, _MAX_TOKENIZER_BYTES)
        data = path.read_bytes()
    except OSError as exc:
        raise bad_embedding(path, f"cannot be read: {exc.strerror or exc}") from exc
    try:
        tokenizer = Tokenizer.from_buffer(data)
    except Exception as exc:  # the library raises nothing narrower
        raise bad_embedding(path, f"is no tokenizer: {exc}") from exc
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer, data


def _matrix_file(folder: Path) -> Path:
    found = sorted(folder.glob("*.safetensors"))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise bad_embedding(folder, f"has the .safetensors files: {names}; expected one")
    return found[0]


def _read_matrix(path: Path) -> NDArray[Any]:
    """(tokens, X), finite, of the file's precision, and writable."""
    try:
        _refuse_large(path, _MAX_MATRIX_BYTES)
        with safe_open(path, "np") as file:
            names = sorted(file.keys())
            if len(names) != 1:
                raise bad_embedding(path, f"has the arrays: {', '.join(names) or 'none'}; expected one, a matrix")
            part = file.get_slice(names[0])
            shape, dtype = part.get_shape(), part.get_dtype()
            if len(shape) != 2 or shape[0] < 1 or not 1 <= shape[1] <= _MAX_DIMS or dtype not in _DTYPES:
                expected = f"expected {' or '.join(_DTYPES)}, a row for each token, 1 to {_MAX_DIMS} columns"
                raise bad_embedding(path, f"{names[0]} is {dtype} {tuple(shape)}; {expected}")
            matrix = np.array(file.get_tensor(names[0]), order="C")
    except (SafetensorError, OSError) as exc:
        raise bad_embedding(path, f"cannot be read as safetensors: {exc}") from exc
    if not np.isfinite(matrix).all():
        raise bad_embedding(path, f"{names[0]} has values that are not finite")
    return matrix


def _refuse_large(path: Path, most: int) -> None:
    size = path.stat().st_size
    if size > most:
        raise bad_embedding(path, f"has {size:,} bytes; expected {most:,} at most")


def _digest(tokenizer: bytes, matrix: NDArray[Any]) -> str:
    found = sha256(_RULE + sha256(tokenizer).digest() + f"{matrix.dtype}{matrix.shape}".encode())
    found.update(matrix.data.cast("B"))
    return found.hexdigest()


def _missing(problem: str) -> BadRequest:
    return BadRequest(problem, code="no_embedding", param="embedding")


def bad_embedding(place: Path, problem: str) -> BadRequest:
    """Of what stands at a place and cannot be used."""
    return BadRequest(f"{place} {problem}", code="bad_embedding", param="embedding")
