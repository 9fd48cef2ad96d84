"""What a request looks like, in under a millisecond and without a model.

Hashed counts of words, pairs of words and runs of three and four bytes, computed by numpy over the request's UTF-8
bytes, and a few dozen surface features. A request of 2,000 characters takes about 0.2 ms; of a longer one the first
`_HEAD` and the last `_TAIL` bytes are hashed, since difficulty stands in the question and not in a long document.

Hashes are the same in every process and version: weights that were fitted elsewhere fit here. `slow_ngrams` is the
obvious twin of the hashing, for tests.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from pointsman.query.compiling import compiled
from pointsman.query.forecasting import Features
from pointsman.query.outcomes import Floats

__all__ = ["NUM_NGRAMS", "SURFACE", "features_of", "hashed_ngrams", "plain_buckets", "slow_ngrams", "surface_of"]

NUM_NGRAMS = 2**15
"""Hash buckets, half for words and half for runs of bytes. 2**16 and 2**17 gave the same figures on outcome tables."""

_Hashes = NDArray[Any]
"""Of uint64, which numpy's annotations do not follow through arithmetic with Python integers."""

_HALF = NUM_NGRAMS // 2
_HEAD, _TAIL = 3_000, 1_000
_RUNS = (3, 4)
_PRIME = 0x9E3779B1  # 2**32 over the golden ratio, Knuth's multiplier
_MASK = 0xFFFFFFFF
_PAIR = 0x85EBCA6B

_OTHER, _SPACE, _LETTER, _DIGIT, _UPPER = range(5)


def _byte_kinds() -> NDArray[np.uint8]:
    kinds = np.full(256, _OTHER, dtype=np.uint8)
    kinds[[9, 10, 11, 12, 13, 32]] = _SPACE
    kinds[ord("a") : ord("z") + 1] = _LETTER
    kinds[ord("A") : ord("Z") + 1] = _UPPER
    kinds[ord("0") : ord("9") + 1] = _DIGIT
    kinds[128:] = _LETTER  # of other scripts; a word of theirs is a run of such bytes
    return kinds


_KINDS = _byte_kinds()
_POWERS = np.array([pow(_PRIME, i, 2**32) for i in range(_HEAD + _TAIL + 2)], dtype=np.uint64)


def features_of(texts: Sequence[str], extra: NDArray[np.float32] | None = None) -> Features:
    """The features of requests. `extra`: (N, X) of a model, see `Features`."""
    rows = [hashed_ngrams(text) for text in texts]
    indptr = np.cumsum([0, *(len(index) for index, _ in rows)])
    index = np.concatenate([index for index, _ in rows]) if rows else np.zeros(0, dtype=np.int64)
    counts = np.concatenate([count for _, count in rows]) if rows else np.zeros(0, dtype=np.float32)
    ngrams = csr_matrix((counts, index, indptr), shape=(len(rows), NUM_NGRAMS))
    surface = np.array([surface_of(text) for text in texts], dtype=np.float64).reshape(len(texts), len(SURFACE))
    return Features(ngrams, surface, np.zeros((len(texts), 0), dtype=np.float32) if extra is None else extra)


def hashed_ngrams(text: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Buckets in rising order, and 1 + log of how often each occurs. By compiled loops, or by numpy without numba."""
    data = _kept(text)
    if not len(data):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
    loop = compiled(_buckets_of)
    hashes = plain_buckets(data) if loop is None else loop(data, _KINDS)
    index, counts = np.unique(hashes, return_counts=True)
    return index, (1 + np.log(counts)).astype(np.float32)


def plain_buckets(data: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The bucket of each n-gram of some bytes, by numpy."""
    words = _word_hashes(data)
    pairs = ((words[:-1] * _PAIR) & _MASK) ^ words[1:]
    hashes = [_bucket(words), _bucket((pairs * _PRIME) & _MASK), *(_HALF + _bucket(_runs(data, n)) for n in _RUNS)]
    return np.concatenate(hashes)


def _buckets_of(data: Any, kinds: Any) -> Any:
    """`plain_buckets` in one pass over the bytes, for numba; in another order."""
    found = np.empty(4 * len(data), dtype=np.int64)
    count, word, before = 0, np.uint64(0), np.uint64(0)
    is_first, kind_before, in_word = True, _SPACE, False
    mask, prime, pair = np.uint64(_MASK), np.uint64(_PRIME), np.uint64(_PAIR)
    half, shift = np.uint64(_HALF), np.uint64(15)
    for i in range(len(data) + 1):
        kind = kinds[data[i]] if i < len(data) else _SPACE
        if in_word and (kind != kind_before or kind == _OTHER):
            found[count] = np.int64((((word * prime) & mask) ^ (word >> shift)) % half)
            count += 1
            if not is_first:
                both = ((((before * pair) & mask) ^ word) * prime) & mask
                found[count] = np.int64((((both * prime) & mask) ^ (both >> shift)) % half)
                count += 1
            before, is_first, in_word = word, False, False
        if kind != _SPACE:
            if not in_word:
                word, in_word = np.uint64(0), True
            word = (word * prime + np.uint64(data[i]) + np.uint64(1)) & mask
        kind_before = kind
    for n in range(_RUNS[0], _RUNS[1] + 1):
        for i in range(len(data) - n + 1):
            run = np.uint64(0)
            for k in range(n):
                run = (run * prime + np.uint64(data[i + k]) + np.uint64(1)) & mask
            found[count] = _HALF + np.int64((((run * prime) & mask) ^ (run >> shift)) % half)
            count += 1
    return found[:count]


def slow_ngrams(text: str) -> dict[int, float]:
    """`hashed_ngrams` one n-gram at a time."""
    data = bytes(_kept(text).tolist())
    found: list[int] = []
    words = [_slow_hash(word) for word in _slow_words(data)]
    found += [_slow_bucket(word) for word in words]
    for first, second in pairwise(words):
        found.append(_slow_bucket((((first * _PAIR) & _MASK) ^ second) * _PRIME & _MASK))
    for n in _RUNS:
        found += [_HALF + _slow_bucket(_slow_hash(data[i : i + n])) for i in range(len(data) - n + 1)]
    return {bucket: 1 + math.log(count) for bucket, count in Counter(found).items()}


def _kept(text: str) -> NDArray[np.uint8]:
    data = np.frombuffer(text.lower().encode("utf-8", "surrogatepass"), dtype=np.uint8)
    return data if len(data) <= _HEAD + _TAIL else np.concatenate([data[:_HEAD], data[-_TAIL:]])


def _word_hashes(data: NDArray[np.uint8]) -> _Hashes:
    """Of runs of letters, of runs of digits, and of each other byte that is not a space."""
    kinds = _KINDS[data]
    is_start = np.ones(len(data), dtype=bool)
    is_start[1:] = (kinds[1:] != kinds[:-1]) | (kinds[1:] == _OTHER)
    starts = np.flatnonzero(is_start)
    ends = np.append(starts[1:], len(data))
    left = np.repeat(ends, ends - starts) - 1 - np.arange(len(data))  # bytes behind this one in its word
    values = ((data.astype(np.uint64) + 1) * _POWERS[left]) & _MASK
    hashes = np.add.reduceat(values, starts) & _MASK
    kept: _Hashes = hashes[kinds[starts] != _SPACE]
    return kept


def _runs(data: NDArray[np.uint8], n: int) -> _Hashes:
    if len(data) < n:
        return np.zeros(0, dtype=np.uint64)
    padded = data.astype(np.uint64) + 1
    total = np.zeros(len(data) - n + 1, dtype=np.uint64)
    for i in range(n):
        total += padded[i : len(data) - n + 1 + i] * _POWERS[n - 1 - i]
    return total & _MASK


def _bucket(hashes: _Hashes) -> NDArray[np.int64]:
    """The high bits of one more multiplication: the low ones of a polynomial hash depend on its last byte only."""
    return ((((hashes * _PRIME) & _MASK) ^ (hashes >> 15)) % _HALF).astype(np.int64)


def _slow_words(data: bytes) -> list[bytes]:
    words: list[bytes] = []
    before = _SPACE
    for value in data:
        kind = int(_KINDS[value])
        if kind != _SPACE:
            if kind == before and kind != _OTHER:
                words[-1] += bytes([value])
            else:
                words.append(bytes([value]))
        before = kind
    return words


def _slow_hash(data: bytes) -> int:
    value = 0
    for byte in data:
        value = (value * _PRIME + byte + 1) & _MASK
    return value


def _slow_bucket(value: int) -> int:
    return (((value * _PRIME) & _MASK) ^ (value >> 15)) % _HALF


_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_OPTION = re.compile(r"^\s*\(?[A-Za-z0-9][).] ", re.MULTILINE)
_CODE = re.compile(
    r"\b(?:def|return|import|class|function|var|const|SELECT|FROM|void|int)\b|[;{}]\s*$|==|=>", re.MULTILINE
)
_WORDS = (
    *("how many", "how", "which", "what", "who", "why", "when", "where", "is ", "are ", "true", "false", "not", "if "),
    *("then", "find", "calculate", "solve", "write", "explain", "sort", "following", "possible", "example", "list"),
    *("string", "each", "step", "all", "best", "most", "total", "after", "before", "number"),
)
_SCRIPTS = ((0x0400, 0x052F), (0x0590, 0x06FF), (0x0900, 0x0DFF), (0x3040, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7AF))
_SCRIPT_NAMES = ("cyrillic", "semitic", "indic", "kana", "han", "hangul")
_OPERATORS, _BRACKETS, _QUOTES = b"+-*/=<>^%", b"()[]{}", b"\"'`"

SURFACE = (
    *("bytes", "words", "lines", "paragraphs", "letters", "digits", "upper", "other", "numbers", "longest_number"),
    *("mean_digits", "options", "question_ends", "questions", "commas", "stops", "quotes", "brackets", "operators"),
    *("code", "distinct_words", "mean_word", "long_words", "words_per_sentence"),
    *(f"script_{name}" for name in _SCRIPT_NAMES),
    *(f"says_{word.strip().replace(' ', '_')}" for word in _WORDS),
)
"""Names of the surface features: logarithms of counts, and shares of the bytes."""


def surface_of(text: str) -> Floats:
    """The surface features of one request, in the order of `SURFACE`."""
    kept = text if len(text) <= _HEAD + _TAIL else text[:_HEAD] + text[-_TAIL:]
    data = np.frombuffer(kept.encode("utf-8", "surrogatepass"), dtype=np.uint8)
    counts = np.bincount(data, minlength=256) if len(data) else np.zeros(256, dtype=np.int64)
    kinds = np.bincount(_KINDS, weights=counts, minlength=5)
    size, lowered = max(len(data), 1), kept.lower()
    words, numbers = kept.split(), _NUMBER.findall(kept)
    lengths = [len(word) for word in words] or [0]
    sentences = max(int(counts[ord(".")] + counts[ord("?")] + counts[ord("!")]), 1)
    logs = [
        len(text),
        len(text.split()) if len(text) > len(kept) else len(words),
        text.count("\n") + 1,
        text.count("\n\n") + 1,
    ]
    shares = [kinds[_LETTER] / size, kinds[_DIGIT] / size, kinds[_UPPER] / size, kinds[_OTHER] / size]
    digits = [len(number) for number in numbers] or [0]
    tallies = [
        *(len(numbers), max(digits), sum(digits) / len(digits), len(_OPTION.findall(kept))),
        *(float(lowered.rstrip().endswith("?")), counts[ord("?")], counts[ord(",")], counts[ord(".")]),
        *(sum(int(counts[byte]) for byte in group) for group in (_QUOTES, _BRACKETS, _OPERATORS)),
        len(_CODE.findall(kept)),
    ]
    shape = [len(set(words)) / len(lengths), sum(lengths) / len(lengths) / 10]
    shape += [sum(length > 7 for length in lengths) / len(lengths), math.log1p(len(words) / sentences)]
    says = [lowered.count(word) for word in _WORDS]
    values = [*np.log1p(logs), *shares, *np.log1p(tallies), *shape, *_scripts(kept), *np.log1p(says)]
    return np.array(values, dtype=np.float64)


def _scripts(text: str) -> list[float]:
    if text.isascii():
        return [0.0] * len(_SCRIPTS)
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    return [float(((points >= low) & (points <= high)).mean()) for low, high in _SCRIPTS]
